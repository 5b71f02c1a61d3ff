"""The effective configuration: whole, valid TOML, and without secrets. Every option lands in its own field."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import msgspec

from gatewayd.config import link_schema, schema
from gatewayd.config.effective import effective
from gatewayd.config.load import load

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk


def test_defaults_are_shown_and_secrets_are_not(desk: Desk) -> None:
    loaded = desk.load()
    text = effective(loaded.config)
    shown = tomllib.loads(text)
    assert "scrypt" not in text
    assert shown["accounts"]["bank"]["password_hash"] == "***"
    assert shown["accounts"]["shop"]["password_hash"] == ""
    assert shown["accounts"]["shop"]["binds_max"] == 4
    assert shown["metrics"] == {"listen": "127.0.0.1:9464"}
    assert not any(secret in text for secret in loaded.secrets.values())


def test_each_kind_of_link_shows_its_own_keys(desk: Desk) -> None:
    links = tomllib.loads(effective(desk.load().config))["links"]
    assert set(links["carrier"]) == link_schema.SHARED_LINK_KEYS | link_schema.SMPP_LINK_KEYS
    assert set(links["orange"]) == link_schema.SHARED_LINK_KEYS | link_schema.GSMA_LINK_KEYS - link_schema.RBM_ONLY_KEYS


def test_what_is_shown_can_be_loaded_again(desk: Desk) -> None:
    config = desk.load(('password_hash = "', 'password_hash_file = "bank.hash"\n#')).config
    assert load(desk.write(effective(config))).config == config


def test_names_that_need_quotes_keep_them(desk: Desk) -> None:
    config = desk.load(("[accounts.shop]", '[accounts."my shop"]'), ('"shop"', '"my shop"')).config
    assert "my shop" in tomllib.loads(effective(config))["accounts"]


def test_every_option_lands_in_its_own_field(desk: Desk) -> None:
    """Each number of the configuration gets a value of its own, and must come out where it went in."""
    base = msgspec.to_builtins(desk.load(('password_hash = "', 'password_hash_file = "bank.hash"\n#')).config)
    numbers = iter(range(2_000, 9_000))
    changed: dict[str, Any] = {}
    for name in ("store", "smpp", "parts"):
        changed[name] = {
            key: (type(value)(next(numbers)) if isinstance(value, (int, float)) and key != "group_wait_ms" else value)
            for key, value in base[name].items()
        }
    carrier = {
        key: float(next(numbers)) if isinstance(value, float) else value
        for key, value in base["links"]["carrier"].items()
        if key not in link_schema.GSMA_LINK_KEYS
    } | {"reconnect_max_s": 9_500.0}
    config = msgspec.convert(base, schema.Config)
    links = {"carrier": msgspec.convert(carrier, schema.Link), "orange": config.links["orange"]}
    config = msgspec.structs.replace(
        config,
        links=links,
        store=msgspec.convert(changed["store"], schema.Store),
        smpp=msgspec.convert(changed["smpp"], schema.SmppServer),
        parts=msgspec.convert(changed["parts"], schema.Parts),
    )
    read = msgspec.to_builtins(load(desk.write(effective(config))).config)
    assert {name: read[name] for name in changed} == changed
    assert {key: read["links"]["carrier"][key] for key in carrier} == carrier
