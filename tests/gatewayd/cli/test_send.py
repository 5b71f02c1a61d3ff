"""`gatewayd send`: what cannot be sent is said before anybody is bound."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatewayd import cli
from gatewayd.cli.batch import ACCEPTED, Batch, Row
from gatewayd.cli.send import _conclude

runner = CliRunner()
NUMBER = "33612345678"


@pytest.mark.parametrize(
    ("words", "password", "said"),
    [
        ((NUMBER, "hello", "-a", "shop", "--from", "S" * 21), "secret", "--from: "),
        ((NUMBER, "hello", "-a", "shop", "--from", "Café"), "secret", "at most 20 printable ASCII characters"),
        ((NUMBER, "hello", "-a", "s" * 16, "--from", "SHOP"), "secret", "--account: "),
        ((NUMBER, "hello", "-a", "shop", "--from", "SHOP"), "a long one", "10 characters; SMPP allows 8 at most"),
        (("abc", "hello", "-a", "shop", "--from", "SHOP"), "secret", "to is not a number"),
        ((NUMBER, "hello", "--from", "SHOP"), "secret", "say whom to bind as"),
        ((NUMBER, "-a", "shop", "--from", "SHOP"), "secret", "give a number and a text"),
    ],
)
def test_what_no_bind_could_carry(words: tuple[str, ...], password: str, said: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{password}\n")
    result = runner.invoke(cli.app, ["send", *words, "--password-file", str(secret), "--connect", "127.0.0.1:1"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert password not in result.stderr


@pytest.mark.parametrize("waited", [False, True])
def test_receipts_that_were_waited_for_and_did_not_come_are_told(
    waited: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = Batch([Row(NUMBER, "hello")])
    batch.answered(0, ACCEPTED, "6885")
    _conclude(batch, "", as_json=False, waited=waited)
    assert ("none yet" in capsys.readouterr().out) == waited
