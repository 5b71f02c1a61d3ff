"""One link over several workers: its windows are shared and never exceeded, and each step ends, whoever dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.flow import parcels
from gatewayd.flow.shared_link import SharedLink
from gatewayd.message import Accepted
from gatewayd.policy.journey import Stage
from gatewayd.runtime import mesh as meshes
from gatewayd.runtime.tasks import spawn
from tests.gatewayd.flow.several import LINKS, Bind, City, Submitted, city_of, inbound, receipt


def shared(city: City, slot: int) -> SharedLink:
    return city[slot].crossing._links["carrier"]


async def work_off(city: City, total: int) -> None:
    """Answer one after the other wherever something is in flight, until so many were sent."""
    done = 0
    while done < total:
        await city.until(lambda: any(worker.carrier.in_flight for worker in city))
        for worker in city:
            if worker.carrier.in_flight:
                worker.carrier.answer(Accepted(f"{worker.slot}.{len(worker.carrier.sent)}.{done}"))
                done += 1


async def test_the_windows_are_never_exceeded_and_all_is_sent_in_the_end(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3, window=3) as city:
        city[2].carrier.up(False)
        city[1].carrier.up(window=2)
        sent = [
            city[slot].submit(f"{number}", city.handset(number % 3, number))
            for slot in range(3)
            for number in range(20)
        ]
        await city.settle()
        assert [worker.carrier.window_used for worker in city] == [3, 2, 0]
        await work_off(city, len(sent))
        assert [worker.carrier.most for worker in city] == [3, 2, 0]
        assert [worker.carrier.too_many for worker in city] == [0, 0, 0]
        assert sorted(sent_id for worker in city for sent_id, _ in worker.carrier.sent) == sorted(s.id for s in sent)
        await city.settle()
        assert [len(shared(city, slot)._purse) for slot in range(3)] == [0, 0, 0]
        assert [shared(city, slot)._office.granted for slot in range(3)] == [0, 0, 0]


async def test_what_a_home_can_send_itself_crosses_nothing(tmp_path: Path) -> None:
    """And what it cannot goes over others."""
    async with city_of(tmp_path, 2, window=20) as city:
        ids = [{city[slot].submit(destination=city.handset(slot, n)).id for n in range(20)} for slot in range(2)]
        await city.settle()
        assert [{sent for sent, _ in worker.carrier.sent} for worker in city] == ids
        beyond = city[0].submit(destination=city.handset(0, 20))
        city[1].carrier.accept_all()
        await city.until(lambda: city[1].carrier.in_flight)
        assert city[1].carrier.sent[-1][0] == beyond.id


async def test_who_comes_second_at_home_goes_elsewhere(tmp_path: Path) -> None:
    """In the turn in which it asked, another home took the last room of this worker's bind, and does not use it."""
    async with city_of(tmp_path, 3, window=1) as city:
        ears = city[1].crossing.mesh._connections[0].transport
        assert ears is not None
        ears.pause_reading()
        submitted = city[0].submit(destination=city.handset(0))
        city[0].journal.then(lambda _: shared(city, 0).hungry(1, 5), None)
        await city.until(lambda: city[2].carrier.in_flight)
        assert city[2].carrier.sent[-1][0] == submitted.id


async def test_one_window_is_divided_among_all_that_have_work(tmp_path: Path) -> None:
    """A worker without a bind of its own does not starve beside one that has all of them and much to do."""
    async with city_of(tmp_path, 3, window=4) as city:
        for slot in (1, 2):
            city[slot].carrier.up(False)
        for number in range(100):
            city[0].submit(destination=city.handset(0, number))
        await city.settle()
        others = [city[0].submit(destination=city.handset(slot)) for slot in (1, 2)]
        await city.settle()
        for _ in range(8):
            city[0].carrier.answer(Accepted(f"{len(city[0].carrier.sent)}"))
            await city.settle()
        assert {submitted.id for submitted in others} <= {sent for sent, _ in city[0].carrier.sent}


async def test_segments_of_one_message_may_go_over_several_workers_binds(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3, window=2) as city:
        bind = Bind(city[0], "shop")
        text = "x" * 55  # six segments
        submitted = city[0].submit(text, city.handset(1))
        await city.until(lambda: [worker.carrier.window_used for worker in city] == [2, 2, 2])
        assert {segment for worker in city for _, segment in worker.carrier.sent} == set(range(6))
        names = [name for worker in city for _, name in worker.carrier.accept_all()]
        for slot, name in enumerate(names):
            city[slot % 3].carrier.report(receipt(name, submitted.message.destination))
        await city.until(lambda: bind.unanswered)
        bind.answer()
        assert city.fates(bind) == [(f"{submitted.id:x}", "DELIVRD")]


