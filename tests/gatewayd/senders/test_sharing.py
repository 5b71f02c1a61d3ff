"""Deliveries of every home over binds held anywhere: windows never exceeded, none lost, each settled by its home."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.flow import parcels
from gatewayd.policy.retry import RETRY_FIRST_S
from protocol.smpp.errors import LocalFault
from tests.gatewayd.flow.several import ACCOUNTS, START, Bind, City, city_of, inbound

LATER, NEVER = 0x64, 0x0C


async def texts(city: City, home: int, count: int, first: int = 0, *, handsets: int = 1) -> None:
    """So many handsets of one home write, in turn; all of it is durable then."""
    for number in range(first, first + count):
        city[home].carrier.report(inbound(city.handset(home, number % handsets), f"{number:02}"))
    await city.settle()


async def owed(city: City, home: int) -> list[int]:
    """What a home would still bring after a restart."""
    await city[home].journal.fold()
    return [delivery_id for delivery_id, _ in city[home].spool.owed()]


async def test_a_bind_elsewhere_gets_what_its_window_takes_and_then_the_rest_in_order(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2, bind_window=3) as city:
        bind = Bind(city[1], "shop")
        await texts(city, 0, 10)
        await city.until(lambda: len(bind.unanswered) == 3)
        while len(bind.got) < 10:
            await city.until(lambda: bind.unanswered)
            bind.answer()
        assert bind.got == [f"{number:02}".encode() for number in range(10)]
        assert bind.most == 3
        await city.settle()
        assert await owed(city, 0) == []
        assert city[0].counted("deliveries", "shop", "smpp", "mo", "delivered") == 10
        assert not city[0].sharing.has_steps_away


async def test_one_window_is_shared_by_all_homes(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3, bind_window=2) as city:
        bind = Bind(city[0], "shop")
        for home in range(3):
            await texts(city, home, 20, 20 * home)
        firsts = []
        while len(bind.got) < 60:
            await city.until(lambda: bind.unanswered)
            bind.answer(count=1)
            await city.settle()
            firsts = bind.got[:30]
        assert bind.most == 2
        assert sorted(bind.got) == [f"{number:02}".encode() for number in range(60)]
        for home in range(3):
            of_home = [text for text in firsts if int(text) // 20 == home]
            assert len(of_home) >= 5, "nobody waits for the others to be done"
            assert of_home == sorted(of_home)


async def test_binds_of_several_workers_share_the_work(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3, bind_window=2) as city:
        binds = [Bind(worker, "shop") for worker in city]
        await texts(city, 1, 6, handsets=6)
        await city.until(lambda: [len(bind.unanswered) for bind in binds] == [2, 2, 2])


async def test_what_a_home_can_bring_itself_crosses_nothing(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3, bind_window=20) as city:
        binds = [Bind(worker, "shop") for worker in city]
        await texts(city, 1, 20, handsets=20)
        assert [len(bind.unanswered) for bind in binds] == [0, 20, 0]


async def test_who_comes_second_at_home_goes_elsewhere(tmp_path: Path) -> None:
    """In the turn in which it asked, another home took the last room of this worker's bind, and does not use it."""
    async with city_of(tmp_path, 3, bind_window=1) as city:
        ears = city[1].crossing.mesh._connections[0].transport
        assert ears is not None
        ears.pause_reading()
        Bind(city[0], "shop")
        elsewhere = Bind(city[2], "shop")
        city[0].carrier.report(inbound(city.handset(0), "hello"))
        city[0].journal.then(lambda _: city[0].sharing.hungry(1, "shop", 5), None)
        await city.until(lambda: elsewhere.unanswered)


