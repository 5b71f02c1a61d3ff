"""kill -9 of a worker, of the supervisor, of everything, at random moments under load: nothing acknowledged is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.ground import chaos

# A run of its own may take longer than a test usually does, on a machine that is busy.
pytestmark = pytest.mark.timeout(180)

# 33 rounds in all. The seed of a failure is in its output, and replays it. With these seeds no two workers die in a
# row: one that dies again and again is kept down for seconds, and the test would mostly wait.
ROUNDS = 11


@pytest.mark.parametrize(
    ("seed", "workers"),
    [pytest.param(21, 1, marks=pytest.mark.long), (24, 2), pytest.param(75, 3, marks=pytest.mark.long)],
)
def test_what_was_acknowledged_survives(tmp_path: Path, seed: int, workers: int) -> None:
    words = ("--faults", "kills", "--rounds", ROUNDS, "--seed", seed, "--workers", workers)
    figures = chaos(tmp_path, *map(str, words))
    assert figures["rounds"] == ROUNDS
    assert figures["acknowledged"] > 100 * ROUNDS
    assert (figures["lost"], figures["two_ends"], figures["failures_logged"]) == (0, 0, 0)
    assert figures["duplicated"] <= figures["in_flight_bound"]
