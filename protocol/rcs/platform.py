"""What a link asks of any RCS platform: one record of functions and facts, whoever speaks it.

No code of its own; ``gsma`` and ``rbm`` fill it in.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from protocol.rcs.answers import CapabilityAnswer, RevokeAnswer, Scope, SendAnswer
from protocol.rcs.content import Content, Limits
from protocol.rcs.events import Contact, Event
from protocol.rcs.exchange import Request
from protocol.rcs.files import FileApi
from protocol.rcs.tokens import Credentials, Grant


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """One message to send: ``message_id`` is our own number for it, moments are Unix seconds, ``expires_at`` 0 = none.

    ``traffic_type`` is a word of the platform, empty where none is asked for.
    """

    bot_id: str
    contact: Contact
    content: Content
    message_id: int
    now: float
    expires_at: float = 0.0
    traffic_type: str = ""


class Reading(msgspec.Struct, frozen=True):
    """What a webhook call brought, in order; ``reply`` is the text that it wants to be answered with, if any.

    ``bot`` is the one that it is for, as the platform names it, where that is another one than was expected.
    """

    events: list[Event]
    reply: str = ""
    bot: str = ""


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """One platform.

    ``repeats_safely``: we name messages, and the same one sent twice under its name arrives once. ``name_of`` says
    that name beforehand. ``traffic_types``: the platform's words by class of traffic, the empty one for any other.
    ``question_scope``: what must rest after a question or a revoke that was throttled.
    ``revoke_grace_s``: how long after its yes to a revoke the platform may still deliver.

    ``grant`` fetches a token, with Unix seconds. ``send`` and its kin make requests below the server root; they raise
    RcsFault, ``send`` also ContentFault for content beyond ``limits``. ``read_…`` take status and body, ``read_send``
    also the Retry-After header and the message that it was about; they never raise. ``revoke`` is given the bot and
    the name of the message; ``capability`` the bot, the contact and a number that is not used twice.

    ``admits`` judges a webhook call by its headers and our secret before its body is read; where nothing can be said
    then, ``is_proved_by_body``. ``read_call`` is given
    headers, body, secret and bot; it raises RcsFault for what is not to be believed or understood. Names of headers
    are in their usual spelling. ``is_bot`` tells whether a name in a call is that of a bot. ``unreachable_codes`` are
    the errors of messages that failed later because their number is not to be reached. ``files`` is how it takes files
    of ours, None where it takes none.
    """

    name: str
    limits: Limits
    grant: Callable[[Credentials, float], Grant]
    send: Callable[[Outgoing], Request]
    read_send: Callable[[int, bytes, str | None, Outgoing], SendAnswer]
    revoke: Callable[[str, str], Request]
    read_revoke: Callable[[int, bytes], RevokeAnswer]
    capability: Callable[[str, Contact, int], Request]
    read_capability: Callable[[int, bytes], CapabilityAnswer]
    admits: Callable[[Mapping[str, str], str], bool]
    read_call: Callable[[Mapping[str, str], bytes, str, str], Reading]
    is_proved_by_body: bool = False
    traffic_types: Mapping[str, str] = MappingProxyType({})
    repeats_safely: bool = False
    name_of: Callable[[Outgoing], str] = lambda outgoing: ""
    question_scope: Scope = ""
    revoke_grace_s: float = 0.0
    is_bot: Callable[[str, str], bool] = operator.eq
    unreachable_codes: frozenset[str] = frozenset()
    files: FileApi | None = None
