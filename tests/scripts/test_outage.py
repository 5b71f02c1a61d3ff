"""scripts/outage, as brief as it can be: each trouble of a sink ends with everything there, in its order."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.mosquitto import needs_mosquitto

ROOT = Path(__file__).resolve().parents[2]


def outage(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [ROOT / "scripts" / "outage", "--dir", place, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=150)


@pytest.mark.timeout(180)
@pytest.mark.long
@pytest.mark.parametrize(
    ("sink", "trouble"),
    [
        *(("webhook", trouble) for trouble in ("gone", "slow", "410", "garbage")),
        *(pytest.param("mqtt", trouble, marks=needs_mosquitto) for trouble in ("gone", "hung")),
    ],
)
def test_a_sink_in_trouble_loses_nothing(tmp_path: Path, sink: str, trouble: str) -> None:
    words = ("--sink", sink, "--trouble", trouble, "--minutes", "0.1", "--rate", "100", "--handsets", "50")
    done = outage(tmp_path, "--json", *words)
    assert done.returncode == 0, f"{done.stderr}\n{done.stdout}"
    told: dict[str, Any] = json.loads(done.stdout)
    assert (told["lost"], told["out_of_order"], told["refused"]) == (0, 0, 0)
    assert told["acknowledged"] > 1_000
    assert told["backlog_peak"] > 300, "it was no outage"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_what_cannot_be_tried_is_said(tmp_path: Path) -> None:
    done = outage(tmp_path / "nowhere")
    assert done.returncode == 2
    assert "scripts/outage: seed " in done.stderr
