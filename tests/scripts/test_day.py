"""A day in real time, as brief as it can be: two workers of which each dies, and all ledgers agree in the end."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PER_SECOND = 30

pytestmark = [pytest.mark.timeout(240), pytest.mark.long]


def day(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [ROOT / "scripts" / "day", "--dir", place, "--brief", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)


def test_all_ledgers_agree_and_the_quota_holds(tmp_path: Path) -> None:
    done = day(tmp_path, "--json", "--messages", "400", "--rate", "20", "--seed", "7")
    assert done.returncode == 0, f"{done.stderr}\n{done.stdout}"
    told: dict[str, Any] = json.loads(done.stdout)
    figures = told["figures"]
    assert {question: wrong for question, wrong in told["checks"].items() if wrong} == {}
    assert (told["seed"], figures["workers_killed"]) == (7, 2)
    assert figures["taken"] + figures["unanswered"] == 400
    assert figures["busiest_second"] > PER_SECOND / 2, "the quota was in nobody's way"
    assert min(figures["arrived_by_rcs"], figures["arrived_by_sms"], figures["replies"]) > 0
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_tried_is_said(tmp_path: Path) -> None:
    done = day(tmp_path / "nowhere", "--messages", "10")
    assert done.returncode == 2
    assert "scripts/day: seed " in done.stderr
