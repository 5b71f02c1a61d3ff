"""What history tells of a name is found, with an index, without one, and while it is being written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatewayd.store.history import History
from gatewayd.store.history_files import Stretch, all_stretches
from gatewayd.store.history_reader import decoded, groups_of, opened, spool_files, texts_of
from tests.gatewayd.store.test_history_lines import HANDSET, SECRET, message, row

AT = 1_764_124_800.0


@pytest.fixture
def stretch(tmp_path: Path) -> Stretch:
    """Ten groups of two messages each, with texts."""
    own = History(tmp_path / "history" / "worker-0", keep_s=86_400.0, text_s=86_400.0)
    for number in range(10, 20):
        changes: list[tuple[str, Any, Any]] = [
            ("message", part, message(part, destination=f"336{part:08}")) for part in (number, 100 + number)
        ]
        own.append(number, AT + number, row(*changes, ("progress", number, None)))
    own.sync()
    own.close()
    ((_, found),) = all_stretches(tmp_path)
    return found


def sequences(stretch: Stretch, *names: bytes) -> list[int]:
    return [group.sequence for group in groups_of(3, stretch, names)]


def test_few_groups_are_read(stretch: Stretch) -> None:
    assert sequences(stretch, b"14") == [14]
    assert sequences(stretch, b"33600000112", b"15") == [12, 15]
    assert sequences(stretch, b"99999") == []
    (group,) = groups_of(3, stretch, [b"14"])
    assert group.identity == (3, 14, AT + 14)
    assert [(kind, key) for kind, key, _ in group.changes] == [("message", 14), ("message", 114), ("progress", 14)]


def test_without_an_index_all_is_read(stretch: Stretch) -> None:
    stretch.index.unlink()
    assert sequences(stretch, b"14,") == [14]
    assert sequences(stretch, b"33600000112", b"33600000115") == [12, 15]


def test_what_the_index_does_not_know_yet_is_read(stretch: Stretch) -> None:
    index = stretch.index.read_bytes()
    stretch.index.write_bytes(index[: len(index) // 2])
    assert sequences(stretch, b"33600000012", b"33600000118") == [12, 18]


def test_what_a_crash_left_unfinished_is_passed_over(stretch: Stretch) -> None:
    octets = stretch.groups.read_bytes()
    stretch.groups.write_bytes(octets[:-20])
    assert sequences(stretch, b"18", b"19") == [18]
    stretch.groups.write_bytes(octets + b'{"at":1.0,"sequence":99,"changes":[["progress",14,')
    assert sequences(stretch, b"14") == [14]


def test_what_was_purged_meanwhile_is_not_there(stretch: Stretch) -> None:
    stretch.groups.unlink()
    assert sequences(stretch, b"14") == []
    stretch.texts.unlink()
    assert texts_of(stretch, []) == {}


def test_texts_are_put_back(stretch: Stretch) -> None:
    groups = list(groups_of(0, stretch, [b"14"]))
    texts = texts_of(stretch, groups)
    changes = opened(groups[0], texts[14, AT + 14])
    assert msgspec.convert(changes[1][2]["payload"], bytes) == SECRET
    assert opened(groups[0])[1][2]["payload"] == ""


def test_a_group_of_the_journal_reads_alike(tmp_path: Path) -> None:
    group = decoded(2, (7, AT, row(("message", 17, message(17)))))
    assert (group.identity, opened(group)[0][2]["destination"]) == ((2, 7, AT), HANDSET)
    (tmp_path / "worker-1.spool").touch()
    (tmp_path / "worker-x.spool").touch()
    assert list(spool_files(tmp_path)) == [(1, tmp_path / "worker-1.spool")]
