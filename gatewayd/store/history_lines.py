"""A group of the journal as it is kept: without its texts, and with the names by which it can be found.

Works on the octets of the row, because decoding every value would cost more than all the rest of a message's life; the
journal writes one record a line, and no JSON text contains a line break. So does what is kept: each group is one JSON
object whose first line tells its moment, and each further change has a line of its own. Knows no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

# What is never kept in a line. A field of any kind of record that holds somebody's words belongs here.
TEXT_FIELDS: Final = frozenset({"payload", "postback", "tlvs", "attachment", "place"})

# A bigger group is worked on in pieces: one call must not hold the interpreter's lock for long.
PIECE_OCTETS: Final = 512 * 1024

RECORDS_BETWEEN: Final = b",\n"
"""One record a line."""
_PAYLOAD: Final = b'"payload":"'
_NO_PAYLOAD: Final = b'"payload":""'
# By these keys a message's fate, and what is owed for it, can be found. Of a delivery that is no receipt, more than the
# key is taken, so that it stands out: it may hold words without having a payload.
_keys = re.compile(
    rb'\["(?:progress|delivery|note|dead_letter|cdr|capability)",'
    rb'((?<=[yr]",)\d++,\{"id":\d++,"account":"[^"]*+","kind":"[^r]|[^,]++)'
).findall
_postback = re.compile(rb'"postback":"(?:[^"\\]|\\.)*"').sub
_place = re.compile(rb'"place":"(?:[^"\\]|\\.)*"').sub
_attachment = re.compile(rb'"attachment":\{(?:"(?:[^"\\]|\\.)*"|[^"}])*\}').sub
_tlvs = re.compile(rb'"tlvs":\[(?:\[[^\]]*\],?)*\]').sub
_other_source = re.compile(rb'"kind":"(?:mo|session)",[^\n]*?"source":"([^"]*)"').findall
_cdr = re.compile(rb'\["cdr",[^\n]*').findall
_cdr_user = re.compile(rb'"user":"([^"]*)"').search
_cdr_ids = re.compile(rb'"message_ids":\[([^\]]*)\]').search
_hex_word = re.compile(rb'"([0-9a-f]{1,16})"').findall
_number = re.compile(rb"\+?\d+").match


class Outline(msgspec.Struct, gc=False):
    """What the journal knows of a group's records as it makes them, so that nobody need look for it in the octets.

    Only of groups that hold no words but the texts of messages, and nothing rare: ``messages`` are the places of the
    messages among the ``records``, ``ids`` those by which the group can be found. Whoever gets it may change it.
    """

    records: list[bytes]
    messages: list[int]
    ids: list[int]


class Kept(msgspec.Struct):
    """A group's octets, in parts, without its texts; the names in it; the texts in the order of their fields.

    A name is a message's or a delivery's id in decimal digits, or a number as it was written; ``ids`` are such as were
    known without looking.
    """

    parts: list[bytes]
    names: list[bytes]
    texts: list[bytes]
    ids: list[int] = []

    @property
    def length(self) -> int:
        """How many octets it has."""
        return sum(map(len, self.parts))


def kept(sequence: int, at: float, row: bytes, outline: Outline | None = None, *, with_texts: bool = False) -> Kept:
    """What is kept of a journal row. ``at`` is when it was committed, in Unix seconds; ``outline`` is its own."""
    names: list[bytes] = []
    texts: list[bytes] = []
    told = texts if with_texts else None
    if outline is not None:
        blank, ids = [_outlined(outline, names, told)], outline.ids
    else:
        blank, ids = [_blanked(piece, names, told) for piece in _pieces(row)], []
    return Kept([b'{"at":%.6f,"sequence":%d,"changes":' % (at, sequence), *blank, b"}\n"], names, texts, ids)


def texts_line(sequence: int, at: float, texts: list[bytes]) -> bytes:
    """The texts of a line, as a line of their own; they are base64 already."""
    return b'{"at":%.6f,"sequence":%d,"texts":["%b"]}\n' % (at, sequence, b'","'.join(texts))


def with_texts(changes: list[tuple[str, Any, Any]], texts: list[str]) -> list[tuple[str, Any, Any]]:
    """The changes of a line with its texts put back."""
    left = iter(texts)
    return [
        (
            kind,
            key,
            {**value, "payload": next(left, "")} if isinstance(value, Mapping) and "payload" in value else value,
        )
        for kind, key, value in changes
    ]


def _pieces(row: bytes) -> Iterator[bytes]:
    """Whole records each, but for the last line break."""
    start = 0
    while len(row) - start > PIECE_OCTETS:
        end = row.find(b"\n", start + PIECE_OCTETS) + 1
        if not end:
            break
        yield row[start:end]
        start = end
    yield row[start:] if start else row


def _outlined(outline: Outline, names: list[bytes], texts: list[bytes] | None) -> bytes:
    """As ``_blanked`` would do it, for half of the instructions: only messages are looked into."""
    records = outline.records
    for place in outline.messages:
        before, _, rest = records[place].partition(_PAYLOAD)
        text, _, after = rest.partition(b'"')
        names.append(before[before.rindex(b'"', 0, -2) + 1 : -2])
        if texts is not None:
            texts.append(text)
        records[place] = before + _NO_PAYLOAD + after
    return RECORDS_BETWEEN.join(records)


def _blanked(piece: bytes, names: list[bytes], texts: list[bytes] | None) -> bytes:
    """The common case is quick: a message, whose text stands behind its destination, and no other words."""
    before, *rest = piece.split(_PAYLOAD)
    parts, is_odd = [before], False
    for part in rest:
        text, _, after = part.partition(b'"')
        parts.append(after)
        if texts is not None:
            texts.append(text)
        if before[-2:] == b'",':
            names.append(before[before.rindex(b'"', 0, -2) + 1 : -2])
        else:
            is_odd = True
        # To the end of this record only; behind it others begin.
        if after.find(b'"tlvs":', 0, after.find(b"\n")) >= 0:
            is_odd = True
        before = after
    blank = _NO_PAYLOAD.join(parts)
    keys = _keys(blank)
    if is_odd or not b"".join(keys).isdigit() or b'"tlvs":' in blank:
        return _odd(blank, names, keys)
    names += keys
    return blank


def _odd(piece: bytes, names: list[bytes], keys: list[bytes]) -> bytes:
    """What is rarer: replies, TLVs, billing records, answers about handsets."""
    piece = _tlvs(b'"tlvs":[]', _postback(b'"postback":""', piece))
    piece = _attachment(b'"attachment":null', _place(b'"place":""', piece))
    names += _other_source(piece)
    for record in _cdr(piece):
        user, ids = _cdr_user(record), _cdr_ids(record)
        if user:
            names.append(user[1])
        if ids:
            names += [b"%d" % int(word, 16) for word in _hex_word(ids[1])]
    for key in keys:
        # An id, an id and more, or "link|handset".
        number = _number(key.rpartition(b"|")[2])
        if number:
            names.append(number[0])
    return piece