async def in_flight_at(city: City, holder: int, home: int) -> Submitted:
    """A message of one worker that another one has sent."""
    for worker in city:
        worker.carrier.up(worker.slot == holder)
    submitted = city[home].submit(destination=city.handset(home))
    await city.until(lambda: city[holder].carrier.in_flight)
    return submitted


async def test_what_a_dead_holder_had_sent_is_unknown_and_sent_again(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3) as city:
        bind = Bind(city[0], "shop")
        submitted = await in_flight_at(city, holder=2, home=1)
        await city.die(2)
        assert city[1].counted("link_results", "carrier", "unknown", "worker_lost") == 1
        city[0].carrier.up()
        await city.until(lambda: city[0].carrier.in_flight)
        ((_, name),) = city[0].carrier.accept_all()
        city[0].carrier.report(receipt(name, submitted.message.destination))
        await city.until(lambda: bind.unanswered)
        bind.answer()
        assert city.fates(bind) == [(f"{submitted.id:x}", "DELIVRD")]


async def test_where_silence_is_preferred_it_is_not_sent_again(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3, on_unknown="prefer_silence") as city:
        submitted = await in_flight_at(city, holder=2, home=1)
        await city.die(2)
        city[0].carrier.up()
        await city.settle()
        progress = city[1].progress(submitted.id)
        assert progress is not None
        assert progress.stage is Stage.SENT
        assert not city[0].carrier.sent


async def test_what_never_left_is_deferred_and_no_second_copy(tmp_path: Path) -> None:
    """The holder has stopped reading before its death: what was still here for it was not sent."""
    async with city_of(tmp_path, 2, on_unknown="prefer_silence") as city:
        home, holder = city[0], city[1]
        for worker in city:
            worker.carrier.up(False)
        sent = [home.submit("x" * 10, city.handset(0, number)) for number in range(50)]
        await city.settle()
        ears = holder.crossing.mesh._connections[0].transport
        mouth = home.crossing.mesh._connections[1]
        assert ears is not None
        ears.pause_reading()
        mouth.pause_writing()
        shared(city, 0).granted(1, 50)
        await city.settle()
        assert not holder.carrier.sent
        assert shared(city, 0).has_steps_away
        await city.die(1)
        assert home.counted("link_results", "carrier", "deferred", "worker_lost") == 50
        assert home.counted("link_results", "carrier", "unknown", "worker_lost") == 0
        home.carrier.up()
        await city.wait(1.0)
        await city.until(lambda: home.carrier.window_used == 50)
        assert sorted(message_id for message_id, _ in home.carrier.sent) == sorted(s.id for s in sent)


