"""From a text to the PDUs that carry it: address types, alphabet, and the three ways to send what does not fit in one.

Knows no connection.
"""

from __future__ import annotations

from typing import Literal, TypeVar

from protocol.smpp import parts
from protocol.smpp import text as alphabets
from protocol.smpp.constants import ESM_UDHI, Npi, Tag, Ton
from protocol.smpp.headers import build_udh
from protocol.smpp.records import DeliverSm, SubmitSm

LongStyle = Literal["udh", "udh16", "sar", "payload"]
Carrying = TypeVar("Carrying", SubmitSm, DeliverSm)

SHORT_CODE_DIGITS_MAX = 6


def address_of(written: str) -> tuple[int, int, str]:
    """Type of number, numbering plan and address of what a person wrote: ``+336…``, ``36105`` or ``Shop``."""
    digits = written.removeprefix("+")
    if not digits.isdecimal():
        return Ton.ALPHANUMERIC, Npi.UNKNOWN, written
    if len(digits) <= SHORT_CODE_DIGITS_MAX:
        return Ton.NETWORK_SPECIFIC, Npi.UNKNOWN, digits
    return Ton.INTERNATIONAL, Npi.ISDN, digits


def compose(
    kind: type[Carrying],
    source: str,
    destination: str,
    text: str,
    *,
    encoding: str = "",
    default: str = "gsm",
    long: LongStyle = "udh",
    reference: int = 1,
    registered_delivery: int = 0,
) -> list[Carrying]:
    """The PDUs of a text, in order. An empty ``encoding`` chooses the cheapest; ``default`` is data_coding 0."""
    encoding = encoding or alphabets.best_encoding(text)
    payload = alphabets.encode(text, encoding)
    source_ton, source_npi, source_addr = address_of(source)
    dest_ton, dest_npi, destination_addr = address_of(destination)

    def one(short_message: bytes, esm_class: int = 0, tlvs: parts.Tlvs = ()) -> Carrying:
        return kind(
            source_addr_ton=source_ton,
            source_addr_npi=source_npi,
            source_addr=source_addr,
            dest_addr_ton=dest_ton,
            dest_addr_npi=dest_npi,
            destination_addr=destination_addr,
            esm_class=esm_class,
            registered_delivery=registered_delivery,
            data_coding=alphabets.data_coding_of(encoding, default),
            short_message=short_message,
            tlvs=tlvs,
        )

    pieces = parts.split(payload, encoding)
    if len(pieces) == 1:
        return [one(payload)]
    if long == "payload":
        return [one(b"", tlvs=((Tag.MESSAGE_PAYLOAD, payload),))]
    total = len(pieces)
    if long == "sar":
        return [one(piece, tlvs=_sar(reference, total, at)) for at, piece in enumerate(pieces, 1)]
    headers = [build_udh((reference, total, at), wide=long == "udh16") for at in range(1, total + 1)]
    return [one(header + piece, esm_class=ESM_UDHI) for header, piece in zip(headers, pieces, strict=True)]


def _sar(reference: int, total: int, sequence: int) -> parts.Tlvs:
    """SMPP 3.4 5.3.2.22 to 5.3.2.24."""
    return (
        (Tag.SAR_MSG_REF_NUM, (reference & 0xFFFF).to_bytes(2)),
        (Tag.SAR_TOTAL_SEGMENTS, bytes((total,))),
        (Tag.SAR_SEGMENT_SEQNUM, bytes((sequence,))),
    )
