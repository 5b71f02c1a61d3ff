"""Whose network a number is on, as far as files can tell, and whether an agent may be used there.

Reads lines, not files: where the numbers are kept and how they are looked up fast is the store's business.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec

AgentState = Literal["draft", "launched", "suspended"]

UNKNOWN: Final = ""
"""The operator of a number that no file names."""

OPERATORS_MAX: Final = 16_383
_NAME_MAX: Final = 32
_E164_MIN, _E164_MAX = 7, 15
_NATIONAL_DIGITS: Final = 10

# The French plan gives the overseas territories blocks of the national form, and country codes of their own.
_FRANCE: Final = "33"
_TERRITORIES: Final[Mapping[str, str]] = {
    "0690": "590",
    "0691": "590",
    "07090": "590",
    "0694": "594",
    "070930": "594",
    "070931": "594",
    "070932": "594",
    "070933": "594",
    "0696": "596",
    "0697": "596",
    "07091": "596",
    "0692": "262",
    "0693": "262",
    "07092": "262",
    "0639": "262",
    "070935": "262",
    "070936": "262",
    "070937": "262",
    "07084": "508",
    "07085": "508",
}
_TERRITORY_SIZES: Final = tuple(sorted({len(prefix) for prefix in _TERRITORIES}, reverse=True))

_PREFIX_HEADINGS: Final = ("ezabpqm", "prefix")
_OPERATOR_HEADINGS: Final = ("mnémo", "mnemo", "operator")
_FIRST_HEADING: Final = "tranche_debut"
_NUMBER_HEADINGS: Final = frozenset({"number", "msisdn"})


class LineFault(Exception):
    """A line that cannot be used; the text says why. It never holds the number itself."""


class Ported(msgspec.Struct, frozen=True, gc=False):
    """One line of a portability file: E.164 as an integer, who serves it, and since when (days of the era, 0: always).

    An ``operator`` of nothing says that the number went back to the holder of its block.
    """

    number: int
    operator: str
    day: int


class Enrolment(msgspec.Struct, frozen=True):
    """At which operators an agent is launched. Without ``operators`` nobody asks, and the agent is used for everyone.

    ``otherwise`` is its state at an operator that is not listed, and for a number whose operator is not known.
    ``tests`` are the canonical handsets that may be reached while it is a draft.
    """

    operators: Mapping[str, AgentState]
    otherwise: AgentState = "draft"
    tests: frozenset[str] = frozenset()

    def refusal(self, operator: str, handset: str) -> str:
        """Why the agent may not be used for the handset, as a word for people and metrics; nothing when it may."""
        state = self.operators.get(operator, self.otherwise)
        if state == "launched" or (state == "draft" and handset in self.tests):
            return ""
        return f"agent_{state}_{operator}" if operator else "operator_unknown"


class PrefixTable:
    """To whom blocks of numbers were given. The longest prefix that fits a number decides."""

    __slots__ = ("_operators", "_sizes")

    def __init__(self, operators: Mapping[str, str]) -> None:
        """``operators`` is keyed by prefixes of canonical numbers (country code first, no plus)."""
        self._operators = dict(operators)
        self._sizes = tuple(sorted({len(prefix) for prefix in operators}, reverse=True))

    def __len__(self) -> int:
        return len(self._operators)

    def operator_of(self, handset: str) -> str:
        """The holder of the block that a canonical number lies in, or UNKNOWN."""
        operators = self._operators
        for size in self._sizes:
            operator = operators.get(handset[:size])
            if operator is not None:
                return operator
        return UNKNOWN


def e164_of(text: str) -> str:
    """The canonical form (country code first, no plus) of a number as files spell it: +33…, 0033…, 33…, or 06….

    A national number (ten digits, the first a 0) is read by the French plan, territories included. Raises LineFault.
    """
    digits = text.strip().replace(" ", "").replace(".", "").removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise LineFault("the number is not made of digits")
    if digits.startswith("00"):
        digits = digits[2:]
    elif digits.startswith("0") and len(digits) == _NATIONAL_DIGITS:
        digits = _country_of(digits) + digits[1:]
    if not _E164_MIN <= len(digits) <= _E164_MAX or digits.startswith("0"):
        raise LineFault("the number is no international one, and no French national one")
    return digits


def operator_word(code: str, names: Mapping[str, str]) -> str:
    """The operator's word in configuration and metrics: as ``names`` has it, else the code in small letters.

    Raises LineFault.
    """
    code = code.strip()
    word = names.get(code.lower(), code.lower())
    if len(word) > _NAME_MAX or not all(c.isascii() and (c.isalnum() or c in "-_") for c in word):
        raise LineFault("the operator is not one word of at most 32 letters, digits, - and _")
    return word


def read_names(lines: Iterable[str]) -> dict[str, str]:
    """``code;operator`` lines: what a file's codes are called here. A line that begins with # is a remark.

    Raises LineFault with the number of the line.
    """
    names: dict[str, str] = {}
    for number, fields in _rows(lines):
        if len(fields) < 2 or not fields[0] or not fields[1]:
            raise LineFault(f"line {number}: write code;operator")
        if [field.lower() for field in fields[:2]] != ["code", "operator"]:
            names[fields[0].lower()] = fields[1].lower()
    return names


def read_prefixes(lines: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """Prefix and operator of each usable line of a table of blocks, keyed by canonical prefix.

    Two headings are known. ``EZABPQM;Tranche_Debut;…;Mnémo;…`` is the regulator's own file of the French plan: national
    prefixes, of which those of ten digits count. ``prefix;operator`` holds prefixes with their country code.
    Columns may come in any order, and others are skipped. Raises LineFault with the number of the line.
    """
    rows = _rows(lines)
    number, headings = next(rows, (0, []))
    columns = {heading.lower(): index for index, heading in enumerate(headings)}
    prefix_at = _column(columns, _PREFIX_HEADINGS)
    operator_at = _column(columns, _OPERATOR_HEADINGS)
    if prefix_at is None or operator_at is None:
        raise LineFault(f"line {number}: the headings are neither EZABPQM;…;Mnémo;… nor prefix;operator")
    is_national = "ezabpqm" in columns
    first_at = columns.get(_FIRST_HEADING) if is_national else None
    found: dict[str, str] = {}
    for number, fields in rows:
        try:
            prefix = fields[prefix_at]
            if first_at is not None and len(fields[first_at]) != _NATIONAL_DIGITS:
                continue  # short numbers and those of machines
            found[_prefix_of(prefix, is_national)] = operator_word(fields[operator_at], names)
        except IndexError:
            raise LineFault(f"line {number}: there are fewer fields than headings") from None
        except LineFault as fault:
            raise LineFault(f"line {number}: {fault}") from None
    return found


def read_ported(line: str, names: Mapping[str, str]) -> Ported | None:
    """One ``number;operator[;date[;…]]`` line; None for an empty line, a remark or the headings. Raises LineFault.

    A comma may stand for the semicolon. The date is 2026-11-26 or 26/11/2026.
    """
    text = line.strip().lstrip("\ufeff")
    if not text or text[0] == "#":
        return None
    fields = text.split(";" if ";" in text else ",")
    if fields[0].strip().strip('"').lower() in _NUMBER_HEADINGS:
        return None
    if len(fields) < 2:
        raise LineFault("write number;operator or number;operator;date")
    number, operator = fields[0].strip().strip('"'), fields[1].strip().strip('"')
    day = _day_of(fields[2].strip().strip('"')) if len(fields) > 2 else 0
    return Ported(int(e164_of(number)), operator_word(operator, names), day)


def _country_of(national: str) -> str:
    for size in _TERRITORY_SIZES:
        country = _TERRITORIES.get(national[:size])
        if country is not None:
            return country
    return _FRANCE


def _prefix_of(text: str, is_national: bool) -> str:
    if not (text.isascii() and text.isdigit()):
        raise LineFault("the prefix is not made of digits")
    if is_national:
        if text[0] != "0":
            raise LineFault("a national prefix begins with 0")
        return _country_of(text) + text[1:]
    if text[0] == "0":
        raise LineFault("a prefix begins with the country code")
    return text


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, 1):
        text = line.strip().lstrip("\ufeff")
        if text and text[0] != "#":
            yield number, [field.strip().strip('"').strip() for field in text.split(";")]


def _column(columns: Mapping[str, int], names: Iterable[str]) -> int | None:
    return next((columns[name] for name in names if name in columns), None)


def _day_of(text: str) -> int:
    if not text:
        return 0
    try:
        if "/" in text:
            day, month, year = text.split("/")
            return datetime.date(int(year), int(month), int(day)).toordinal()
        return datetime.date.fromisoformat(text[:10]).toordinal()
    except ValueError:
        raise LineFault("the date is neither 2026-11-26 nor 26/11/2026") from None
