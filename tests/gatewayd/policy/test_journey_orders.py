"""All orders of events end in exactly one fate. Every state that any order leads to is visited once.

Flow's part is played as flow plays it: results of a link that the message has left are only counted, a receipt waits
until its message has a name, and after the end nothing is asked any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec
import pytest

from gatewayd.message import Accepted, Channel, Deferred, Outcome, Receipt, Refused, State, Unknown
from gatewayd.policy import journey as steps
from gatewayd.policy.journey import Finish, LinkTerms, OnUnknown, Progress, Queue, Revoke, Stage, Step

NOW = 1_000.0
BOT = LinkTerms("bot", Channel.RCS, retry_max=1, deadline_s=300.0)
NAMED = LinkTerms("bot", Channel.RCS, retry_max=1, deadline_s=300.0, repeats_safely=True)
CARRIER = LinkTerms("carrier", Channel.SMS, retry_max=1, deadline_s=300.0)
BOTH: tuple[OnUnknown, ...] = ("prefer_duplicate", "prefer_silence")

_encode = msgspec.json.encode


def thawed(progress: bytes) -> Progress:
    return msgspec.json.decode(progress, type=Progress)


class World(msgspec.Struct, frozen=True):
    """A message and what is known of it. ``left`` are the events still to come, ``parked`` receipts without a name."""

    progress: bytes
    left: frozenset[str]
    parked: frozenset[str] = frozenset()
    fate: str = ""
    is_out: bool = False  # the platform has the RCS message, or may have it
    is_gone: bool = False  # it confirmed that the message will not arrive
    is_asked: bool = False  # it was asked to take it back
    was_delivered: bool = False

    def __hash__(self) -> int:
        return hash((*msgspec.structs.astuple(self),))


# -- RCS with a fallback --------------------------------------------------------------------------------------------

RCS_RECEIPTS = {
    "rcs delivered": Receipt("x", State.DELIVRD),
    "rcs displayed": Receipt("x", State.DELIVRD, displayed=True),
    "rcs failed": Receipt("x", State.UNDELIV, "failed"),
}
SMS_RECEIPTS = {"sms DELIVRD": Receipt("17", State.DELIVRD), "sms UNDELIV": Receipt("17", State.UNDELIV)}
REVOCATIONS: dict[str, bool | None] = {
    "revoke ok": True,
    "revoke failed": False,
    "revoke unknown": None,
    "revoke throttled": None,
}
EVENTS = frozenset({"rcs accepted", "deadline due", "sms accepted", *RCS_RECEIPTS, *SMS_RECEIPTS, *REVOCATIONS})


def happens(world: World, event: str) -> World:
    """What one event does to the world; what it makes of parked receipts happens with it."""
    world = msgspec.structs.replace(world, left=world.left - {event})
    if world.fate:
        return world
    progress = thawed(world.progress)
    match event:
        case "rcs accepted" | "sms accepted":
            return answered(world, progress, BOT if event == "rcs accepted" else CARRIER)
        case "rcs revoke sent":
            if progress.stage is Stage.REVOKING:
                steps.on_revoke_sent(progress, 0.0, NOW)
            return msgspec.structs.replace(world, progress=_encode(progress))
        case _ if event in ANSWERS:
            return retried(world, progress, ANSWERS[event])
        case "pause begins":
            if progress.stage is not Stage.QUEUED or progress.link != BOT.name:
                return world
            return decided(world, progress, steps.leave_rcs(progress, "paused", State.EXPIRED, "paused", 0.0, NOW))
        case "deadline due":
            return decided(world, progress, steps.on_due(progress, 0.0, NOW))
        case _ if event in REVOCATIONS:
            is_asked = progress.stage in (Stage.REVOKING, Stage.SETTLING)
            retry_s = 1.0 if event == "revoke throttled" else None
            step = steps.on_revoked(progress, REVOCATIONS[event], 0.0, NOW, retry_s)
            return decided(world, progress, step, is_gone=is_asked and event == "revoke ok")
        case _:
            return reported(world, progress, event)


def retried(world: World, progress: Progress, outcome: Outcome) -> World:
    """An attempt under a name of ours that brought no clear yes."""
    if progress.link != NAMED.name or progress.stage not in (Stage.SENDING, Stage.QUEUED, Stage.POSTPONED):
        return world
    steps.take(progress)
    step = steps.on_result(progress, NAMED, 0, outcome, 0.0, NOW)
    is_out = world.is_out or isinstance(outcome, Unknown)
    return decided(msgspec.structs.replace(world, is_out=is_out), progress, step)


def answered(world: World, progress: Progress, terms: LinkTerms) -> World:
    if progress.link != terms.name:
        return world  # counted as a late result
    if terms is BOT and progress.stage in (Stage.SENT, Stage.REVOKING, Stage.SETTLING):
        return world  # it is not in flight
    steps.take(progress)
    step = steps.on_result(progress, terms, 0, Accepted("x" if terms is BOT else "17"), 0.0, NOW)
    world = decided(msgspec.structs.replace(world, is_out=world.is_out or terms is BOT), progress, step)
    for event in sorted(world.parked & (RCS_RECEIPTS if terms is BOT else SMS_RECEIPTS).keys()):
        world = msgspec.structs.replace(world, parked=world.parked - {event})
        if not world.fate:
            world = reported(world, thawed(world.progress), event)
    return world


def reported(world: World, progress: Progress, event: str) -> World:
    is_rcs = event in RCS_RECEIPTS
    if not (progress.rcs_id if is_rcs else progress.segments):
        return msgspec.structs.replace(world, parked=world.parked | {event})
    receipt = RCS_RECEIPTS[event] if is_rcs else SMS_RECEIPTS[event]
    step = steps.on_receipt(progress, is_rcs, 0, receipt, 0.0)
    if receipt.state is State.DELIVRD:
        assert isinstance(step, Finish), "delivered always wins"
        world = msgspec.structs.replace(world, was_delivered=True)
    return decided(world, progress, step, is_gone=event == "rcs failed")


def decided(world: World, progress: Progress, step: Step, is_gone: bool = False) -> World:
    is_gone = is_gone or world.is_gone
    if isinstance(step, Queue) and step.link == "carrier":
        if progress.on_unknown == "prefer_silence":
            assert is_gone or not world.is_out, "no SMS while the RCS message may still arrive"
        assert is_gone or world.is_asked or not world.is_out, "what may have arrived is revoked first"
    fate = str(step.state) if isinstance(step, Finish) else ""
    is_asked = world.is_asked or isinstance(step, Revoke)
    return msgspec.structs.replace(world, progress=_encode(progress), fate=fate, is_gone=is_gone, is_asked=is_asked)


def ended(world: World) -> World:
    """Nothing more comes by itself: what is queued is sent, and what has a time comes due, until it is over."""
    for _ in range(10):
        if world.fate:
            return world
        progress = thawed(world.progress)
        if progress.stage is Stage.QUEUED:
            world = answered(world, progress, BOT if progress.link == BOT.name else CARRIER)
        else:
            assert progress.due > 0, f"{progress.stage} would wait for ever"
            world = decided(world, progress, steps.on_due(progress, 0.0, progress.due))
    raise AssertionError("it never ends")


T = TypeVar("T", World, "Parts")


def everything(start: T, moves: Callable[[T], Iterator[T]]) -> Iterator[T]:
    """Every world that any order of moves leads to, each once."""
    known, waiting = {start}, deque([start])
    while waiting:
        world = waiting.popleft()
        yield world
        for after in moves(world):
            if after not in known:
                known.add(after)
                waiting.append(after)


@pytest.mark.parametrize("on_unknown", BOTH)
def test_rcs_and_its_fallback(on_unknown: OnUnknown) -> None:
    sending = Progress(1, "shop", Stage.SENDING, ("bot", "carrier"), on_unknown=on_unknown)
    fates: dict[str, int] = {}
    for world in everything(World(_encode(sending), EVENTS), lambda world: (happens(world, e) for e in world.left)):
        if thawed(world.progress).stage is Stage.SENDING and not thawed(world.progress).rcs_id:
            continue  # the link still owes its answer, and always gives one
        last = ended(world)
        assert not world.was_delivered or last.fate == "DELIVRD"
        fates[last.fate] = fates.get(last.fate, 0) + 1
    assert set(fates) == {"DELIVRD", "UNDELIV", "UNKNOWN"}
    assert sum(fates.values()) > 1_000


# Where we name messages: what had no answer is sent again, and may be paused, refused or too late then.
ANSWERS: dict[str, Outcome] = {
    "rcs lost": Unknown("timeout", "x"),
    "rcs paused too long": Deferred("http_429", 60.0, pauses=True),
    "rcs postponed": Deferred("http_503", 1.0),
    "rcs refused": Refused("http_403"),
}
NAMED_EVENTS = frozenset(
    {"rcs accepted", "deadline due", "pause begins", "rcs revoke sent", "rcs delivered", *REVOCATIONS, *ANSWERS}
)


@pytest.mark.parametrize("on_unknown", BOTH)
def test_what_was_perhaps_sent_is_revoked_before_an_sms(on_unknown: OnUnknown) -> None:
    sending = Progress(1, "shop", Stage.SENDING, ("bot", "carrier"), on_unknown=on_unknown, rcs_until=NOW + 30.0)
    fates: set[str] = set()
    worlds = 0
    start = World(_encode(sending), NAMED_EVENTS)
    for world in everything(start, lambda world: (happens(world, event) for event in world.left)):
        if thawed(world.progress).stage is Stage.SENDING and thawed(world.progress).link == "bot":
            continue  # the link still owes its answer, and always gives one
        last = ended(world)
        assert not world.was_delivered or last.fate == "DELIVRD"
        fates.add(last.fate)
        worlds += 1
    assert fates == {"DELIVRD", "UNKNOWN"}
    assert worlds > 1_000


# -- several segments -----------------------------------------------------------------------------------------------

PAUSES_MAX = 2
OUTCOMES: dict[str, Outcome] = {
    "accepted": Accepted(""),
    "refused": Refused("no"),
    "paused": Deferred("wait", 1.0, pauses=True),
    "postponed": Deferred("wait", 1.0),
    "unknown": Unknown("timeout"),
}


class Parts(msgspec.Struct, frozen=True):
    """A message of several segments: which are in flight, which came to a name, how often the carrier still pauses."""

    progress: bytes
    in_flight: frozenset[int] = frozenset()
    pauses: int = PAUSES_MAX
    fate: str = ""

    def __hash__(self) -> int:
        return hash((self.progress, self.in_flight, self.pauses, self.fate))


def moves_of(total: int, states: tuple[State, ...]) -> Callable[[Parts], Iterator[Parts]]:
    """All that can happen next to a message of ``total`` segments."""

    def moves(parts: Parts) -> Iterator[Parts]:
        if parts.fate:
            return
        if thawed(parts.progress).stage is Stage.QUEUED:
            for allowed in range(1, total + 1):
                yield sent(parts, total, allowed)
        if thawed(parts.progress).stage is Stage.POSTPONED:
            yield settled(parts, (progress := thawed(parts.progress)), steps.on_due(progress, 0.0, NOW))
        for segment in parts.in_flight:
            for word, outcome in OUTCOMES.items():
                if word != "paused" or parts.pauses:
                    yield landed(parts, segment, word, outcome)
        for segment, known in enumerate(thawed(parts.progress).segments):
            if known.carrier_id and not known.state.is_final:
                for state in states:
                    progress = thawed(parts.progress)
                    yield settled(parts, progress, steps.on_receipt(progress, False, segment, Receipt("", state), 0.0))

    return moves


def sent(parts: Parts, total: int, allowed: int) -> Parts:
    progress = thawed(parts.progress)
    todo = steps.to_send(progress, total, parts.in_flight)
    assert not parts.in_flight.intersection(todo), "in flight already"
    assert not any(progress.segments[number].is_taken for number in todo)
    if len(todo) <= allowed:
        steps.take(progress)
    return Parts(_encode(progress), parts.in_flight.union(todo[:allowed]), parts.pauses)


def landed(parts: Parts, segment: int, word: str, outcome: Outcome) -> Parts:
    progress = thawed(parts.progress)
    given = Accepted(f"id {segment}") if word == "accepted" else outcome
    step = steps.on_result(progress, CARRIER, segment, given, 0.0, NOW)
    left = msgspec.structs.replace(
        parts, in_flight=parts.in_flight - {segment}, pauses=parts.pauses - (word == "paused")
    )
    return settled(left, progress, step)


def settled(parts: Parts, progress: Progress, step: Step) -> Parts:
    fate = str(step.state) if isinstance(step, Finish) else ""
    return msgspec.structs.replace(parts, progress=_encode(progress), fate=fate)


@pytest.mark.parametrize("on_unknown", BOTH)
@pytest.mark.parametrize(
    ("total", "states"),
    [(1, (State.DELIVRD, State.UNDELIV)), (2, (State.DELIVRD, State.UNDELIV)), (3, (State.DELIVRD,))],
)
def test_segments(total: int, states: tuple[State, ...], on_unknown: OnUnknown) -> None:
    progress = Progress(1, "shop", Stage.QUEUED, ("carrier",), on_unknown=on_unknown, queue="carrier")
    moves = moves_of(total, states)
    fates: set[str] = set()
    for parts in everything(Parts(_encode(progress)), moves):
        if parts.fate:
            fates.add(parts.fate)
            continue
        now = thawed(parts.progress)
        if next(moves(parts), None) is None:  # nothing can happen but that time passes
            assert now.stage is Stage.SENT
            assert all(segment.is_taken for segment in now.segments)
            failed = [segment for segment in now.segments if segment.state is State.UNDELIV]
            # A text that lacks a piece did not arrive, whatever became of the rest.
            worst = Finish(State.UNDELIV, failed[0].error) if failed else Finish(State.UNKNOWN, "no_receipt")
            assert steps.on_due(now, 0.0, now.due) == worst
    assert fates == {"DELIVRD", "UNDELIV"}
