"""TLVs by name: what is wrong with one, what one says, and how one of ours is written.

Stands on ``tlv_table``; knows no PDU's body and no peer, so whether a breach is forgiven is for its callers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from protocol.smpp.constants import Status
from protocol.smpp.errors import LocalFault, RemoteFault
from protocol.smpp.fields import Tlvs
from protocol.smpp.tlv_table import DEFINITIONS, RANGES, Definition, Form, Piece

TAGS: Final[dict[str, int]] = {row.name: row.tag for row in DEFINITIONS.values()} | {
    # What 5.0 calls it (section 4.8.4.30).
    "dest_port": 0x020B
}
"""Name → tag."""

TAG_MAX: Final = 0xFFFF
ALWAYS_PASS: Final = frozenset(
    TAGS[name] for name in ("message_payload", "sar_msg_ref_num", "sar_total_segments", "sar_segment_seqnum")
)
"""What makes a message what it is: no rule takes these away, nor gives them another tag."""


class Said(msgspec.Struct, frozen=True, gc=False):
    """One thing that a value says: ``at`` and ``size`` are octets within the value, ``words`` its meaning if known."""

    name: str
    value: int | str | bytes
    words: str = ""
    at: int = 0
    size: int = 0


def name_of(tag: int) -> str:
    """The name of a tag, or its hexadecimal form."""
    row = DEFINITIONS.get(tag)
    return row.name if row else f"0x{tag:04X}"


def owner_of(tag: int) -> str:
    """Whose a tag is that has no row: "vendors' own" or a kind of reserved (3.4 section 5.3.1)."""
    return next(words for first, last, words in RANGES if first <= tag <= last)


def fault_of(tag: int, value: bytes) -> RemoteFault | None:
    """What is wrong with one TLV by its row, if anything; tags without a row are always well.

    ``tlv_size`` with ESME_RINVPARLEN: the size is none that the standard has. ``tlv_value`` with
    ESME_RINVOPTPARAMVAL: a C-octet string without its NUL, or an integer beyond its range.
    """
    row = DEFINITIONS.get(tag)
    if row is None:
        return None
    if not row.size_min <= len(value) <= row.size_max:
        return RemoteFault("tlv_size", Status.ESME_RINVPARLEN, detail=row.name)
    if row.form is Form.C_STRING:
        is_well = value.find(b"\0") == len(value) - 1
    elif row.form is Form.INTEGER and value:
        number = int.from_bytes(value, "big")
        is_well = row.value_min <= number and (row.value_max is None or number <= row.value_max)
    else:
        is_well = True
    return None if is_well else RemoteFault("tlv_value", Status.ESME_RINVOPTPARAMVAL, detail=row.name)


def first_fault(tlvs: Iterable[tuple[int, bytes]]) -> RemoteFault | None:
    """The first thing that is wrong with any of them, if anything."""
    return next((fault for tag, value in tlvs if (fault := fault_of(tag, value)) is not None), None)


def write(name: str, value: int | str | bytes) -> tuple[int, bytes]:
    """One TLV of ours from its name and what it should say.

    Raises LocalFault when its row does not allow that, KeyError when there is no such name.
    """
    row = DEFINITIONS[TAGS[name]]
    if isinstance(value, int):
        if not 0 <= value < 1 << 8 * row.size_max:
            raise LocalFault("out_of_range", Status.ESME_RINVOPTPARAMVAL, detail=name)
        octets = value.to_bytes(row.size_max, "big")
    elif isinstance(value, str):
        octets = value.encode("latin-1", "replace") + (b"\0" if row.form is Form.C_STRING else b"")
    else:
        octets = value
    fault = fault_of(row.tag, octets)
    if fault is not None:
        raise LocalFault(fault.kind, fault.status, detail=name)
    return row.tag, octets


def read(tag: int, value: bytes) -> list[Said]:
    """What a TLV says, piece by piece, as far as its row and its size tell; never raises."""
    row = DEFINITIONS.get(tag)
    if row is None or not value:
        return [Said(name_of(tag), value, size=len(value))]
    if row.form is Form.C_STRING:
        end = value.find(b"\0")
        text = value if end < 0 else value[:end]
        return [Said(row.name, text.decode("latin-1"), size=len(value))]
    if row.form is Form.INTEGER:
        number = int.from_bytes(value, "big")
        return [Said(row.name, number, _words_of(row, number), size=len(value))]
    said = list(_bits_of(row.pieces, value) if row.form is Form.BITS else _pieces_of(row, value))
    told = sum(one.size for one in said)
    if told < len(value):  # it has no pieces, or more octets than they
        said.append(Said("rest" if said else row.name, value[told:], "", told, len(value) - told))
    return said


def _words_of(row: Definition, number: int) -> str:
    if row.name == "congestion_state":  # its words are those of ranges
        return row.words[max(floor for floor in row.words if floor <= number)]
    return row.words.get(number, row.unit)


def _bits_of(pieces: Iterable[Piece], value: bytes) -> Iterator[Said]:
    for place, piece in enumerate(pieces):
        shift = (piece.mask & -piece.mask).bit_length() - 1
        number = (value[0] & piece.mask) >> shift
        yield Said(piece.name, number, piece.words.get(number, ""), 0, int(place == 0))


def _pieces_of(row: Definition, value: bytes) -> Iterator[Said]:
    at = 0
    for piece in row.pieces:
        size = piece.size or len(value) - at
        octets = value[at : at + size]
        if not octets:
            return
        if piece.size:
            number = int.from_bytes(octets, "big")
            yield Said(piece.name, number, piece.words.get(number, ""), at, len(octets))
        else:
            yield Said(piece.name, octets, "", at, len(octets))
        at += size


Rule = Callable[[Tlvs], Tlvs]
EVERYTHING: Final = "all"


def ranges_of(words: Iterable[str]) -> tuple[tuple[int, int], ...]:
    """The tags that a rule names: by name, as ``0x1400``, as ``0x1400-0x14FF``, or all.

    Raises ValueError with the word that names none.
    """
    found = []
    for word in words:
        first, _, last = word.partition("-")
        if word == EVERYTHING:
            found.append((0, TAG_MAX))
        else:
            pair = (tag_of(first), tag_of(last if "-" in word else first))
            if pair[0] > pair[1]:
                raise ValueError(word)
            found.append(pair)
    return tuple(found)


def tag_of(word: str) -> int:
    """The tag that a name or a hexadecimal number says; raises ValueError with the word."""
    if word in TAGS:
        return TAGS[word]
    try:
        tag = int(word, 16) if word.lower().startswith("0x") else -1
    except ValueError:
        tag = -1
    if not 0 <= tag <= TAG_MAX:
        raise ValueError(word)
    return tag


@functools.lru_cache(maxsize=1024)
def rule_of(
    passing: tuple[str, ...], renames: tuple[tuple[int, int], ...] = (), is_incoming: bool = False
) -> Rule | None:
    """What makes of a message's TLVs those that may go on, under the tags that they go on with; None when it would
    change nothing. ``passing`` is as ``ranges_of`` reads it, and about our tags; ``renames``: (our tag, the peer's).
    Raises ValueError as ``ranges_of`` does."""
    ranges = ranges_of(passing)
    names = {theirs: ours for ours, theirs in renames} if is_incoming else dict(renames)
    if (0, TAG_MAX) in ranges and not names:
        return None

    def apply(tlvs: Tlvs) -> Tlvs:
        found = []
        for tag, value in tlvs:
            other = tag if tag in ALWAYS_PASS else names.get(tag, tag)
            ours = other if is_incoming else tag
            if tag in ALWAYS_PASS or any(first <= ours <= last for first, last in ranges):
                found.append((other, value))
        return tuple(found)

    return apply
