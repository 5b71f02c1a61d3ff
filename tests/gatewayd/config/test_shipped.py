"""The configuration that is shipped: it loads, it shows every key, and each default it shows is the true one."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from gatewayd.config import schema
from gatewayd.config.load import load

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

CONF = Path(__file__).parents[3] / "conf"
SHIPPED = CONF / "gatewayd.toml"
CONFIGURATIONS = sorted(path for path in CONF.rglob("*.toml") if path.parent.name != "templates")
RECORDS: dict[str, type[msgspec.Struct]] = {
    "daemon": schema.Daemon,
    "log": schema.Log,
    "history": schema.History,
    "control": schema.Control,
    "metrics": schema.Metrics,
    "store": schema.Store,
    "smpp": schema.SmppServer,
    "webhooks": schema.Webhooks,
    "http": schema.Http,
    "mqtt": schema.Mqtt,
    "parts": schema.Parts,
    "sessions": schema.Sessions,
    "numbers": schema.Numbers,
    "billing": schema.Billing,
    "rcs": schema.Rcs,
    "accounts": schema.Account,
    "endpoints": schema.Endpoint,
    "providers": schema.Provider,
    "applications": schema.Application,
    "links": schema.Link,
    "routes": schema.Route,
}


def shown_keys() -> dict[str, dict[str, list[tuple[bool, str]]]]:
    """For each kind of table, each key that stands under one, with whether it is commented out, and its value."""
    tables: dict[str, dict[str, list[tuple[bool, str]]]] = {}
    keys: dict[str, list[tuple[bool, str]]] = {}
    for line in SHIPPED.read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"\[+([a-z]+)[.\]].*", line):
            keys = tables.setdefault(heading[1], {})
        elif pair := re.fullmatch(r"(# )?([a-z0-9_]+) = (.+)", line):
            keys.setdefault(pair[2], []).append((pair[1] is not None, pair[3]))
    return tables


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_it_loads_without_a_warning(desk: Desk, path: Path) -> None:
    desk.put("secret", "secret\n")
    key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    desk.put("rbm-key.json", json.dumps({"client_email": "a@b", "private_key": key, "token_uri": "https://o/t"}))
    loaded = load(Path(shutil.copy(path, desk.folder)))
    assert loaded.warnings == ()


def test_the_full_one_shows_what_it_promises(desk: Desk) -> None:
    config = load(Path(shutil.copy(SHIPPED, desk.folder))).config
    assert len(config.accounts) == 2
    assert sorted(link.kind for link in config.links.values()) == ["gsma", "smpp"]
    assert len(config.providers) == 1
    assert config.routes


@pytest.mark.parametrize("table", RECORDS)
def test_every_key_is_shown(table: str) -> None:
    assert set(shown_keys()[table]) == set(RECORDS[table].__struct_fields__)


def test_the_tables_are_all_there_are() -> None:
    assert set(RECORDS) == set(schema.Config.__struct_fields__)


@pytest.mark.parametrize("table", RECORDS)
def test_what_is_commented_out_is_the_default(table: str) -> None:
    defaults: dict[str, Any] = {
        field.encode_name: _default_of(field) for field in msgspec.structs.fields(RECORDS[table]) if not field.required
    }
    shown = {
        key: _frozen(tomllib.loads(f"x = {text}")["x"])
        for key, entries in shown_keys()[table].items()
        for is_comment, text in entries
        if is_comment
    }
    assert shown == {key: defaults[key] for key in shown}


def _default_of(field: msgspec.structs.FieldInfo) -> Any:
    return field.default_factory() if field.default is msgspec.NODEFAULT else field.default


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
