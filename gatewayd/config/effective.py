"""The effective configuration as TOML text: every key with the value in force, secrets as ``***``.

Reads no file, so it cannot show what a secret file holds.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from gatewayd.config import schema
from gatewayd.config.faults import dotted

_HIDDEN = frozenset({"password_hash", "hash"})


def effective(config: schema.Config) -> str:
    """The whole configuration, defaults included, in the order of the schema."""
    return "\n".join(_tables(config))


def _tables(config: schema.Config) -> Iterator[str]:
    for name in config.__struct_fields__:
        value = getattr(config, name)
        if isinstance(value, msgspec.Struct):
            yield _table(f"[{name}]", value)
        elif isinstance(value, dict):
            for key, table in value.items():
                yield _table(f"[{dotted(name, key)}]", table, _foreign_keys(table))
        else:
            for table in value:
                yield _table(f"[[{name}]]", table)


def _foreign_keys(table: msgspec.Struct) -> Collection[str]:
    if not isinstance(table, schema.Link):
        return ()
    return schema.FOREIGN_LINK_KEYS[table.kind]


def _table(heading: str, table: msgspec.Struct, left_out: Collection[str] = ()) -> str:
    lines = [heading]
    for name, value in _items(table):
        if name not in left_out and value is not None:
            lines.append(f"{name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _items(table: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """Keys and values, as far as they may be shown."""
    for name in table.__struct_fields__:
        value = getattr(table, name)
        yield name, "***" if name in _HIDDEN and value else value


def _toml(value: Any) -> str:
    if isinstance(value, msgspec.Struct):
        return _toml(dict(_items(value)))
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, dict):
        entries = ", ".join(f"{dotted(name)} = {_toml(item)}" for name, item in value.items())
        return f"{{ {entries} }}" if entries else "{}"
    # JSON's texts, numbers and booleans are TOML's too, but for DEL, which no form lets in.
    return json.dumps(value, ensure_ascii=False)
