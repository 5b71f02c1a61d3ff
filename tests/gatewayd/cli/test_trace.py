"""The commands that look for one number: what they print where, and with which code they end."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatewayd import cli
from gatewayd.runtime.masking import Masker, made_key
from tests.gatewayd.cli.conftest import put_secrets
from tests.gatewayd.config.conftest import SECRETS, SOUND

runner = CliRunner()
NUMBER = "33612345678"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration whose spool is a folder beside it."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    put_secrets(tmp_path, SECRETS)
    (tmp_path / "spool").mkdir()
    path = tmp_path / "gatewayd.toml"
    path.write_text('[daemon]\nspool_dir = "spool"\n' + SOUND)
    return path


def run(*words: str, config: Path) -> tuple[int, str, str]:
    result = runner.invoke(cli.app, [*words, "--config", str(config)])
    return result.exit_code, result.stdout, result.stderr


def test_a_number_is_masked_as_in_the_log(config: Path) -> None:
    masker = Masker(made_key(config.parent / "spool"))
    assert run("mask", f"+{NUMBER}", config=config) == (0, masker(NUMBER) + "\n", "")
    assert masker(NUMBER) in run("mask", NUMBER, "--json", config=config)[1]


def test_without_the_daemons_key_nothing_is_masked(config: Path) -> None:
    code, out, err = run("mask", NUMBER, config=config)
    assert (code, out) == (2, "")
    assert "mask.key cannot be read" in err


@pytest.mark.parametrize("what", ["xyz", "", "+", "68854a6", "336 12x"])
def test_what_is_neither_an_id_nor_a_number(what: str, config: Path) -> None:
    code, _, err = run("trace", what, config=config)
    assert (code, "neither a message's id" in err) == (2, True)
