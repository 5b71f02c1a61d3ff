"""Whatever happens in whatever order, workers dying among it: each message that was taken has one fate in the end."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gatewayd.message import Accepted, Deferred, Outcome, Receipt, Refused, Unknown
from gatewayd.policy.homes import home_of
from tests.gatewayd.flow.several import Bind, City, Part, Submitted, city_of, receipt

WORKERS = 3
STEPS = 150


class Carrier:
    """What a carrier knows: whom it took which message for, and which receipts it still has to bring."""

    def __init__(self, city: City, chance: random.Random) -> None:
        self.city = city
        self.chance = chance
        self.handsets: dict[int, str] = {}
        self.taken: dict[str, int] = {}
        self.copies: dict[int, int] = {}
        self.owed: list[Receipt] = []

    def answer(self, part: Part, outcome: str) -> None:
        message_id, _ = part.in_flight[0]
        if outcome != "accept":
            part.answer(self._other(outcome))
            return
        name = f"{len(self.taken)}"
        self.taken[name] = message_id
        self.copies[message_id] = self.copies.get(message_id, 0) + 1
        told = receipt(name, self._handset(message_id))
        if self.chance.random() < 0.3:
            self._bring(told)
        else:
            self.owed.append(told)
        part.answer(Accepted(name))

    def _other(self, outcome: str) -> Outcome:
        if outcome == "refuse":
            return Refused("ESME_RINVDSTADR")
        return Deferred("ESME_RMSGQFUL", 1.0) if outcome == "defer" else Unknown("timeout")

    def _handset(self, message_id: int) -> str:
        """Now and then another number than that of the message, or none."""
        return self.chance.choices([self.handsets[message_id], "33699999999", ""], [8, 1, 1])[0]

    def _bring(self, told: Receipt) -> None:
        workers = [worker for worker in self.city if worker.carrier.is_up]
        if workers:
            self.chance.choice(workers).carrier.report(told)
        else:
            self.owed.append(told)

    def bring_one(self) -> None:
        if self.owed:
            self._bring(self.owed.pop(self.chance.randrange(len(self.owed))))

    def offer_again(self, part: Part, *, is_lost: bool = False) -> None:
        """What was refused for now; and when the bind is lost, what had no answer."""
        refused = [token for token, stored in part.acknowledged if not stored]
        part.acknowledged.clear()
        for token in [*refused, *(part.reported if is_lost else ())]:
            assert isinstance(token, Receipt)
            self.owed.append(token)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("deadly", [False, True], ids=["all live", "some die"])
async def test_each_message_has_one_fate(
    tmp_path: Path, seed: int, deadly: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatewayd.senders.deliver.retry_delay_s", lambda attempts: 0.0)
    chance = random.Random(seed)
    async with city_of(tmp_path, WORKERS, window=4, bind_window=3) as city:
        carrier = Carrier(city, chance)
        sent: list[Submitted] = []
        binds: list[Bind] = []
        fates: list[tuple[str, str]] = []
        for _ in range(STEPS):
            await _step(city, carrier, sent, binds, chance, deadly)
            if chance.random() < 0.3:
                await city.settle()
        await _end(city, carrier, binds)
        fates = city.fates(*binds)
        taken = [submitted for submitted in sent if submitted.status == 0]
        missing = {f"{submitted.id:x}" for submitted in taken} - {message_id for message_id, _ in fates}
        assert not missing, f"lost, seed {seed}"
        states: dict[str, set[str]] = {}
        for message_id, state in fates:
            states.setdefault(message_id, set()).add(state)
        assert all(len(of_one) == 1 for of_one in states.values()), f"two fates, seed {seed}"
        if not deadly:
            assert len(fates) == len(taken) == len(sent), "no receipt twice"
            assert all(submitted.status == 0 for submitted in sent)
        for worker in city:
            assert worker.carrier.too_many == 0
            assert worker.carrier.most <= 4
            assert not worker.desk.flying
            assert worker.crossing.mesh.is_up((worker.slot + 1) % WORKERS)
        assert max(bind.most for bind in binds) <= 3


async def _step(
    city: City, carrier: Carrier, sent: list[Submitted], binds: list[Bind], chance: random.Random, deadly: bool
) -> None:
    worker = city[chance.choice(list(city.workers))]
    events = ["submit", "answer", "receipt", "bind", "lose", "esme", "again", "move"]
    event = chance.choices([*events, "die", "begin"], [10, 12, 8, 1, 1, 6, 1, 1, 0.7 * deadly, 2 * deadly])[0]
    living = [bind for bind in binds if bind.can_deliver]
    match event:
        case "submit":
            handset = f"336{chance.randrange(100_000):08}"
            submitted = worker.submit(destination=handset)
            carrier.handsets[submitted.id] = handset
            sent.append(submitted)
        case "answer" if worker.carrier.in_flight:
            how = chance.choices(["accept", "refuse", "defer", "silent"], [12, 1, 2, 2])[0]
            carrier.answer(worker.carrier, how)
        case "receipt":
            carrier.bring_one()
        case "bind":
            binds.append(Bind(worker, "shop"))
        case "lose" if living:
            chance.choice(living).cut()
        case "esme" if living:
            chance.choice(living).answer(chance.choices([0, 0x64], [8, 1])[0], count=2)
        case "again":
            carrier.offer_again(worker.carrier)
        case "move":
            await city.wait(2.0)
        case "die" if len(city.workers) > 1:
            for bind in living:
                if bind.worker is worker:
                    bind.can_deliver = False
                    bind.unanswered.clear()
            carrier.offer_again(worker.carrier, is_lost=True)
            await city.die(worker.slot)
        case "begin" if len(city.workers) < WORKERS:
            await city.begin(next(slot for slot in range(WORKERS) if slot not in city.workers))


async def _end(city: City, carrier: Carrier, binds: list[Bind]) -> None:
    """Everybody is there and willing, until there is nothing left to do."""
    for slot in range(WORKERS):
        if slot not in city.workers:
            await city.begin(slot)
    await city.until_whole()
    binds.append(Bind(city[0], "shop"))
    idle = 0
    while idle < 5:
        await city.settle()
        work = 0
        for worker in city:
            while worker.carrier.in_flight:
                carrier.answer(worker.carrier, "accept")
                work += 1
        work += len(carrier.owed)
        while carrier.owed:
            carrier.bring_one()
        await city.settle()
        for worker in city:
            carrier.offer_again(worker.carrier)
        for bind in binds:
            work += len(bind.unanswered)
            bind.answer()
        await city.wait(400.0)
        work += sum(len(queue) for worker in city for queue in worker.desk.queues.values())
        idle = 0 if work else idle + 1


def test_the_homes_of_the_test_are_all_of_them() -> None:
    assert {home_of(f"336{number:08}", WORKERS) for number in range(100)} == set(range(WORKERS))
