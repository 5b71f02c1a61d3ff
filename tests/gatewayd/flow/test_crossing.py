"""Several workers act as one: whatever arrives wherever, in whatever order, it comes to the same end."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from gatewayd.flow import crossing as crossings
from gatewayd.flow import parcels
from gatewayd.message import TAG_IDEMPOTENCY, Accepted, Receipt, Refused, State
from tests.gatewayd.flow.several import Bind, City, city_of, inbound, receipt

BUSY = 0x08


async def sole_bind(city: City, slot: int) -> None:
    """Only this worker has a bind of the carrier."""
    for worker in city:
        worker.carrier.up(worker.slot == slot)
    await city.settle()


async def all_told(city: City, bind: Bind, count: int) -> None:
    await city.until(lambda: len(bind.unanswered) == count)
    bind.answer()
    await city.settle()


async def test_a_message_comes_to_one_end_wherever_each_of_its_events_arrives(tmp_path: Path) -> None:
    """Submitted at one worker, home in another, sent by a third, its receipt heard by any, told to a bind at any."""
    async with city_of(tmp_path, 3) as city:
        number = itertools.count()
        for home, bind_at, esme_at in itertools.product(range(3), repeat=3):
            bind = Bind(city[esme_at], "shop")
            await sole_bind(city, bind_at)
            sent = []
            for submit_at, receipt_at in itertools.product(range(3), repeat=2):
                handset = city.handset(home, next(number))
                sent.append((receipt_at, city[submit_at].submit(destination=handset)))
            await city.settle()
            assert [submitted.status for _, submitted in sent] == [0] * 9
            names = dict(city[bind_at].carrier.accept_all())
            for receipt_at, submitted in sent:
                told = receipt(names[submitted.id], submitted.message.destination)
                city[receipt_at].carrier.report(told)
            await all_told(city, bind, 9)
            assert sorted(city.fates(bind)) == sorted((f"{submitted.id:x}", "DELIVRD") for _, submitted in sent)
            bind.cut()
        for worker in city:
            assert not worker.desk.flying
            assert all(stored for _, stored in worker.carrier.acknowledged)
            assert worker.carrier.too_many == 0
        assert sum(len(worker.carrier.acknowledged) for worker in city) == 27 * 9


@pytest.mark.parametrize("report_at", [0, 1, 2])
async def test_a_receipt_may_overtake_the_answer(tmp_path: Path, report_at: int) -> None:
    async with city_of(tmp_path, 3) as city:
        await sole_bind(city, 2)
        bind = Bind(city[0], "shop")
        handset = city.handset(1)
        submitted = city[0].submit(destination=handset)
        await city.until(lambda: city[2].carrier.in_flight)
        city[report_at].carrier.report(receipt("77", handset))
        await city.settle()
        assert not bind.unanswered
        city[2].carrier.answer(Accepted("77"))
        await city.until(lambda: bind.unanswered)
        bind.answer()
        assert city.fates(bind) == [(f"{submitted.id:x}", "DELIVRD")]


STRAY_EVENTS = ("answer", "receipt")


@pytest.mark.parametrize("order", list(itertools.permutations(STRAY_EVENTS)))
@pytest.mark.parametrize("wrong_home", [0, 2])
@pytest.mark.parametrize("report_at", [0, 1, 2])
async def test_a_receipt_under_another_number_finds_its_message(
    tmp_path: Path, order: tuple[str, ...], wrong_home: int, report_at: int
) -> None:
    """The carrier wrote another number than the one that the message went to, or none."""
    async with city_of(tmp_path, 3) as city:
        await sole_bind(city, 2)
        bind = Bind(city[0], "shop")
        submitted = city[0].submit(destination=city.handset(1))
        await city.until(lambda: city[2].carrier.in_flight)
        told = receipt("77", city.handset(wrong_home))
        for event in order:
            if event == "answer":
                city[2].carrier.answer(Accepted("77"))
            else:
                city[report_at].carrier.report(told)
            await city.settle()
        await city.until(lambda: bind.unanswered)
        bind.answer()
        assert city.fates(bind) == [(f"{submitted.id:x}", "DELIVRD")]
        assert city[report_at].carrier.acknowledged == [(told, True)]
        await city.settle()
        assert not any(worker.dispatcher._inbound._parked for worker in city)
        assert not any(list(worker.crossing.strays.ours()) for worker in city)


async def test_a_receipt_without_a_number_finds_its_message_by_any_of_its_spellings(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3) as city:
        await sole_bind(city, 2)
        bind = Bind(city[0], "shop")
        city[0].submit(destination=city.handset(1))
        city[0].submit(destination=city.handset(2))
        await city.until(lambda: len(city[2].carrier.in_flight) == 2)
        city[0].carrier.report(receipt("4d", "", aliases=("77", "077")))
        await city.settle()
        city[2].carrier.answer(Accepted("77"), Accepted("78"))
        await city.until(lambda: len(bind.unanswered) == 1)
        city[0].carrier.report(receipt("4e", "", aliases=("78",)))
        await city.until(lambda: len(bind.unanswered) == 2)


async def test_a_stray_receipt_is_asked_for_again_when_the_messages_home_is_back(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3) as city:
        await sole_bind(city, 2)
        bind = Bind(city[0], "shop")
        submitted = city[0].submit(destination=city.handset(1))
        await city.until(lambda: city[2].carrier.in_flight)
        city[2].carrier.answer(Accepted("77"))
        await city.settle()
        await city.die(1)
        city[2].carrier.report(receipt("77", city.handset(0)))
        await city.settle()
        assert not bind.unanswered
        await city.begin(1)
        await city.until(lambda: bind.unanswered)
        bind.answer()
        assert city.fates(bind) == [(f"{submitted.id:x}", "DELIVRD")]


PARTS = ("one of three ", "two of three ", "three of three")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_parts_of_a_long_message_are_joined_wherever_and_in_whatever_order_they_come(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    async with city_of(tmp_path, 3, "bot", "carrier") as city:
        bind = Bind(city[0], "shop")
        for number, arrivals in enumerate(itertools.product(range(3), repeat=3)):
            handset = city.handset(1, number)
            sent = []
            for part in order:
                facts = {"concat": (number, 3, part + 1)}
                sent.append(city[arrivals[part]].submit(PARTS[part], handset, **facts))
                await city.settle()
            assert city[1].bot.texts[number:] == ["".join(PARTS).encode()]
            ((_, name),) = city[1].bot.accept_all()
            city[number % 3].bot.report(receipt(name, handset))
            await city.until(lambda: len(bind.unanswered) == 3)
            bind.answer()
            assert sorted(city.fates(bind)[-3:]) == sorted((f"{part.id:x}", "DELIVRD") for part in sent)
        assert not city[0].bot.sent
        assert not city[2].bot.sent


@pytest.mark.parametrize("webhook_at", [0, 1, 2])
@pytest.mark.parametrize("sms_at", [0, 1, 2])
async def test_a_message_falls_back_wherever_it_is_heard_that_it_must(
    tmp_path: Path, webhook_at: int, sms_at: int
) -> None:
    async with city_of(tmp_path, 3, "bot", "carrier") as city:
        await sole_bind(city, sms_at)
        bind = Bind(city[2], "shop")
        handset = city.handset(1)
        submitted = city[0].submit(destination=handset)
        await city.until(lambda: city[1].bot.in_flight)
        ((_, name),) = city[1].bot.accept_all()
        city[webhook_at].bot.report(receipt(name, handset, State.UNDELIV, error="no_capability"))
        await city.until(lambda: city[sms_at].carrier.in_flight)
        ((_, sms_name),) = city[sms_at].carrier.accept_all()
        city[webhook_at].carrier.report(receipt(sms_name, handset))
        await city.until(lambda: bind.unanswered)
        bind.answer()
        # What the platform says now is counted only.
        city[sms_at].bot.report(receipt(name, handset))
        await city.settle()
        assert city.fates(bind) == [(f"{submitted.id:x}", "DELIVRD")]
        assert not bind.unanswered


async def test_a_refusal_over_anothers_bind_moves_the_message_on(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        await sole_bind(city, 1)
        bind = Bind(city[0], "shop")
        submitted = city[0].submit(destination=city.handset(0))
        await city.until(lambda: city[1].carrier.in_flight)
        city[1].carrier.answer(Refused("ESME_RINVDSTADR"))
        await city.until(lambda: bind.unanswered)
        bind.answer()
        assert city.fates(bind) == [(f"{submitted.id:x}", "UNDELIV")]


@pytest.mark.parametrize("mo_at", [0, 1, 2])
@pytest.mark.parametrize("esme_at", [0, 1, 2])
@pytest.mark.parametrize("spelling", ["{}", "+{}", "00{}"])
async def test_an_answer_of_a_handset_finds_its_conversation(
    tmp_path: Path, mo_at: int, esme_at: int, spelling: str
) -> None:
    async with city_of(tmp_path, 3) as city:
        handset = city.handset(1)
        submitted = city[0].submit(destination=handset, account="bank")  # not the owner of the number that it uses
        await city.until(lambda: any(worker.carrier.in_flight for worker in city))
        for worker in city:
            worker.carrier.accept_all()
        await city.settle()
        bind = Bind(city[esme_at], "bank")
        reply = inbound(spelling.format(handset))
        city[mo_at].carrier.report(reply)
        await city.until(lambda: bind.unanswered)
        assert dict(bind.unanswered[0][0].tlvs)[0x1490] == f"{submitted.id:x}".encode()
        assert city[mo_at].carrier.acknowledged == [(reply, True)]
        bind.answer()
        await city.settle()
        assert bind.got == [b"yes"]


async def test_a_text_for_nobody_is_left_with_the_carrier(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        text = inbound(city.handset(1), destination="99999")
        city[0].carrier.report(text)
        await city.until(lambda: city[0].carrier.acknowledged)
        assert city[0].carrier.acknowledged == [(text, False)]


async def test_a_submit_that_no_route_takes_is_refused_by_its_home(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        city[1].dispatcher.plan = lambda message: None  # type: ignore[method-assign]
        submitted = city[0].submit(destination=city.handset(1))
        await city.until(lambda: submitted.status is not None)
        assert (submitted.status, submitted.kind) == (0x0B, "no_route")


async def test_a_home_whose_disk_refuses_takes_nothing(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        city[1].journal.is_failing = True
        submitted = city[0].submit(destination=city.handset(1))
        await city.until(lambda: submitted.status is not None)
        assert (submitted.status, submitted.kind) == (0x14, "store_full")
        city[1].journal.is_failing = False


async def test_what_a_dead_home_had_is_answered_later_and_what_comes_now_waits_for_it(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        handset = city.handset(1)
        city[1].journal.then = lambda callback, item: None  # type: ignore[method-assign]  # it never answers
        lost = city[0].submit(destination=handset)
        await city.settle()
        assert lost.kind == ""
        await city.die(1)
        assert (lost.status, lost.kind) == (BUSY, "home_lost")
        waiting = city[0].submit(destination=handset)
        text = inbound(handset)
        city[0].carrier.report(text)
        await city.settle()
        assert waiting.status is None
        assert not city[0].carrier.acknowledged
        back = await city.begin(1)
        await city.until(lambda: waiting.status == 0 and city[0].carrier.acknowledged == [(text, True)])
        await city.until(lambda: city[0].carrier.in_flight or back.carrier.in_flight)


async def test_a_home_that_stays_away_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crossings, "HOME_WAIT_S", 0.0)
    async with city_of(tmp_path, 2) as city:
        handset = city.handset(1)
        await city.die(1)
        waiting, text = city[0].submit(destination=handset), inbound(handset)
        city[0].carrier.report(text)
        await city.until(lambda: waiting.status is not None)
        assert (waiting.status, waiting.kind) == (BUSY, "home_away")
        assert city[0].carrier.acknowledged == [(text, False)]
        again = city[0].submit(destination=handset)
        assert (again.status, again.kind) == (BUSY, "home_away"), "at once"
        city[0].carrier.report(text)
        assert city[0].carrier.acknowledged == [(text, False), (text, False)]
        assert city[0].crossing.mesh.drop_waiting(1) == []
        await city.begin(1)
        await city.until_whole()
        welcome = city[0].submit(destination=handset)
        await city.until(lambda: welcome.status == 0)


async def test_so_many_submits_may_wait_for_their_homes(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        handset = city.handset(1)
        await city.die(1)
        sent = [city[0].submit(destination=handset) for _ in range(1_001)]
        assert [submitted.status for submitted in sent[:-1]] == [None] * 1_000
        assert (sent[-1].status, sent[-1].kind) == (0x14, "home_busy")
        await city.begin(1)
        await city.until(lambda: all(submitted.status is not None for submitted in sent))
        # All at once are more than its store may have pending; those it asks to come later.
        assert {submitted.status for submitted in sent} == {0, 0x14}


async def test_an_answer_to_the_last_worker_of_a_slot_is_none_to_the_next(tmp_path: Path) -> None:
    """It would acknowledge to a carrier, or to an application, what is not durable."""
    async with city_of(tmp_path, 2) as city:
        first = {city[0].crossing.new_token() for _ in range(100)}
        await city.die(0)
        city[1].crossing.send(0, parcels.Stored([1, 2, 3]))
        city[1].crossing.send(0, parcels.Acked("carrier", [1, 2, 3], stored=True))
        assert city[1].crossing.mesh.drop_waiting(0) == []
        again = await city.begin(0)
        await city.until_whole()
        assert not first & {again.crossing.new_token() for _ in range(100)}


async def test_a_link_that_a_worker_does_not_know_yet_is_no_fault(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        told = Receipt("77", State.DELIVRD)
        city[0].crossing.send(1, parcels.Told("new", 5, told))
        city[0].crossing.send(1, parcels.Send("new", city[0].message("?", "33612345678"), [0], 0.0))
        for word in (parcels.Done("new", []), parcels.Acked("new", [1], stored=True), parcels.Offer("new")):
            city[0].crossing.send(1, word)
        city[0].crossing.send(1, parcels.Hungry("link:new", 1))
        city[0].crossing.send(1, parcels.Grant("link:new", 1))
        city[0].crossing.send(1, parcels.GiveBack("link:new", 1))
        city[0].crossing.send(1, parcels.Stray("new", told))
        city[0].crossing.send(1, parcels.Claimed("new", told))
        await city.settle()
        submitted = city[0].submit(destination=city.handset(1))
        await city.until(lambda: submitted.status == 0)
        assert city[0].crossing.mesh.is_up(1)


async def test_a_submit_that_comes_again_elsewhere_is_taken_once(tmp_path: Path) -> None:
    key = ((TAG_IDEMPOTENCY, b"order 1"),)
    async with city_of(tmp_path, 3) as city:
        handset = city.handset(2)
        first = city[0].submit(destination=handset, tlvs=key)
        again = city[1].submit(destination=handset, tlvs=key)
        await city.settle()
        once_more = city[0].submit(destination=handset, tlvs=key)
        other = city[0].submit("other", destination=handset, tlvs=key)
        await city.settle()
        assert [one.status for one in (first, again, once_more)] == [0, 0, 0]
        assert sorted((first.known, again.known)) in ([0, first.id], [0, again.id])
        assert once_more.known in (first.id, again.id)
        assert (other.status, other.kind) == (0xC4, "idempotency_key_reused")
        assert len(city[2].spool._hot) == 1
