"""What a simulated sender sent and was told: submits with their answers, receipts, and texts from handsets.

Reads receipts and parts by itself, as strictly as the specification allows: it is the judge of what the gateway writes.
"""

from __future__ import annotations

import re
from collections import Counter, deque

import msgspec

from gatewayd.simulate.watch import Watch
from protocol.smpp import text as alphabets
from protocol.smpp.constants import ESM_INTERMEDIATE, ESM_RECEIPT, ESM_TYPE_MASK, ESM_UDHI, Tag
from protocol.smpp.records import AlertNotification, DataSm, DeliverSm, Request, Response, SubmitSm

ENTRIES_MAX = 200_000

# SMPP 3.4 appendix B to the letter.
_RECEIPT = re.compile(
    rb"id:(\S+) sub:(\d{3}) dlvrd:(\d{3}) submit date:(\d{10}(?:\d\d)?) done date:(\d{10}(?:\d\d)?)"
    rb" stat:([A-Z]{1,7}) err:(\w{3}) text:(.*)",
    re.IGNORECASE | re.DOTALL,
)
_STATES = {
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
}


# The gateway's own TLV on a receipt for a message that was read; its word is the account's choice.
DISPLAYED = 0x1496


class Submitted(msgspec.Struct):
    """One submit_sm; ``status`` is None until an answer came, ``lost`` says why none will."""

    pdu: SubmitSm
    at: float = 0.0
    message_id: str = ""
    status: int | None = None
    latency_s: float = 0.0
    lost: str = ""


class Receipt(msgspec.Struct):
    """One receipt. ``state`` and ``message_id`` are of the text; ``faults`` says what of it is not as it must be.

    ``is_displayed``: it tells that the message was read, and ``state`` is the word for that.
    """

    at: float
    pdu: DeliverSm
    message_id: str
    state: str
    error: str
    faults: tuple[str, ...] = ()
    is_displayed: bool = False


class Asked(msgspec.Struct):
    """One request beside submit_sm, and its answer once it is there; ``lost`` says why none will come."""

    pdu: Request
    answer: Response | None = None
    lost: str = ""


class Text(msgspec.Struct):
    """One text from a handset, whole: of several parts when the handset's was long."""

    at: float
    source: str
    destination: str
    text: str
    pdus: list[DeliverSm]


class Ledger(Watch):
    """Everything in the order in which it happened, the oldest forgotten beyond ``ENTRIES_MAX``."""

    __slots__ = ("_incomplete", "alerts", "counts", "faults", "notices", "receipts", "submits", "texts")

    def __init__(self) -> None:
        super().__init__()
        self.submits: deque[Submitted] = deque(maxlen=ENTRIES_MAX)
        self.receipts: deque[Receipt] = deque(maxlen=ENTRIES_MAX)
        self.notices: deque[Receipt] = deque(maxlen=ENTRIES_MAX)
        self.texts: deque[Text] = deque(maxlen=ENTRIES_MAX)
        self.alerts: deque[AlertNotification] = deque(maxlen=1_000)
        self.faults: deque[tuple[str, int]] = deque(maxlen=1_000)
        self.counts: Counter[str] = Counter()
        self._incomplete: dict[tuple[str, str, int], dict[int, DeliverSm]] = {}

    def take(self, pdu: DeliverSm, at: float) -> None:
        """Enter a deliver_sm as a receipt, or as a text once all of its parts are there."""
        if pdu.esm_class & ESM_TYPE_MASK == ESM_RECEIPT:
            self.receipts.append(read_receipt(pdu, at))
            self.counts["receipts"] += 1
            return
        if pdu.esm_class & ESM_TYPE_MASK == ESM_INTERMEDIATE:
            self.notices.append(read_receipt(pdu, at))
            self.counts["notices"] += 1
            return
        reference, total, sequence = part_of(pdu)
        key = (pdu.source_addr, pdu.destination_addr, reference)
        parts = self._incomplete.setdefault(key, {})
        parts[sequence] = pdu
        if len(parts) < total:
            return
        del self._incomplete[key]
        pdus = [parts[at_part] for at_part in sorted(parts)]
        self.texts.append(Text(at, pdu.source_addr, pdu.destination_addr, joined(pdus), pdus))
        self.counts["texts"] += 1

    def answered(self) -> list[Submitted]:
        """The submits that have an answer."""
        return [submit for submit in self.submits if submit.status is not None]

    def receipts_of(self, message_id: str) -> list[Receipt]:
        """The receipts for one message, oldest first."""
        return [receipt for receipt in self.receipts if receipt.message_id == message_id]


