"""The benchmark itself: small runs, with the daemon and without, lose nothing and say everything."""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIGURES = {"messages_per_s", "cpu_us_per_message", "resp_p50_ms", "resp_p99_ms", "receipt_p50_ms", "receipt_p99_ms"}


def bench(place: Path, *words: str, timeout_s: float = 50) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [ROOT / "scripts" / "bench", "--dir", place, "--receipt-delay", "0.01", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)


def figures_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def processes_about(place: Path) -> list[str]:
    """The command lines that name a folder, of what runs now."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            found.append(path.read_bytes().replace(b"\0", b" ").decode())
    return [line for line in found if str(place) in line]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--direct",),
        ("--rcs",),
        ("--rcs", "--webhook-gather", "0.05"),
        ("--front", "http", "--receipts", "webhook"),
    ],
    ids=["daemon", "direct", "rcs", "rcs in bunches", "http"],
)
def test_nothing_is_lost(tmp_path: Path, words: tuple[str, ...]) -> None:
    figures = figures_of(bench(tmp_path, "--json", "--messages", "500", *words))
    assert (figures["messages"], figures["lost"], figures["duplicated"], figures["damaged"]) == (500, 0, 0, 0)
    assert figures.keys() >= FIGURES
    assert figures["messages_per_s"] > 0
    assert (figures["cpu_us_per_message"] > 0) == ("--direct" not in words)
    assert list(tmp_path.iterdir()) == []


def test_a_pace_is_kept(tmp_path: Path) -> None:
    figures = figures_of(bench(tmp_path, "--json", "--direct", "--messages", "100", "--rate", "500"))
    assert figures["messages_per_s"] < 600


def test_the_table_is_for_people(tmp_path: Path) -> None:
    done = bench(tmp_path, "--direct", "--messages", "50")
    assert done.returncode == 0
    assert "messages a second" in done.stdout


def test_what_cannot_be_measured_is_said(tmp_path: Path) -> None:
    done = bench(tmp_path / "nowhere", "--direct")
    assert done.returncode == 2
    assert done.stderr.startswith("scripts/bench: ")


def test_what_was_measured_before_an_interruption_is_told_and_nobody_is_left(tmp_path: Path) -> None:
    command = [str(ROOT / "scripts" / "bench"), "--dir", str(tmp_path), "--messages", "200", "--json", "relay", "late"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        while not running.stderr.readline().startswith("scripts/bench: late:"):
            pass
        running.terminate()
        told, said = running.communicate(timeout=30)
    assert running.returncode == 130, said
    assert [row["scenario"] for row in json.loads(told)] == ["relay"]
    assert list(tmp_path.iterdir()) == []
    assert processes_about(tmp_path) == []


@pytest.mark.long
@pytest.mark.timeout(180)
def test_each_way_in_and_out_is_measured(tmp_path: Path) -> None:
    done = bench(tmp_path, "--json", "--http", "--messages", "200", timeout_s=150)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    ways = [(row["front"], row["batch"], row["receipts"]) for row in rows]
    assert ways[0] == ("smpp", 1, "smpp")
    assert {front for front, _, _ in ways} == {"smpp", "http"}
    assert {receipts for _, _, receipts in ways} == {"smpp", "none", "webhook"}
    assert {batch for _, batch, _ in ways} == {1, 1_000}
    for row in rows:
        assert (row["lost"], row["duplicated"], row["damaged"], row["refused"]) == (0, 0, 0, 0)
        assert row["messages_per_s"] > 0