async def test_one_handset_is_read_in_order_however_many_binds_there_are(tmp_path: Path) -> None:
    """And a bind that is stuck holds up those alone whose handset it was given."""
    async with city_of(tmp_path, 3, bind_window=2) as city:
        binds = [Bind(worker, "shop") for worker in city for _ in range(2)]
        await texts(city, 1, 5)
        await city.until(lambda: sum(len(bind.unanswered) for bind in binds) == 2)
        (stuck,) = [bind for bind in binds if bind.unanswered]
        others = [bind for bind in binds if bind is not stuck]
        for number in range(10, 20):
            city[1].carrier.report(inbound(city.handset(1, number), f"{number:02}"))
        await city.settle()
        while sum(len(bind.got) for bind in others) < 10:
            await city.until(lambda: any(bind.unanswered for bind in others))
            for bind in others:
                bind.answer()
        assert stuck.got == []
        got: list[bytes] = []
        while len(got) < 5:
            await city.until(lambda: any(bind.unanswered for bind in binds))
            (holder,) = [bind for bind in binds if bind.unanswered]
            got += [pdu.short_message for pdu, _ in holder.unanswered[:1]]
            holder.answer(count=1)
            await city.settle()
        assert got == [b"00", b"01", b"02", b"03", b"04"]
        assert await owed(city, 1) == []


async def test_when_the_bind_of_a_handset_is_lost_the_next_one_has_its_order_too(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2, bind_window=2) as city:
        binds = [Bind(worker, "shop") for worker in city]
        await texts(city, 0, 6)
        await city.until(lambda: any(bind.unanswered for bind in binds))
        await city.settle()
        (first,) = [bind for bind in binds if bind.unanswered]
        (second,) = [bind for bind in binds if bind is not first]
        first.cut()
        while len(second.got) < 6:
            await city.until(lambda: second.unanswered)
            second.answer(count=1)
        assert second.got == [f"{number:02}".encode() for number in range(6)]


async def test_what_waits_is_brought_when_a_bind_comes_anywhere(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3) as city:
        for home in range(3):
            await texts(city, home, 2, 2 * home)
        bind = Bind(city[2], "shop")
        await city.until(lambda: len(bind.unanswered) == 6)


async def test_accounts_do_not_disturb_each_other(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2, bind_window=1) as city:
        shop, bank = Bind(city[1], "shop"), Bind(city[1], "bank")
        await texts(city, 0, 3)
        city[0].carrier.report(inbound(city.handset(0), "for the bank", "36180"))
        await city.until(lambda: len(bank.unanswered) == 1 and len(shop.unanswered) == 1)
        assert bank.unanswered[0][0].short_message == b"for the bank"


async def test_a_lost_bind_gives_back_and_the_next_one_gets_it(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3) as city:
        first = Bind(city[1], "shop")
        await texts(city, 0, 3)
        await city.until(lambda: len(first.unanswered) == 3)
        first.answer(count=1)
        first.cut()
        await city.settle()
        second = Bind(city[2], "shop")
        await city.until(lambda: len(second.unanswered) == 2)
        second.answer()
        assert second.got == [b"01", b"02"]
        await city.settle()
        assert city[0].counted("deliveries", "shop", "smpp", "mo", "unanswered_lost") == 2


async def test_what_a_bind_refuses_for_now_comes_again_and_what_it_never_takes_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatewayd.senders.deliver.retry_delay_s", lambda attempts: 0.0 * RETRY_FIRST_S)
    async with city_of(tmp_path, 2) as city:
        bind = Bind(city[1], "shop")
        await texts(city, 0, 2)
        await city.until(lambda: len(bind.unanswered) == 2)
        bind.answer(LATER, count=1)
        bind.answer(NEVER)
        await city.until(lambda: bind.unanswered)
        assert [pdu.short_message for pdu, _ in bind.unanswered] == [b"00"]
        bind.answer()
        await city.settle()
        assert [
            city[0].counted("deliveries", "shop", "smpp", "mo", fate) for fate in ("retried", "rejected", "delivered")
        ] == [
            1,
            1,
            1,
        ]


