"""What a carrier's deliver_sm or data_sm says: a receipt or a handset's message, in the neutral vocabulary.

Knows no connection and answers nothing: it reads one PDU.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from gatewayd.carriers.id_learning import IdLearner
from gatewayd.carriers.receipt_dialects import Dialect, octets_of
from gatewayd.carriers.tlv_rules import incoming, of_receipts
from gatewayd.carriers.wording import manner_of
from gatewayd.config import schema
from gatewayd.message import Availability, Encoding, Inbound, Receipt, State
from protocol.smpp.constants import Status, Tag
from protocol.smpp.errors import RemoteFault
from protocol.smpp.parts import concat_of
from protocol.smpp.pdu import AlertNotification, DataSm, DeliverSm
from protocol.smpp.receipt import ParsedReceipt, is_receipt, looks_like_receipt, parse
from protocol.smpp.receipt_ids import LEARNT, ONE_KEY_MODES, canonical_key, id_keys
from protocol.smpp.septets import fill_bits, unpack
from protocol.smpp.text import LOOSE_ENCODINGS, TextFault, decode, encoding_of

_ENCODINGS: Final = {encoding.value: encoding for encoding in Encoding}
_OK: Final = int(Status.ESME_ROK)
_STATES: Final = {state.value: state for state in State}


class ReportReader:
    """How the reports of one link are read; another one when its settings change."""

    def __init__(
        self,
        settings: schema.Link,
        on_fault: Callable[[str], None],
        dialect: Dialect | None = None,
        on_unparsed: Callable[[DeliverSm | DataSm], None] = lambda pdu: None,
    ) -> None:
        """``on_unparsed`` hears of a receipt that the ``dialect`` cannot read. What the link says of ids counts before
        what the dialect says. Where that is ``auto``, ``learner`` wants the key of each message that the carrier named,
        until there is a ``verdict`` on how it spells them in receipts (a mode, empty before)."""
        self.id_mode: str = settings.message_id_mode
        if self.id_mode == "auto" and dialect is not None:
            self.id_mode = dialect.file.message_id_mode
        self.verdict = ""
        self.learns = self.id_mode == "auto"
        self.learner = IdLearner() if self.learns else None
        manner = manner_of(settings)
        self._how: tuple[str, str, bool, Dialect | None, bool] = (
            *(manner.alphabet, self.id_mode),
            *(manner.is_packed, dialect, settings.receipts_without_mark),
        )
        self._tlv_rule = incoming(settings)
        self._receipt_rule = of_receipts(settings)
        self._on_fault = on_fault
        self._on_unparsed = on_unparsed

    def heard(self, pdu: DeliverSm | DataSm) -> tuple[Receipt | Inbound | None, int]:
        """What a PDU reports, if anything, and the command_status to answer it with where it does not."""
        try:
            content = report_of(pdu, *self._how)
        except RemoteFault as fault:
            self._on_fault(fault.kind)
            return None, fault.status
        if self._tlv_rule is not None and isinstance(content, Inbound) and content.tlvs:
            content = msgspec.structs.replace(content, tlvs=self._tlv_rule(content.tlvs))
        if self._receipt_rule is not None and isinstance(content, Receipt) and pdu.tlvs:
            content = msgspec.structs.replace(content, tlvs=self._receipt_rule(pdu.tlvs))
        if content is None:
            # Sent again it would be no clearer, and as a message it would puzzle a person.
            self._on_fault("receipt_unparsed")
            self._on_unparsed(pdu)
        elif self.learner is not None and type(content) is Receipt:
            self._learn(self.learner.on_receipt(content.written))
        return content, _OK

    def goes_on_from(self, older: ReportReader) -> None:
        """What an older reader of the same link knows of the carrier's ids counts on."""
        if self.learner is not None and older.learns:
            self.learner = older.learner
            self._learn(older.verdict)

    def _learn(self, mode: str) -> None:
        """An id that could mean two messages means from now on what this carrier means."""
        if not mode:
            return
        self.verdict, self.learner = mode, None
        self.id_mode = LEARNT.get(mode, self.id_mode)
        self._how = (self._how[0], self.id_mode, *self._how[2:])


