"""A backlog costs disk, not memory; keeps its order; and is drained at full speed. A tenth of what is promised."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.ground import chaos

# A run of its own may take longer than a test usually does, on a machine that is busy.
pytestmark = [pytest.mark.timeout(180), pytest.mark.long]

MESSAGES = 100_000
# Of the 100 MB that a million may cost, all but a few are for bounds that are reached long before that.
GROWTH_MAX_MB = 90
# Far below what it does where nothing else runs: a busy machine may do so.
DRAINED_PER_S_MIN = 2_000


def test_a_backlog_costs_disk(tmp_path: Path) -> None:
    figures = chaos(tmp_path, "--backlog", str(MESSAGES), "--workers", "1")
    assert (figures["lost"], figures["refused"], figures["out_of_order"]) == (0, 0, 0)
    assert figures["growth_peak_mb"] < GROWTH_MAX_MB
    assert figures["drained_per_s"] > DRAINED_PER_S_MIN
