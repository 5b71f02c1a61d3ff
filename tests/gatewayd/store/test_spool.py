"""Messages, names, sessions and deliveries: what is kept, forgotten, due, and left for the next start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gatewayd.message import Encoding, Message
from gatewayd.policy.homes import id_of, sequence_of
from gatewayd.policy.journey import Progress, Segment, Stage
from gatewayd.store import spool as module
from gatewayd.store.implied import NAME_TTL_S
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import SEEN, SENT
from gatewayd.store.records import Delivery, Seen, Sent, Session
from gatewayd.store.spool import Journey, Spool
from tests.gatewayd.store.opening import durable

NOW = 1_790_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = Journal(tmp_path / "a.spool")
    yield opened
    await opened.close()


@pytest.fixture
async def spool(journal: Journal, clock: Clock) -> Spool:
    return Spool(journal, clock=clock)


def message(number: int) -> Message:
    return Message(number, "shop", 5, 0, "SHOP", 1, 1, "33612345678", b"hello", Encoding.GSM, NOW)


def accept(spool: Spool, stage: Stage = Stage.QUEUED, due: float = 0.0, queue: str = "", lane: int = 0) -> Journey:
    number = spool.new_id()
    return spool.accept(message(number), Progress(number, "shop", stage, ("carrier",), due=due, queue=queue, lane=lane))


def delivery(spool: Spool, account: str = "shop") -> Delivery:
    return Delivery(spool.new_id(), account, "mo", 1, 1, "33612345678", 1, 1, "36179", NOW, NOW + 9.0)


@pytest.mark.parametrize("slot", [0, 5, 255])
async def test_ids_made_by_hand_are_those_of_the_policy(journal: Journal, clock: Clock, slot: int) -> None:
    spool = Spool(journal, slot=slot, clock=clock)
    first = sequence_of(spool.new_id())
    assert [spool.new_id() for _ in range(2_000)] == [id_of(first + n, slot) for n in range(1, 2_001)]


def ids(journeys: list[Journey]) -> list[int]:
    return [journey.message.id for journey in journeys]


# -- ids ------------------------------------------------------------------------------------------------------------


async def test_ids_rise_over_restarts(tmp_path: Path, clock: Clock) -> None:
    last = 0
    for _ in range(3):
        journal = Journal(tmp_path / "b.spool")
        spool = Spool(journal, clock=clock)
        numbers = [accept(spool).message.id for _ in range(3)]
        assert numbers == sorted(numbers)
        assert numbers[0] > last
        last = numbers[-1]
        await journal.close()
        clock.now -= 3_600.0  # a clock that was set back gives no id twice that is still in use


async def test_ids_of_deliveries_are_of_the_same_line(spool: Spool) -> None:
    assert spool.new_id() < delivery(spool).id < spool.new_id()


# -- messages -------------------------------------------------------------------------------------------------------


async def test_from_memory_and_from_disk(
    spool: Spool, journal: Journal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HOT_MAX", 2)
    journeys = [accept(spool, due=NOW + number) for number in range(5)]
    numbers = ids(journeys)
    await journal.fold()
    assert spool.journey(numbers[0]) is journeys[0]
    cold = spool.journey(numbers[4])
    assert cold is not None
    assert cold is not journeys[4]
    assert (cold.message, cold.progress) == (journeys[4].message, journeys[4].progress)
    asked = [numbers[3], numbers[0], 12345, numbers[4]]
    assert ids(spool.journeys(asked)) == [numbers[3], numbers[0], numbers[4]]
    assert spool.journey(12345) is None


async def test_a_message_that_was_finished_is_gone(spool: Spool, journal: Journal) -> None:
    first, second = accept(spool), accept(spool)
    await journal.fold()
    spool.finish(first)
    assert spool.journey(first.message.id) is None
    assert ids(spool.journeys([first.message.id, second.message.id])) == [second.message.id]
    await journal.fold()
    assert spool.journey(first.message.id) is None


async def test_what_was_saved_last_is_the_truth(
    spool: Spool, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a message is in flight its stored state may be read back into memory; it must not stay there."""
    monkeypatch.setattr(module, "HOT_MAX", 0)
    flying = accept(spool)
    monkeypatch.setattr(module, "HOT_MAX", 10)
    stale = spool.journey(flying.message.id)
    assert stale is not flying
    flying.progress.segments.append(Segment("a", is_taken=True))
    spool.save(flying)
    assert spool.journey(flying.message.id) is flying


