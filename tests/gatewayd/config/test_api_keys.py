"""Keys and their hashes, their ends, and what a configuration may say of them."""

from __future__ import annotations

import random

import pytest

from gatewayd.config.api_keys import end_of, hash_key, is_key_hash, make_key
from gatewayd.config.effective import effective
from tests.gatewayd.config.conftest import Desk

HASH = hash_key("gwk_one")
HTTP = '[http]\nlisten = ["127.0.0.1:8088"]\n'
BEFORE = "[providers.orange]"


def with_tables(*tables: str) -> tuple[str, str]:
    """A change of the sound configuration: these tables come before another."""
    return BEFORE, "\n".join((*tables, BEFORE))


def test_a_key_is_long_and_never_the_same() -> None:
    keys = {make_key(random.Random(seed)) for seed in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {47}


def test_a_hash_is_known_as_one() -> None:
    assert is_key_hash(HASH)
    assert hash_key("gwk_other") != HASH
    assert not any(map(is_key_hash, ("", "sha256:", HASH.upper(), HASH + "0", "gwk_one")))


@pytest.mark.parametrize(
    ("text", "unix"),
    [
        ("", 0.0),
        ("1970-01-02", 172_800.0),
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T01:00:00+01:00", 0.0),
    ],
)
def test_an_end(text: str, unix: float) -> None:
    assert end_of(text) == unix


@pytest.mark.parametrize("text", ["soon", "2027-01-31T12:00:00", "2027-02-30"])
def test_what_is_no_end(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        end_of(text)


def test_keys_are_read_from_tables_and_files(desk: Desk) -> None:
    desk.put("shop.key", HASH + "\n")
    loaded = desk.load(
        with_tables(
            HTTP,
            '[accounts.shop.api_keys.main]\nhash_file = "shop.key"\nscopes = ["send"]\nexpires = "2027-01-31"',
            f'[accounts.bank.api_keys.one]\nhash = "{hash_key("gwk_two")}"',
        )
    )
    assert loaded.key_hashes("shop") == {"main": HASH}
    assert loaded.config.accounts["shop"].api_keys["main"].scopes == ("send",)
    assert loaded.key_hashes("bank") == {"one": hash_key("gwk_two")}
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ('hash = "x"', "is not the hash of a key"),
        ("", "accounts.shop.api_keys.main.hash: is missing"),
        (f'hash = "{HASH}"\nexpires = "soon"', "neither a day nor a moment"),
        (f'hash = "{HASH}"\nscopes = ["all"]', "not known here"),
        (f'hash = "{HASH}"\nscope = ["send"]', "there is no such key"),
        (f'hash = "{HASH}"\nhash_file = "shop.key"', "stands beside hash_file"),
        ('hash_file = "carrier.password"', "holds no hash of a key"),
    ],
)
def test_faults(desk: Desk, table: str, fault: str) -> None:
    desk.put("shop.key", HASH + "\n")
    assert any(fault in text for text in desk.faults(with_tables(HTTP, f"[accounts.shop.api_keys.main]\n{table}"))), (
        desk.faults(with_tables(HTTP, f"[accounts.shop.api_keys.main]\n{table}"))
    )


def test_a_key_is_one_accounts(desk: Desk) -> None:
    tables = [f'[accounts.{name}.api_keys.main]\nhash = "{HASH}"' for name in ("shop", "bank")]
    assert any("is that of" in text for text in desk.faults(with_tables(HTTP, *tables)))


def test_keys_without_a_listener_have_no_effect(desk: Desk) -> None:
    warnings = desk.warnings(with_tables(f'[accounts.shop.api_keys.main]\nhash = "{HASH}"'))
    assert any("HTTP API is off" in text for text in warnings)


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost.example"])
def test_a_listener_in_the_clear_is_warned_of(desk: Desk, host: str) -> None:
    warnings = desk.warnings(with_tables(f'[http]\nlisten = ["{host}:8088"]'))
    assert any("in the clear" in text for text in warnings)


def test_hashes_are_not_shown(desk: Desk) -> None:
    loaded = desk.load(with_tables(HTTP, f'[accounts.shop.api_keys.main]\nhash = "{HASH}"'))
    shown = effective(loaded.config)
    assert HASH not in shown
    assert 'api_keys = { main = { hash = "***"' in shown
