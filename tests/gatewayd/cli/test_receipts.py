"""What a person who writes a dialect sees, and what of receipts that nobody read is shown to whom."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatewayd import cli
from gatewayd.carriers.unparsed import UnparsedReceipts
from protocol.smpp.pdu import DeliverSm, build
from tests.gatewayd.cli.conftest import put_secrets
from tests.gatewayd.config.conftest import SECRETS, SOUND

runner = CliRunner()
FAILED = "id:007 sub:001 dlvrd:001 submit date:1608051046 done date:1608051047 stat:FAILED err:002 Text: hi"


def run(*words: str, text: str | None = None) -> tuple[int, list[str], str]:
    result = runner.invoke(cli.app, words, input=text)
    return result.exit_code, result.stdout.splitlines(), result.stderr


def test_each_dialect_says_what_it_is_for() -> None:
    code, lines, _ = run("receipts", "list")
    assert code == 0
    assert len(lines) >= 8
    assert "no_counts: Appendix B without sub and dlvrd" in lines


def test_a_capture_is_explained_as_text_and_as_a_pdu() -> None:
    pdu = DeliverSm(sequence=1, esm_class=4, short_message=FAILED.encode(), tlvs=((0x0423, b"\x03\x00\x1b"),))
    code, lines, _ = run("receipts", "try", "failed_words", text=f"{FAILED}\n\n{build(pdu).hex()}\nhello\n")
    assert code == 1
    assert lines[:6] == [
        FAILED,
        "  form 1 reads id '007', done '1608051047', stat 'FAILED', err '002'",
        "  looked for as: 007",
        "  state UNDELIV, from 'FAILED'",
        "  error 002: failed",
        "  done 2016-08-05T10:47:00+00:00",
    ]
    assert "  network_error_code: network 3, code 27" in lines
    assert lines[-3:] == ["hello", "  not a receipt: it has none of the forms", "3 receipts, 1 of them unread"]


def test_programs_get_json() -> None:
    code, lines, _ = run("receipts", "try", "vonage", "--json", text=f"{FAILED}\n")
    assert code == 0
    (read,) = json.loads("\n".join(lines))
    assert (read["state"], read["keys"], read["refusal"]) == ("UNDELIV", ["7", "007"], "")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("moon", None, "there is no dialect moon; see: gatewayd receipts list"),
        ("own.toml", 'about = "a"', "own.toml: Object missing required field `source`"),
        ("own.toml", None, "there is no dialect own.toml"),
    ],
)
def test_a_dialect_that_is_wrong(
    name: str, content: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path(name).write_text(content)
    code, _, error = run("receipts", "try", name, text="")
    assert code == 2
    assert said in error


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    put_secrets(tmp_path, SECRETS)
    path = tmp_path / "gatewayd.toml"
    account = 'receipt_dates = 12\nreceipt_text_chars = 12\nmessage_id_base = "decimal"\n[accounts.bank]'
    path.write_text(f'[daemon]\nspool_dir = "{tmp_path}"\n{SOUND.replace("[accounts.bank]", account, 1)}')
    return str(path)


def test_unread_ones_are_shown_without_digits_and_texts_unless_asked(config: str, tmp_path: Path) -> None:
    kept = UnparsedReceipts(tmp_path, 0, lambda: 1_000.0)
    pdu = DeliverSm(sequence=1, esm_class=4, short_message=b"nr:33612345678 what:GONE text:Your code is 4711")
    kept.keep("carrier", pdu)
    kept.keep("backup", pdu)
    code, lines, _ = run("receipts", "unparsed", "-c", config, "--link", "carrier")
    assert code == 0
    assert lines == ["1970-01-01 00:16:40Z carrier esm_class 0x04 nr:########### what:GONE text:…"]
    _, captures, _ = run("receipts", "unparsed", "-c", config, "--captures")
    assert captures == [build(pdu).hex()] * 2
    _, told, _ = run("receipts", "unparsed", "-c", config, "--json", "--link", "backup")
    row = {"at": 1_000.0, "link": "backup", "text": "nr:########### what:GONE text:…"}
    assert json.loads("".join(told)) == {"rows": [row]}
    assert run("receipts", "unparsed", "-c", config, "--forget")[1] == ["2 receipts forgotten"]
    assert run("receipts", "unparsed", "-c", config)[1] == []


def test_check_config_shows_what_an_application_will_read(config: str) -> None:
    code, lines, _ = run("check-config", config)
    assert code == 0
    assert lines[-1] == (
        f"accounts.shop: a receipt reads id:{1_795_683_600_000 << 18} sub:001 dlvrd:001 submit date:261126090000"
        " done date:261126090007 stat:DELIVRD err:000 text:Your code is"
    )
