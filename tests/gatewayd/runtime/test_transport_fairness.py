"""The pump and a peer that sends too fast or reads too slowly: it waits for everybody else, and not for ever."""

from __future__ import annotations

import asyncio

import pytest

from gatewayd.runtime.transport import READ_MAX
from tests.gatewayd.runtime.paper import pumped, turn

WAIT_S = 10.0


async def test_a_peer_that_lags_behind_for_long_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    pump, _, paper, _ = pumped(lag_max_s=0.0)
    pump.pause_writing()
    async with asyncio.timeout(WAIT_S):
        while "abort" not in paper.calls:
            await turn()
    assert [record.message for record in caplog.records] == ["cut a connection: its peer does not read"]


async def test_a_peer_that_catches_up_is_kept() -> None:
    pump, _, paper, _ = pumped(lag_max_s=0.0)
    pump.pause_writing()
    pump.resume_writing()
    await asyncio.wait_for(turn(), WAIT_S)
    assert "abort" not in paper.calls


async def test_whoever_has_more_waits_for_the_next_turn() -> None:
    pump, _, paper, events = pumped()
    pump.get_buffer(-1)[:] = bytes(READ_MAX)
    pump.buffer_updated(READ_MAX)
    assert [len(data) for data in events] == [READ_MAX]
    assert paper.calls == ["pause"]
    await turn()
    assert paper.calls == ["pause", "resume"]
    pump.buffer_updated(5)
    assert paper.calls == ["pause", "resume"]


async def test_the_next_turn_reads_nothing_when_reading_is_paused() -> None:
    pump, _, paper, _ = pumped()
    pump.buffer_updated(READ_MAX)
    pump.pause_reading()
    await turn()
    assert "resume" not in paper.calls
