"""The commands about templates: what they print, and with which code they end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatewayd import cli
from tests.gatewayd.cli.conftest import put_secrets
from tests.gatewayd.config.conftest import SECRETS, SOUND

CONF = Path(__file__).parents[3] / "conf"
PARCEL = "Your parcel AB123456789FR is here: https://t.example/AB1 STOP au 36111"
MEDIA = 'media = { url = "https://x.example/Card", mime_type = "image/png", size = 1, height = "tall" }'
DIAL = '[[content.suggestions]]\ntype = "dial"\ndisplay_text = "Call"\nphone_number = "+33100000000"'
runner = CliRunner()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with the templates that are shipped."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    put_secrets(tmp_path, SECRETS)
    shutil.copytree(CONF / "templates", tmp_path / "templates")
    path = tmp_path / "gatewayd.toml"
    path.write_text('[rcs]\ntemplates_dir = "templates"\n' + SOUND)
    return path


def run(*words: str, config: Path, text: str | None = None) -> tuple[int, str, str]:
    result = runner.invoke(cli.app, ["template", *words, "--config", str(config)], input=text)
    return result.exit_code, result.stdout, result.stderr


def test_check(config: Path) -> None:
    code, out, err = run("check", config=config)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "10-otp: stays plain (one-time codes)",
        "20-parcel: rich_card (parcel tracking)",
        "30-appointment: chips (yes or no)",
        "90-stop: chips (opt-out)",
        "4 templates: good",
    ]


def test_a_faulty_template_is_told_by_all_who_read_it(config: Path) -> None:
    path = config.parent / "templates" / "50-mine.toml"
    path.write_text('match.accounts = ["shp"]\nplain = true\n')
    line = f'{path}: match.accounts: there is no account "shp"; did you mean shop?'
    for words in (["check"], ["try", "?"]):
        assert run(*words, config=config) == (2, "", f"{line}\n")
    checked = runner.invoke(cli.app, ["check-config", str(config)])
    assert checked.exit_code == 2
    assert line in checked.stderr


def test_a_picture(config: Path) -> None:
    code, out, err = run("try", "--account", "shop", "--sender", "SHOP", PARCEL, config=config)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:4] == [
        "10-otp: no, the pattern is not in the text",
        "20-parcel: matches",
        "30-appointment: no, the pattern is not in the text",
        "90-stop: matches",
    ]
    assert "─ SHOP ─" in lines[4]
    for words in ("Parcel AB123456789FR", "Track my parcel", "open_url", "https://t.example/AB1", "( STOP )"):
        assert words in out
    assert lines[-2:] == ["links.orange (gsma/standard): fits", f"SMS (1 segment, gsm): {PARCEL}"]


def test_a_text_that_stays_one(config: Path) -> None:
    code, out, _ = run("try", "-", config=config, text="Où est 日本?" + "." * 70 + "\n")
    assert code == 1
    assert "SMS (2 segments, ucs2): Où est 日本?" in out


def test_what_each_platform_is_sent(config: Path) -> None:
    code, out, _ = run("try", "--json", PARCEL, config=config)
    assert code == 0
    told = json.loads(out)
    card = told["platforms"]["orange"]["RCSMessage"]["richcardMessage"]["message"]["generalPurposeCard"]
    assert card["content"]["title"] == "Parcel AB123456789FR"
    assert told["sms"] == {"text": PARCEL, "alphabet": "gsm", "segments": 1}
    assert [each["name"] for each in told["templates"] if not each["refusal"]] == ["20-parcel", "90-stop"]


def test_what_a_platform_cannot_take_is_named(config: Path) -> None:
    text = '[match]\ntlv = {{ tag = 0x1400, hex = "01ff" }}\nservice_types = ["T"]\n[content]\ntype = "{kind}"\n'
    path = config.parent / "templates" / "05-mine.toml"
    path.write_text(text.format(kind="rich_card") + '[content.card]\ntitle = "{text}"\n')
    how = ["try", "--tlv", "0x1400=0x01ff", "--service-type", "T", "x" * 201]
    code, out, _ = run(*how, config=config)
    assert code == 0
    assert "links.orange (gsma/standard): plain text, rich_card.card.title: 201 characters, at most 200" in out
    path.write_text(text.format(kind="location") + 'latitude = "{text}"\nlongitude = 1\n')
    code, out, _ = run(*how, config=config)
    assert code == 1
    assert "no content: Expected `float`, got `str` - at `$.latitude`" in out


@pytest.mark.parametrize(
    "content",
    [
        'type = "carousel"\n' + '[[content.cards]]\ntitle = "Card"\n' * 2,
        'type = "file"\nurl = "https://x.example/a.pdf"\nname = "Card"\nmime_type = "application/pdf"\nsize = 9',
        'type = "location"\nlatitude = 1\nlongitude = 2\nlabel = "Card"',
        f'type = "rich_card"\n[content.card]\n{MEDIA}\n{DIAL}',
    ],
    ids=["carousel", "file", "location", "media"],
)
def test_pictures_of_all_kinds(config: Path, content: str) -> None:
    (config.parent / "templates" / "05-mine.toml").write_text(f"[content]\n{content}\n")
    code, out, err = run("try", "?", config=config)
    assert (code, err) == (0, "")
    assert "Card" in out


def test_what_cannot_be_tried(config: Path) -> None:
    assert run("try", "?", "--tlv", "x=1", config=config)[0] == 2
    config.write_text(SOUND)
    code, _, err = run("try", "?", config=config)
    assert (code, err.startswith("gatewayd: rcs.templates_dir is empty")) == (2, True)
    config.write_text(SOUND.replace("port", "prt"))
    assert run("check", config=config)[0] == 2
