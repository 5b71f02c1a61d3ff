"""scripts/chaos itself: all families of faults, the figures that it promises, its table, its refusals."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.daemon.process import ROOT
from tests.faults.ground import chaos

# A run of its own may take longer than a test usually does, on a machine that is busy.
pytestmark = [pytest.mark.timeout(180), pytest.mark.long]


def test_every_family_of_faults(tmp_path: Path) -> None:
    words = ("--faults", "carriers", "applications", "--rounds", "12", "--seed", "31", "--workers", "2")
    figures = chaos(tmp_path, *words)
    assert figures.keys() >= {"rounds", "acknowledged", "lost", "duplicated", "in_flight_bound"}
    assert (figures["rounds"], figures["lost"], figures["seed"]) == (12, 0, 31)
    assert sum(figures["faults"].values()) == 12
    assert list(tmp_path.iterdir()) == []


def test_the_table_is_for_people(tmp_path: Path) -> None:
    command: list[str | Path] = [ROOT / "scripts" / "chaos", "--dir", tmp_path, "--rounds", "1", "--seed", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stderr
    assert "messages acknowledged" in done.stdout
    assert "Replay: scripts/chaos --rounds 1 --seed 5 --workers 2" in done.stdout


def test_what_cannot_be_tried_is_said(tmp_path: Path) -> None:
    command: list[str | Path] = [ROOT / "scripts" / "chaos", "--dir", tmp_path / "nowhere", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 2
    assert done.stderr.startswith("scripts/chaos: ")
