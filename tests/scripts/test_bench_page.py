"""BENCHMARKS.md shows what was measured, of which machine and commit, and nothing of a run that lost anything."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("_scripts")
ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "BENCHMARKS.md").read_text(encoding="utf-8")


def row(scenario: str = "relay", **figures: Any) -> dict[str, Any]:
    machine = {"cpu": "Z80", "date": "2026-11-26", "commit": "abc", "load_average": 0.1}
    return {"scenario": scenario, "seconds": 300.0, "cpu_us_per_message": 44.4, "lost": 0, "machine": machine} | figures


def test_the_figures_kept_can_be_compared_with() -> None:
    from bench_compare import compared, read
    from bench_page import KEPT, kept

    rows = read(KEPT)
    assert kept(rows) == KEPT.read_text(encoding="utf-8")
    assert not any(line.is_worse for line in compared(rows, rows))


def test_a_figure_comes_on_the_page_with_its_machine_and_commit() -> None:
    from bench_page import NOT_MEASURED, page

    text = page(PAGE, [row(), row("memory", seconds=0, case="idle", rss_idle_mb=55.5)])
    assert "| 300 s | 44.4 |" in text
    assert "| idle | 55.5 |" in text
    assert "on one machine: Z80" in text
    assert "Lost, duplicated, damaged, refused or out of order: 0. Measured 2026-11-26, commit abc" in text
    assert NOT_MEASURED in text  # the other scenarios
    assert page(text, [row()]) != text
    assert page(page(text, [row()]), [row(), row("memory", seconds=0, case="idle", rss_idle_mb=55.5)]) == text


def test_two_machines_are_told_apart_and_a_quick_run_is_called_one() -> None:
    from bench_page import page

    text = page(PAGE, [row(), row("rcs", quick=True, machine={"cpu": "6502"})])
    assert "on one machine" not in text
    assert "On Z80" in text
    assert "On 6502" in text
    assert text.count("A quick run") == 1


def test_some_scenarios_are_exchanged_and_the_others_stay() -> None:
    from bench_page import kept, merged

    old = [row(), row("rcs"), row("memory")]
    new = [row("rcs", cpu_us_per_message=1.0, case=case) for case in ("a", "b")]
    assert merged(old, new) == [old[0], *new, old[2]]
    assert json.loads(kept(old)) == old


@pytest.mark.parametrize("wrong", [{"lost": 1}, {"duplicated": 1}, {"failure": "no daemon"}])
def test_figures_of_a_run_that_went_wrong_are_refused(wrong: dict[str, Any]) -> None:
    from bench_page import merged
    from bench_processes import Failure

    with pytest.raises(Failure, match="went wrong in rcs"):
        merged([], [row(), row("rcs", **wrong)])


def test_every_scenario_has_figures_to_show() -> None:
    from bench_page import SHOWN
    from bench_scenarios import SCENARIOS

    assert [scenario.name for scenario in SCENARIOS if scenario.name not in SHOWN] == []


def test_its_commands_are_there() -> None:
    names = re.findall(r"\./scripts/([a-z-]+)", PAGE)
    assert {"bench", "bench-page", "chaos", "compile"} == {*names}
    assert all((ROOT / "scripts" / name).exists() for name in names)
