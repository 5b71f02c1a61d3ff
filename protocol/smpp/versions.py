"""Which version of SMPP two sides speak: what each says, what follows from it, and what an older one must be spared.

Knows no connection. A version is the octet of interface_version: 0x33 stands for 3.3 and whatever is older.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from protocol.smpp.constants import INTERFACE_VERSION, VERSION_3_3, VERSION_5_0, Status, Tag
from protocol.smpp.errors import LocalFault
from protocol.smpp.fields import Tlvs
from protocol.smpp.pdu import AlertNotification, DataSm, Pdu, build
from protocol.smpp.tlvs import write

NAMES: Final[dict[str, int]] = {"3.3": VERSION_3_3, "3.4": INTERFACE_VERSION, "5.0": VERSION_5_0}
"""The versions that we speak, by the names that people use."""

OLDEST: Final = VERSION_3_3
NEWEST: Final = VERSION_5_0

UNKNOWN_TO_3_3: Final[frozenset[type[Pdu]]] = frozenset({DataSm, AlertNotification})
"""Requests that came with 3.4 (section 1.2): a peer that speaks 3.3 is sent none of them."""

CONGESTION_MAX: Final = 100


def version_of(said: int) -> int:
    """The version that an interface_version stands for (3.4 section 5.2.4): 0x00 to 0x33 are 3.3, those between two
    that we know are the older one, and above 5.0 we know nothing newer."""
    if said < INTERFACE_VERSION:
        return VERSION_3_3
    return VERSION_5_0 if said >= VERSION_5_0 else INTERFACE_VERSION


def spoken(ours: int, said: int) -> int:
    """What two sides speak, of whom each understands all that is older: the older of both."""
    return min(ours, version_of(said))


def bind_answer_tlvs(version: int) -> Tlvs:
    """sc_interface_version (3.4 section 5.3.2.25) for a peer that knows what a TLV is (3.4 section 3.3)."""
    return (write("sc_interface_version", version),) if version > VERSION_3_3 else ()


def said_version(tlvs: Tlvs) -> int:
    """What sc_interface_version says in a bind's answer; 0 where there is none, or none that can be read."""
    value = _value(tlvs, Tag.SC_INTERFACE_VERSION)
    return value[0] if len(value) == 1 else 0


def said_congestion(tlvs: Tlvs) -> int | None:
    """What congestion_state says in a response (5.0 section 4.8.4.18): 0 idle to 100 congested; None without it."""
    value = _value(tlvs, Tag.CONGESTION_STATE)
    return min(value[0], CONGESTION_MAX) if len(value) == 1 else None


def congestion_tlv(state: int) -> tuple[int, bytes]:
    """congestion_state, with ``state`` from 0 to 100."""
    return Tag.CONGESTION_STATE, bytes((max(0, min(state, CONGESTION_MAX)),))


def build_bare(pdu: Pdu) -> bytes:
    """As ``build``, for a peer without TLVs: they are left out, for it would take them for a fault (3.4 section 3.3).

    Raises LocalFault where the message itself is one of them.
    """
    tlvs: Tlvs = getattr(pdu, "tlvs", ())
    if not tlvs:
        return build(pdu)
    if any(tag == Tag.MESSAGE_PAYLOAD for tag, _ in tlvs):
        command: Any = getattr(pdu, "command", 0)
        raise LocalFault("field_too_long", Status.ESME_RINVMSGLEN, command=command, detail="message_payload")
    return build(msgspec.structs.replace(pdu, tlvs=()))


def _value(tlvs: Iterable[tuple[int, bytes]], wanted: int) -> bytes:
    return next((value for tag, value in tlvs if tag == wanted), b"")
