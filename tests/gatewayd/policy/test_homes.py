"""Every spelling of a handset has one home, homes are even, and ids tell where and in what order they were made."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.policy.homes import (
    SLOTS_MAX,
    home_of,
    id_of,
    made_at,
    sequence_after,
    sequence_at,
    sequence_of,
    slot_of,
)


@pytest.mark.parametrize(
    "spellings",
    [
        ("+33612345678", "0033612345678", "33612345678", "0612345678", "612345678"),
        ("+3546112345", "003546112345", "3546112345", "6112345"),  # Iceland: seven digits, and no zero in front
        ("+376312345", "00376312345", "376312345", "312345"),  # Andorra: six
        ("+12025550123", "12025550123", "2025550123"),
    ],
)
@pytest.mark.parametrize("workers", [2, 3, 4, 7, 64])
def test_however_a_handset_is_written_it_has_one_home(spellings: tuple[str, ...], workers: int) -> None:
    assert len({home_of(spelling, workers) for spelling in spellings}) == 1


@given(st.text(max_size=20), st.integers(1, 64))
def test_every_address_has_a_home(address: str, workers: int) -> None:
    home = home_of(address, workers)
    assert 0 <= home < workers
    assert home == home_of(address, workers)


def test_alone_a_worker_is_everybodys_home() -> None:
    assert {home_of(f"+3361234{n:04}", 1) for n in range(100)} == {0}


@pytest.mark.parametrize("workers", [2, 3, 4, 8])
@pytest.mark.parametrize(
    ("first", "step"), [(33600000000, 1), (33612345678, 2), (447700900000, 10), (33600000001, 997)]
)
def test_blocks_of_numbers_are_spread_evenly(workers: int, first: int, step: int) -> None:
    """Campaigns go to neighbours, or to every tenth number: no worker may get more than a fair part of them."""
    count = 4_000
    homes = Counter(home_of(str(first + step * n), workers) for n in range(count))
    assert max(homes.values()) < 1.15 * count / workers
    assert min(homes.values()) > 0.85 * count / workers


@given(st.integers(0, 2**54), st.integers(0, SLOTS_MAX - 1))
def test_ids_are_unique_over_slots_and_keep_the_order_of_time(sequence: int, slot: int) -> None:
    here = id_of(sequence, slot)
    assert sequence_of(here) == sequence
    assert slot_of(here) == slot
    assert id_of(sequence + 1, slot) > here
    assert id_of(sequence_after(here), 0) > id_of(sequence | 1_023, SLOTS_MAX - 1), "whoever made others by then"
    assert here < 2**63, "a key of the store"


@given(st.integers(1_577_836_800_000, 4_102_444_800_000), st.integers(0, SLOTS_MAX - 1))
def test_an_id_tells_the_millisecond_at_which_it_was_made(at_ms: int, slot: int) -> None:
    first = sequence_at(at_ms / 1000)
    assert abs(made_at(id_of(first, slot)) - at_ms / 1000) < 0.0015
    assert made_at(id_of(first + 1_023, slot)) == made_at(id_of(first, slot)) < made_at(id_of(first + 1_024, slot))


def test_ids_of_one_time_differ_in_their_lowest_bits() -> None:
    first = sequence_at(1_790_000_000.0)
    assert id_of(first, 0) == 1_790_000_000_000 << 18
    assert len({id_of(first + n, 5) % 1_024 for n in range(1_024)}) == 1_024
