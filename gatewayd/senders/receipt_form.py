"""How the receipts of one account are written: what SMPP 3.4 appendix B leaves open, as its application reads it.

Made once from the configuration, used for each receipt. Knows no bind and no outbox.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from gatewayd.config import schema
from gatewayd.config.receipt_templates import APPENDIX_B, TEXT_MAX
from gatewayd.message import State
from gatewayd.policy.homes import id_of, sequence_at
from gatewayd.senders.errors_told import error_code
from gatewayd.senders.names import decimal_text, message_id_text
from gatewayd.store.records import Delivery
from protocol.smpp import text
from protocol.smpp.constants import MessageState, Tag

_LAYOUTS: Final[Mapping[int, str]] = MappingProxyType({10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S"})
_TAGS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "receipted_message_id": int(Tag.RECEIPTED_MESSAGE_ID),
        "message_state": int(Tag.MESSAGE_STATE),
        "network_error_code": int(Tag.NETWORK_ERROR_CODE),
    }
)
ALL_TLVS: Final = tuple(_TAGS)
_EXAMPLE_AT: Final = 1_795_683_600.0
# SMPP 3.4 section 5.2.28.
STATE_NUMBERS: Final[Mapping[State, MessageState]] = MappingProxyType(
    {
        State.ENROUTE: MessageState.ENROUTE,
        State.DELIVRD: MessageState.DELIVERED,
        State.EXPIRED: MessageState.EXPIRED,
        State.DELETED: MessageState.DELETED,
        State.UNDELIV: MessageState.UNDELIVERABLE,
        State.ACCEPTD: MessageState.ACCEPTED,
        State.UNKNOWN: MessageState.UNKNOWN,
        State.REJECTD: MessageState.REJECTED,
    }
)


class ReceiptForm:
    """One account's."""

    def __init__(self, account: schema.Account) -> None:
        """The configuration was checked: its template, its zone and its words are sound."""
        self._template = account.receipt_template or APPENDIX_B
        self._layout = _LAYOUTS[account.receipt_dates]
        zone = account.receipt_zone
        self._zone: tzinfo = UTC if zone == "UTC" else zoneinfo.ZoneInfo(zone)
        # Two octets for each character would stand in the middle of ASCII.
        self._alphabet = "ascii" if account.data_coding_0 == "ucs2" else account.data_coding_0
        self._text_max = account.receipt_text_chars
        self._errors = dict(account.receipt_errors)
        self._untold = frozenset(_TAGS[name] for name in ALL_TLVS if name not in account.receipt_tlvs)

    def text_of(self, delivery: Delivery, name: str) -> bytes:
        """The text of the receipt for the message of this name."""
        state, own = delivery.state, self._own(delivery)
        written = self._template.format_map(
            {
                "id": name,
                "sub": "001",
                "dlvrd": "001" if state is State.DELIVRD else "000",
                "submit_date": _date_of(int(delivery.submitted_at), self._layout, self._zone),
                "done_date": _date_of(int(delivery.done_at), self._layout, self._zone),
                "stat": delivery.displayed or state.value,
                "state": STATE_NUMBERS[state],
                "err": f"{self._error(delivery):0>3}",
                "text": "\0" if own else "",
                "handset": delivery.source,
                "sender": delivery.destination,
            }
        )
        if not own:
            return written.encode("ascii", "replace")
        head, _, tail = written.partition("\0")
        return head.encode("ascii", "replace") + own + tail.encode("ascii", "replace")

    def tlvs_of(self, tlvs: tuple[tuple[int, bytes], ...]) -> tuple[tuple[int, bytes], ...]:
        """Those of a receipt's TLVs that the application is told."""
        return tuple(tlv for tlv in tlvs if tlv[0] not in self._untold) if self._untold else tlvs

    def _error(self, delivery: Delivery) -> str:
        """By the carrier's or our own word first, then by the state."""
        errors = self._errors
        return errors.get(delivery.error) or errors.get(delivery.state.value) or error_code(delivery.error)

    def _own(self, delivery: Delivery) -> bytes:
        """The beginning of the message's text, in the application's alphabet; what that does not have is a ``?``."""
        if not self._text_max or not delivery.payload:
            return b""
        words = text.decode(delivery.payload, delivery.encoding, "replace")[: min(self._text_max, TEXT_MAX)]
        return b"".join(_octets_of(character, self._alphabet) for character in words)


def form_of(account: schema.Account) -> ReceiptForm | None:
    """The account's form; None where receipts are those of appendix B, which are written faster."""
    default = schema.Account()
    keys = (
        "receipt_template",
        "receipt_dates",
        "receipt_zone",
        "receipt_text_chars",
        "receipt_errors",
        "receipt_tlvs",
    )
    return ReceiptForm(account) if any(getattr(account, key) != getattr(default, key) for key in keys) else None


def example_of(form: ReceiptForm, account: schema.Account) -> str:
    """What a receipt would read, for a person who writes a configuration."""
    message_id = id_of(sequence_at(_EXAMPLE_AT), 0)
    delivery = Delivery(
        id=1,
        account="",
        kind="receipt",
        source_ton=1,
        source_npi=1,
        source="33612345678",
        destination_ton=5,
        destination_npi=0,
        destination="SHOP",
        created_at=0.0,
        due=0.0,
        state=State.DELIVRD,
        submitted_at=_EXAMPLE_AT,
        done_at=_EXAMPLE_AT + 7.0,
        payload=b"Your code is 4711, do not tell it",
    )
    name = decimal_text(message_id) if account.message_id_base == "decimal" else message_id_text(message_id)
    return form.text_of(delivery, name).decode("latin-1")


@lru_cache(maxsize=4096)
def _date_of(unix: int, layout: str, zone: tzinfo) -> str:
    """Receipts come in crowds of the same seconds."""
    return datetime.fromtimestamp(unix, zone).strftime(layout)


@lru_cache(maxsize=512)
def _octets_of(character: str, alphabet: str) -> bytes:
    if not character.isprintable():
        return b" "
    try:
        return text.encode(character, alphabet)
    except text.TextFault:
        return b"?"
