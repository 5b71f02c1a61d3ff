"""How one carrier writes its receipts, as data: what a file of conf/receipts may say, and what is wrong with one.

Reads no receipt: gatewayd.carriers.receipt_dialects does, by what is said here.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from gatewayd.config.forms import is_zone
from gatewayd.config.pattern_cost import WAYS_MAX, ways
from gatewayd.config.values import MessageIdMode

StateWord = Literal["ENROUTE", "ACCEPTD", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "UNKNOWN", "REJECTD"]

FIELDS: Final = ("id", "stat", "err", "done")
"""What a receipt may tell."""

PATTERN_MAX: Final = 1_000
FORMS_MAX: Final = 20
_MOMENT: Final = datetime.datetime(2031, 10, 25, 13, 45, 59, tzinfo=datetime.UTC)


class DialectFault(ValueError):
    """A dialect cannot be used; the text says where, why, and what to do."""


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One shape of a text: a ``pattern`` with named groups, or ``columns`` in order, or ``words`` before a colon.

    A column that tells nothing has an empty name.
    """

    pattern: str = ""
    columns: tuple[str, ...] = ()
    separator: str = ","
    words: dict[str, str] = {}


class DialectFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a file says. ``otherwise``: the state of a word that is neither in ``statuses`` nor in appendix B."""

    about: str
    source: str
    forms: tuple[Form, ...] = ()
    message_id_mode: MessageIdMode = "auto"
    trusts_tlvs: bool = True
    statuses: dict[str, StateWord] = {}
    otherwise: Literal["", StateWord] = ""
    dates: tuple[str, ...] = ("%y%m%d%H%M",)
    zone: str = "UTC"
    errors: dict[str, str] = {}


def decode(text: str) -> DialectFile:
    """The dialect in a file's text. Raises DialectFault with the first thing that is wrong."""
    try:
        dialect = msgspec.convert(tomllib.loads(text), DialectFile)
    except (ValueError, msgspec.ValidationError) as error:  # TOML's faults are ValueErrors too
        raise DialectFault(str(error)) from None
    for fault in _faults(dialect):
        raise DialectFault(fault)
    return dialect


def _faults(dialect: DialectFile) -> Iterator[str]:
    if len(dialect.forms) > FORMS_MAX:
        yield f"it has {len(dialect.forms)} forms, and {FORMS_MAX} is the most"
    for number, form in enumerate(dialect.forms, 1):
        for fault in _form_faults(form):
            yield f"form {number}: {fault}"
    for layout in dialect.dates:
        try:
            datetime.datetime.strptime(_MOMENT.strftime(layout), layout)  # noqa: DTZ007 # only whether it can be read
        except ValueError:
            yield f"dates: {layout!r} is no form of a date; write one such as %y%m%d%H%M"
    if not is_zone(dialect.zone):
        yield f"zone: {dialect.zone!r} is no time zone; write a name such as Europe/Paris"


def _form_faults(form: Form) -> Iterator[str]:
    kinds = [bool(form.pattern), bool(form.columns), bool(form.words)]
    if sum(kinds) != 1:
        yield "it needs a pattern, or columns, or words: one of the three"
        return
    if form.pattern:
        yield from _pattern_faults(form.pattern)
    names = [name for name in form.columns if name] + list(form.words)
    for name in names:
        if name not in FIELDS:
            yield f"there is no field {name!r}; the fields are {', '.join(FIELDS)}"
    if names and "stat" not in names:
        yield "nothing tells the state: name a column or a word stat"
    if form.columns and len(form.separator) != 1:
        yield "separator must be one character"
    for word in form.words.values():
        if not word or not word.isprintable() or ":" in word:
            yield f"{word!r} cannot stand before a colon"


def _pattern_faults(pattern: str) -> Iterator[str]:
    if len(pattern) > PATTERN_MAX:
        yield f"the pattern has {len(pattern)} characters, and {PATTERN_MAX} is the most"
        return
    try:
        groups = re.compile(pattern).groupindex
    except (re.error, RecursionError, OverflowError) as error:
        yield f"the pattern is none: {error}"
        return
    for name in groups:
        if name not in FIELDS:
            yield f"the pattern has a group {name!r}; the fields are {', '.join(FIELDS)}"
    if "stat" not in groups:
        yield "nothing tells the state: name a group stat, as in (?P<stat>[A-Z]+)"
    if ways(pattern) > WAYS_MAX:
        yield "a receipt could keep the pattern busy for too long; bound what repeats, as in [A-Z]{1,10} or \\S{1,64}+"
