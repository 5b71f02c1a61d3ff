"""The pump: one reflex, over a transport of paper and over real sockets on both loops."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import uvloop

from gatewayd.runtime.transport import Pump
from protocol.smpp.connection import Answered, BindAsked, Bound, Closed, Connection, Limits, Role
from protocol.smpp.pdu import Bind, SubmitSm
from tests.gatewayd.runtime.paper import Echo, Paper, pumped, turn

WAIT_S = 10.0


def state_of(pump: Pump) -> tuple[bool, bool]:
    """Asked through a call, since a type checker takes an attribute to be what it was."""
    return pump.is_connected, pump.is_writable


def timer_of(pump: Pump) -> asyncio.TimerHandle | None:
    """As above."""
    return pump._timer


# ---- over paper -------------------------------------------------------------------------------------------------


async def test_a_read_is_told_and_what_it_caused_is_written_at_once() -> None:
    pump, _, paper, events = pumped()
    assert state_of(pump) == (True, True)
    assert pump.peername == "127.0.0.9"
    pump.data_received(b"one")
    assert events == [b"one"]
    assert paper.writes == [b"one"]


async def test_half_a_thing_is_no_event() -> None:
    pump, engine, _, events = pumped()
    engine.receive = lambda data, now: []  # type: ignore[method-assign]
    pump.data_received(b"ha")
    assert events == []


async def test_many_flushes_make_one_write() -> None:
    pump, engine, paper, _ = pumped()
    for part in (b"a", b"b", b"c"):
        engine.out.append(part)
        pump.flush()
    pump.data_received(b"d")
    assert paper.writes == []
    await turn()
    assert paper.writes == [b"abcd"]
    pump.flush()
    await turn()
    assert paper.writes == [b"abcd"]


async def test_what_was_gathered_before_the_connection_goes_out_with_it() -> None:
    engine, paper = Echo(), Paper()
    told: list[Any] = []
    pump = Pump(engine, told.extend, on_connected=lambda: engine.out.append(b"hello"))
    pump.flush()
    pump.pause_reading()
    pump.abort()
    pump.connection_made(paper)
    assert paper.writes == [b"hello"]
    assert paper.calls == ["pause"]


async def test_an_engine_that_wants_to_close_is_closed_after_its_last_octets() -> None:
    pump, _, paper, _ = pumped()
    pump.data_received(b"bye")
    assert paper.writes == [b"bye"]
    assert paper.calls == ["close"]
    pump.flush()
    await turn()
    assert paper.calls == ["close"]
    pump.connection_lost(None)


async def test_a_close_that_takes_too_long_is_cut() -> None:
    cut = asyncio.Event()
    pump, _, paper, _ = pumped(close_timeout_s=0.001)
    paper.abort = cut.set  # type: ignore[method-assign]
    pump.data_received(b"bye")
    await asyncio.wait_for(cut.wait(), WAIT_S)


async def test_the_end_is_told_once_and_awaited() -> None:
    pump, _, _, events = pumped()
    pump.connection_lost(None)
    await asyncio.wait_for(pump.wait_closed(), WAIT_S)
    assert events == ["end"]
    assert state_of(pump) == (False, False)
    pump.flush()
    await turn()


async def test_an_engine_with_nothing_more_to_tell_is_not_heard() -> None:
    pump, engine, _, events = pumped()
    engine.has_ended = True
    pump.connection_lost(None)
    assert events == []


async def test_a_peer_that_does_not_read_is_cut() -> None:
    pump, engine, paper, _ = pumped(unsent_max=1_000)
    paper.unsent = 1_001
    engine.out.append(b"x")
    pump.flush()
    await turn()
    assert paper.calls == ["abort"]


async def test_writability_is_told() -> None:
    told: list[bool] = []
    pump, engine, paper, _ = pumped(on_writable=lambda: told.append(True))
    pump.pause_writing()
    assert state_of(pump) == (True, False)
    engine.out.append(b"x")
    pump.resume_writing()
    assert state_of(pump) == (True, True)
    assert told == [True]
    await turn()
    assert paper.writes == [b"x"]


async def test_pausing_twice_is_pausing_once() -> None:
    pump, _, paper, _ = pumped()
    for call in (pump.resume_reading, pump.pause_reading, pump.pause_reading, pump.resume_reading, pump.resume_reading):
        call()
    assert paper.calls == ["pause", "resume"]
    paper.close()
    pump.pause_reading()
    pump.resume_reading()
    assert paper.calls == ["pause", "resume", "close"]


# ---- failures ---------------------------------------------------------------------------------------------------


def explode(_: list[Any]) -> None:
    raise ValueError("driver")


@pytest.mark.parametrize("event", ["read", "end", "writable", "tick"])
async def test_a_failing_driver_costs_its_own_connection_and_one_line(
    event: str, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[Exception] = []
    seen: list[Any] = []

    def on_events(events: list[Any]) -> None:
        seen.extend(events)
        explode(events)

    pump, engine, paper, _ = pumped(on_events, on_error=failures.append, on_writable=lambda: explode([]))
    with caplog.at_level(logging.ERROR):
        if event == "read":
            pump.data_received(b"x")
            pump.data_received(b"y")
        elif event == "writable":
            pump.resume_writing()
        elif event == "tick":
            engine.deadline = 0.0
            pump._wake()
        pump.connection_lost(None)
    await asyncio.wait_for(pump.wait_closed(), WAIT_S)
    assert "abort" in paper.calls
    assert seen[-1] == "end"
    assert b"y" not in seen
    assert len(caplog.records) == 1
    assert [str(failure) for failure in failures] == ["driver"]


async def test_a_failure_without_a_listener_is_still_logged(caplog: pytest.LogCaptureFixture) -> None:
    pump, _, _, _ = pumped(explode)
    pump.data_received(b"x")
    assert len(caplog.records) == 1


# ---- the timer --------------------------------------------------------------------------------------------------


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def test_the_deadline_is_kept() -> None:
    ticked = asyncio.Event()
    pump, engine, _, _ = pumped(lambda events: ticked.set() if "tick" in events else None)
    engine.deadline = 0.0
    pump.flush()
    await asyncio.wait_for(ticked.wait(), WAIT_S)
    assert len(engine.ticks) == 1


async def test_the_timer_is_not_made_again_at_each_read() -> None:
    clock = Clock()
    pump, engine, _, _ = pumped(clock=clock)
    engine.deadline = 1_030.0
    pump.data_received(b"a")
    first = timer_of(pump)
    engine.deadline = 1_060.0
    pump.data_received(b"b")
    assert timer_of(pump) is first
    engine.deadline = 1_001.0
    pump.data_received(b"c")
    assert timer_of(pump) is not first
    pump.connection_lost(None)
    assert timer_of(pump) is None


async def test_a_timer_that_is_in_time_for_whatever_begins_now_is_left_alone() -> None:
    clock = Clock()
    pump, engine, _, _ = pumped(clock=clock)
    engine.deadline_min_s = 10.0
    engine.deadline = 1_030.0
    pump.data_received(b"a")
    first = timer_of(pump)
    clock.now = 1_015.0
    engine.deadline = 1_025.0  # it began now
    pump.data_received(b"b")
    second = timer_of(pump)
    assert second is not first
    clock.now = 1_016.0
    engine.deadline = None  # would not be asked for
    pump.data_received(b"c")
    assert timer_of(pump) is second
    pump.connection_lost(None)


async def test_a_tick_leaves_the_writing_to_a_flush_that_was_asked() -> None:
    pump, engine, paper, events = pumped()
    engine.out.append(b"x")
    pump.flush()
    pump._wake()
    assert events == ["tick"]
    assert paper.writes == []
    await turn()
    assert paper.writes == [b"x"]


async def test_a_timer_that_fires_early_looks_again() -> None:
    clock = Clock()
    pump, engine, _, _ = pumped(clock=clock)

    def early(now: float) -> list[Any]:
        engine.ticks.append(now)
        return []

    engine.tick = early  # type: ignore[method-assign]
    engine.deadline = 1_030.0
    pump._wake()
    assert engine.ticks == [1_000.0]
    assert timer_of(pump) is not None
    pump.connection_lost(None)


async def test_silence_is_no_fault_while_nobody_listens() -> None:
    clock = Clock()
    pump, engine, _, _ = pumped(clock=clock)
    engine.deadline = 1_001.0
    pump.data_received(b"a")
    pump.pause_reading()
    assert timer_of(pump) is None
    pump.flush()
    await turn()
    assert timer_of(pump) is None
    clock.now = 1_100.0
    pump.resume_reading()
    assert timer_of(pump) is not None
    assert pump._timer_at == 1_101.0
    pump.connection_lost(None)


# ---- over real sockets, on both loops ---------------------------------------------------------------------------

LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[None]]], None]:
    """Run a scenario to its end on one of the loops."""

    def runner(scenario: Callable[[], Awaitable[None]]) -> None:
        async def bounded() -> None:
            await asyncio.wait_for(scenario(), WAIT_S)

        with asyncio.Runner(loop_factory=request.param) as one:
            one.run(bounded())

    return runner


Run = Callable[[Callable[[], Awaitable[None]]], None]


def test_octets_go_both_ways_and_the_end_is_seen(run: Run) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        pumps: list[Pump] = []
        events: list[Any] = []
        made = asyncio.Event()

        def factory() -> Pump:
            pumps.append(Pump(Echo(), events.extend, on_connected=made.set))
            return pumps[-1]

        server = await loop.create_server(factory, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        await made.wait()
        assert pumps[0].peername == "127.0.0.1"
        transport = pumps[0]._transport
        assert transport is not None
        assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        writer.write(b"bye")
        assert await reader.read() == b"bye"
        await pumps[0].wait_closed()
        assert events == [b"hello", b"bye", "end"]
        writer.close()
        server.close()
        await server.wait_closed()

    run(scenario)


def test_a_unix_socket_has_no_address_and_a_peer_that_reads_slowly_is_waited_for(run: Run) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        writable = asyncio.Event()
        engine = Echo()
        pump = Pump(engine, lambda _: None, on_writable=writable.set)
        await loop.create_connection(lambda: pump, sock=ours)
        assert pump.peername == ""
        size = 3 * 1024 * 1024
        engine.out.append(bytes(size))
        pump.flush()
        await turn()
        assert state_of(pump) == (True, False)
        got = 0
        while got < size:
            got += len(await loop.sock_recv(theirs, 1 << 20))
        await writable.wait()
        assert state_of(pump) == (True, True)
        theirs.close()
        await pump.wait_closed()

    run(scenario)


def test_one_failing_connection_leaves_the_others_alone(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        def on_events(events: list[Any]) -> None:
            if b"poison" in events:
                explode(events)

        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Pump(Echo(), on_events), "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        (good_reader, good), (bad_reader, bad) = [await asyncio.open_connection(*address) for _ in range(2)]
        bad.write(b"poison")
        with suppress(ConnectionResetError):
            assert await bad_reader.read() == b""
        good.write(b"fine")
        assert await good_reader.readexactly(4) == b"fine"
        good.close()
        bad.close()
        server.close()

    run(scenario)
    assert len(caplog.records) == 1


def test_two_smpp_connections_talk_through_two_pumps(run: Run) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        answers: list[object] = []
        ends: list[Closed] = []
        count = 200

        def serve(events: list[Any]) -> None:
            for event in events:
                if isinstance(event, BindAsked):
                    north.accept_bind(event.pdu, "gateway", loop.time())
                elif isinstance(event, SubmitSm):
                    north.respond_submit(event.sequence, "id")
                elif isinstance(event, Closed):
                    ends.append(event)

        def drive(events: list[Any]) -> None:
            for event in events:
                if isinstance(event, Bound):
                    for number in range(count):
                        south.request(SubmitSm(short_message=b"x" * 100), loop.time(), number)
                elif isinstance(event, Answered):
                    answers.append(event.context)
                    if len(answers) == count:
                        south.unbind(loop.time())
                elif isinstance(event, Closed):
                    ends.append(event)
                    done.set()

        limits = Limits(window=count)
        north = Connection(Role.SMSC, limits, loop.time())
        south = Connection(Role.ESME, limits, loop.time())
        server = await loop.create_server(lambda: Pump(north, serve, clock=loop.time), "127.0.0.1", 0)
        south.bind(Bind(system_id="shop"), loop.time())
        pump = Pump(south, drive, clock=loop.time)
        await loop.create_connection(lambda: pump, *server.sockets[0].getsockname())
        await done.wait()
        await pump.wait_closed()
        assert answers == list(range(count))
        assert set(ends) == {Closed("unbound_by_peer"), Closed("unbound")}
        server.close()

    run(scenario)
