"""Octets from a hexadecimal dump in whatever form people have one.

Plain digits with spaces, colons, commas, ``0x`` or ``\\x``; what Python prints of bytes; and dumps with offsets:
``hexdump -C``, ``xxd``, ``od -tx1``, ``tcpdump -x`` and ``-X``, and what Wireshark copies. Knows nothing of
what the octets are.
"""

from __future__ import annotations

import ast
import itertools
import re
from typing import Final

_OFFSET: Final = re.compile(r"^\s*(?:0[xX])?([0-9a-fA-F]{3,8})(?::\s*|\s+)(?=\S)(.*)$")
_DIGITS: Final = re.compile(r"[0-9a-fA-F]+")
_GROUP: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
_JUNK: Final = re.compile(r"\bb(?=[\"'])|0[xX]|\\[xX]|[\s:,;.{}()\[\]\"'|<>_-]")
_RUN: Final = re.compile(r"(?:[0-9a-fA-F]{2}[ :]?){16,}")
_WORDS: Final = re.compile(r"[A-Za-z]*[g-zG-Z][A-Za-z]*")
_WORD_SIZE: Final = 3
_ESCAPE: Final = r"""\\(?:x[0-9a-f]{2}|[tnr\\'"])"""
_PYTHON: Final = re.compile(rf"""\bb(?:'(?:[ -&(-\[\]-~]|{_ESCAPE})*'|"(?:[ !#-\[\]-~]|{_ESCAPE})*")""")
_WIDTH_MAX: Final = 64
_GAP: Final = 3
_OCTAL: Final = frozenset("01234567")


def octets_of(text: str) -> list[bytes]:
    """The octets of each dump in ``text``, in order: a dump with offsets ends where the next begins at 0.

    Raises ValueError, with words for a person, when nothing in it can be read as octets.
    """
    lines = text.splitlines()
    dumped = _with_offsets(lines) or _of_python(text)
    if dumped:
        return dumped
    found = []
    complaint = ""
    for line in _joined(lines):
        digits = _JUNK.sub("", line)
        if not digits:
            continue
        if len(digits) % 2 or _DIGITS.fullmatch(digits) is None:
            # A line of a log, perhaps, with the octets somewhere in it.
            runs = [re.sub(r"[ :]", "", run) for run in _RUN.findall(line)]
            if not runs:
                complaint = complaint or _complaint(digits)
                if not any(len(word) >= _WORD_SIZE for word in _WORDS.findall(line)):
                    raise ValueError(complaint)
            found += [bytes.fromhex(run) for run in runs]
            continue
        found.append(bytes.fromhex(digits))
    if not found:
        raise ValueError(complaint or "there is nothing in it")
    return found


def _complaint(digits: str) -> str:
    stranger = re.search(r"[^0-9a-fA-F]", digits)
    if stranger:
        return f"{stranger.group()!r} is no hexadecimal digit"
    return f"{len(digits)} hexadecimal digits make no whole octets"


def _joined(lines: list[str]) -> list[str]:
    """Lines that are nothing but digits belong together, unless an empty line or words stand between."""
    found: list[str] = []
    for is_digits, group in itertools.groupby(lines, lambda line: _DIGITS.fullmatch(_JUNK.sub("", line)) is not None):
        together = list(group)
        found += [" ".join(together)] if is_digits else together
    return [line for line in found if line.strip()]


def _of_python(text: str) -> list[bytes]:
    """What Python prints of bytes, where it had to write octets as digits: some of them are letters then."""
    return [ast.literal_eval(found) for found in _PYTHON.findall(text) if "\\x" in found]


def _with_offsets(lines: list[str]) -> list[bytes]:
    """Dumps whose offsets, hexadecimal or as od has them octal, count what stands in their lines; else nothing."""
    matches = [match for line in lines if (match := _OFFSET.match(line))]
    found = _counted([(int(match[1], 16), match[2]) for match in matches])
    if not found and all(set(match[1]) <= _OCTAL for match in matches):
        found = _counted([(int(match[1], 8), match[2]) for match in matches])
    return found


def _counted(rows: list[tuple[int, str]]) -> list[bytes]:
    if not rows or rows[0][0] != 0:
        return []
    found: list[bytearray] = []
    width = 0
    for place, (offset, rest) in enumerate(rows):
        if offset == 0:
            found.append(bytearray())
        elif not found or offset != len(found[-1]):
            return []
        following = rows[place + 1][0] if place + 1 < len(rows) else 0
        wanted = following - offset if following else (width or _WIDTH_MAX)
        if not 0 < wanted <= _WIDTH_MAX:
            return []
        width = max(width, wanted) if following else width
        octets = _row(rest, wanted)
        if (following and len(octets) != wanted) or not octets:
            return []
        found[-1] += octets
    return [bytes(dump) for dump in found]


def _row(rest: str, wanted: int) -> bytes:
    """So many octets of a line at most, up to the gap before its characters."""
    octets = bytearray()
    at = 0
    while len(octets) < wanted:
        group = _GROUP.match(rest, at)
        if group is None:
            break
        octets += bytes.fromhex(group.group())
        spaces = len(rest) - group.end() - len(rest[group.end() :].lstrip(" "))
        if not spaces or spaces >= _GAP:
            break
        at = group.end() + spaces
    return bytes(octets[:wanted])