async def test_a_dead_homes_steps_are_nobodys_and_it_takes_them_up_itself(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        bind = Bind(city[1], "shop")
        submitted = await in_flight_at(city, holder=1, home=0)
        await city.die(0)
        city[1].carrier.accept_all()  # for a home that is no more
        await city.settle()
        assert city[1].counted("receipt_events", "carrier", "late_result") == 1
        await city.begin(0)
        await city.until(lambda: any(worker.carrier.in_flight for worker in city))
        ((message_id, name),) = [named for worker in city for named in worker.carrier.accept_all()]
        assert message_id == submitted.id
        city[1].carrier.report(receipt(name, submitted.message.destination))
        await city.until(lambda: bind.unanswered)


async def test_a_dead_homes_reports_are_left_with_the_carrier(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        city[1].dispatcher._inbound._then = lambda callback, item: None  # it never comes to be durable
        text = inbound(city.handset(1))
        city[0].carrier.report(text)
        await city.settle()
        assert not city[0].carrier.acknowledged
        await city.die(1)
        assert city[0].carrier.acknowledged == [(text, False)]


async def test_windows_hold_while_workers_die_and_come_back(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3, window=2) as city:
        sent = [city[0].submit(destination=city.handset(slot, n)) for slot in range(3) for n in range(10)]
        await city.settle()
        for slot in (1, 2, 1):
            await city.die(slot)
            await city.settle()
            await city.begin(slot)
            await city.until_whole()
            for worker in city:
                worker.carrier.ready()
            await city.settle()
            assert [worker.carrier.window_used for worker in city] == [2, 2, 2]
        assert sum(worker.carrier.too_many for worker in city) == 0
        assert all(submitted.status in (0, 8) for submitted in sent)


async def test_a_link_that_one_worker_knows_first_is_used_when_the_other_does(tmp_path: Path) -> None:
    """A reload comes to workers at different moments."""
    async with city_of(tmp_path, 2, links={}) as city:
        for worker in city:
            worker.dispatcher.set_limits("carrier", city.limits_of("carrier"))
        city.links = LINKS
        home, holder = city[0], city[1]
        home.parts["carrier"] = home.part("carrier")
        home.carrier.up(False)
        home.submit(destination=city.handset(0))
        await city.settle()
        holder.parts["carrier"] = holder.part("carrier")
        holder.carrier.ready()
        await city.until(lambda: holder.carrier.in_flight)


async def test_a_link_that_is_exchanged_ends_what_was_under_way_and_begins_with_its_own_window(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2, window=3) as city:
        city[0].carrier.up(False)
        old = city[1].carrier
        sent = [city[0].submit(destination=city.handset(0, number)) for number in range(8)]
        await city.until(lambda: old.window_used == 3)
        city.window = 2
        new = city[1].parts["carrier"] = city[1].part("carrier")
        new.ready()
        await city.until(lambda: new.window_used == 2)
        old.accept_all()  # it drains
        await city.settle()
        assert city[0].counted("link_results", "carrier", "accepted", "") == 3
        for _ in range(3):
            new.accept_all()
            await city.settle()
        assert new.most == 2
        assert (old.too_many, new.too_many) == (0, 0)
        assert sorted(m for m, _ in [*old.sent, *new.sent]) == sorted(submitted.id for submitted in sent)


async def test_credits_from_before_an_exchange_are_no_leave_to_exceed_the_window(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2, window=2) as city:
        city[0].carrier.up(False)
        shared(city, 1)._office.hungry(0, 5)
        shared(city, 1).serve()
        await city.until(lambda: len(shared(city, 0)._purse) == 2 or shared(city, 1)._office.granted == 0)
        city[1].parts["carrier"] = city[1].part("carrier")
        await city.settle()
        assert shared(city, 1)._office.granted == 0
        for number in range(10):
            city[0].submit(destination=city.handset(0, number))
        city[1].carrier.ready()
        await city.until(lambda: city[1].carrier.window_used == 2)
        await city.settle()
        assert city[1].carrier.too_many == 0


async def test_a_link_that_is_gone_here_hears_nothing_new(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        city[1].crossing.retire("carrier")
        city[1].desk.remove_link("carrier")
        told = receipt("77", city.handset(1))
        city[0].carrier.report(told)
        await city.until(lambda: city[0].carrier.acknowledged)
        assert city[0].carrier.acknowledged == [(told, False)]
        assert city[0].crossing.mesh.is_up(1)


async def test_without_a_credit_it_is_deferred(tmp_path: Path) -> None:
    """The credits were there when it was written down that it would be sent, and are void by the time it is."""
    async with city_of(tmp_path, 2) as city:
        submitted = city[0].submit(destination=city.handset(0))
        await city.until(lambda: any(worker.carrier.in_flight for worker in city))
        for worker in city:
            worker.carrier.up(False)
        message = city[0].message("twice as much as there is", city.handset(0))
        shared(city, 0).submit(message)
        await city.settle()
        assert city[0].counted("link_results", "carrier", "deferred", "no_credit") == 3
        assert submitted.status == 0


async def test_to_a_platform_each_worker_speaks_itself(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2, "bot", window=2) as city:
        for number in range(4):
            city[0].submit(destination=city.handset(1, number))
        await city.until(lambda: city[1].bot.window_used == 2)
        await city.settle()
        assert (city[0].bot.sent, city[1].bot.window_used) == ([], 2)
        city[1].bot.accept_all()
        await city.until(lambda: len(city[1].bot.sent) == 4)
        assert city[1].bot.too_many == 0


async def test_a_worker_that_leaves_waits_for_what_others_do_for_it(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        await in_flight_at(city, holder=1, home=0)
        assert not await city[0].crossing.settle(0.0)
        waiting = spawn(city[0].crossing.settle(10.0), name="leaving")
        await city.settle()
        assert not waiting.done()
        city[1].carrier.accept_all()
        assert await waiting
        assert await city[0].crossing.settle(0.0)


async def test_a_worker_that_leaves_does_not_wait_for_the_dead(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        await in_flight_at(city, holder=1, home=0)
        waiting = spawn(city[0].crossing.settle(10.0), name="leaving")
        await city.die(1)
        assert await waiting


async def test_nothing_travels_twice_for_one_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A campaign crosses in batches: what it costs is per loop turn, not per message."""
    monkeypatch.setattr(meshes, "FRAME_ITEMS_MAX", 1_000)
    async with city_of(tmp_path, 2) as city:
        frames: list[int] = []
        take = city[1].crossing.mesh._on_items

        def count(peer: int, items: list[parcels.Parcel]) -> None:
            frames.append(len(items))
            take(peer, items)

        city[1].crossing.mesh._on_items = count  # type: ignore[assignment]
        sent = [city[0].submit(destination=city.handset(1, number)) for number in range(200)]
        await city.until(lambda: all(submitted.status == 0 for submitted in sent))
        assert frames[0] >= 200
