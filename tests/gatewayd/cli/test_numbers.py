"""The commands about numbers: what they print where, with which code they end, and what they leave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatewayd import cli
from gatewayd.store.qualify_lists import QualifyLists
from tests.gatewayd.cli.conftest import put_secrets
from tests.gatewayd.config.conftest import SECRETS, SOUND

runner = CliRunner()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with files of numbers beside it."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    put_secrets(tmp_path, SECRETS)
    (tmp_path / "spool").mkdir()
    (tmp_path / "blocks.csv").write_text("prefix;operator\n33607;FRTE\n33609;SFR0\n")
    (tmp_path / "names.csv").write_text("code;operator\nFRTE;orange\nSFR0;sfr\n")
    path = tmp_path / "gatewayd.toml"
    bot = 'bot_id = "shop-bot"\ncapability = "bulk"\noperators = { orange = "launched", sfr = "draft" }\n'
    head = '[daemon]\nspool_dir = "spool"\n[numbers]\nported = "ported"\nprefixes = "blocks.csv"\nnames = "names.csv"\n'
    path.write_text(head + SOUND.replace('bot_id = "shop-bot"\n', bot))
    return path


def run(*words: str, config: Path, text: str | None = None) -> tuple[int, str, str]:
    result = runner.invoke(cli.app, ["numbers", *words, "--config", str(config)], input=text)
    return result.exit_code, result.stdout, result.stderr


def test_import_and_look_up(config: Path, tmp_path: Path) -> None:
    (tmp_path / "egp.csv").write_text("0607000001;SFR0;2026-01-01\n0609000001;FRTE;2999-01-01\n")
    code, out, _ = run("import", str(tmp_path / "egp.csv"), config=config)
    assert code == 0
    assert out == f"{tmp_path / 'ported'}: 1 numbers (of 2 lines, 1 dated later, 0 of no use)\n"
    assert run("lookup", "0607000001", config=config) == (
        0,
        "+33607000001: sfr (ported)\nlinks.orange: agent_draft_sfr\n",
        "",
    )
    assert run("lookup", "+33 6 07 00 00 02", config=config)[:2] == (
        0,
        "+33607000002: orange (block)\nlinks.orange: may be used\n",
    )
    assert run("lookup", "+34600000001", config=config)[:2] == (
        1,
        "+34600000001: not known\nlinks.orange: operator_unknown\n",
    )


def test_an_update_from_standard_input(config: Path) -> None:
    assert run("import", "-", config=config, text="0607000001;sfr\n0607000002;free\n")[0] == 0
    code, out, _ = run("import", "-", "--update", config=config, text="0607000001;\n0607000003;free\n")
    assert code == 0
    assert "2 numbers (of 2 lines" in out
    assert run("lookup", "0607000001", config=config)[1].startswith("+33607000001: orange (block)")
    told = json.loads(run("lookup", "0607000001", "--json", config=config)[1])
    assert (told["number"], told["operator"], told["source"]) == ("+33607000001", "orange", "block")
    assert run("lookup", "0607000002", config=config)[1].startswith("+33607000002: free (ported)")


def test_lines_of_no_use_are_told(config: Path) -> None:
    code, out, err = run("import", "-", config=config, text="0607000001;sfr\n" + "nonsense\n" * 25)
    assert code == 1
    assert "1 numbers (of 26 lines, 0 dated later, 25 of no use)" in out
    assert err.splitlines()[0] == "line 2: write number;operator or number;operator;date"
    assert err.splitlines()[-1] == "and 5 more"


def test_what_cannot_be_imported(config: Path, tmp_path: Path) -> None:
    code, _, err = run("import", str(tmp_path / "away.csv"), config=config)
    assert code == 2
    assert "away.csv" in err
    (tmp_path / "names.csv").write_text("broken\n")
    assert run("import", "-", config=config, text="x")[2] == (
        f"gatewayd: {tmp_path / 'names.csv'}: line 1: write code;operator\n"
    )
    config.write_text(config.read_text().replace('ported = "ported"', 'ported = ""'))
    assert "numbers.ported is empty" in run("import", "-", config=config, text="x")[2]
    assert not (tmp_path / "ported").exists()


def test_what_is_no_number_or_no_configuration(config: Path) -> None:
    assert run("lookup", "SHOP", config=config) == (2, "", "gatewayd: the number is not made of digits\n")
    config.write_text("[nonsense]\n")
    code, _, err = run("lookup", "0607000001", config=config)
    assert code == 2
    assert "nonsense: there is no such table" in err


def test_a_list_to_be_asked_about(config: Path, tmp_path: Path) -> None:
    text = "# base\n0607000001;Mme X\n+33607000002\nnonsense\n"
    code, out, err = run("qualify", "-", "--link", "orange", config=config, text=text)
    assert (code, out) == (1, "2 numbers for links.orange (1 lines of no use)\n")
    assert err == "line 4: the number is not made of digits\n"
    part = QualifyLists(tmp_path / "spool").take(10)
    assert part is not None
    assert part[:2] == ("orange", ["33607000001", "33607000002"])
    (tmp_path / "base.csv").write_text("0607000001\n")
    assert run("qualify", str(tmp_path / "base.csv"), "--link", "orange", config=config)[0] == 0


def test_lists_are_for_links_that_are_asked_in_bulk(config: Path) -> None:
    assert run("qualify", "-", "--link", "google", config=config, text="")[2] == "gatewayd: there is no link google\n"
    code, _, err = run("qualify", "-", "--link", "carrier", config=config, text="")
    assert code == 2
    assert err == 'gatewayd: links.carrier is not asked in bulk: it needs capability = "bulk"\n'


def test_help_names_the_commands() -> None:
    result = runner.invoke(cli.app, ["numbers", "--help"])
    assert all(word in result.stdout for word in ("import", "lookup", "qualify"))
