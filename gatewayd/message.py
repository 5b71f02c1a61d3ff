"""The one neutral vocabulary: messages, attempts, outcomes, receipts and inbound texts, and their states.

Knows no wire format, no clock and no storage.
"""

from __future__ import annotations

import enum
from typing import Final, Literal

import msgspec

# TLVs of our own (SMPP 3.4 section 5.3.2 leaves 0x1400 to 0x3FFF to us). By these an application says what SMPP has no
# words for: rich content (JSON), the class of traffic, a key under which a repeated submit is known as such, and where
# the news of this one message is to go (policy.callbacks).
TAG_CONTENT: Final = 0x1498
TAG_CLASS: Final = 0x1499
TAG_IDEMPOTENCY: Final = 0x149A
TAG_CALLBACK: Final = 0x149B
TAGS_OF_OURS: Final = range(0x1490, 0x14A0)
"""None of these leaves the gateway towards a carrier."""

NO_NETWORK_ERROR: Final = -1
"""No network_error_code was told (SMPP 3.4 section 5.3.2.31); else it is the TLV's three octets as a number."""


class Channel(enum.StrEnum):
    """How a link reaches the handset."""

    SMS = "sms"
    RCS = "rcs"


class Encoding(enum.StrEnum):
    """What the octets of a payload are, once account and link agree on what data_coding 0 means.

    GSM is GSM 03.38, one septet an octet (unpacked), in the default alphabet unless the header names national language
    tables; UCS2 is UTF-16, big endian. CYRILLIC is ISO 8859-5, HEBREW ISO 8859-8, EUCKR KS C 5601.
    """

    GSM = "gsm"
    LATIN1 = "latin1"
    ASCII = "ascii"
    UCS2 = "ucs2"
    UTF8 = "utf8"
    CYRILLIC = "cyrillic"
    HEBREW = "hebrew"
    ISO2022JP = "iso2022jp"
    EUCKR = "euckr"
    BINARY = "binary"


class State(enum.StrEnum):
    """The final states of a message, by the words of SMPP 3.4 appendix B, and the two that are not final."""

    ENROUTE = "ENROUTE"
    ACCEPTD = "ACCEPTD"
    DELIVRD = "DELIVRD"
    EXPIRED = "EXPIRED"
    DELETED = "DELETED"
    UNDELIV = "UNDELIV"
    UNKNOWN = "UNKNOWN"
    REJECTD = "REJECTD"

    def __init__(self, word: str) -> None:
        self.is_final = word not in ("ENROUTE", "ACCEPTD")
        """Whether no further receipt can follow."""


