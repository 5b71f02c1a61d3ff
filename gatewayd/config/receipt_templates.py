"""What a template for the text of receipts may name, and whether one is sound. Writes no receipt."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

APPENDIX_B: Final = (
    "id:{id} sub:{sub} dlvrd:{dlvrd} submit date:{submit_date} done date:{done_date} stat:{stat} err:{err} text:{text}"
)
"""The text of SMPP 3.4 appendix B."""

# With what each becomes at its longest.
FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "id": "9" * 20,
        "sub": "001",
        "dlvrd": "001",
        "submit_date": "9" * 12,
        "done_date": "9" * 12,
        "stat": "DELIVRD",
        "state": "2",
        "err": "000",
        "text": "x" * 20,
        "handset": "9" * 20,
        "sender": "x" * 20,
    }
)
TEXT_MAX: Final = 20
"""Characters of the message's own text: appendix B says the first twenty."""

SIZE_MAX: Final = 254
"""Octets of a short_message (SMPP 3.4 section 5.2.22)."""

_ERROR: Final = re.compile(r"[0-9A-Za-z]{3}", re.ASCII)


def fault_of(template: str) -> str:
    """What is wrong with a template, in words; empty when nothing is."""
    try:
        pieces = list(string.Formatter().parse(template))
    except ValueError as error:
        return str(error).lower()
    names = [name for _, name, _, _ in pieces if name is not None]
    for _, name, layout, conversion in pieces:
        if name is not None and name not in FIELDS:
            return f"it names {{{name}}}, and there is no such field"
        if layout or conversion:
            return f"{{{name}}} has more in its braces than its name"
    if "id" not in names or not {"stat", "state"}.intersection(names):
        return "it names no {id}, or neither {stat} nor {state}: nobody could tell what became of what"
    if names.count("text") > 1:
        return "it names {text} twice"
    if not (template.isascii() and template.isprintable()):
        return "it has characters that are not printable ASCII"
    size = len(template.format_map(FIELDS))
    return f"a receipt could have {size} octets, and {SIZE_MAX} is the most" if size > SIZE_MAX else ""


def is_error(text: str) -> bool:
    """Whether it can stand behind ``err:``."""
    return _ERROR.fullmatch(text) is not None