def report_of(
    pdu: DeliverSm | DataSm,
    alphabet: str,
    message_id_mode: str,
    is_packed: bool = False,
    dialect: Dialect | None = None,
    without_mark: bool = False,
) -> Receipt | Inbound | None:
    """Return what a PDU reports, or None for a receipt that cannot be read: it is never taken for a message.

    ``alphabet`` is what data_coding 0 means on this link; ``is_packed``: its GSM texts have eight septets in seven
    octets. ``dialect`` is how its receipts are written, if not as usual. ``without_mark``: what reads like a receipt
    is one, although nothing but its text says so. Raises RemoteFault for a broken user data header.
    """
    short_message, tlvs = octets_of(pdu) if pdu.tlvs or not isinstance(pdu, DeliverSm) else (pdu.short_message, ())
    if is_receipt(pdu.esm_class, tlvs):
        read = parse if dialect is None else dialect.parse
        return _receipt_of(read(short_message, tlvs), message_id_mode, pdu.source_addr)
    if without_mark and not pdu.esm_class and (unmarked := _unmarked(short_message, tlvs, dialect)) is not None:
        return _receipt_of(unmarked, message_id_mode, pdu.source_addr)
    concat, udh, payload = concat_of(pdu.esm_class, short_message, tlvs)
    encoding = encoding_of(pdu.data_coding, alphabet)
    if is_packed and encoding == "gsm":
        payload = unpack(payload, fill_bits(len(udh)))
    elif encoding in LOOSE_ENCODINGS and not _is_text(payload, encoding):
        encoding = "binary"
    return Inbound(
        source_ton=pdu.source_addr_ton,
        source_npi=pdu.source_addr_npi,
        source=pdu.source_addr,
        destination_ton=pdu.dest_addr_ton,
        destination_npi=pdu.dest_addr_npi,
        destination=pdu.destination_addr,
        payload=payload,
        encoding=_ENCODINGS[encoding],
        data_coding=pdu.data_coding,
        esm_class=pdu.esm_class,
        protocol_id=pdu.protocol_id if isinstance(pdu, DeliverSm) else 0,
        udh=udh,
        concat=concat,
        tlvs=tlvs,
    )


def availability_of(pdu: AlertNotification) -> Availability:
    """Return what an alert_notification says (3.4 sections 4.12 and 5.3.2.30)."""
    said = next((value for tag, value in pdu.tlvs if tag == Tag.MS_AVAILABILITY_STATUS), b"")
    return Availability(
        handset_ton=pdu.source_addr_ton,
        handset_npi=pdu.source_addr_npi,
        handset=pdu.source_addr,
        address_ton=pdu.esme_addr_ton,
        address_npi=pdu.esme_addr_npi,
        address=pdu.esme_addr,
        status=said[0] if len(said) == 1 else -1,
    )


def _is_text(payload: bytes, encoding: str) -> bool:
    try:
        decode(payload, encoding)
    except TextFault:
        return False
    return True


def _unmarked(text: bytes, tlvs: tuple[tuple[int, bytes], ...], dialect: Dialect | None) -> ParsedReceipt | None:
    """A receipt that bears no mark, if it has all of the text of one: a person may write the first words of it."""
    if dialect is not None:
        return dialect.parse(text, tlvs) if dialect.is_written_so(text) else None
    return parse(text, tlvs) if looks_like_receipt(text) else None


def _receipt_of(parsed: ParsedReceipt | None, message_id_mode: str, handset: str) -> Receipt | None:
    if parsed is None:
        return None
    carrier_id, mode = parsed.carrier_id, message_id_mode
    return Receipt(  # by position: by name, so many fields take three times as long
        canonical_key(carrier_id, mode) if mode == "auto" else id_keys(carrier_id, mode)[0],
        _STATES[parsed.state],
        parsed.error,
        _unix_of(parsed.done) if parsed.done is not None else 0.0,
        False,
        (),
        handset,
        False,
        parsed.network_error,
        parsed.words,
        (),
        "" if mode in ONE_KEY_MODES else carrier_id,
    )


# Receipts come in crowds of the same minutes.
_unix_of = functools.lru_cache(maxsize=1024)(datetime.timestamp)


def spelt_out(receipt: Receipt) -> Receipt:
    """The same receipt with all other spellings of its id as ``aliases``."""
    if not receipt.written:
        return receipt
    aliases = tuple(key for key in id_keys(receipt.written, "auto") if key != receipt.carrier_id)
    return msgspec.structs.replace(receipt, aliases=aliases, written="")
