"""The courier, with endpoints and a store that do what a test tells them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest

from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.trail import Trail
from gatewayd.senders import courier as module
from gatewayd.senders.courier import HOT_MAX, LOAD_MAX, REFUSALS_MAX, Courier
from gatewayd.senders.gates import Verdict
from gatewayd.senders.lanes import Terms
from gatewayd.store.records import Delivery
from tests.support.watch import Watch

NOW = 1_000.0
TAKEN, LATER, REFUSED, GONE = (Verdict(fate, fate) for fate in ("taken", "later", "refused", "gone"))


def owed(number: int, handset: int = 0, account: str = "shop", due: float = NOW + 100.0) -> Delivery:
    return Delivery(
        number, account, "receipt", 1, 1, f"3360000{handset:04}", 5, 0, "SHOP", NOW - 1.0, due, sink="webhook"
    )


class Store:
    """Deliveries and dead letters by id, as the spool keeps them."""

    def __init__(self) -> None:
        self.kept: dict[int, Delivery] = {}
        self.buried: dict[int, Delivery] = {}
        self.noted: list[tuple[int, str]] = []

    def owed(self, sink: str) -> Iterator[tuple[int, str]]:
        yield from ((each.id, each.account) for each in self.kept.values() if each.sink == sink)

    def dead(self, sink: str) -> Iterator[tuple[int, str]]:
        yield from ((each.id, each.account) for each in self.buried.values() if each.sink == sink)

    def deliveries(self, ids: Sequence[int]) -> list[Delivery]:
        return [self.kept[number] for number in ids if number in self.kept]

    def dead_letters(self, ids: Sequence[int]) -> list[Delivery]:
        return [self.buried[number] for number in ids if number in self.buried]

    def settle_delivery(self, number: int) -> None:
        del self.kept[number]

    def save_delivery(self, delivery: Delivery) -> None:
        assert delivery.id in self.kept

    def note(self, number: int, word: str, **facts: str) -> None:
        self.noted.append((number, word))

    def bury(self, dead: Delivery) -> None:
        del self.kept[dead.id]
        self.buried[dead.id] = dead

    def revive(self, delivery: Delivery) -> None:
        del self.buried[delivery.id]
        self.kept[delivery.id] = delivery

    def forget_dead(self, number: int) -> None:
        del self.buried[number]


class Endpoint:
    """Takes all, unless told otherwise. ``verdicts`` are given out first, one a delivery."""

    def __init__(self, concurrency: int = 4, batch_max: int = 1) -> None:
        self.concurrency = concurrency
        self.batch_max = batch_max
        self.verdict = TAKEN
        self.verdicts: list[Verdict] = []
        self.judge: Any = None
        self.tries: list[int] = []
        self.taken: list[int] = []
        self.batches: list[int] = []
        self.is_closed = False
        self.watch = Watch()

    async def post(self, batch: Sequence[Delivery]) -> list[Verdict]:
        self.batches.append(len(batch))
        said = [self._say(delivery) for delivery in batch]
        self.watch.ring()
        return said

    def _say(self, delivery: Delivery) -> Verdict:
        self.tries.append(delivery.id)
        verdict: Verdict = self.judge(delivery) if self.judge else self.verdict
        verdict = self.verdicts.pop(0) if self.verdicts else verdict
        if verdict.fate == "taken":
            self.taken.append(delivery.id)
        return verdict

    async def close(self) -> None:
        self.is_closed = True


class Stage:
    """A courier for two accounts of one endpoint, its store and its clock."""

    def __init__(self, endpoint: Endpoint | None = None, depth: int = 100_000) -> None:
        self.store = Store()
        self.metrics = Metrics("test")
        self.endpoint = endpoint or Endpoint()
        self.now = NOW
        self.courier = Courier("webhook", cast(Any, self.store), self.metrics, Trail(), lambda: self.now, lambda: 1.0)
        self.terms = {name: Terms("crm", depth, 100.0, 50.0) for name in ("shop", "bank")}
        self.configure()

    def configure(self) -> None:
        self.courier.configure(self.terms, {"crm": self.endpoint})

    def add(self, *deliveries: Delivery) -> None:
        for delivery in deliveries:
            self.store.kept[delivery.id] = delivery
            while not self.courier.has_room(delivery.account):
                self.courier.make_room(delivery.account)
        self.courier.add(list(deliveries))

    async def until(self, condition: Any) -> None:
        await self.endpoint.watch.until(condition)

    def count(self, outcome: str) -> int:
        return sum(tally.value for (*_, word), tally in self.metrics.deliveries.items() if word == outcome)

    async def settled(self) -> None:
        """Until nothing is owed."""
        while any(depth for _, depth in self.courier.depths()):  # noqa: ASYNC110  # a courier rings for nobody
            await asyncio.sleep(0)


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(module, "post_delay_s", lambda attempts, share: 0.0)
    return Stage()


async def test_all_is_brought_in_order_for_each_handset(stage: Stage) -> None:
    stage.add(*(owed(number, number % 7) for number in range(200)))
    await stage.settled()
    for handset in range(7):
        taken = [number for number in stage.endpoint.taken if number % 7 == handset]
        assert taken == sorted(taken)
    assert len(stage.endpoint.taken) == 200
    assert (stage.store.kept, stage.count("delivered")) == ({}, 200)


async def test_the_order_holds_whatever_an_endpoint_answers(stage: Stage) -> None:
    chance = random.Random(5)
    stage.endpoint.judge = lambda delivery: chance.choice([TAKEN, TAKEN, LATER])
    stage.add(*(owed(number, number % 5) for number in range(300)))
    while any(depth for _, depth in stage.courier.depths()):
        stage.courier.offer_now("shop")
        await asyncio.sleep(0)
    for handset in range(5):
        taken = [number for number in stage.endpoint.taken if number % 5 == handset]
        assert taken == sorted(taken)
    assert sorted(stage.endpoint.taken) == list(range(300))


async def test_what_the_last_run_owed_is_taken_up(stage: Stage) -> None:
    stage.store.kept = {number: owed(number) for number in range(3)}
    stage.store.buried = {7: owed(7)}
    stage.courier.start()
    await stage.settled()
    assert stage.endpoint.taken == [0, 1, 2]
    assert dict(stage.courier.dead_counts())["shop", "webhook"] == 1


async def test_memory_is_bounded_while_an_endpoint_is_down(stage: Stage) -> None:
    stage.endpoint.verdict = LATER
    for start in range(0, 30_000, 1_000):
        stage.add(*(owed(number, number % 500) for number in range(start, start + 1_000)))
        await asyncio.sleep(0)
    courier = stage.courier
    (lane,) = (lane for name, lane in courier._lanes.items() if name == "shop")
    assert len(courier._hot) <= HOT_MAX
    assert len(lane.loaded) <= LOAD_MAX
    assert len(lane.held) <= LOAD_MAX
    assert lane.owed == 30_000 == len(stage.store.kept)
    assert len(stage.endpoint.tries) < 20
    stage.endpoint.verdict = TAKEN
    courier.offer_now("shop")
    await stage.settled()
    assert sorted(stage.endpoint.taken) == list(range(30_000))


async def test_a_breaker_leaves_an_endpoint_alone_and_a_probe_brings_all_back(stage: Stage) -> None:
    stage.endpoint.verdict = LATER
    stage.add(*(owed(number, number) for number in range(100)))
    await stage.until(lambda: dict(stage.courier.states())["webhook", "crm"] == 2)
    tries = len(stage.endpoint.tries)
    assert tries < 20
    stage.endpoint.verdict = TAKEN
    await stage.until(lambda: len(stage.endpoint.taken) == 100)
    assert dict(stage.courier.states())["webhook", "crm"] == 0


async def test_what_is_refused_for_good_becomes_a_dead_letter_after_a_few_tries(stage: Stage) -> None:
    stage.endpoint.judge = lambda delivery: REFUSED if delivery.id == 1 else TAKEN
    stage.add(owed(1), owed(2), owed(3, handset=3))
    await stage.settled()
    assert stage.endpoint.tries.count(1) == REFUSALS_MAX
    assert stage.store.noted == [(1, "delivery_failed")] * REFUSALS_MAX + [(1, "delivery_ended")]
    assert stage.endpoint.taken == [3, 2]
    (dead,) = stage.courier.dead_letters("shop")
    assert dead.facts is not None
    assert (dead.id, dead.facts.dead_because, dead.facts.dead_at, dead.due) == (1, "refused", NOW, NOW + 50.0)


async def test_what_is_over_becomes_a_dead_letter_and_can_be_replayed(stage: Stage) -> None:
    stage.add(owed(1, due=NOW), owed(2))
    await stage.settled()
    assert (stage.endpoint.taken, stage.count("expired")) == ([2], 1)
    stage.now += 10.0
    assert stage.courier.replay("shop", [5]) == 0
    assert stage.courier.replay("shop") == 1
    await stage.settled()
    assert stage.endpoint.taken == [2, 1]
    assert (stage.courier.dead_letters("shop"), stage.courier.replay("nobody")) == ([], 0)


async def test_what_waits_for_an_endpoint_that_stays_away_is_over_in_the_end(stage: Stage) -> None:
    stage.endpoint.verdict = GONE
    stage.add(*(owed(number, number % 2) for number in range(20)))
    await stage.until(lambda: dict(stage.courier.states())["webhook", "crm"] == 3)
    stage.now += 200.0
    stage.courier._sweep()
    assert (stage.store.kept, len(stage.store.buried)) == ({}, 20)
    stage.now += 100.0
    stage.courier._sweep()
    assert stage.store.buried == {}
    await stage.courier.stop(1.0)


async def test_an_endpoint_that_is_gone_is_tried_again_after_a_reload(stage: Stage) -> None:
    stage.endpoint.verdict = GONE
    stage.add(owed(1), owed(2))
    await stage.until(lambda: dict(stage.courier.states())["webhook", "crm"] == 3)
    tries = len(stage.endpoint.tries)
    stage.endpoint.verdict = TAKEN
    stage.add(owed(3))
    await asyncio.sleep(0)
    assert len(stage.endpoint.tries) == tries
    stage.configure()
    await stage.settled()
    assert stage.endpoint.taken == [1, 2, 3]


async def test_another_poster_takes_over_and_the_old_one_is_closed(stage: Stage) -> None:
    old, stage.endpoint = stage.endpoint, Endpoint()
    stage.configure()
    stage.add(owed(1))
    await stage.settled()
    assert (old.is_closed, old.taken, stage.endpoint.taken) == (True, [], [1])


async def test_an_account_without_an_endpoint_waits_for_one(stage: Stage) -> None:
    terms, stage.terms = stage.terms, {}
    stage.configure()
    stage.add(owed(1))
    await asyncio.sleep(0)
    assert stage.endpoint.tries == []
    stage.terms = terms
    stage.configure()
    await stage.settled()
    assert stage.endpoint.taken == [1]


async def test_a_lane_is_bounded_and_gives_up_its_oldest(stage: Stage) -> None:
    stage.terms = {"shop": Terms("crm", 10, 100.0, 50.0)}
    stage.endpoint.verdict = GONE
    stage.configure()
    stage.add(*(owed(number, number % 2) for number in range(25)))
    await asyncio.sleep(0)
    for number in range(25, 60):
        stage.add(owed(number, 0))
        await asyncio.sleep(0)
    assert len(stage.store.kept) <= 10 + stage.endpoint.concurrency
    assert stage.count("overflow") == 60 - len(stage.store.kept)
    assert stage.courier.has_room("bank")


async def test_several_go_in_one_batch_where_the_poster_can(stage: Stage) -> None:
    stage.endpoint.concurrency, stage.endpoint.batch_max = 1, 10
    stage.add(*(owed(number, number) for number in range(20)), *(owed(100 + number) for number in range(3)))
    await stage.settled()
    assert stage.endpoint.batches[:2] == [10, 10]
    assert sorted(stage.endpoint.taken) == [*range(20), 100, 101, 102]


async def test_accounts_share_an_endpoint_in_turn(stage: Stage) -> None:
    stage.endpoint.concurrency = 1
    stage.add(*(owed(number, number) for number in range(50)))
    stage.add(*(owed(100 + number, number, "bank") for number in range(5)))
    await stage.settled()
    assert max(map(stage.endpoint.taken.index, range(100, 105))) < 15


async def test_a_pause_is_no_failure(stage: Stage) -> None:
    stage.endpoint.concurrency = 1
    stage.endpoint.verdicts = [Verdict("later", "429", 0.01)] * 6
    stage.add(owed(1), owed(2))
    await stage.until(lambda: stage.endpoint.taken == [1, 2])
    assert stage.store.kept == {} or stage.store.kept.keys() == {2}


async def test_an_endpoint_that_cannot_be_reached_is_not_tried_until_it_is_back(stage: Stage) -> None:
    """As a broker without a connection: no attempt, no write, no breaker."""
    stage.endpoint.concurrency = 0
    stage.add(*(owed(number, number % 3) for number in range(30)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert stage.endpoint.tries == []
    stage.endpoint.verdicts = [Verdict("later", "disconnected", pause_s=3_600.0)] * 2
    stage.endpoint.concurrency = 2
    stage.courier.is_back("crm")
    await stage.until(lambda: len(stage.endpoint.tries) == 2)
    stage.courier.is_back("crm")
    await stage.settled()
    assert (sorted(stage.endpoint.taken), stage.count("retried")) == (list(range(30)), 0)


async def test_a_fault_of_ours_loses_nothing(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    faults = [ValueError("ours")]

    def judge(delivery: Delivery) -> Verdict:
        if faults:
            raise faults.pop()
        return TAKEN

    stage.endpoint.judge = judge
    stage.add(owed(1))
    await stage.settled()
    assert stage.endpoint.taken == [1]
    assert "a post failed" in caplog.text


async def test_ages_are_those_of_the_oldest(stage: Stage) -> None:
    stage.endpoint.verdict = GONE
    stage.add(owed(1), owed(2))
    await stage.until(lambda: stage.endpoint.tries)
    await asyncio.sleep(0)
    stage.now += 29.0
    assert dict(stage.courier.ages()) == {("shop", "webhook"): 30.0, ("bank", "webhook"): 0.0}
    assert dict(stage.courier.bounds()) == {("shop", "webhook"): 100_000, ("bank", "webhook"): 100_000}


@pytest.mark.parametrize("seed", range(8))
async def test_what_is_dropped_is_posted_no_more_and_the_rest_keeps_its_order(stage: Stage, seed: int) -> None:
    """Wherever it waits: new, loaded, behind another of its handset, failed, or ready to go again."""
    chance = random.Random(seed)
    stage.endpoint.judge = lambda delivery: chance.choice([TAKEN, LATER, LATER])
    stage.add(*(owed(number, number % 5) for number in range(120)), owed(900, 1, account="bank"))
    for _ in range(chance.randrange(20)):
        stage.courier.offer_now("shop")
        await asyncio.sleep(0)
    chosen = {number: "receipt" for number in (*range(0, 120, 3), 900) if number in stage.store.kept}
    on_its_way = set(stage.store.kept) - {*chosen}
    dropped = stage.courier.drop("shop", chosen)
    gone = {*chosen} - set(stage.store.kept)
    assert (len(gone), stage.count("dropped")) == (dropped, dropped)
    assert dropped >= 20
    assert 900 not in gone  # another account's, whatever is said
    before = len(stage.endpoint.tries)
    while any(depth for _, depth in stage.courier.depths()):
        stage.courier.offer_now("shop")
        stage.courier.offer_now("bank")
        await asyncio.sleep(0)
    assert gone.isdisjoint(stage.endpoint.tries[before:])
    assert on_its_way <= set(stage.endpoint.taken)
    for handset in range(5):
        taken = [number for number in stage.endpoint.taken if number < 900 and number % 5 == handset]
        assert taken == sorted(taken)
    assert stage.courier.drop("nobody", chosen) == 0
    assert (stage.courier.knows("shop"), stage.courier.knows("nobody")) == (True, False)