def delivered(pdu: DeliverSm | DataSm) -> DeliverSm:
    """The deliver_sm that says what a data_sm says (3.4 section 4.7.1)."""
    if isinstance(pdu, DeliverSm):
        return pdu
    payload = dict(pdu.tlvs).get(Tag.MESSAGE_PAYLOAD, b"")
    return DeliverSm(
        source_addr_ton=pdu.source_addr_ton,
        source_addr_npi=pdu.source_addr_npi,
        source_addr=pdu.source_addr,
        dest_addr_ton=pdu.dest_addr_ton,
        dest_addr_npi=pdu.dest_addr_npi,
        destination_addr=pdu.destination_addr,
        esm_class=pdu.esm_class,
        registered_delivery=pdu.registered_delivery,
        data_coding=pdu.data_coding,
        short_message=payload,
        tlvs=tuple(tlv for tlv in pdu.tlvs if tlv[0] != Tag.MESSAGE_PAYLOAD),
        sequence=pdu.sequence,
    )


def read_receipt(pdu: DeliverSm, at: float) -> Receipt:
    """Read a receipt's text by appendix B, and hold its TLVs (5.3.2.12, 5.3.2.35) against it."""
    match = _RECEIPT.fullmatch(pdu.short_message)
    if match is None:
        return Receipt(at, pdu, "", "", "", ("text is not appendix B",))
    message_id, state, error = (match[group].decode("latin-1") for group in (1, 6, 7))
    tlvs = dict(pdu.tlvs)
    faults = []
    receipted = tlvs.get(Tag.RECEIPTED_MESSAGE_ID)
    if receipted is not None and receipted.rstrip(b"\0").decode("latin-1") != message_id:
        faults.append("receipted_message_id names another message")
    is_displayed = tlvs.get(DISPLAYED) == b"\x01"
    expected = "DELIVRD" if is_displayed else state
    number = tlvs.get(Tag.MESSAGE_STATE)
    if number is not None and _STATES.get(int.from_bytes(number)) != expected:
        faults.append("message_state is not the state of the text")
    if (state in _STATES.values()) == is_displayed:
        faults.append("the state of the text is not a word for it")
    return Receipt(at, pdu, message_id, state, error, tuple(faults), is_displayed)


def part_of(pdu: DeliverSm) -> tuple[int, int, int]:
    """Reference, total and sequence of a part; (0, 1, 1) for a text that is whole (TS 23.040 9.2.3.24.1 and .8)."""
    data = pdu.short_message
    if pdu.esm_class & ESM_UDHI:
        at, end = 1, data[0] + 1
        while at + 2 <= end:
            element, size = data[at], data[at + 1]
            value = data[at + 2 : at + 2 + size]
            if (element, size) in ((0x00, 3), (0x08, 4)):
                return int.from_bytes(value[:-2]), value[-2], value[-1]
            at += 2 + size
    tlvs = dict(pdu.tlvs)
    sar = [tlvs.get(tag) for tag in (Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM)]
    if all(sar):
        reference, total, sequence = (int.from_bytes(value or b"") for value in sar)
        return reference, total, sequence
    return 0, 1, 1


def joined(pdus: list[DeliverSm], default: str = "gsm") -> str:
    """The text of all parts together: an alphabet's pair may be cut between two."""
    payload = b""
    for pdu in pdus:
        data = dict(pdu.tlvs).get(Tag.MESSAGE_PAYLOAD, pdu.short_message)
        payload += data[data[0] + 1 :] if pdu.esm_class & ESM_UDHI else data
    encoding = alphabets.encoding_of(pdus[0].data_coding, default)
    return payload.hex() if encoding == "binary" else alphabets.decode(payload, encoding, "replace")
