"""Two connections joined by a wire that cuts as it likes: what one asks, the other sees, and nothing is left over."""

from __future__ import annotations

import math
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.smpp.connection import (
    Answered,
    BindAsked,
    Bound,
    Closed,
    Connection,
    ConnState,
    Event,
    FaultSeen,
    Limits,
    Role,
    Unanswered,
)
from protocol.smpp.pdu import Bind, DeliverSm, SubmitSm

LIMITS = Limits(window=8)


class Wire:
    """Both ends and a cut of every transfer; each end answers whatever it is asked."""

    def __init__(self, seed: int, limits: Limits = LIMITS) -> None:
        self.chance = random.Random(seed)
        self.now = 0.0
        self.server = Connection(Role.SMSC, limits, 0.0)
        self.client = Connection(Role.ESME, limits, 0.0)
        self.seen: dict[Role, list[Event]] = {Role.SMSC: [], Role.ESME: []}

    def run(self) -> None:
        """Carry octets both ways until nothing moves."""
        moved = True
        while moved:
            moved = self._carry(self.client, self.server, Role.SMSC)
            moved |= self._carry(self.server, self.client, Role.ESME)

    def _carry(self, source: Connection, sink: Connection, role: Role) -> bool:
        data = source.data_to_send()
        start = 0
        while start < len(data):
            end = start + self.chance.randint(1, 200)
            self.now += 0.001
            events = sink.receive(data[start:end], self.now)
            self.seen[role] += events
            for event in events:
                self._answer(sink, event)
            start = end
        return bool(data)

    def _answer(self, sink: Connection, event: Event) -> None:
        if isinstance(event, BindAsked):
            sink.accept_bind(event.pdu, "gateway", self.now)
        elif isinstance(event, SubmitSm):
            sink.respond_submit(event.sequence, f"id{event.sequence}")
        elif isinstance(event, DeliverSm):
            sink.respond_deliver(event.sequence)


def told(events: list[Event]) -> list[object]:
    return [event.context for event in events if isinstance(event, Answered)]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1 << 32), st.lists(st.sampled_from(["submit", "deliver", "run"]), max_size=40))
def test_what_one_end_asks_the_other_sees(seed: int, steps: list[str]) -> None:
    wire = Wire(seed)
    wire.client.bind(Bind(system_id="shop"), wire.now)
    wire.run()
    asked: dict[str, list[object]] = {"submit": [], "deliver": []}
    for number, step in enumerate([*steps, "run"]):
        if step == "run":
            wire.run()
        elif step == "submit" and wire.client.window_free:
            wire.client.request(SubmitSm(short_message=str(number).encode()), wire.now, number)
            asked[step].append(number)
        elif step == "deliver" and wire.server.window_free:
            wire.server.request(DeliverSm(short_message=str(number).encode()), wire.now, number)
            asked[step].append(number)
        assert wire.client.window_used <= LIMITS.window
        assert wire.server.window_used <= LIMITS.window
    assert wire.seen[Role.ESME][0] == Bound()
    assert told(wire.seen[Role.ESME]) == asked["submit"]
    assert told(wire.seen[Role.SMSC]) == asked["deliver"]
    bodies = [int(event.short_message) for event in wire.seen[Role.SMSC] if isinstance(event, SubmitSm)]
    assert bodies == asked["submit"]
    assert wire.client.window_used == wire.server.window_used == wire.client.owed == wire.server.owed == 0
    assert not [event for side in wire.seen.values() for event in side if isinstance(event, FaultSeen | Unanswered)]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1 << 32), st.sampled_from(list(Role)))
def test_either_end_may_unbind(seed: int, role: Role) -> None:
    wire = Wire(seed)
    wire.client.bind(Bind(system_id="shop"), wire.now)
    wire.run()
    (wire.server if role is Role.SMSC else wire.client).unbind(wire.now)
    wire.run()
    assert wire.seen[role][-1] == Closed("unbound")
    assert wire.seen[role.peer][-1] == Closed("unbound_by_peer")
    assert wire.client.state is wire.server.state is ConnState.CLOSED


def test_two_idle_ends_keep_one_another_alive() -> None:
    wire = Wire(1)
    wire.client.bind(Bind(system_id="shop"), wire.now)
    wire.run()
    for _ in range(20):
        deadlines = [end.next_deadline() for end in (wire.client, wire.server)]
        wire.now = min(deadline for deadline in deadlines if deadline is not None)
        for end in (wire.client, wire.server):
            assert end.tick(wire.now) == []
        wire.run()
    assert wire.now > 250.0
    assert wire.client.state is wire.server.state is ConnState.BOUND_TRX
    assert wire.seen[Role.ESME] == [Bound()]


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 1 << 32),
    st.lists(st.sampled_from(["submit", "deliver", "run", "run", "wait", "next", "unbind"]), max_size=60),
)
def test_no_deadline_comes_nearer_than_it_says(seed: int, steps: list[str]) -> None:
    """Whoever set a timer for the nearest may leave it until it fires, but for what begins that soon."""
    limits = Limits(window=8, enquire_interval_s=3.0, inactivity_timeout_s=40.0, response_timeout_s=5.0)
    assert limits.shortest_s == 3.0
    wire = Wire(seed, limits)
    ends = wire.client, wire.server
    known: list[float] = [10.0, 10.0]
    wire.client.bind(Bind(system_id="shop"), wire.now)
    for step in ["run", *steps]:
        began = wire.now
        match step:
            case "run":
                wire.run()
            case "submit" if wire.client.is_bound and wire.client.window_free:
                wire.client.request(SubmitSm(), wire.now)
            case "deliver" if wire.server.is_bound and wire.server.window_free:
                wire.server.request(DeliverSm(), wire.now)
            case "wait":
                wire.now += wire.chance.random() * 4.0
            case "next":
                wire.now = max(wire.now, min(known))
            case "unbind" if wire.client.is_bound and wire.chance.random() < 0.2:
                wire.client.unbind(wire.now)
        for end in ends:
            end.tick(wire.now)
        for place, end in enumerate(ends):
            deadline = end.next_deadline()
            assert deadline is None or deadline >= min(known[place], began + end.deadline_min_s) - 1e-6
            known[place] = math.inf if deadline is None else deadline
