"""Record files: whole lines in order, none twice and none missing, whatever a crash leaves behind."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gatewayd.billing.record_files import RecordFiles, read_lines
from gatewayd.policy.billing import Record
from gatewayd.store.records import Cdr

ROOMY = 1_000_000


def cdr(sequence: int, origin: int = 0, ids: int = 1) -> Cdr:
    record = Record(
        "conversation",
        1_790_000_000_500,
        "orange_fr",
        "2021-10",
        end_ms=1_790_086_400_500,
        account="shop",
        message_ids=tuple(f"{sequence}.{number}" for number in range(ids)),
        mt_count=ids,
    )
    return Cdr(origin, sequence, "bot", "33612345678", record)


def ids(folder: Path) -> list[str]:
    return [line.id for line in read_lines(folder)]


def test_a_line_says_all(tmp_path: Path) -> None:
    files = RecordFiles(tmp_path / "cdr", ROOMY)
    assert files.last_sequence(0) == 0
    files.prepare()
    files.append([cdr(1)])
    (line,) = (tmp_path / "cdr" / "cdr-0.jsonl").read_text().splitlines()
    assert msgspec.json.decode(line) == {
        "id": "0-1",
        "class": "conversation",
        "free": False,
        "account": "shop",
        "agent": "bot",
        "user": "33612345678",
        "link": "",
        "start": "2026-09-21T14:13:20.500000Z",
        "end": "2026-09-22T14:13:20.500000Z",
        "message_ids": ["1.0"],
        "mt": 1,
        "mo": 0,
        "segments": 0,
        "credits": 0.0,
        "rules": "orange_fr",
        "version": "2021-10",
    }


def test_what_is_written_is_not_written_again(tmp_path: Path) -> None:
    files = RecordFiles(tmp_path, ROOMY)
    files.append([cdr(2), cdr(1), cdr(1, origin=3)])
    files.append([cdr(2), cdr(3)])
    again = RecordFiles(tmp_path, ROOMY)
    assert (again.last_sequence(0), again.last_sequence(3), again.last_sequence(1)) == (3, 1, 0)
    again.append([cdr(number) for number in range(1, 6)])
    assert ids(tmp_path) == ["0-1", "0-2", "0-3", "0-4", "0-5", "3-1"]


def test_a_full_file_makes_room_for_the_next(tmp_path: Path) -> None:
    files = RecordFiles(tmp_path, 400)
    for sequence in range(1, 6):
        files.append([cdr(sequence)])
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["cdr-0-000000000000002.jsonl", "cdr-0-000000000000004.jsonl", "cdr-0.jsonl"]
    assert ids(tmp_path) == [f"0-{number}" for number in range(1, 6)]
    (tmp_path / "cdr-0.jsonl").unlink()
    assert RecordFiles(tmp_path, 400).last_sequence(0) == 4, "the names of the others tell"


@pytest.mark.parametrize("ids_count", [1, 20_000], ids=["short", "long"])
@pytest.mark.parametrize("rest", ["cut", "zeros", "garbage", "zeros and a line"])
def test_what_a_crash_left_is_cut_off_and_written_anew(rest: str, ids_count: int, tmp_path: Path) -> None:
    RecordFiles(tmp_path, 10 * ROOMY).append([cdr(1, ids=ids_count), cdr(2, ids=ids_count), cdr(3)])
    path = tmp_path / "cdr-0.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    behind = {"cut": lines[2][:40], "zeros": bytes(5_000), "garbage": b"{}\n\n", "zeros and a line": bytes(9) + b"\n"}
    path.write_bytes(b"".join(lines[:2]) + behind[rest])
    assert ids(tmp_path) == ["0-1", "0-2"], "a reader is not put off by it"
    again = RecordFiles(tmp_path, 10 * ROOMY)
    assert again.last_sequence(0) == 2
    again.append([cdr(2), cdr(3)])
    assert path.read_bytes() == b"".join(lines)


def test_nothing_but_rubbish(tmp_path: Path) -> None:
    (tmp_path / "cdr-0.jsonl").write_bytes(b"what?\n")
    (tmp_path / "cdr-other.jsonl").write_bytes(b"what?\n")
    files = RecordFiles(tmp_path, ROOMY)
    files.append([cdr(1)])
    assert ids(tmp_path) == ["0-1"]


def test_a_disk_that_refuses_is_asked_again(tmp_path: Path) -> None:
    files = RecordFiles(tmp_path / "cdr", ROOMY)
    files.prepare()
    files.append([cdr(1)])
    (tmp_path / "cdr").rename(tmp_path / "away")
    with pytest.raises(OSError, match="No such file"):
        files.append([cdr(2)])
    (tmp_path / "away").rename(tmp_path / "cdr")
    files.append([cdr(2)])
    assert ids(tmp_path / "cdr") == ["0-1", "0-2"]
