"""What a submit_sm must be to be taken: its addresses, its text, its moments, and what our own TLVs in it say.

Each refusal has its SMPP status (3.4 section 5.1.3), a word for the counter, and for people what was wrong and where.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from gatewayd.config import schema
from gatewayd.config.callback_urls import is_allowed
from gatewayd.message import TAG_CALLBACK, TAG_CLASS, TAG_CONTENT, TAG_IDEMPOTENCY, TAGS_OF_OURS, Encoding
from gatewayd.policy.callbacks import read
from gatewayd.policy.numbering import TON_ALPHANUMERIC, is_valid_destination
from gatewayd.senders.address_rules import AddressRules, Resolved
from protocol.rcs.content import Content, check
from protocol.rcs.errors import ContentFault
from protocol.rcs.limits import Limits
from protocol.smpp import text
from protocol.smpp.constants import Status
from protocol.smpp.errors import SmppFault
from protocol.smpp.headers import NO_SHIFT, shift_of
from protocol.smpp.pdu import SubmitSm
from protocol.smpp.times import parse_time

IDEMPOTENCY_KEY_MAX: Final = 255
_ALPHANUMERIC_MAX: Final = 11
_HOUR_S: Final = 3_600.0
_GSM: Final = Encoding.GSM  # asked for each message, and looking a member up in its class is dear
_ESCAPE: Final = 0x1B
_CUT_ANYWHERE: Final = frozenset((Encoding.UCS2, Encoding.UTF8))

_decode_content = msgspec.json.Decoder(Content).decode


class Refusal(Exception):
    """A submit_sm that is not taken: the status that says so, and the word for the counter.

    ``element`` and ``problem`` say more, where there is more to say; neither holds anything of the message's words.
    """

    def __init__(self, status: Status, kind: str, element: str = "", problem: str = "") -> None:
        super().__init__(kind)
        self.status = status
        self.kind = kind
        self.element = element
        self.problem = problem

    @classmethod
    def of(cls, fault: SmppFault) -> Refusal:
        """For what a field of it is not."""
        return cls(Status(fault.status), fault.kind)


class Sender(Protocol):
    """The account, as far as the rules ask for it."""

    settings: schema.Account
    address_rules: AddressRules | None

    def may_send_as(self, sender: str) -> bool:
        """Whether a source address is one of the account's."""


def check_addresses(account: Sender, pdu: SubmitSm) -> Resolved | None:
    """From whom, to whom; what the account's rules make of it, if it has any. Raises Refusal.

    An application's rights are to what it writes; how that looks to a carrier matters after the rules.
    """
    resolved, rules = None, account.address_rules
    if rules is None:
        ton, source = pdu.source_addr_ton, pdu.source_addr
        to_ton, to_npi, to = pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr
        if not account.may_send_as(source):
            raise Refusal(Status.ESME_RINVSRCADR, "sender_not_allowed")
    else:
        written = rules.source_of(pdu)
        if not account.may_send_as(written.address):
            raise Refusal(Status.ESME_RINVSRCADR, "sender_not_allowed")
        resolved = rules.resolve(written, pdu)
        if resolved is None:
            raise Refusal(Status.ESME_RINVDSTADR, "invalid_destination")
        (ton, _, source), (to_ton, to_npi, to), _ = resolved
    if not source.isprintable():
        raise Refusal(Status.ESME_RINVSRCADR, "sender_not_allowed")
    if ton == TON_ALPHANUMERIC and not 0 < len(source) <= _ALPHANUMERIC_MAX:
        raise Refusal(Status.ESME_RINVSRCADR, "sender_name_length")
    if not is_valid_destination(to, to_ton, to_npi):
        raise Refusal(Status.ESME_RINVDSTADR, "invalid_destination")
    return resolved


def lifetime(account: Sender, expires_at: float, begins_at: float) -> float:
    """Until when a message lives that is to go at ``begins_at``, by what its account allows; 0: for ever."""
    settings = account.settings
    if not expires_at and settings.validity_default_h:
        expires_at = begins_at + settings.validity_default_h * _HOUR_S
    if settings.validity_max_h:
        latest = begins_at + settings.validity_max_h * _HOUR_S
        return min(expires_at or latest, latest)
    return expires_at


