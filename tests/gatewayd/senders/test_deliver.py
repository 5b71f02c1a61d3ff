"""The outbox, with binds and a store that do what a test tells them."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest

from gatewayd.config import schema
from gatewayd.message import State
from gatewayd.policy.retry import RETRY_FIRST_S
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.trail import Trail
from gatewayd.senders import deliver
from gatewayd.senders.deliver import Outbox
from gatewayd.store.records import Delivery
from protocol.smpp.errors import LocalFault
from protocol.smpp.pdu import DeliverSm
from tests.support.watch import Watch

NOW = 1_000.0
TEMPORARY, FINAL = 0x64, 0x0B


def owed(number: int, account: str = "shop", due: float = NOW + 100.0, **fields: Any) -> Delivery:
    known: dict[str, Any] = {
        "id": number,
        "account": account,
        "kind": "receipt",
        "source_ton": 1,
        "source_npi": 1,
        "source": "33600000001",
        "destination_ton": 5,
        "destination_npi": 0,
        "destination": "SHOP",
        "created_at": NOW - 1.0,
        "due": due,
        "message_id": number,
        "state": State.DELIVRD,
    }
    return Delivery(**(known | fields))


class Store:
    """Deliveries by id, as the spool keeps them."""

    def __init__(self, *deliveries: Delivery) -> None:
        self.kept = {delivery.id: delivery for delivery in deliveries}
        self.saved: list[tuple[int, int]] = []
        self.noted: list[tuple[int, str]] = []
        self.reads = 0

    def owed(self) -> Iterator[tuple[int, str]]:
        yield from ((delivery.id, delivery.account) for delivery in self.kept.values())

    def deliveries(self, ids: Sequence[int]) -> list[Delivery]:
        self.reads += 1
        return [self.kept[number] for number in ids if number in self.kept]

    def settle_delivery(self, number: int) -> None:
        del self.kept[number]

    def save_delivery(self, delivery: Delivery) -> None:
        self.saved.append((delivery.id, delivery.attempts))

    def note(self, number: int, word: str, **facts: str) -> None:
        self.noted.append((number, word))


class Bind:
    """An application's bind: keeps what it is given, unanswered."""

    def __init__(self, account: str = "shop") -> None:
        self.account_name = account
        self.account_settings = schema.Account()
        self.receipt_form = None
        self.can_deliver = True
        self.given: list[Delivery] = []
        self.open: list[Delivery] = []
        self.fault = ""
        self.peername = "192.0.2.1:4000"
        self.watch = Watch()

    @property
    def engine(self) -> Bind:
        return self

    @property
    def pump(self) -> Bind:
        return self

    @property
    def window_used(self) -> int:
        return len(self.open)

    @property
    def ids(self) -> list[int]:
        return [delivery.id for delivery in self.given]

    def deliver(self, pdu: DeliverSm, delivery: Delivery) -> None:
        if self.fault:
            raise LocalFault(self.fault)
        self.given.append(delivery)
        self.open.append(delivery)
        self.watch.ring()


class Stage:
    """An outbox for two accounts, its store and its clock."""

    def __init__(self, *deliveries: Delivery, depth: int = 100, window: int = 10) -> None:
        self.store = Store(*deliveries)
        self.metrics = Metrics("test")
        self.now = NOW
        depths = {"shop": (depth, window), "bank": (depth, window)}
        self.outbox = Outbox(cast(Any, self.store), depths, self.metrics, Trail(), clock=lambda: self.now)

    def bind(self, account: str = "shop") -> Bind:
        bind = Bind(account)
        self.outbox.join(cast(Any, bind))
        return bind

    def add(self, *deliveries: Delivery) -> None:
        for delivery in deliveries:
            self.store.kept[delivery.id] = delivery
        self.outbox.add(list(deliveries))

    def answer(self, bind: Bind, status: int = 0) -> None:
        self.outbox.answered(cast(Any, bind), bind.open.pop(0), status)

    def lose(self, bind: Bind) -> None:
        """The connection ends: first the unanswered come back, then the bind is gone."""
        bind.can_deliver = False
        for delivery in bind.open:
            self.outbox.unanswered(cast(Any, bind), delivery, "lost")
        self.outbox.leave(cast(Any, bind))

    def count(self, outcome: str) -> int:
        return sum(tally.value for (*_, word), tally in self.metrics.deliveries.items() if word == outcome)


