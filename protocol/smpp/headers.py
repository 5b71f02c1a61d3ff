"""User data headers: reading, writing and changing the information elements of TS 23.040 9.2.3.24.

Knows no message and no text: what an element asks of either is its reader's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from protocol.smpp.constants import Status
from protocol.smpp.errors import LocalFault, RemoteFault

Concat = tuple[int, int, int]  # reference, total, sequence (from 1)
Shift = tuple[int, int]  # national language identifiers: locking shift, single shift; 0 is the default alphabet's
Elements = list[tuple[int, bytes]]

IE_CONCAT_8: Final = 0x00
IE_CONCAT_16: Final = 0x08
IE_SINGLE_SHIFT: Final = 0x24
IE_LOCKING_SHIFT: Final = 0x25
CONCAT_ELEMENTS: Final = frozenset((IE_CONCAT_8, IE_CONCAT_16))
SHIFT_ELEMENTS: Final = frozenset((IE_SINGLE_SHIFT, IE_LOCKING_SHIFT))

SMS_SIZE: Final = 140
"""Octets of one SMS on the air, its header included (9.2.3.16)."""
CONCAT_8_SIZE: Final = 6
"""Octets of a header that says which part of a longer message this is: 05 00 03 reference total sequence."""
CONCAT_16_SIZE: Final = 7

NO_SHIFT: Final[Shift] = (0, 0)
_HEADER_MAX: Final = 255


def parse_udh(udh: bytes) -> Elements:
    """Return the information elements of a header, its length octet included, as (identifier, data) in order.

    Raises RemoteFault (``udh_overrun``, ESME_RINVESMCLASS) when a length in it does not tell the truth.
    """
    if not udh or udh[0] + 1 != len(udh):
        raise overrun()
    elements = []
    at, end = 1, len(udh)
    while at < end:
        if at + 2 > end:
            raise overrun()
        start = at + 2
        at = start + udh[at + 1]
        if at > end:
            raise overrun()
        elements.append((udh[start - 2], udh[start:at]))
    return elements


def build_header(elements: Iterable[tuple[int, bytes]]) -> bytes:
    """Return a header with these elements, its length octet included; nothing for no elements.

    Raises LocalFault (``header_size``) when they do not fit one.
    """
    body = b"".join(bytes((identifier, len(data))) + data for identifier, data in elements)
    return _headed(body) if body else b""


def build_udh(concat: Concat, wide: bool) -> bytes:
    """Return a header with one concatenation element, its reference in 16 bits when ``wide``, in 8 bits otherwise
    (9.2.3.24.1 and 9.2.3.24.8).

    Raises LocalFault (``concat_range``) for a total or a sequence that no such element can say.
    """
    reference, total, sequence = concat
    if not 1 <= sequence <= total <= 255:
        raise LocalFault("concat_range", detail="a part must lie between 1 and its total, at most 255")
    if wide:
        return bytes((6, IE_CONCAT_16, 4, reference >> 8 & 0xFF, reference & 0xFF, total, sequence))
    return bytes((5, IE_CONCAT_8, 3, reference & 0xFF, total, sequence))


def joined(own: bytes, more: bytes) -> bytes:
    """Return one header with the elements of two."""
    if not own or not more:
        return own or more
    return _headed(own[1:] + more[1:])


def without(udh: bytes, identifiers: frozenset[int]) -> bytes:
    """Return a header without some of its elements; nothing when none is left. Raises as ``parse_udh`` does."""
    return build_header(element for element in parse_udh(udh) if element[0] not in identifiers) if udh else b""


def shift_of(udh: bytes) -> Shift:
    """Return which national language tables a header asks for (9.2.3.24.15 and 9.2.3.24.16).

    An element given twice counts by its last occurrence; one of another size than one octet is not understood, and
    a header that is broken says nothing.
    """
    if IE_SINGLE_SHIFT not in udh and IE_LOCKING_SHIFT not in udh:
        return NO_SHIFT
    locking = single = 0
    try:
        for identifier, data in parse_udh(udh):
            if identifier == IE_SINGLE_SHIFT and len(data) == 1:
                single = data[0]
            elif identifier == IE_LOCKING_SHIFT and len(data) == 1:
                locking = data[0]
    except RemoteFault:
        return NO_SHIFT
    return locking, single


def shift_header(shift: Shift) -> bytes:
    """Return the header that announces national language tables; nothing where there are none."""
    locking, single = shift
    elements = []
    if single:
        elements.append((IE_SINGLE_SHIFT, bytes((single,))))
    if locking:
        elements.append((IE_LOCKING_SHIFT, bytes((locking,))))
    return build_header(elements)


def _headed(elements: bytes) -> bytes:
    if len(elements) > _HEADER_MAX:
        raise LocalFault("header_size", detail="the elements of a header have 255 octets at most")
    return bytes((len(elements),)) + elements


def overrun() -> RemoteFault:
    """The fault of a header whose lengths lie."""
    return RemoteFault("udh_overrun", Status.ESME_RINVESMCLASS)
