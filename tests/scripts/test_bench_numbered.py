"""The long benchmarks: small runs of each, and that their tools would see what goes wrong."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

ROOT = Path(__file__).resolve().parents[2]
FAULTLESS = {"lost": 0, "duplicated": 0, "damaged": 0, "refused": 0}


def bench(place: Path, *words: str) -> list[dict[str, Any]]:
    command: list[str | Path] = [ROOT / "scripts" / "bench", *words, "--json", "--dir", place]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert list(place.iterdir()) == []
    return rows


def test_late_receipts_are_told_part_by_part(tmp_path: Path) -> None:
    whole, *parts = bench(tmp_path, "late", "--messages", "500", "--within", "0.6")
    assert whole.items() >= (FAULTLESS | {"case": "whole", "messages": 500}).items()
    assert 0 < whole["waiting_max"] <= 500
    assert [part["case"] for part in parts][:5] == [f"part {number}" for number in range(1, 6)]
    assert sum(part["accepted"] for part in parts) == sum(part["receipted"] for part in parts) == 500
    assert all(part["rss_after_mb"] > 0 for part in parts)


def test_a_backlog_drains_in_order(tmp_path: Path) -> None:
    (row,) = bench(tmp_path, "backlog", "--messages", "3000")  # three windows: not all in one read of the carrier
    assert row.items() >= (FAULTLESS | {"out_of_order": 0}).items()
    assert row["accepted_per_s"] > 0
    assert row["submitted_per_s"] >= row["drained_per_s"] > 0
    assert row["rss_draining_mb"] > 0
    assert row["spool_backlog_mb"] > 0


@pytest.mark.long
def test_codes_are_measured_beside_a_campaign(tmp_path: Path) -> None:
    words = ("fairness", "--messages", "1000", "--seconds", "1.2", "--rate", "100")
    *codes, campaign = bench(tmp_path, *words)
    assert [row["case"] for row in codes] == ["class otp", "weight 4"]
    for row in codes:
        assert row.items() >= FAULTLESS.items()
        assert 0 < row["idle_p50_ms"] <= row["idle_p99_ms"]
        assert 0 < row["queued_p50_ms"] <= row["queued_p99_ms"]
        above_ms = row["queued_p99_ms"] - row["idle_p99_ms"]
        assert row["queued_above_idle_p99_ms"] == pytest.approx(above_ms, abs=0.01)
    assert campaign["case"] == "campaign"
    assert 0 < campaign["left_in_queue"] < 1000
    assert campaign["submitted_per_s"] < 150


@pytest.mark.usefixtures("_scripts")
def test_the_carrier_sees_what_is_wrong() -> None:
    from bench_numbered import Tally, handset_of, numbered_text

    def arrive(tally: Tally, number: int, text_of: int | None = None) -> None:
        handset = handset_of(number, tally.handsets)
        tally.take(numbered_text(number if text_of is None else text_of, handset), handset, 1.0)

    tally = Tally(100, 10)
    for number in (0, 1, 10, 2, 11):
        arrive(tally, number)
    assert (tally.submits, tally.duplicates, tally.damaged, tally.out_of_order) == (5, 0, 0, 0)
    arrive(tally, 10)  # again
    assert (tally.duplicates, tally.damaged, tally.out_of_order) == (1, 0, 0)
    arrive(tally, 13)
    arrive(tally, 3)  # of the same handset, and behind the later one
    assert tally.out_of_order == 1
    arrive(tally, 5, text_of=6)  # another handset's text
    assert tally.damaged == 1
    tally.take(b"Order", b"33600000000", 1.0)
    tally.take(numbered_text(100, b"33600000000"), b"33600000000", 1.0)  # more than there are
    assert tally.damaged == 3
    assert sum(tally.seen) == 8


@pytest.mark.usefixtures("_scripts")
def test_a_part_costs_what_was_used_in_it() -> None:
    from bench_late import Mark, _part
    from bench_processes import Use

    begun, full = (
        Mark("", 10.0, 0, 0, Use(10.0, 5.0, 50.0, 40.0)),
        Mark("part 1", 20.0, 1_500, 1_000, Use(20.0, 5.1, 60.0, 40.0)),
    )
    first = _part(begun, full)
    assert (first["case"], first["accepted"], first["receipted"]) == ("part 1", 1_500, 1_000)
    assert first["cpu_us_per_message"] == pytest.approx(80.0)  # 0.1 s for the mean of both
    assert (first["accepted_per_s"], first["receipted_per_s"], first["rss_after_mb"]) == (150.0, 100.0, 60.0)
    assert _part(full, Mark("tail", 30.0, 1_500, 1_500, Use(30.0, 5.12, 61.0, 40.0)))[
        "cpu_us_per_message"
    ] == pytest.approx(80.0)


@pytest.mark.usefixtures("_scripts")
def test_receipts_wait_for_their_moment_in_order() -> None:
    from bench_late_carrier import Waiting

    waiting = Waiting()
    for at, due in enumerate((5.0, 1.0, 1.0, 3.0)):
        waiting.add(due, 2**64 - 1 - at, at)
    assert waiting.take(1.0, 10) == []
    assert waiting.take(1.02, 1) == [(2**64 - 2, 1)]
    assert waiting.take(9.0, 10) == [(2**64 - 3, 2), (2**64 - 4, 3), (2**64 - 1, 0)]
    assert (waiting.count, waiting.count_max) == (0, 4)


@pytest.mark.usefixtures("_scripts")
async def test_the_sender_sees_what_is_wrong() -> None:
    import bench_numbered_load as load_module
    from bench_carrier import receipt_body
    from bench_wire import DELIVER_SM, SUBMIT_SM_RESP, pdu

    words = {"place": "", "account": "", "password": "", "sender": "Bench"}
    counts = {"port": 0, "messages": 4, "handsets": 2, "window": 9, "patience_s": 1.0}
    load = load_module.Load(msgspec.convert(words | counts, load_module.Job))
    load.next = 4
    for number in range(4):
        load.data_received(pdu(SUBMIT_SM_RESP, number + 1, b"%x\0" % (0xA0 + number)))
    assert (load.answered, load.refused, load.damaged) == (4, 0, 0)

    def receive(message_id: bytes, handset: bytes) -> tuple[int, int, int]:
        load.data_received(pdu(DELIVER_SM, 1, receipt_body(message_id, b"Bench", handset)))
        return load.received, load.duplicates, load.damaged

    assert receive(b"a2", b"33600000000") == (1, 0, 0)
    assert receive(b"a2", b"33600000000") == (1, 1, 0)
    assert receive(b"a2", b"33600000001") == (1, 1, 1)  # another handset's
    assert receive(b"A0", b"33600000000") == (1, 1, 2)  # not as it was spelled
    assert receive(b"00a0", b"33600000000") == (1, 1, 3)
    assert receive(b"ff", b"33600000000") == (1, 1, 4)  # nobody's
    assert receive(b"zz", b"33600000000") == (1, 1, 5)
    assert receive(b"a3", b"33600000001") == (2, 1, 5)
