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
MESSAGE_9 = Message(9, "shop", 5, 0, "SHOP", 1, 1, "33612345678", b"hi", Encoding.GSM, NOW)


def group(*records: tuple[str, Any, Any]) -> bytes:
    return msgspec.json.encode(records)


def progress(number: int, *carrier_ids: str, position: int = 0) -> Progress:
    segments = [Segment(carrier_id, is_taken=True) for carrier_id in carrier_ids]
    return Progress(number, "shop", Stage.SENT, ("one", "two"), position=position, segments=segments)


def changes_of(**cold: Progress) -> Changes:
    """``cold`` are those in the tables, by their number behind a letter."""
    texts = {int(name[1:]): msgspec.json.encode(progress).decode() for name, progress in cold.items()}
    return Changes(texts.get)  # type: ignore[arg-type]


def told(changes: Changes, *records: tuple[str, Any, Any]) -> list[tuple[str, Any, Any]]:
    """What a group says, its values decoded."""
    return [
        (kind.name, key, value and msgspec.json.decode(value, type=kind.type))
        for kind, key, value in changes.of(5.0, group(*records))
    ]


def names(*found: tuple[str, int | None, int]) -> list[tuple[str, Any, Any]]:
    """(name, whose, which segment): given to these, or taken away."""
    return [
        ("sent", name, Sent(number, segment, due=5.0 + NAME_TTL_S) if number is not None else None)
        for name, number, segment in found
    ]


def test_a_progress_names_its_message_and_its_end_is_the_end_of_all() -> None:
    changes, first = changes_of(), progress(7, "a1", "", "a3", position=1)
    assert told(changes, ("progress", 7, first), (NOTE, 7, {"word": "x"})) == [
        ("progress", 7, first),
        *names(("two|a1", 7, 0), ("two|a3", 7, 2)),
    ]
    # Saved again it says nothing new.
    assert told(changes, ("progress", 7, first)) == [("progress", 7, first)]
    ended, *gone = told(changes, ("progress", 7, None))[1:]
    assert ended == ("message", 7, None)
    assert sorted(gone) == names(("two|a1", None, 0), ("two|a3", None, 0))
    assert told(changes, ("progress", 7, None)) == [("progress", 7, None), ("message", 7, None)]


def test_names_that_it_had_before_the_last_fold_end_with_it() -> None:
    changes = changes_of(p7=progress(7, "a1"), p8=progress(8, "b1"))
    assert told(changes, ("progress", 7, None)) == [
        ("progress", 7, None),
        ("message", 7, None),
        *names(("one|a1", None, 0)),
    ]
    assert told(changes, ("progress", 8, progress(8, "b1", "b2")))[1:] == names(("one|b2", 8, 1))


def test_a_message_that_moves_leaves_its_names_behind() -> None:
    """As while the process lives: whose copy the first link's receipts are about is known until their time is over."""
    changes = changes_of()
    told(changes, ("progress", 7, progress(7, "a1")))
    assert told(changes, ("progress", 7, progress(7, position=1)))[1:] == []
    assert told(changes, ("progress", 7, progress(7, "z9", position=1)))[1:] == names(("two|z9", 7, 0))
    assert told(changes, ("progress", 7, None))[2:] == names(("two|z9", None, 0))


def test_a_name_that_the_carrier_used_again_is_the_later_message_s() -> None:
    changes = changes_of(p7=progress(7, "a1"))
    assert told(changes, ("message", 9, MESSAGE_9), ("progress", 9, progress(9, "a1")))[2:] == names(("one|a1", 9, 0))
    assert told(changes, ("progress", 7, progress(7, "a1", "a2")))[1:] == names(("one|a2", 7, 1))
    assert told(changes, ("progress", 7, None))[2:] == names(("one|a2", None, 0))
    assert told(changes, ("progress", 9, None))[2:] == names(("one|a1", None, 0))


def test_a_part_that_waits_for_the_others_has_no_names() -> None:
    """Its end is known, and told once theirs is."""
    changes = changes_of(p7=progress(7, "a1"))
    waiting = progress(7, "a1")
    waiting.stage = Stage.ENDED
    for _ in range(2):
        assert told(changes, ("progress", 7, waiting))[1:] in (names(("one|a1", None, 0)), [])
    assert told(changes, ("progress", 7, None)) == [("progress", 7, None), ("message", 7, None)]


def test_what_older_versions_wrote_says_the_same() -> None:
    sent = Sent(7, 0, due=9.0)
    records = [("progress", 7, progress(7, "a1")), ("sent", "one|a1", sent)]
    ends = [("message", 7, None), ("progress", 7, None), ("sent", "one|a1", None)]
    state: dict[Any, Any] = {}
    changes = changes_of()
    for part in (records, ends):
        state |= {(kind.name, key): value for kind, key, value in changes.of(1.0, group(*part))}
        if part is records:
            assert state["sent", "one|a1"] == msgspec.json.encode(sent)
    assert set(state.values()) == {None}


@pytest.mark.parametrize("records", [b"[", b"{}", group(("nothing", 1, None))])
def test_what_is_no_group_is_said_to_be_none(records: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, KeyError)):
        list(changes_of().of(1.0, records))


async def test_what_is_implied_is_read_as_if_it_were_written(tmp_path: Path) -> None:
    """Kept as it is until a fold, as its text behind that."""
    journal = Journal(tmp_path / "spool")
    sent = Sent(7, 1, due=NOW + 5)
    journal.put(PROGRESS, 7, Progress(7, "shop", Stage.SENT, ("one",)), new=True)
    journal.imply(SENT, "one|x", sent)
    assert journal.get(SENT, "one|x") is sent
    for _ in range(2):
        assert list(journal.scan(SENT)) == [("one|x", sent)]
        text = journal.text_of(SENT, "one|x")
        assert text is not None
        assert msgspec.json.decode(text, type=Sent) == sent
        await durable(journal)
        await journal.fold()
    assert journal.get(SENT, "one|x") == sent
    journal.imply_gone(SENT, "one|x")
    assert journal.get(SENT, "one|x") is None
    await journal.close()


@pytest.mark.parametrize("seed", range(8))
async def test_a_killed_process_finds_what_it_had(tmp_path: Path, seed: int) -> None:
    """Messages come, are named in one or two segments, move to another link, and end, between folds and without."""
    chance = random.Random(seed)
    journal = Journal(tmp_path / "spool")
    spool = Spool(journal, clock=lambda: NOW)
    alive: list[Journey] = []
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
                if step % 20 == 0:
                    await journal.fold()
    await durable(journal)
    before = {kind.name: {key for key, _ in journal.scan(kind)} for kind in (MESSAGE, PROGRESS, SENT)}
    given = {key: (sent.message_id, sent.segment) for key, sent in journal.scan(SENT)}
    assert given == {
        name_of(journey.progress.link, segment.carrier_id): (journey.message.id, number)
        for journey in alive
        for number, segment in enumerate(journey.progress.segments)
    }
    kill(journal)
    opened = Journal(tmp_path / "spool")
    after = {kind.name: {key for key, _ in opened.scan(kind)} for kind in (MESSAGE, PROGRESS, SENT)}
    assert after == before
    assert {key: (sent.message_id, sent.segment) for key, sent in opened.scan(SENT)} == given
    await opened.close()
