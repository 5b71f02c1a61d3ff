"""The faults that bytes of a platform, or content that breaks its rules, may lead to.

Knows nothing of how a fault is counted, logged or answered.
"""

from __future__ import annotations


class RcsFault(Exception):
    """Something outside broke a rule of the messaging API.

    ``kind`` is a short stable word for metrics and logs; it never holds text of a message or a number.
    ``http_status`` is what a webhook that met the fault answers. The kinds:

    from a webhook call: ``unauthorized``, ``not_json``, ``bad_shape``, ``unknown_event``, ``unknown_status``,
    ``no_msg_id``, ``no_content``, ``bad_position``;
    from the contact of an event: ``anonymous_contact``, ``bad_contact``;
    from a token answer: ``token_http_NNN``, ``token_bad_shape``; from a key that signs: ``bad_key``.
    """

    def __init__(self, kind: str, http_status: int = 400) -> None:
        super().__init__(kind)
        self.kind = kind
        self.http_status = http_status


class ContentFault(RcsFault):
    """Content that we were asked to send breaks a limit; the message of the exception says which and where.

    ``element`` is the way to it (``carousel.cards[3].title``, counted from 0), ``problem`` says what is wrong in
    numbers, never in words of the message. The kinds: ``missing``, ``empty``, ``too_long``, ``too_few``,
    ``too_many``, ``too_large``, ``out_of_range``, ``contradiction``, ``bad_value``, ``unsupported``,
    ``not_uploaded``.
    """

    def __init__(self, kind: str, element: str, problem: str) -> None:
        super().__init__(f"content_{kind}")
        self.args = (f"{element}: {problem}",)
        self.element = element
        self.problem = problem
