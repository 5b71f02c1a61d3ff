"""Packed septets: eight characters of the GSM alphabet in seven octets (TS 23.038 6.1.2.1), as some links want them.

SMPP counts octets and never septets, so nothing says how many there are when seven bits are left over. That is the case
that TS 23.038 6.1.2.3.1 settles for USSD, and its rule is obeyed here: a CR fills seven spare bits, a text that ends in
CR on an octet's edge gets one more, and a final CR on an octet's edge is not read. So an "@" (seven zero bits) at the
end is always a character, never filling. Knows no text.
"""

from __future__ import annotations

from typing import Final

_CR: Final = 0x0D


def fill_bits(header_size: int) -> int:
    """Return how many bits follow a header of so many octets until the next septet begins (TS 23.040 9.2.3.24)."""
    return -header_size * 8 % 7


def pack(septets: bytes, fill: int = 0, room: int = 140) -> bytes:
    """Return septets (one an octet) as packed octets, behind ``fill`` bits. ``room`` is how many octets there are:
    the CR that guards another is left out where it has no place."""
    bits = fill + 7 * len(septets)
    if bits % 8 == 1 or (septets and bits % 8 == 0 and septets[-1] == _CR and bits // 8 < room):
        septets += b"\r"
        bits += 7
    value = 0
    for septet in reversed(septets):
        value = value << 7 | septet & 0x7F
    return (value << fill).to_bytes((bits + 7) // 8, "little")


def unpack(octets: bytes, fill: int = 0) -> bytes:
    """Return the septets of packed octets, one an octet; ``fill`` bits come before the first."""
    count = max(0, (len(octets) * 8 - fill) // 7)
    value = int.from_bytes(octets, "little") >> fill
    septets = bytearray(count)
    for at in range(count):
        septets[at] = value & 0x7F
        value >>= 7
    if count and (fill + 7 * count) % 8 == 0 and septets[-1] == _CR:
        septets.pop()
    return bytes(septets)
