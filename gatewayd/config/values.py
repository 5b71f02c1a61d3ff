"""What a value of the configuration may be: words, bounds and forms, by name. Reads nothing and checks nothing.

``Meta.extra`` is for gatewayd.config.reading: ``form`` names a rule of gatewayd.config.forms that a text must obey,
``noun`` says in words what a number is, and ``hidden`` keeps a value out of every message and listing.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Alphabet = Literal["gsm", "latin1", "ascii", "utf8", "ucs2"]
Septets = Literal["unpacked", "packed"]
LongMessages = Literal["udh8", "udh16", "sar", "payload"]
Transliteration = Literal["off", "typographic", "full"]
NationalLanguage = Literal[
    "turkish",
    "spanish",
    "portuguese",
    "bengali",
    "gujarati",
    "hindi",
    "kannada",
    "malayalam",
    "oriya",
    "punjabi",
    "tamil",
    "telugu",
    "urdu",
]
BindMode = Literal["transceiver", "transmitter", "receiver", "separate"]
EsmeMode = Literal["transceiver", "transmitter", "receiver"]
MessageIdMode = Literal["auto", "exact", "case", "hex_to_decimal", "decimal_to_hex"]
SmppVersion = Literal["3.3", "3.4", "5.0"]
SmppVersionOrAuto = Literal["auto", "3.3", "3.4", "5.0"]
DeliveryPdu = Literal["deliver_sm", "data_sm"]
IdBase = Literal["hex", "decimal"]
DateDigits = Literal[10, 12]
ReceiptParts = Literal["each", "worst", "first", "last"]
ReceiptTlv = Literal["receipted_message_id", "message_state", "network_error_code"]
DestinationForm = Literal["as_sent", "e164", "plus", "00", "national"]
UnknownPolicy = Literal["prefer_duplicate", "prefer_silence"]
ApiCall = Literal["message", "capability", "revoke"]
AgentState = Literal["draft", "launched", "suspended"]
LinkKind = Literal["smpp", "gsma", "rbm"]
Sink = Literal["smpp", "webhook", "mqtt"]
News = Literal["receipt", "mo", "session"]
Product = Literal["kannel", "jasmin"]
Scope = Literal["send", "query", "cancel", "sessions", "capability"]

TonOrKept = Annotated[int, Meta(ge=0, le=6)] | Literal["keep", "auto"]
NpiOrKept = Annotated[int, Meta(ge=0, le=18)] | Literal["keep", "auto"]
Port = Annotated[int, Meta(ge=1, le=65_535, extra={"noun": "a port"})]
Binds = Annotated[int, Meta(ge=1, le=1_000)]
Window = Annotated[int, Meta(ge=1, le=10_000)]
WindowOrOther = Annotated[int, Meta(ge=0, le=10_000)]
Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Rate = Annotated[float, Meta(gt=0, le=1_000_000)]
Attempts = Annotated[int, Meta(ge=1, le=1_000)]
CountOrNone = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Octets = Annotated[int, Meta(ge=1_024, le=16_777_216, extra={"noun": "a size in octets"})]
FileOctets = Annotated[int, Meta(ge=1_024, le=1_099_511_627_776, extra={"noun": "a size in octets"})]
ReceiptChars = Annotated[int, Meta(ge=0, le=20)]
BatchSize = Annotated[int, Meta(ge=1, le=100_000)]
BulkSize = Annotated[int, Meta(ge=1, le=10_000)]
Keepalive = Annotated[int, Meta(ge=5, le=3_600)]
Concurrency = Annotated[int, Meta(ge=1, le=256)]
Weight = Annotated[int, Meta(ge=1, le=1_000)]
Workers = Annotated[int, Meta(ge=1, le=64, extra={"noun": "a number of workers"})]
Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
SecondsOrOff = Annotated[float, Meta(ge=0, le=31_536_000)]
Delay = Annotated[float, Meta(ge=0, le=10)]
Hours = Annotated[float, Meta(gt=0, le=87_600)]
HoursOrOff = Annotated[float, Meta(ge=0, le=87_600)]
Milliseconds = Annotated[float, Meta(ge=0, le=1_000)]
RateOrNone = Annotated[float, Meta(ge=0, le=1_000_000)]
Share = Annotated[float, Meta(gt=0, le=1)]
ShareOrNone = Annotated[float, Meta(ge=0, le=0.9)]

Listen = Annotated[str, Meta(extra={"form": "listen"})]
Network = Annotated[str, Meta(extra={"form": "network"})]
Host = Annotated[str, Meta(extra={"form": "host"})]
HostPort = Annotated[str, Meta(extra={"form": "host_port"})]
StatusAction = Annotated[str, Meta(extra={"form": "status_action"})]
Url = Annotated[str, Meta(extra={"form": "url"})]
SystemId = Annotated[str, Meta(extra={"form": "system_id"})]
SystemType = Annotated[str, Meta(extra={"form": "system_type"})]
PasswordHash = Annotated[str, Meta(extra={"form": "password_hash", "hidden": True})]
KeyHash = Annotated[str, Meta(extra={"form": "key_hash", "hidden": True})]
Moment = Annotated[str, Meta(extra={"form": "moment"})]
Pattern = Annotated[str, Meta(extra={"form": "pattern"})]
Sender = Annotated[str, Meta(extra={"form": "sender"})]
Tlvs = Annotated[str, Meta(extra={"form": "tlvs"})]
Tlv = Annotated[str, Meta(extra={"form": "tlv"})]
ServiceType = Annotated[str, Meta(extra={"form": "service_type"})]
Country = Annotated[str, Meta(extra={"form": "country"})]
Text = Annotated[str, Meta(extra={"form": "text"})]
Prefix = Annotated[str, Meta(extra={"form": "prefix"})]
HoursOfDay = Annotated[str, Meta(extra={"form": "hours_of_day"})]
OAuthScope = Annotated[str, Meta(extra={"form": "scope"})]
Word = Annotated[str, Meta(extra={"form": "word"})]
ReceiptWord = Annotated[str, Meta(extra={"form": "receipt_word"})]
ReceiptTemplate = Annotated[str, Meta(extra={"form": "receipt_template"})]
ReceiptError = Annotated[str, Meta(extra={"form": "receipt_error"})]
Name = Annotated[str, Meta(extra={"form": "name"})]
CallbackUrl = Annotated[str, Meta(extra={"form": "callback_url"})]
TlsName = Annotated[str, Meta(extra={"form": "tls_name"})]
TopicPrefix = Annotated[str, Meta(extra={"form": "topic_prefix"})]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A TOML table: unknown keys are faults, never ignored."""
