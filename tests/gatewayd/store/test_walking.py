"""A walk gives every value once, in the order of its keys, as it is when it is given."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gatewayd.store import walking
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import SEEN, WANTED
from gatewayd.store.records import Seen
from gatewayd.store.walking import first_key, walk


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = Journal(tmp_path / "a.spool")
    yield journal
    await journal.close()


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "CHUNK", 3)


def keys(journal: Journal, after: str | None = None) -> str:
    return "".join(str(key) for key, _ in walk(journal, SEEN, after))


async def put(journal: Journal, names: str, *, folded: bool = False) -> None:
    for name in names:
        journal.put(SEEN, name, Seen(1.0))
    if folded:
        await journal.fold()


async def test_an_empty_kind_is_soon_walked(journal: Journal) -> None:
    assert keys(journal) == ""


@pytest.mark.parametrize(
    ("cold", "hot"), [("abcdefgh", ""), ("", "abcdefgh"), ("aceg", "bdfh"), ("abc", "defgh"), ("defgh", "abc")]
)
async def test_tables_and_changes_are_one_row(journal: Journal, cold: str, hot: str) -> None:
    await put(journal, cold, folded=True)
    await put(journal, hot)
    assert keys(journal) == "abcdefgh"
    assert keys(journal, "c") == "defgh"
    assert keys(journal, "h") == ""


async def test_what_was_deleted_is_not_there(journal: Journal) -> None:
    await put(journal, "abcdefg", folded=True)
    for name in "adg":
        journal.delete(SEEN, name)
    assert keys(journal) == "bcef"


async def test_the_newest_value_is_given(journal: Journal) -> None:
    await put(journal, "ab", folded=True)
    journal.put(SEEN, "b", Seen(7.0))
    assert [bytes(text) if isinstance(text, bytes) else text.encode() for _, text in walk(journal, SEEN)] == [
        b'{"due":1.0}',
        b'{"due":7.0}',
    ]


async def test_the_store_may_change_and_fold_meanwhile(journal: Journal) -> None:
    await put(journal, "abcd", folded=True)
    await put(journal, "efgh")
    seen = ""
    for key, _ in walk(journal, SEEN):
        seen += str(key)
        if key == "b":
            journal.delete(SEEN, "d")
            await journal.fold()
            journal.put(SEEN, "g", Seen(2.0))
    assert seen == "abcefgh"


def test_kinds_begin_before_their_first_key() -> None:
    assert first_key(WANTED) == ""
    assert first_key(SEEN) == ""