# -- names, sessions, deliveries ------------------------------------------------------------------------------------


async def test_names(spool: Spool, journal: Journal) -> None:
    spool.name("carrier", "a|b", 7, 2, NOW)
    for _ in range(2):
        found = spool.named("carrier", "a|b")
        assert found is not None
        assert (found.message_id, found.segment, found.ended) == (7, 2, False)
        assert spool.named("other", "a|b") is None
        await journal.fold()
    spool.forget_name("carrier", "a|b")
    assert spool.named("carrier", "a|b") is None


async def test_names_that_nobody_forgot_go_in_time(spool: Spool, journal: Journal, clock: Clock) -> None:
    spool.name("carrier", "17", 7, 0, clock.now)
    journal.put(SENT, "bot|18", Sent(8, ended=True, due=clock.now + NAME_TTL_S))
    await journal.fold()
    for age_s, gone in ((NAME_TTL_S - 1.0, 0), (NAME_TTL_S + 1.0, 1)):
        clock.now = NOW + age_s
        assert spool.purge([SENT]) == {"sent": gone}, "of those that ended with their message"
        assert spool.sweep_names() == gone, "of the others"
    assert spool.named("carrier", "17") is spool.named("bot", "18") is None
    await journal.fold()
    assert [*journal.scan(SENT)] == []


async def test_names_are_swept_a_few_at_a_time_and_from_the_beginning_again(
    spool: Spool, journal: Journal, clock: Clock
) -> None:
    for number in range(10):
        spool.name("carrier", f"{number}", number, 0, clock.now - number % 2 * NAME_TTL_S)
    await journal.fold()
    spool.name("carrier", "3", 30, 0, clock.now)  # used again, which only the journal knows so far
    assert [spool.sweep_names(limit=4) for _ in range(5)] == [1, 2, 1, 0, 0]
    left = {number for number in range(10) if spool.named("carrier", f"{number}") is not None}
    assert left == {0, 2, 3, 4, 6, 8}


async def test_a_session_closes_by_itself(spool: Spool, clock: Clock) -> None:
    spool.save_session("36179", "33612345678", Session("1f", "shop", 1, 1, "36179", NOW, NOW + 5.0, 7))
    assert spool.session("36179", "33612345678") is not None
    assert spool.session("36179", "33699999999") is None
    clock.now += 5.0
    assert spool.session("36179", "33612345678") is None


async def test_deliveries(spool: Spool, journal: Journal) -> None:
    first, second, third = delivery(spool), delivery(spool, "bank"), delivery(spool)
    for owed in (first, second, third):
        spool.owe(owed)
    second.attempts = 3
    spool.save_delivery(second)
    await journal.fold()
    assert list(spool.owed()) == [(first.id, "shop"), (second.id, "bank"), (third.id, "shop")]
    spool.settle_delivery(first.id)
    assert spool.deliveries([third.id, first.id, second.id]) == [third, second]


async def test_each_sink_of_an_account_has_its_own(spool: Spool, journal: Journal) -> None:
    smpp, webhook = delivery(spool), delivery(spool)
    webhook.sink = "webhook"
    for owed in (smpp, webhook):
        spool.owe(owed)
    await journal.fold()
    assert list(spool.owed()) == [(smpp.id, "shop")]
    assert list(spool.owed("webhook")) == [(webhook.id, "shop")]


async def test_dead_letters_are_owed_no_more_and_can_be_revived(spool: Spool, journal: Journal) -> None:
    owed = delivery(spool)
    owed.sink = "webhook"
    spool.owe(owed)
    await journal.fold()
    spool.bury(owed)
    await journal.fold()
    assert (list(spool.owed("webhook")), list(spool.dead("webhook"))) == ([], [(owed.id, "shop")])
    assert (spool.deliveries([owed.id]), spool.dead_letters([owed.id])) == ([], [owed])
    spool.revive(owed)
    await journal.fold()
    assert (list(spool.owed("webhook")), list(spool.dead("webhook"))) == ([(owed.id, "shop")], [])
    spool.bury(owed)
    spool.forget_dead(owed.id)
    assert spool.dead_letters([owed.id]) == []


