"""Rates between two answers, also over a worker's death, and the last minute as blocks."""

from __future__ import annotations

from typing import Any

import pytest

from gatewayd.cli.rates import ACCOUNT_COUNTS, LINK_COUNTS, Rates, share, sparkline


def facts(submitted: int, sent: int, **more: Any) -> dict[str, Any]:
    account = dict.fromkeys(ACCOUNT_COUNTS, 0) | {"submitted": submitted}
    link = dict.fromkeys(LINK_COUNTS, 0) | {"sent": sent}
    return {"accounts": {"shop": account} | more, "links": {"carrier": link}}


def test_the_first_look_knows_no_rate() -> None:
    rates = Rates()
    rates.take(facts(10, 10), 5.0)
    assert (rates.accounts, list(rates.incoming)) == ({}, [])


def test_rates_are_differences_over_time() -> None:
    rates = Rates()
    rates.take(facts(10, 5), 5.0)
    rates.take(facts(30, 7), 7.0)
    assert rates.accounts["shop"]["submitted"] == 10.0
    assert rates.links["carrier"]["sent"] == 1.0
    assert (list(rates.incoming), list(rates.outgoing)) == ([10.0], [1.0])


def test_a_worker_that_begins_anew_is_no_negative_rate() -> None:
    rates = Rates()
    rates.take(facts(1_000, 1_000), 1.0)
    rates.take(facts(3, 1_001), 2.0)
    assert rates.accounts["shop"]["submitted"] == 0.0
    assert list(rates.outgoing) == [1.0]


def test_a_worker_that_was_silent_is_no_burst_when_it_speaks_again() -> None:
    rates = Rates()
    rates.take(facts(1_000, 1_000), 1.0)
    rates.take(facts(400, 400), 2.0, [1])
    rates.take(facts(410, 400), 3.0, [1])
    rates.take(facts(1_020, 1_010), 4.0)
    rates.take(facts(1_025, 1_010), 5.0)
    assert list(rates.incoming) == [10.0, 5.0]


def test_an_account_that_is_new_has_no_rate_yet() -> None:
    rates = Rates()
    rates.take(facts(0, 0), 1.0)
    rates.take(facts(0, 0, bank=dict.fromkeys(ACCOUNT_COUNTS, 50)), 2.0)
    assert rates.accounts["bank"]["submitted"] == 0.0


def test_two_looks_at_one_moment_are_one() -> None:
    rates = Rates()
    rates.take(facts(0, 0), 1.0)
    rates.take(facts(5, 0), 1.0)
    assert list(rates.incoming) == []


@pytest.mark.parametrize(
    ("values", "width", "line"),
    [
        ([], 3, "   "),
        ([0, 0], 3, "   "),
        ([0, 4, 8], 3, " ▄█"),
        ([1, 2, 3, 8], 2, "▃█"),
        ([0.001, 8], 4, "  ▁█"),
        ([5], 0, ""),
    ],
)
def test_the_last_values_as_blocks(values: list[float], width: int, line: str) -> None:
    assert sparkline(values, width) == line


def test_shares() -> None:
    assert share(1, 3) == 0.25
    assert share(0, 0) is None