async def test_what_cannot_be_written_as_a_deliver_sm_is_ended_by_its_home(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        bind = Bind(city[1], "shop")

        def refuse(pdu: object, context: object) -> None:
            raise LocalFault("field_too_long")

        bind.deliver = refuse  # type: ignore[method-assign]
        await texts(city, 0, 1)
        await city.until(lambda: city[0].counted("deliveries", "shop", "smpp", "mo", "unbuildable") == 1)
        assert await owed(city, 0) == []


async def test_what_expired_is_not_brought(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        await texts(city, 0, 2)
        city.now = START + ACCOUNTS["shop"].outbox_ttl_h * 3_600 + 1
        bind = Bind(city[1], "shop")
        await city.until(lambda: city[0].counted("deliveries", "shop", "smpp", "mo", "expired") == 2)
        assert not bind.unanswered


async def test_what_a_dead_holder_had_is_offered_again(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3) as city:
        first = Bind(city[1], "shop")
        await texts(city, 0, 3)
        await city.until(lambda: len(first.unanswered) == 3)
        first.answer(count=1)
        await city.settle()
        await city.die(1)
        assert not city[0].sharing.has_steps_away
        second = Bind(city[2], "shop")
        await city.until(lambda: len(second.unanswered) == 2)
        second.answer()
        await city.settle()
        assert second.got == [b"01", b"02"]


async def test_what_never_reached_a_holder_is_no_second_try(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        await texts(city, 0, 2)
        ears = city[1].crossing.mesh._connections[0].transport
        assert ears is not None
        ears.pause_reading()
        city[0].crossing.mesh._connections[1].pause_writing()
        city[0].sharing.granted(1, "shop", 2)
        await city.settle()
        assert city[0].sharing.has_steps_away
        await city.die(1)
        assert city[0].counted("deliveries", "shop", "smpp", "mo", "unanswered_lost") == 0
        bind = Bind(city[0], "shop")
        await city.until(lambda: len(bind.unanswered) == 2)


async def test_a_dead_home_brings_again_what_it_did_not_hear_of(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        bind = Bind(city[1], "shop")
        await texts(city, 0, 2)
        await city.until(lambda: len(bind.unanswered) == 2)
        await city.die(0)
        bind.answer()  # nobody is there to hear it
        await city.settle()
        await city.begin(0)
        await city.until(lambda: len(bind.unanswered) == 2)
        bind.answer()
        await city.settle()
        assert bind.got == [b"00", b"01", b"00", b"01"]
        assert await owed(city, 0) == []


async def test_credits_of_a_bind_that_is_gone_bring_nothing_to_anybody(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        await texts(city, 0, 1)
        city[0].sharing.granted(1, "shop", 5)  # and the bind was lost meanwhile
        await city.until(lambda: city[0].counted("deliveries", "shop", "smpp", "mo", "unanswered_lost") >= 1)
        bind = Bind(city[1], "shop")
        await city.until(lambda: len(bind.unanswered) == 1)


async def test_an_account_that_another_worker_does_not_know_yet_is_no_fault(tmp_path: Path) -> None:
    async with city_of(tmp_path, 2) as city:
        city[0].crossing.send(1, parcels.Hungry("account:new", 1))
        city[0].crossing.send(1, parcels.Grant("account:new", 1))
        city[0].crossing.send(1, parcels.GiveBack("account:new", 1))
        city[0].crossing.send(1, parcels.Delivered("new", 5, 0, ""))
        await city.settle()
        bind = Bind(city[1], "shop")
        await texts(city, 0, 1)
        await city.until(lambda: len(bind.unanswered) == 1)
        assert city[0].crossing.mesh.is_up(1)


async def test_credits_come_back_when_there_is_nothing_to_bring(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3, bind_window=4) as city:
        bind = Bind(city[0], "shop")
        for home in range(3):
            await texts(city, home, 3, 3 * home)
        while len(bind.got) < 9:
            await city.until(lambda: bind.unanswered)
            bind.answer()
        await city.settle()
        assert city[0].sharing._offices["shop"].granted == 0
        assert [len(worker.sharing._purses["shop"]) for worker in city] == [0, 0, 0]