async def test_purging_is_bounded_and_gets_on(spool: Spool, journal: Journal, clock: Clock) -> None:
    for number in range(10):
        journal.put(SEEN, f"{number}", Seen(NOW + number))
    await journal.fold()
    clock.now += 7.0
    assert [spool.purge([SEEN], limit=3)["seen"] for _ in range(4)] == [3, 3, 1, 0]
    assert {key for key, _ in journal.scan(SEEN)} == {"7", "8", "9"}


# -- the clock ------------------------------------------------------------------------------------------------------


async def test_each_due_is_told_once(spool: Spool, clock: Clock) -> None:
    later, sooner = accept(spool, due=NOW + 20.0), accept(spool, due=NOW + 10.0)
    accept(spool)
    assert spool.next_due() == NOW + 10.0
    assert spool.take_due() == []
    clock.now += 10.0
    assert spool.take_due() == [sooner]
    clock.now += 100.0
    assert spool.take_due() == [later]
    assert spool.take_due() == []


async def test_what_was_put_off_or_finished_is_not_told(spool: Spool, clock: Clock) -> None:
    put_off, finished, at_ease = (accept(spool, due=NOW + 10.0) for _ in range(3))
    put_off.progress.due = NOW + 5_000.0
    spool.save(put_off)
    spool.finish(finished)
    at_ease.progress.due = 0.0
    spool.save(at_ease)
    clock.now += 11.0
    assert spool.take_due() == []


async def test_what_was_brought_forward_is_told_in_time(spool: Spool, clock: Clock) -> None:
    journey = accept(spool, due=NOW + 100.0)
    journey.progress.due = NOW + 10.0
    spool.save(journey)
    clock.now += 10.0
    assert spool.take_due() == [journey]
    clock.now += 100.0
    assert spool.take_due() == []


async def test_far_away_times_are_found_in_the_tables(spool: Spool, journal: Journal, clock: Clock) -> None:
    far = accept(spool, due=NOW + 5_000.0)
    assert spool.next_due() is None, "a backlog of timers must not cost memory"
    await journal.fold()
    clock.now += 5_000.0 - module.LOOK_AHEAD_S + 1.0
    spool.look_ahead()
    assert spool.next_due() == NOW + 5_000.0
    clock.now = NOW + 5_000.0
    assert spool.take_due() == [far]


async def test_looking_ahead_sees_past_what_it_knows_and_what_has_changed(
    spool: Spool, journal: Journal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A campaign's deadlines fall together: all of them are met, however many come first."""
    monkeypatch.setattr(module, "LOOK_LIMIT", 10)
    journeys = [accept(spool, due=NOW + 1_000.0 + number / 100) for number in range(45)]
    await journal.fold()
    clock.now += 1_001.0
    told: list[int] = []
    for _ in range(5):
        spool.look_ahead()
        taken = spool.take_due()
        told += ids(taken)
        for journey in taken:
            spool.finish(journey)
    assert told == ids(journeys)


# -- start ----------------------------------------------------------------------------------------------------------


async def test_what_the_last_run_left(tmp_path: Path, clock: Clock) -> None:
    journal = Journal(tmp_path / "b.spool")
    spool = Spool(journal, clock=clock)
    queued = accept(spool, queue="carrier", lane=3)
    sending = accept(spool, Stage.SENDING)
    sent = accept(spool, Stage.SENT, due=NOW + 10.0)
    spool.owe(delivery(spool))
    await durable(journal)
    await journal.close()
    journal = Journal(tmp_path / "b.spool")
    spool = Spool(journal, clock=clock)
    await journal.fold()
    assert list(spool.waiting()) == [(queued.message.id, "carrier", 3, "shop")]
    assert ids(spool.interrupted()) == [sending.message.id]
    assert len(list(spool.owed())) == 1
    clock.now += 10.0
    spool.look_ahead()
    assert ids(spool.take_due()) == [sent.message.id]
    await journal.close()
