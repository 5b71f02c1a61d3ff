"""Each scenario of the benchmark in a tiny run: nothing is lost, and it says what it promises."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FAULTLESS = {"lost": 0, "duplicated": 0, "damaged": 0, "refused": 0}
FACTS = {"cpu", "cores", "kernel", "python", "python_build", "protocol_build", "spool", "load_average", "commit"}


@pytest.fixture
def place() -> Iterator[Path]:
    """As tmp_path, but shorter: workers have sockets in it."""
    with tempfile.TemporaryDirectory(prefix="b") as name:
        yield Path(name)


def bench(place: Path, *words: str, patience_s: float = 50) -> list[dict[str, Any]]:
    command: list[str | Path] = [ROOT / "scripts" / "bench", *words, "--json", "--dir", place]
    done = subprocess.run(
        [*command, "--receipt-delay", "0.01"], capture_output=True, text=True, check=False, timeout=patience_s
    )
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert list(place.iterdir()) == []
    for row in rows:
        assert row["scenario"] == words[0]
        assert row["machine"].keys() >= FACTS
    return rows


def test_a_relay_lasts_as_long_as_asked(place: Path) -> None:
    (row,) = bench(place, "relay", "--seconds", "0.5", "--direct")
    assert row.items() >= FAULTLESS.items()
    assert row["messages"] > 100
    assert row["seconds"] == 0.5


@pytest.mark.long
def test_latencies_are_told_at_each_pace(place: Path) -> None:
    rows = bench(place, "latency", "--seconds", "0.5", "--full-rate", "2000")
    assert [row["case"] for row in rows] == ["40 a second", "500 a second", "50 % of the full rate"]
    assert [row["rate"] for row in rows] == [40, 500, 1_000]
    for row in rows:
        assert row.items() >= FAULTLESS.items()
        assert abs(row["messages"] - row["rate"] / 2) <= row["rate"] / 10
        assert 0 < row["resp_p50_ms"] <= row["resp_p99_ms"]


@pytest.mark.long
def test_workers_are_held_against_one(place: Path) -> None:
    rows = bench(place, "workers", "--messages", "300")
    assert [row["workers"] for row in rows] == [1, 2, 4]
    assert rows[0]["cpu_ratio"] == 1
    for row in rows:
        assert row.items() >= FAULTLESS.items()
        assert row["cpu_us_per_message"] > 0


@pytest.mark.long
def test_long_texts_are_told_by_text_part_and_pdu(place: Path) -> None:
    rows = bench(place, "long", "--messages", "200")
    assert [row["case"] for row in rows] == ["one part", "three parts", "message_payload"]
    for row, parts, pdus in zip(rows, (1, 3, 3), (8, 24, 16), strict=True):
        assert row.items() >= (FAULTLESS | {"messages": 200}).items()
        assert row["cpu_us_per_part"] == pytest.approx(row["cpu_us_per_message"] / parts, abs=0.02)
        assert row["cpu_us_per_pdu"] == pytest.approx(row["cpu_us_per_message"] / pdus, abs=0.02)


@pytest.mark.long
def test_idle_esmes_are_kept_beside_the_one_that_works(place: Path) -> None:
    alone, beside = bench(place, "binds", "--quick", "--messages", "200", "--esmes", "6", "--seconds", "1.2")
    assert alone["cpu_us_per_message"] > 0
    assert beside.items() >= (FAULTLESS | {"esmes": 6, "cut": 0}).items()
    assert beside["enquiries"] >= 6
    assert beside["bind_cpu_ms_per_esme"] > beside["rebind_cpu_ms_per_esme"]
    assert "rss_kb_per_esme" in beside


@pytest.mark.long
def test_memory_is_told_of_what_waits(place: Path) -> None:
    idle, esmes, waiting = bench(place, "memory", "--messages", "300", "--esmes", "6")
    assert idle["rss_idle_mb"] >= idle["pss_idle_mb"] > 10
    assert {"rss_kb_per_esme", "pss_kb_per_esme"} <= esmes.keys()
    assert waiting.items() >= (FAULTLESS | {"messages": 300}).items()
    assert waiting["rss_waiting_mb"] > 10
    assert waiting["spool_bytes_per_message"] >= 0


def test_the_table_of_scenarios_is_shown() -> None:
    done = subprocess.run([ROOT / "scripts" / "bench", "--list"], capture_output=True, text=True, check=True)
    names = [line.split()[0] for line in done.stdout.splitlines()[1:] if line.strip()]
    assert names[-1] == "all"
    assert {"relay", "latency", "workers", "rcs", "long", "late", "backlog", "fairness", "binds", "memory"} <= {*names}


def test_a_scenario_that_is_none_is_said() -> None:
    done = subprocess.run([ROOT / "scripts" / "bench", "relai"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no relai" in done.stderr


@pytest.mark.usefixtures("_scripts")
@pytest.mark.parametrize(
    ("words", "least"),
    [("--messages -5", 0), ("--receipt-delay nan", 0), ("--window 0", 1), ("--http-connections 0", 1)],
)
def test_a_number_that_can_measure_nothing_is_said(words: str, least: int, capsys: pytest.CaptureFixture[str]) -> None:
    from bench_options import parsed

    with pytest.raises(SystemExit, match="2"):
        parsed("", ["relay"], words.split())
    assert f"{words} is too little: {least} or more" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_instructions_are_counted(place: Path) -> None:
    (row,) = bench(place, "instructions", "--messages", "60", patience_s=300)
    assert row.items() >= (FAULTLESS | {"messages": 60}).items()
    assert 50_000 < row["instructions_per_message"] < 5_000_000


def test_without_valgrind_nothing_is_counted(place: Path) -> None:
    command: list[str | Path] = [sys.executable, ROOT / "scripts" / "bench.py", "instructions", "--dir", place]
    done = subprocess.run(command, env={"PATH": str(place)}, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 2
    assert "apt-get install valgrind" in done.stderr
