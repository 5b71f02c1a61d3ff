"""What a start finds again in the journal is what the process had made beside it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatewayd.message import Encoding, Message
from gatewayd.policy.journey import Progress, Segment, Stage
from gatewayd.store.implied import NAME_TTL_S, Changes, name_of
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import MESSAGE, NOTE, PROGRESS, SENT
from gatewayd.store.records import Sent
from gatewayd.store.spool import Journey, Spool
from tests.gatewayd.store.opening import durable, kill

NOW = 1_790_000_000.0


def group(*records: tuple[str, Any, Any]) -> bytes:
    return msgspec.json.encode(records)


def progress(number: int, *carrier_ids: str, position: int = 0) -> Progress:
    segments = [Segment(carrier_id, is_taken=True) for carrier_id in carrier_ids]
    return Progress(number, "shop", Stage.SENT, ("one", "two"), position=position, segments=segments)


def test_a_progress_names_its_message_and_its_end_is_the_end_of_all() -> None:
    changes = Changes()
    told = progress(7, "a1", "", "a3", position=1)
    found = list(changes.of(5.0, group(("progress", 7, told), (NOTE, 7, {"word": "x"}))))
    assert found[0] == (PROGRESS, 7, msgspec.json.encode(told))
    assert found[1:] == [
        (SENT, "two|a1", msgspec.json.encode(Sent(7, 0, due=5.0 + NAME_TTL_S))),
        (SENT, "two|a3", msgspec.json.encode(Sent(7, 2, due=5.0 + NAME_TTL_S))),
    ]
    # Saved again it says nothing new, and another link's names are others.
    assert [kind for kind, _, _ in changes.of(6.0, group(("progress", 7, told)))] == [PROGRESS]
    assert [key for _, key, _ in changes.of(7.0, group(("progress", 7, progress(7, "a1"))))] == [7, "one|a1"]
    ended = [(PROGRESS, 7, None), (MESSAGE, 7, None)]
    found = list(changes.of(8.0, group(("progress", 7, None))))
    assert found[:2] == ended
    assert sorted(str(key) for _, key, _ in found[2:]) == ["one|a1", "two|a1", "two|a3"]
    assert {(kind.name, value) for kind, _, value in found[2:]} == {("sent", None)}
    assert list(changes.of(9.0, group(("progress", 7, None)))) == ended


def test_what_older_versions_wrote_says_the_same() -> None:
    sent = Sent(7, 0, due=9.0)
    records = [("progress", 7, progress(7, "a1")), ("sent", "one|a1", sent)]
    ends = [("message", 7, None), ("progress", 7, None), ("sent", "one|a1", None)]
    state: dict[Any, Any] = {}
    changes = Changes()
    for part in (records, ends):
        state |= {(kind.name, key): value for kind, key, value in changes.of(1.0, group(*part))}
        if part is records:
            assert state["sent", "one|a1"] == msgspec.json.encode(sent)
    assert set(state.values()) == {None}


@pytest.mark.parametrize("records", [b"[", b"{}", group(("nothing", 1, None))])
def test_what_is_no_group_is_said_to_be_none(records: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, KeyError)):
        list(Changes().of(1.0, records))


@pytest.mark.parametrize("seed", range(8))
async def test_a_killed_process_finds_what_it_had(tmp_path: Path, seed: int) -> None:
    """Messages come, are named in one or two segments, move to another link, and end, between folds and without."""
    chance = random.Random(seed)
    journal = Journal(tmp_path / "spool")
    spool = Spool(journal, clock=lambda: NOW)
    alive: list[Journey] = []
    folded_names: set[str] = set()
    for step in range(120):
        match chance.choice(("come", "come", "named", "named", "end", "move", "wait")):
            case "come":
                number = spool.new_id()
                message = Message(number, "shop", 5, 0, "SHOP", 1, 1, "33612345678", b"hi", Encoding.GSM, NOW)
                alive.append(spool.accept(message, Progress(number, "shop", Stage.QUEUED, ("one", "two"))))
            case "named" if alive:
                journey = chance.choice(alive)
                number = len(journey.progress.segments)
                if number < 2:
                    journey.progress.segments.append(Segment(f"{step:x}", is_taken=True))
                    spool.name(journey.progress.link, f"{step:x}", journey.message.id, number, NOW, is_told=True)
                    spool.save(journey)
            case "move" if alive:
                journey = chance.choice(alive)
                if not journey.progress.segments:
                    journey.progress.position = 1
                    spool.save(journey)
            case "end" if alive:
                journey = alive.pop(chance.randrange(len(alive)))
                for segment in journey.progress.segments:
                    spool.forget_name(journey.progress.link, segment.carrier_id)
                spool.finish(journey)
            case "wait":
                await durable(journal)
                if step == 60:
                    await journal.fold()
                    folded_names = {str(key) for key, _ in journal.scan(SENT)}
    await durable(journal)
    before = {kind.name: {key for key, _ in journal.scan(kind)} for kind in (MESSAGE, PROGRESS, SENT)}
    names = {key: (sent.message_id, sent.segment) for key, sent in journal.scan(SENT)}
    assert names == {
        name_of(journey.progress.link, segment.carrier_id): (journey.message.id, number)
        for journey in alive
        for number, segment in enumerate(journey.progress.segments)
    }
    kill(journal)
    opened = Journal(tmp_path / "spool")
    after = {kind.name: {key for key, _ in opened.scan(kind)} for kind in (MESSAGE, PROGRESS, SENT)}
    assert (after["message"], after["progress"]) == (before["message"], before["progress"])
    assert before["sent"] <= after["sent"] <= before["sent"] | folded_names
    assert {key: (sent.message_id, sent.segment) for key, sent in opened.scan(SENT) if key in names} == names
    await opened.close()
