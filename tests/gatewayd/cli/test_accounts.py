"""An account is added wholly or not at all, and nothing is ever written over."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatewayd import cli
from gatewayd.config.load import load
from gatewayd.config.passwords import verify_password

runner = CliRunner()


def add(config: Path, *words: str, password: str = "s3cret\n") -> tuple[int, str]:
    result = runner.invoke(cli.app, ["accounts", "add", *words, "--config", str(config)], input=password)
    return result.exit_code, result.output


def test_a_table_to_paste(config: Path) -> None:
    before = config.read_text()
    code, output = add(config, "crm", "--network", "10.0.0.0/8", "--sender", "CRM*", "--rate", "5", "--class", "otp")
    assert code == 0
    table = tomllib.loads(output[output.index("[accounts") :])["accounts"]["crm"]
    assert table == {
        "password_hash_file": "crm.hash",
        "networks": ["10.0.0.0/8"],
        "senders": ["CRM*"],
        "rate_per_s": 5.0,
        "traffic_class": "otp",
    }
    assert config.read_text() == before
    hashed = config.with_name("crm.hash")
    assert verify_password("s3cret", hashed.read_text().strip())
    assert hashed.stat().st_mode & 0o777 == 0o640


def test_appended_it_can_be_loaded(config: Path) -> None:
    code, output = add(config, "crm two", "--append")
    assert code == 0
    assert "put it in force with: gatewayd reload" in output
    loaded = load(config)
    assert verify_password("s3cret", loaded.password_hash("crm two").strip())
    assert config.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in config.parent.iterdir()) == [
        "carrier.password", "crm two.hash", "gatewayd.toml", "shop.hash",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "password", "sentence"),
    [
        (["shop"], "s3cret\n", "there is an account shop"),
        (["../evil"], "s3cret\n", "cannot be the name of a file"),
        (["much-too-long-a-name"], "s3cret\n", "is not a system_id"),
        (["crm"], "far too long\n", "SMPP allows 8 at most"),
        (["crm"], "\n", "the password is empty"),
        (["crm", "--append", "--network", "10.0.0.1/8"], "s3cret\n", "nothing was changed"),
    ],
)
def test_what_cannot_be_changes_nothing(config: Path, words: list[str], password: str, sentence: str) -> None:
    before = {path.name: path.read_bytes() for path in config.parent.iterdir()}
    code, output = add(config, *words, password=password)
    assert code == 2
    assert sentence in output
    assert {path.name: path.read_bytes() for path in config.parent.iterdir()} == before


def test_a_file_that_is_there_stays(config: Path) -> None:
    config.with_name("crm.hash").write_text("precious")
    code, output = add(config, "crm")
    assert (code, config.with_name("crm.hash").read_text()) == (2, "precious")
    assert "is there already" in output
