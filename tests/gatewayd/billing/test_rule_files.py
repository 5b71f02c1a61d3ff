"""The shipped rule sets can be read, own ones come before them, and a faulty file says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.billing import rule_files
from gatewayd.billing.rule_files import RulesFault

ROOT = Path(__file__).resolve().parents[3]
GOOD = '[[versions]]\nversion = "1"\nvalid_from = 2026-01-01\n'


def test_what_is_shipped() -> None:
    assert rule_files.names() == ["google_std", "infobip", "orange_fr", "orange_fr_36h", "time2chat"]
    books = rule_files.books(rule_files.names())
    assert all(book.versions[0].version for book in books.values())
    assert sorted(path.name for path in (ROOT / "conf" / "billing").iterdir()) == [f"{name}.toml" for name in books]


def test_own_rules_come_first(tmp_path: Path) -> None:
    (tmp_path / "infobip.toml").write_text(GOOD + "reply_window_h = 12\n")
    (tmp_path / "mine.toml").write_text(GOOD)
    assert rule_files.find("infobip", tmp_path).versions[0].reply_window_h == 12
    assert rule_files.find("orange_fr", tmp_path).name == "orange_fr"
    assert "mine" in rule_files.names(tmp_path)


@pytest.mark.parametrize("name", ["nowhere", "", "../../secret", "a/b"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(RulesFault, match=r"there is no rule set .*; there are google_std, infobip"):
        rule_files.find(name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("versions = [", "mine.toml: "),
        ("", "missing required field `versions`"),
        ("versions = []", "there is no version"),
        (GOOD + "reply_window = 3\n", "unknown field `reply_window`"),
        (GOOD + 'bill_on = "seen"\n', r"Invalid enum value 'seen' - at `\$.versions\[0\].bill_on`"),
        (GOOD + "session_h = 0\n", "> 0"),
        (GOOD + GOOD, "hold at the same time"),
    ],
)
def test_a_faulty_file(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(RulesFault, match=words):
        rule_files.find("mine", tmp_path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RulesFault, match="cannot be read"):
        rule_files.read(tmp_path / "gone.toml")