class Addresses(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """From whom and to whom, as an application wrote it; by the same names as in Message."""

    source_ton: int = 0
    source_npi: int = 0
    source: str = ""
    destination_ton: int = 0
    destination_npi: int = 0
    destination: str = ""


class Message(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What one submit_sm asked for; never changed after it was accepted.

    ``payload`` is the user data without its UDH; ``udh`` is the whole header with its length octet, or empty.
    ``concat`` is (reference, total, sequence) for one part of a long message, whether UDH or SAR said so.
    ``tlvs`` keeps every TLV of the sender in order, except message_payload, which became ``payload``.
    Times are Unix seconds; ``expires_at`` 0 means that no validity period was given, ``deliver_at`` 0 that it is to go
    at once. ``known_as`` is the name under which its application knows it, where that is not its id in hexadecimal: a
    short one, or that of all messages of one submit_multi. ``transliterate`` says how far its text may be changed to
    fit the alphabet of an SMS link; empty: not at all. ``written`` are the addresses as the application wrote them, and
    is to be told them, where they are not those that hold. ``replaces``: it takes the place of a waiting one of the
    same application, addresses and service_type; ``is_replaceable``: such a one may take its place.
    """

    id: int
    account: str
    source_ton: int
    source_npi: int
    source: str
    destination_ton: int
    destination_npi: int
    destination: str
    payload: bytes
    encoding: Encoding
    accepted_at: float
    expires_at: float = 0.0
    data_coding: int = 0
    esm_class: int = 0
    protocol_id: int = 0
    priority: int = 0
    registered_delivery: int = 0
    service_type: str = ""
    traffic_class: str = ""
    udh: bytes = b""
    concat: tuple[int, int, int] | None = None
    tlvs: tuple[tuple[int, bytes], ...] = ()
    deliver_at: float = 0.0
    known_as: str = ""
    transliterate: str = ""
    written: Addresses | None = None
    replaces: bool = False
    is_replaceable: bool = False

    @property
    def told(self) -> Message | Addresses:
        """Where the addresses are that its application knows."""
        return self.written or self


Scope = Literal["", "user", "agent", "application"]
"""What a carrier's limit holds for."""


class Accepted(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The carrier took it and named it; a receipt may follow under that name.

    ``is_plain``: what was sent is a text without suggestions, and nothing richer. ``changed``: which letters of the
    text were changed so that it fits the link's alphabet.
    """

    carrier_id: str
    is_plain: bool = True
    changed: str = ""


class Refused(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The carrier said no for good: another link may try, this one must not.

    ``error`` is a short stable word or code for people and metrics (``ESME_RINVDSTADR``, ``http_404``).
    ``unreachable`` marks the family that operators count in their error ratio: not their number, or unknown.
    ``is_final``: no other link is to try either.
    """

    error: str
    unreachable: bool = False
    is_final: bool = False


class Deferred(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Not now: the same link may be asked again after ``retry_s`` seconds. Nothing was sent.

    ``pauses`` says that everything behind this message must wait as well (throttling), so that order is kept. How
    much that is, ``scope`` says: the agent (this link), the application (all links that share its quota), or, empty, as
    much as the link's configuration says. ``user``: this handset alone must wait; ``pauses`` means nothing then.
    """

    error: str
    retry_s: float
    pauses: bool = False
    scope: Scope = ""


class Unknown(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Sent, or perhaps sent, and no answer came: it may or may not have been taken.

    ``carrier_id`` is its name at the carrier if it was taken, where that is ours to give; empty where it is not.
    ``is_plain`` as in Accepted.
    """

    error: str
    carrier_id: str = ""
    is_plain: bool = True


Outcome = Accepted | Refused | Deferred | Unknown


class Receipt(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag=True):
    """What a carrier later said of a message that it had accepted.

    ``aliases`` are other spellings under which the carrier's id may have been given at submit time (hex or decimal,
    case, leading zeros), to be tried in order after ``carrier_id`` itself. Most receipts never need them: ``written``,
    the id as the carrier wrote it, is what they are made of once one does (``Link.spelt_out``). ``handset`` is the
    number that the carrier names, if it names one: whose home the receipt belongs to. ``at`` is the carrier's own time
    in Unix seconds, or 0 when it gave none. ``displayed`` marks a read report, which implies DELIVRD. ``unreachable``
    as in Refused, for a message that was taken first. ``words`` are the carrier's own, where they say more than state
    and error.
    ``tlvs`` are those of its TLVs that the application is to be told beside what the receipt says.
    """

    carrier_id: str
    state: State
    error: str = "000"
    at: float = 0.0
    displayed: bool = False
    aliases: tuple[str, ...] = ()
    handset: str = ""
    unreachable: bool = False
    network_error: int = NO_NETWORK_ERROR
    words: str = ""
    tlvs: tuple[tuple[int, bytes], ...] = ()
    written: str = ""


class Availability(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A carrier tells that a handset may be reached now, to whom a message for it waits (SMPP 3.4 section 4.12).

    ``address`` is that of the application. ``status``: 0 available, 1 denied, 2 unavailable; -1 when it is not said.
    """

    handset_ton: int
    handset_npi: int
    handset: str
    address_ton: int
    address_npi: int
    address: str
    status: int = -1


class Linked(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag=True):
    """A platform tells that a user who hides the number, and a number, are the same at a bot.

    ``source`` is one of the user's two addresses: who is its home, looks what is known of it. ``to_number``: what is
    known is to be told to the number's home, else to that of the alias. ``number`` is digits alone.
    """

    source: str
    bot_id: str
    alias: str
    number: str
    to_number: bool


class Attachment(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A file, picture or recording from a handset; ``size`` in octets, 0 when the platform does not tell it."""

    mime_type: str = ""
    size: int = 0
    name: str = ""


class Inbound(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag=True):
    """A text or a suggestion reply from a handset (MO).

    ``dedup_id`` names it at the carrier, empty when the carrier names nothing; ``postback`` is the data behind a
    tapped suggestion. ``destination`` is the number or the bot that was addressed. ``udh``, ``concat`` as in Message.
    ``at`` is the carrier's own time in Unix seconds, or 0 when it gave none. ``is_action`` marks a tap that did
    something on the handset, ``is_silent`` what is no message at all, such as a conversation that was opened.
    ``alias`` is what the platform calls a user who hides the number; ``source`` is then a pseudonym. ``attachment`` is
    what the address in the text leads to; ``place`` where the user is, as a geo URI (RFC 5870).
    """

    source_ton: int
    source_npi: int
    source: str
    destination_ton: int
    destination_npi: int
    destination: str
    payload: bytes
    encoding: Encoding
    data_coding: int = 0
    esm_class: int = 0
    protocol_id: int = 0
    udh: bytes = b""
    concat: tuple[int, int, int] | None = None
    tlvs: tuple[tuple[int, bytes], ...] = ()
    postback: str = ""
    dedup_id: str = ""
    at: float = 0.0
    is_action: bool = False
    is_silent: bool = False
    alias: str = ""
    attachment: Attachment | None = None
    place: str = ""
