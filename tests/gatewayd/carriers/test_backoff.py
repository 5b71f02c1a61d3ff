"""Twin of gatewayd.carriers.backoff."""

from __future__ import annotations

import random

from gatewayd.carriers.backoff import Backoff


class Highest(random.Random):
    """Draws the longest wait."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_waits_double_up_to_the_bound_and_begin_anew() -> None:
    backoff = Backoff(1.0, 60.0, Highest())
    assert [backoff.next_s() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    backoff.reset()
    assert backoff.next_s() == 1


def test_a_year_of_failures_does_not_overflow() -> None:
    backoff = Backoff(1.0, 60.0, Highest())
    assert [backoff.next_s() for _ in range(5000)][-1] == 60


def test_the_jitter_takes_at_most_half() -> None:
    backoff = Backoff(8.0, 8.0, random.Random(1))
    waits = [backoff.next_s() for _ in range(200)]
    assert all(4 <= wait <= 8 for wait in waits)
    assert len(set(waits)) > 100