@pytest.fixture
def stages() -> Iterator[Any]:
    made: list[Stage] = []

    def stage(*deliveries: Delivery, **options: int) -> Stage:
        made.append(Stage(*deliveries, **options))
        return made[-1]

    yield stage
    for each in made:
        each.outbox.stop()


async def turn() -> None:
    """Let what was asked for at the end of the loop turn happen."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


@pytest.mark.parametrize("accounts", [["shop"], ["shop", "bank"]])
async def test_few_accounts_share_what_goes_in_a_turn(stages: Any, accounts: list[str]) -> None:
    """As much as one turn takes from many binds; with 200 for each account, receipts piled up behind eight binds."""
    stage = stages(depth=9_999, window=9_999)
    binds = [stage.bind(account) for account in accounts]
    numbers = iter(range(1, 9_999))
    for account in accounts:
        stage.add(*[owed(next(numbers), account, source=f"336{number:08}") for number in range(1_500)])
    await asyncio.sleep(0)
    assert [len(bind.given) for bind in binds] == [deliver.LOAD_MAX_OF_ALL // len(accounts)] * len(accounts)


async def test_what_is_owed_goes_to_the_bind_in_order_and_is_settled(stages: Any) -> None:
    stage = stages()
    bind = stage.bind()
    stage.add(*map(owed, (1, 2, 3)))
    await turn()
    assert bind.ids == [1, 2, 3]
    assert stage.store.reads == 0, "what is new is still in memory"
    for _ in range(3):
        stage.answer(bind)
    assert stage.store.kept == {}
    assert stage.count("delivered") == 3


async def test_what_the_last_run_left_waits_for_a_bind(stages: Any) -> None:
    stage = stages(owed(1), owed(2, "bank"), owed(3, "gone"))
    stage.outbox.start()
    assert dict(stage.outbox.depths()) == {("shop", "smpp"): 1, ("bank", "smpp"): 1, ("gone", "smpp"): 1}
    bind = stage.bind()
    await turn()
    assert bind.ids == [1]


async def test_a_window_bounds_each_bind_and_both_are_used(stages: Any) -> None:
    stage = stages(window=2)
    one, two = stage.bind(), stage.bind()
    stage.add(*(owed(number, source=f"3360000000{number}") for number in range(1, 8)))
    await turn()
    assert (len(one.given), len(two.given)) == (2, 2)
    stage.answer(one)
    await turn()
    assert sorted(one.ids + two.ids) == [1, 2, 3, 4, 5]
    assert dict(stage.outbox.depths())["shop", "smpp"] == 2


async def test_a_bind_that_cannot_take_more_is_passed_over_until_it_is_ready(stages: Any) -> None:
    stage = stages()
    bind = stage.bind()
    bind.can_deliver = False
    stage.add(owed(1))
    await turn()
    assert bind.ids == []
    bind.can_deliver = True
    stage.outbox.ready(cast(Any, bind))
    await turn()
    assert bind.ids == [1]


async def test_what_a_lost_bind_had_not_answered_goes_first_to_the_next(stages: Any) -> None:
    stage = stages(window=3)
    first = stage.bind()
    stage.add(*map(owed, range(1, 6)))
    await turn()
    stage.answer(first)
    stage.lose(first)
    second = stage.bind()
    await turn()
    assert second.ids == [2, 3, 4]
    assert stage.count("unanswered_lost") == 2


async def test_a_final_refusal_ends_a_delivery(stages: Any) -> None:
    stage = stages()
    bind = stage.bind()
    stage.add(owed(1))
    await turn()
    stage.answer(bind, FINAL)
    assert stage.store.kept == {}
    assert stage.count("rejected") == 1


@pytest.mark.parametrize("how", ["refused", "timeout"])
async def test_a_temporary_refusal_is_tried_again_later(stages: Any, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver, "retry_delay_s", lambda attempts: 0.0)
    stage = stages()
    bind = stage.bind()
    stage.add(owed(1))
    await turn()
    if how == "refused":
        stage.answer(bind, TEMPORARY)
    else:
        stage.outbox.unanswered(cast(Any, bind), bind.open.pop(), "timeout")
    assert stage.store.saved == [(1, 1)]
    assert dict(stage.outbox.depths())["shop", "smpp"] == 1, "it still counts"
    await bind.watch.until(lambda: len(bind.given) == 2)
    assert bind.ids == [1, 1]
    stage.answer(bind)
    assert stage.store.kept == {}


async def test_a_retry_waits_its_time(stages: Any) -> None:
    stage = stages()
    bind = stage.bind()
    stage.add(owed(1), owed(2))
    await turn()
    stage.answer(bind, TEMPORARY)
    stage.answer(bind, TEMPORARY)
    await turn()
    assert len(bind.given) == 2
    at = stage.outbox._retries.at
    assert at is not None
    assert at - asyncio.get_running_loop().time() == pytest.approx(RETRY_FIRST_S, abs=0.5)


async def test_what_is_over_is_not_delivered(stages: Any) -> None:
    stage = stages()
    stage.add(owed(1, due=NOW), owed(2))
    bind = stage.bind()
    await turn()
    assert bind.ids == [2]
    assert stage.count("expired") == 1


async def test_what_waits_for_an_account_that_stays_away_is_over_in_the_end(stages: Any) -> None:
    stage = stages(owed(1, due=NOW + 1), owed(2, due=NOW + 2), owed(3, due=NOW + 50))
    stage.outbox.start()
    first = stage.bind()
    await turn()
    stage.answer(first, TEMPORARY)  # 1 is postponed, 2 and 3 come back
    stage.lose(first)
    stage.now = NOW + 10
    stage.outbox._sweep()
    assert list(stage.store.kept) == [3]
    assert stage.count("expired") == 2
    assert dict(stage.outbox.depths())["shop", "smpp"] == 1


async def test_many_that_are_over_at_once_are_ended_in_slices(stages: Any) -> None:
    stage = stages(*(owed(number, due=NOW) for number in range(1, deliver.SWEEP_MAX + 3)))
    stage.outbox.start()
    assert stage.count("expired") == deliver.SWEEP_MAX
    at = stage.outbox._sweeps.at
    assert at is not None
    assert at - asyncio.get_running_loop().time() < deliver.SWEEP_S / 2
    stage.outbox._sweep()
    assert stage.count("expired") == deliver.SWEEP_MAX + 2


async def test_an_outbox_is_bounded_and_gives_up_its_oldest(stages: Any) -> None:
    stage = stages(depth=2)
    stage.add(owed(1), owed(2))
    assert not stage.outbox.has_room("shop")
    assert stage.outbox.has_room("bank")
    assert stage.outbox.has_room("nobody")  # perhaps no longer configured; what is owed to it must expire somewhere
    stage.outbox.make_room("shop")
    assert list(stage.store.kept) == [2]
    assert stage.outbox.has_room("shop")
    assert stage.count("overflow") == 1


async def test_what_was_refused_for_now_counts_towards_the_bound(stages: Any) -> None:
    stage = stages(depth=2)
    bind = stage.bind()
    stage.add(owed(1), owed(2))
    await turn()
    stage.answer(bind, TEMPORARY)
    stage.answer(bind, TEMPORARY)
    assert not stage.outbox.has_room("shop")
    stage.outbox.make_room("shop")
    stage.outbox.make_room("shop")
    stage.outbox.make_room("shop")  # nothing is left to drop
    assert stage.store.kept == {}
    assert stage.count("overflow") == 2


async def test_the_oldest_of_all_is_dropped_first(stages: Any) -> None:
    stage = stages(window=1)
    bind = stage.bind()
    stage.add(owed(5), owed(6))
    await turn()
    stage.lose(bind)  # 5 came back, 6 never left
    stage.outbox.make_room("shop")
    assert list(stage.store.kept) == [6]


@pytest.mark.parametrize(("fault", "left"), [("window_full", [1]), ("closed", [1]), ("field_too_long", [])])
async def test_what_cannot_be_sent_comes_back_or_ends(stages: Any, fault: str, left: list[int]) -> None:
    stage = stages()
    bind = stage.bind()
    bind.fault = fault
    stage.add(owed(1))
    await asyncio.sleep(0)
    assert list(stage.store.kept) == left
    bind.can_deliver = False
    assert stage.count("unbuildable") == len({1} - set(left))


async def test_ages_are_those_of_the_oldest(stages: Any) -> None:
    stage = stages()
    stage.add(owed(1, created_at=NOW - 30), owed(2, created_at=NOW - 5))
    assert dict(stage.outbox.ages()) == {("shop", "smpp"): 30.0, ("bank", "smpp"): 0.0}


async def test_after_the_stop_nothing_moves(stages: Any) -> None:
    stage = stages()
    bind = stage.bind()
    stage.outbox.stop()
    stage.add(owed(1))
    await turn()
    assert bind.ids == []
    assert list(stage.store.kept) == [1]


async def test_accounts_do_not_wait_for_one_another(stages: Any) -> None:
    stage = stages(window=1)
    shop, bank = stage.bind("shop"), stage.bind("bank")
    stage.add(owed(1), owed(2), owed(3, "bank"))
    await turn()
    assert (shop.ids, bank.ids) == ([1], [3])


# -- one that follows another -----------------------------------------------------------------------------------------


async def test_what_follows_another_waits_for_its_answer_whatever_binds_there_are(stages: Any) -> None:
    it = stages()
    one, other = it.bind(), it.bind()
    it.add(owed(1), owed(2, follows=1), owed(3))
    await asyncio.sleep(0)
    assert sorted(one.ids + other.ids) == [1, 3]
    first = one if 1 in one.ids else other
    it.answer(first, TEMPORARY)
    await asyncio.sleep(0)
    assert 2 not in one.ids + other.ids
    assert it.outbox.depths()[0] == (("shop", "smpp"), 2)


@pytest.mark.parametrize("status", [0, FINAL])
async def test_it_goes_once_the_other_has_had_its_end(stages: Any, status: int) -> None:
    it = stages()
    bind = it.bind()
    it.add(owed(1), owed(2, follows=1))
    await asyncio.sleep(0)
    it.answer(bind, status)
    await asyncio.sleep(0)
    assert bind.ids == [1, 2]
    it.answer(bind)
    assert (it.store.kept, it.outbox.depths()[0]) == ({}, (("shop", "smpp"), 0))


async def test_after_a_restart_the_order_is_the_same(stages: Any) -> None:
    it = stages(owed(1), owed(2, follows=1), owed(3, follows=99))
    it.outbox.start()
    bind = it.bind()
    await asyncio.sleep(0)
    assert bind.ids == [1, 3]
    it.answer(bind)
    await asyncio.sleep(0)
    assert bind.ids == [1, 3, 2]


async def test_one_that_waited_for_another_can_be_dropped(stages: Any) -> None:
    it = stages(depth=2)
    bind = it.bind()
    it.add(owed(1), owed(2, follows=1))
    await asyncio.sleep(0)
    it.outbox.make_room("shop")
    assert (it.count("overflow"), list(it.store.kept)) == (1, [1])
    it.answer(bind)
    await asyncio.sleep(0)
    assert bind.ids == [1]


async def test_what_waits_costs_eight_octets_each(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    count = 50_000
    stage.store.kept = dict.fromkeys((number << 20 for number in range(count)), owed(1))
    monkeypatch.setattr(stage.store, "owed", lambda: ((number << 20, "shop") for number in range(count)))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        stage.outbox.start()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 12 * count
    stage.outbox.stop()