def check_text(payload: bytes, encoding: Encoding, is_part: bool, udh: bytes = b"") -> Encoding:
    """Octets that are no text in their data_coding would reach a handset as garbage: say so now. Raises Refusal.

    Returns what the octets are: those that are no text in an alphabet that people use with other meanings are BINARY.
    A part may begin or end within a character, so of UCS2 only the length is looked at, and of UTF-8 nothing.
    """
    if encoding is Encoding.BINARY:
        return encoding
    if encoding is _GSM and not udh and payload.isascii() and _ESCAPE not in payload:
        return encoding  # nearly all of them, and every septet but the escape is a letter
    if encoding is Encoding.UCS2 and len(payload) % 2:
        raise Refusal(Status.ESME_RINVMSGLEN, "odd_ucs2")
    if is_part and encoding in _CUT_ANYWHERE:
        return encoding
    try:
        text.decode(payload, encoding, shift=shift_of(udh) if udh else NO_SHIFT)
    except text.TextFault:
        if encoding in text.LOOSE_ENCODINGS:
            return Encoding.BINARY
        raise Refusal(Status.ESME_RSUBMITFAIL, "text_not_in_coding") from None
    return encoding


def delivery_moment(scheduled: str, account: Sender, now: float) -> float:
    """When a scheduled message is to go (3.4 section 5.2.15), in Unix seconds. Raises Refusal.

    Both times of a submit_sm, this one and validity_period, count from now where they are relative (7.1.1.2).
    """
    try:
        moment = parse_time(scheduled, now, Status.ESME_RINVSCHED)
    except SmppFault as fault:
        raise Refusal.of(fault) from None
    longest_h = account.settings.schedule_max_h
    if longest_h == 0:
        raise Refusal(Status.ESME_RINVSCHED, "schedule_not_allowed")
    if moment <= now:
        raise Refusal(Status.ESME_RINVSCHED, "schedule_past")
    if moment > now + longest_h * _HOUR_S:
        raise Refusal(Status.ESME_RINVSCHED, "schedule_too_far", problem=f"at most {longest_h:g} hours ahead")
    return moment


def check_own_tlvs(tlvs: Sequence[tuple[int, bytes]], account: Sender, limits: Limits) -> str:
    """Judge the TLVs by which an application says what SMPP has no words for; the class of traffic that it asks for,
    or nothing. Raises Refusal."""
    traffic_class = ""
    for tag, value in tlvs:
        if tag not in TAGS_OF_OURS:
            continue
        if tag == TAG_CONTENT:
            _check_content(value, limits)
        elif tag == TAG_CLASS:
            traffic_class = value.rstrip(b"\0").decode("ascii", "replace")
            if traffic_class not in (*account.settings.traffic_classes, account.settings.traffic_class):
                raise Refusal(Status.ESME_RINVOPTPARAMVAL, "class_not_allowed")
        elif tag == TAG_CALLBACK:
            callback = read(value)
            if callback is None or not is_allowed(callback.url, account.settings.dlr_urls):
                raise Refusal(Status.ESME_RINVOPTPARAMVAL, "callback_not_allowed")
        elif tag == TAG_IDEMPOTENCY and not 0 < len(value) <= IDEMPOTENCY_KEY_MAX:
            raise Refusal(Status.ESME_RINVPARLEN, "idempotency_key_length")
    return traffic_class


def _check_content(octets: bytes, limits: Limits) -> None:
    try:
        check(_decode_content(octets), limits)
    except ContentFault as fault:
        raise Refusal(
            Status.ESME_RINVOPTPARAMVAL, f"content_{fault.kind.removeprefix('content_')}", fault.element, fault.problem
        ) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        # What stands behind the path may be words of the message: the kind of fault is enough.
        path = str(error).partition(" - at `$")[2].rstrip("`").lstrip(".")
        raise Refusal(
            Status.ESME_RINVOPTPARAMVAL, "content_bad_shape", path or "content", "is not of the right shape"
        ) from None
    except RecursionError:
        raise Refusal(Status.ESME_RINVOPTPARAMVAL, "content_bad_shape", "content", "is nested too deeply") from None
