"""What a text becomes: what the command prints, and with which code it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatewayd import cli
from tests.gatewayd.cli.conftest import put_secrets
from tests.gatewayd.config.conftest import SECRETS, SOUND

runner = CliRunner()


def run(*words: str, text: str | None = None) -> tuple[int, list[str], str]:
    result = runner.invoke(cli.app, ["text", *words], input=text)
    return result.exit_code, result.stdout.splitlines(), result.stderr


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    put_secrets(tmp_path, SECRETS)
    path = tmp_path / "gatewayd.toml"
    path.write_text(
        SOUND.replace(
            'kind = "smpp"', 'kind = "smpp"\nnational_languages = ["turkish"]\nlong_messages = "udh16"'
        ).replace("[accounts.shop]", '[accounts.shop]\ntransliterate = "full"')
    )
    return str(path)


def test_a_text_of_the_gsm_alphabet() -> None:
    assert run("Prix: 5€") == (0, ["1 segment, GSM (data_coding 0)", "1: 9 of 160 septets: Prix: 5€"], "")


def test_what_forces_ucs2_is_named_and_what_would_help() -> None:
    code, lines, _ = run("-", text="Don’t wait, it’s " + "free " * 12 + "ok\n")
    assert code == 0
    assert lines[0] == "2 segments, UCS2 (data_coding 8)"
    assert lines[1].startswith("1: 67 of 67 16-bit units: Don’t")
    assert lines[2].startswith("2: 12 of 67 16-bit units: ")
    assert lines[3:] == [
        "not in the GSM alphabet: ’ RIGHT SINGLE QUOTATION MARK, 2 times, first at 4",
        """transliterate = "typographic" would make 1: ’ to ' (2)""",
    ]


def test_a_language_that_would_help_is_named() -> None:
    _, lines, _ = run("ş" * 75)
    assert 'national_languages = ["turkish"] would make 1' in lines
    assert lines[-1].startswith('transliterate = "full" would make 1: ş to s (75)')
    assert run("😀")[1][-1] == "not in the GSM alphabet: 😀 GRINNING FACE, at 1"


def test_as_a_link_and_an_account_have_it(config: str) -> None:
    _, lines, _ = run("ş" * 80, "--link", "carrier", "--config", config)
    assert lines[0] == "1 segment, GSM with the turkish locking shift (data_coding 0)"
    _, lines, _ = run("ê", "--account", "shop", "--config", config)
    assert lines[:3] == ["1 segment, GSM (data_coding 0)", "1: 1 of 160 septets: e", "changed: ê to e"]
    _, lines, _ = run("a" * 161, "--link", "carrier", "--config", config)
    assert lines[1].startswith("1: 152 of 152 septets: ")


def test_json() -> None:
    code, lines, _ = run("é😀", "--json")
    found = json.loads("\n".join(lines))
    assert code == 0
    assert (found["alphabet"], found["data_coding"], found["units"]) == ("ucs2", 8, "16-bit units")
    assert found["segments"] == [{"text": "é😀", "units": 3, "room": 70}]
    assert found["missing"] == [{"letter": "😀", "name": "GRINNING FACE", "count": 1, "position": 2}]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(["--link", "nowhere"], "there is no link nowhere"), (["--account", "none"], "there is no account none")],
)
def test_names_that_are_not_there(words: list[str], sentence: str, config: str) -> None:
    code, _, err = run("x", *words, "--config", config)
    assert code == 2
    assert sentence in err
