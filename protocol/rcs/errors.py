"""The one fault that bytes of a platform, or content that breaks its rules, may lead to.

Knows nothing of how a fault is counted, logged or answered.
"""

from __future__ import annotations


class RcsFault(Exception):
    """Something outside broke a rule of the messaging API.

    ``kind`` is a short stable word for metrics and logs; it never holds text of a message or a number.
    ``http_status`` is what a webhook that met the fault answers. The kinds:

    from a webhook body: ``not_json``, ``bad_shape``, ``unknown_event``, ``unknown_status``, ``no_msg_id``,
    ``no_content``, ``bad_position``;
    from the contact of an event: ``anonymous_contact``, ``bad_contact``;
    from a token answer: ``token_http_NNN``, ``token_bad_shape``;
    from content we were asked to send: ``text_empty``, ``text_too_long``, ``suggestions_number``,
    ``display_text_length``, ``postback_length``, ``no_url``.
    """

    def __init__(self, kind: str, http_status: int = 400) -> None:
        super().__init__(kind)
        self.kind = kind
        self.http_status = http_status
