"""Turns decoded TOML into the schema's records, table by table and key by key, noting every fault on the way.

Looks at one value at a time: what values mean together is gatewayd.config.checks' business.
"""

from __future__ import annotations

import functools
import math
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET

from gatewayd.config.faults import Findings, dotted, guess, shown
from gatewayd.config.forms import FORMS, Verdict

T = TypeVar("T", bound=msgspec.Struct)
_NOUNS: Mapping[object, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
_REMEDIES: Mapping[object, str] = {bool: "write true or false, without quotes", str: "write it in quotes"}


class _Kind(msgspec.Struct, frozen=True):
    """A field's type taken apart. ``of`` is the plain type, ``items`` says that the field is a list of such.

    ``words`` may stand in the place of a number.
    """

    of: Any
    items: bool
    meta: msgspec.Meta
    choices: tuple[str, ...]
    words: tuple[str, ...] = ()

    def extra(self, name: str) -> Any:
        return (self.meta.extra or {}).get(name)


def read_table(
    record: type[T],
    where: str,
    raw: object,
    findings: Findings,
    stand_in: Mapping[str, object] = types.MappingProxyType({}),
) -> T | None:
    """Read one TOML table; faulty values fall back to their defaults so that the checks can go on.

    ``stand_in`` gives values for required keys that are missing or faulty; None comes back when one has none.
    """
    if not isinstance(raw, dict):
        findings.fault(where, f"{shown(raw)} is not a table", f"write [{where}] and its keys below")
        return None
    fields = {field.encode_name: field for field in msgspec.structs.fields(record)}
    values = dict(stand_in)
    for name, value in raw.items():
        key = f"{where}.{dotted(name)}"
        if name not in fields:
            findings.fault(key, "there is no such key", guess(name, fields))
            continue
        read = _read_value(fields[name].type, key, value, findings)
        if read is not UNSET:
            values[name] = read
    for name, field in fields.items():
        if field.required and name not in raw:
            findings.fault(f"{where}.{name}", "is missing", _remedy(_kind_of(field.type)))
    if any(field.required and name not in values for name, field in fields.items()):
        return None
    return record(**values)


def _read_value(
    annotation: object, key: str, value: object, findings: Findings, *, may_be_empty: bool = True
) -> object:
    """One value, or UNSET when it was faulty."""
    if typing.get_origin(annotation) is dict:
        named, entry = typing.get_args(annotation)
        return _read_entries(named, entry, key, value, findings)
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        table = read_table(annotation, key, value, findings)
        return UNSET if table is None else table
    if typing.get_origin(annotation) is tuple and isinstance(typing.get_args(annotation)[0], type(msgspec.Struct)):
        return _read_tables(typing.get_args(annotation)[0], key, value, findings)
    kind = _kind_of(annotation)
    if not kind.items:
        # An empty text means "not given"; whether that is allowed is a question of the other keys.
        is_not_given = may_be_empty and value == "" and not kind.choices and kind.of is str
        return _noted(None if is_not_given else _judge(kind, value), key, findings, value, kind)
    if not isinstance(value, list):
        findings.fault(key, f"{shown(value)} is not a list", f"write [{shown(value)}]")
        return UNSET
    read = [_noted(_judge(kind, item), key, findings, item, kind) for item in value]
    return UNSET if any(item is UNSET for item in read) else tuple(read)


def _read_tables(record: type[T], key: str, value: object, findings: Findings) -> object:
    """A list of tables in order; the first is called ``key[1]``."""
    if not isinstance(value, list):
        findings.fault(key, f"{shown(value)} is not a list of tables", f"write [[{key}]] above each")
        return UNSET
    read = [read_table(record, f"{key}[{number}]", item, findings) for number, item in enumerate(value, 1)]
    return UNSET if any(table is None for table in read) else tuple(read)


def _read_entries(named: object, annotation: object, key: str, value: object, findings: Findings) -> object:
    """A table whose keys are the administrator's own words; none of them need be there to say nothing.

    What is ``named`` by them may have a form, as a value has; else they are names like those of links.
    """
    if not isinstance(value, dict):
        findings.fault(key, f"{shown(value)} is not a table", f"write [{key}] and its keys below")
        return UNSET
    form = FORMS[_kind_of(named).extra("form") or "name"]
    read: dict[str, object] = {}
    for name, item in value.items():
        verdict = form(name)
        if verdict:
            findings.fault(f"{key}.{dotted(name)}", *verdict)
            return UNSET
        read[name] = _read_value(annotation, f"{key}.{dotted(name)}", item, findings, may_be_empty=False)
    return UNSET if any(item is UNSET for item in read.values()) else read


def _noted(verdict: Verdict, key: str, findings: Findings, value: object, kind: _Kind) -> object:
    if verdict is None:
        return value if value in kind.words else msgspec.convert(value, type=kind.of)
    findings.fault(key, *verdict)
    return UNSET


def _judge(kind: _Kind, value: object) -> Verdict:
    """What is wrong with a single value, or None."""
    if value in kind.words:
        return None
    label = "the value" if kind.extra("hidden") else shown(value)
    try:
        read: object = msgspec.convert(value, type=kind.of)
    except msgspec.ValidationError:
        if str(value) in map(str, kind.choices):
            return _in_or_out_of_quotes(value, str(value), kind)
        noun = "known here" if kind.choices else _NOUNS[kind.of]
        is_quoted = isinstance(value, str) and kind.of in (int, float)
        return f"{label} is not {noun}", _remedy(kind, ", without quotes" if is_quoted else "")
    if isinstance(read, (int, float)) and not _is_within(kind.meta, read):
        noun = kind.extra("noun")
        return f"{label} is not {noun}" if noun else f"{label} is out of range", _remedy(kind)
    form = kind.extra("form")
    return FORMS[form](read) if form and isinstance(read, str) else None


def _in_or_out_of_quotes(value: object, text: str, kind: _Kind) -> Verdict:
    """Right but for its quotes: 3.4 is a number in TOML, and "12" is a text."""
    wanted = type(kind.choices[0])
    remedy = f"write {shown(text)}, in quotes" if wanted is str else f"write {text}, without quotes"
    return f"{shown(value)} is not {_NOUNS[wanted]}", remedy


def _is_within(meta: msgspec.Meta, value: float) -> bool:
    """TOML knows inf and nan: neither is a limit that anyone can mean."""
    return (
        math.isfinite(value)
        and (meta.ge is None or value >= meta.ge)
        and (meta.gt is None or value > meta.gt)
        and (meta.le is None or value <= meta.le)
    )


def _remedy(kind: _Kind, manner: str = "") -> str:
    if kind.items and kind.of is str:
        return 'write a list of texts: ["a", "b"]'
    if kind.choices:
        return "give one of " + ", ".join(map(str, kind.choices))
    if kind.meta.le is None:
        return _REMEDIES[kind.of]
    words = "".join(f", or {shown(word)}" for word in kind.words)
    if kind.meta.gt is not None:
        return f"give more than {kind.meta.gt} and at most {kind.meta.le}{manner}{words}"
    return f"give {kind.meta.ge} to {kind.meta.le}{manner}{words}"


@functools.cache
def _kind_of(annotation: Any) -> _Kind:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        item = _kind_of(arguments[0])
        return _Kind(item.of, True, item.meta, item.choices)
    if origin is Annotated:
        return _Kind(arguments[0], False, arguments[1], ())
    if origin in (typing.Union, types.UnionType):
        first, *others = (argument for argument in arguments if argument is not type(None))
        words = tuple(word for other in others for word in typing.get_args(other))
        return msgspec.structs.replace(_kind_of(first), words=words)
    choices = arguments if origin is Literal else ()
    return _Kind(annotation, False, msgspec.Meta(), choices)
