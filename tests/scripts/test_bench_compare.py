"""Old figures against new ones: what got worse is marked, and what cannot be compared is told."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MACHINE = {"cpu": "Z80", "cores": 2, "kernel": "6", "python": "3.11", "spool": "ext4", "load_average": 0.1}
FIGURES = {"messages": 500, "cpu_us_per_message": 50.0, "messages_per_s": 10_000.0, "resp_p99_ms": 10.0, "lost": 0}


def row(case: Any = "", **figures: Any) -> dict[str, Any]:
    return {"scenario": "relay", "case": case, **FIGURES, "machine": MACHINE} | figures


@pytest.mark.usefixtures("_scripts")
@pytest.mark.parametrize(
    ("name", "value", "is_worse"),
    [
        ("cpu_us_per_message", 54.0, False),
        ("cpu_us_per_message", 60.0, True),
        ("cpu_us_per_message", 10.0, False),
        ("messages_per_s", 9_000.0, False),
        ("messages_per_s", 7_000.0, True),
        ("messages_per_s", 20_000.0, False),
        ("resp_p99_ms", 15.5, False),
        ("resp_p99_ms", 17.0, True),
        ("lost", 1, True),
    ],
)
def test_worse_is_worse_by_more_than_its_kind_may(name: str, value: float, is_worse: bool) -> None:
    from bench_compare import compared

    lines = compared([row()], [row(**{name: value})])
    assert [line.name for line in lines if line.is_worse] == ([name] if is_worse else [])
    (line,) = (line for line in lines if line.name == name)
    assert line.ratio == (value / FIGURES[name] if FIGURES[name] else None)


@pytest.mark.usefixtures("_scripts")
@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("idle_cpu_ms_per_s", 4.0, 8.0),
        ("cpu_ratio", 1.2, 1.5),
        ("rss_kb_per_esme", 20.0, 30.0),
        ("spool_bytes_per_message", 900.0, 1_200.0),
        ("queued_above_idle_p99_ms", -2.0, 3.0),
    ],
)
def test_less_is_better_but_for_rates(name: str, old: float, new: float) -> None:
    from bench_compare import compared

    before, after = row(**{name: old}), row(**{name: new})
    assert [line.name for line in compared([before], [after]) if line.is_worse] == [name]
    assert [line.name for line in compared([after], [before]) if line.is_worse] == []


@pytest.mark.usefixtures("_scripts")
def test_a_tolerance_can_be_given_and_what_is_no_matter_has_none() -> None:
    from bench_compare import compared

    lines = compared([row(waiting_max=5)], [row(cpu_us_per_message=70.0, waiting_max=500)], tolerance=50.0)
    assert not any(line.is_worse for line in lines)
    assert {line.name: line.tolerance for line in lines}["waiting_max"] is None


@pytest.mark.usefixtures("_scripts")
def test_what_differs_besides_is_told() -> None:
    from bench_compare import doubts

    assert doubts([row()], [row()]) == []
    machine = MACHINE | {"python": "3.13", "load_average": 3.0, "tree_is_clean": False}
    told = doubts([row(), row("gone")], [row(messages=600, machine=machine)])
    assert told == [
        "the machine was busy before the new run: load 3.0",
        "the new figures are of a tree with changes that are in no commit",
        "python was 3.11, is 3.13",
        "relay: messages was 500, is 600",
        "relay: gone: only old",
    ]
    # How many came in a time is no setting.
    assert doubts([row(seconds=5.0)], [row(seconds=5.0, messages=600)]) == []


@pytest.mark.parametrize(("cpu_us", "code"), [(50.0, 0), (99.0, 3)], ids=["alike", "worse"])
def test_the_exit_status_tells_of_it(tmp_path: Path, cpu_us: float, code: int) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps([row()]), encoding="utf-8")
    new.write_text(json.dumps(row(cpu_us_per_message=cpu_us)), encoding="utf-8")
    command: list[str | Path] = [ROOT / "scripts" / "bench", "--figures", new, "--compare", old]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "10 %" in done.stdout
    assert ("worse" in done.stdout.split("tolerance")[1]) == (code == 3)


def test_a_file_that_is_none_of_ours_is_said(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text("[1]", encoding="utf-8")
    command: list[str | Path] = [ROOT / "scripts" / "bench", "--compare", old]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "this is not what scripts/bench --json prints" in done.stderr
