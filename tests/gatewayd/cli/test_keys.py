"""A key is shown once, kept as a hash, and lets in whoever has it: nothing is ever written over."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatewayd import cli
from gatewayd.config.api_keys import hash_key
from gatewayd.config.load import load

runner = CliRunner()


@pytest.fixture
def config(config: Path) -> Path:
    with config.open("a") as text:
        text.write('\n[http]\nlisten = ["127.0.0.1:0"]\n')
    return config


def make(config: Path, *words: str) -> tuple[int, str, str]:
    result = runner.invoke(cli.app, ["accounts", "key", *words, "--config", str(config)])
    return result.exit_code, result.stdout, result.stderr


def test_the_key_is_on_stdout_and_its_table_beside(config: Path) -> None:
    before = config.read_text()
    code, key, table = make(config, "shop", "2027", "--scope", "send", "--expires", "2027-01-31")
    assert code == 0
    assert key.startswith("gwk_")
    assert len(key.strip()) == 47
    assert tomllib.loads(table[table.index("[accounts") :]) == {
        "accounts": {
            "shop": {"api_keys": {"2027": {"hash": hash_key(key.strip()), "scopes": ["send"], "expires": "2027-01-31"}}}
        }
    }
    assert config.read_text() == before


def test_appended_it_is_in_the_configuration(config: Path) -> None:
    code, key, _ = make(config, "shop", "--append")
    assert code == 0
    loaded = load(config)
    assert loaded.key_hashes("shop") == {"main": hash_key(key.strip())}
    assert loaded.warnings == ()
    code, _, refusal = make(config, "shop", "--append")
    assert (code, "has a key main already" in refusal) == (2, True)
    assert make(config, "shop", "second", "--append")[0] == 0
    assert set(load(config).key_hashes("shop")) == {"main", "second"}


def test_as_json(config: Path) -> None:
    _, output, _ = make(config, "shop", "--json")
    assert hash_key(json.loads(output)["key"]) in json.loads(output)["table"]


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("nobody",), "there is no account nobody"),
        (("shop", "a b"), "is not a name"),
        (("shop", "--scope", "everything"), "everything is no scope"),
        (("shop", "--expires", "soon"), "neither a day nor a moment"),
    ],
)
def test_refusals_change_nothing(config: Path, words: tuple[str, ...], refusal: str) -> None:
    before = config.read_text()
    code, output, said = make(config, *words, "--append")
    assert (code, output, refusal in said) == (2, "", True)
    assert config.read_text() == before
