"""Short names of message ids: eight digits, none twice for days, and the id is found again."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from gatewayd.policy.homes import id_of, sequence_of
from gatewayd.policy.short_ids import BLOCK_SIZE, first_of_block, ids_named, short_name

DAY = 86_400_000 << 10
"""What a sequence grows by in a day."""

sequences = st.integers(1_700_000_000_000 << 10, 4_000_000_000_000 << 10)
slots = st.integers(0, 63)


@given(sequences, slots, st.integers(0, int(2.9 * DAY)))
def test_a_name_leads_back_to_its_id(sequence: int, slot: int, later: int) -> None:
    first = first_of_block(sequence)
    assert 0 <= first - sequence < BLOCK_SIZE
    message_id = id_of(first, slot)
    name = short_name(message_id)
    assert re.fullmatch(r"[0-9a-f]{8}", name)
    assert ids_named(int(name, 16), first + later)[0] == message_id


@given(sequences, slots, st.integers(-3 * DAY, int(6.2 * DAY)))
def test_an_id_ahead_of_the_clock_or_long_before_it_is_among_those_found(sequence: int, slot: int, later: int) -> None:
    message_id = id_of(first_of_block(sequence), slot)
    assert message_id in ids_named(int(short_name(message_id), 16), sequence_of(message_id) + later)


def test_names_do_not_come_again_for_days() -> None:
    first = first_of_block(1_790_000_000_000 << 10)
    blocks = 3 * DAY // BLOCK_SIZE
    assert blocks < 1 << 26
    names = {short_name(id_of(first + n * BLOCK_SIZE, slot)) for n in (0, 1, blocks // 2, blocks) for slot in (0, 63)}
    assert len(names) == 8
