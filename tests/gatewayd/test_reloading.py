"""A running worker takes up another configuration: what changed is touched, and nothing else notices."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatewayd.config.load import Loaded, load
from gatewayd.config.passwords import hash_password
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.simulate.behaviour import Behaviour, Rule
from gatewayd.simulate.esme import Esme, NotBoundError
from gatewayd.simulate.esme_ledger import Submitted
from gatewayd.simulate.smsc import Smsc
from gatewayd.worker import Place, Worker
from protocol.smpp.constants import Status
from tests.daemon.process import PASSWORD, merged, password_hash, secret_file, write_config

WAIT_S = 15.0
HANDSET = "+33620000001"
SILENT = Rule(answer="silent", receipt="none")


class House:
    """One worker, or two that act as one, between carriers and applications, and the file that they obey."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder = folder
        self.tables: dict[str, Any] = {}
        self.smscs: dict[str, Smsc] = {}
        self.workers: list[Worker] = []
        self.esmes: list[Esme] = []
        self._count = workers

    async def open(self, *carriers: str) -> None:
        for name in carriers:
            await self.carrier(name)
        own = {"spool_dir": str(self.folder / "spool"), "runtime_dir": str(self.folder / "run")}
        self.tables = {
            "daemon": own,
            "metrics": {"listen": ""},
            "smpp": {"listen": ["127.0.0.1:0"]},
            "accounts": {"shop": account(), "bank": account()},
            "links": {name: self.link(name) for name in carriers},
            "routes": [{"links": [*carriers]}],
        }
        for slot in range(self._count):
            worker = Worker(self.loaded(), Place(slot, self._count))
            self.workers.append(worker)
            await worker.start()

    async def carrier(self, name: str, behaviour: Behaviour | None = None) -> Smsc:
        smsc = self.smscs[name] = Smsc(behaviour, system_id=name)
        await smsc.start()
        return smsc

    def link(self, carrier: str, **facts: Any) -> dict[str, Any]:
        return {
            "kind": "smpp",
            "host": "127.0.0.1",
            "port": self.smscs[carrier].port,
            "system_id": "us",
            "password_file": secret_file(self.folder / "password", PASSWORD),
            "reconnect_min_s": 0.02,
            "reconnect_max_s": 0.1,
        } | facts

    def loaded(self) -> Loaded:
        path = self.folder / "gatewayd.toml"
        write_config(path, self.tables)
        return load(path)

    async def reload(self, tables: dict[str, Any] | None = None, *, without: str = "") -> list[str]:
        """Change some keys, take away others (``links.a``), and let everybody take it up; their faults."""
        self.tables = merged(self.tables, tables or {})
        if without:
            table, _, name = without.partition(".")
            del self.tables[table][name]
        loaded = self.loaded()
        faults = await asyncio.gather(*(worker.reload(loaded) for worker in self.workers))
        return [fault for of_worker in faults for fault in of_worker]

    async def esme(self, account: str = "shop", worker: int = 0, password: str = PASSWORD) -> Esme:
        esme = Esme(account, password)
        self.esmes.append(esme)
        await esme.connect(*self.workers[worker].server.addresses[0])
        return esme

    async def sent(self, esme: Esme, text: str = "?", to: str = HANDSET) -> Submitted:
        (submitted,) = esme.send("33700000001", to, text)
        await esme.wait_for(lambda: submitted.status is not None, WAIT_S)
        return submitted

    async def bound(self, name: str, count: int = 1) -> list[Any]:
        smsc = self.smscs[name]
        await smsc.ledger.wait_for(lambda: len(smsc.binds()) == count, WAIT_S)
        return smsc.binds()

    async def taken(self, name: str, count: int) -> list[bytes]:
        """The texts that a carrier was given, once they are so many."""
        ledger = self.smscs[name].ledger
        await ledger.wait_for(lambda: len(ledger.submits) >= count, WAIT_S)
        return [submit.pdu.short_message for submit in ledger.submits]

    @staticmethod
    async def until(condition: Callable[[], bool]) -> None:
        """Let the workers work until the condition holds."""
        async with asyncio.timeout(WAIT_S):
            while not condition():  # noqa: ASYNC110  nothing of a worker knows of tests
                await asyncio.sleep(0)

    async def close(self) -> None:
        for esme in self.esmes:
            await esme.abort()
        await asyncio.gather(*(worker.drain(0.0) for worker in self.workers))
        for worker in self.workers:
            await worker.stop()
        for smsc in self.smscs.values():
            await smsc.stop()


def account(**facts: Any) -> dict[str, Any]:
    return {"password_hash": password_hash(), "rate_per_s": 0} | facts


@contextlib.asynccontextmanager
async def house_of(folder: Path, *carriers: str, workers: int = 1) -> AsyncIterator[House]:
    house = House(folder, workers)
    try:
        await house.open(*carriers)
        yield house
    finally:
        await house.close()


# -- links ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_changed_link_alone_is_touched_and_the_others_keep_their_binds_and_windows(
    tmp_path: Path, workers: int
) -> None:
    async with house_of(tmp_path, "a", "b", workers=workers) as house:
        esme = await house.esme()
        (old,), (other,) = await house.bound("a"), await house.bound("b")
        house.smscs["b"].script.tell(SILENT)
        await house.reload({"routes": [{"links": ["b"]}]})
        await house.sent(esme, "in flight")
        await house.taken("b", 1)
        assert await house.reload({"links": {"a": {"system_id": "another"}}}) == []
        (new,) = await house.bound("a")
        assert new is not old
        assert house.smscs["b"].binds() == [other]
        assert sum(worker.own_links["b"].window_used for worker in house.workers) == 1
        assert house.smscs["b"].ledger.binds_accepted == 1
        assert esme.is_bound


@pytest.mark.parametrize("workers", [1, 2])
async def test_what_is_in_flight_on_a_changed_link_has_its_answer_first(tmp_path: Path, workers: int) -> None:
    async with house_of(tmp_path, "a", workers=workers) as house:
        esme = await house.esme()
        await house.bound("a")
        house.smscs["a"].script.tell(Rule(delay_s=0.1))
        for number in range(10):
            await house.sent(esme, f"{number}", f"+3362000000{number}")
        await house.taken("a", 10)
        assert await house.reload({"links": {"a": {"window": 5}}}) == []
        await esme.wait_for(lambda: len(esme.ledger.receipts) == 10, WAIT_S)
        assert {receipt.state for receipt in esme.ledger.receipts} == {"DELIVRD"}
        assert len(house.smscs["a"].ledger.submits) == 10, "none went out twice"


@pytest.mark.parametrize("workers", [1, 2])
async def test_messages_that_come_while_a_link_is_exchanged_wait_for_the_new_one(tmp_path: Path, workers: int) -> None:
    """It drains for as long as its carrier is silent; all that time its messages are taken."""
    async with house_of(tmp_path, "a", workers=workers) as house:
        esme = await house.esme()
        await house.bound("a")
        house.smscs["a"].freeze()
        await house.sent(esme, "slow")
        await house.until(lambda: sum(worker.own_links["a"].window_used for worker in house.workers) == 1)
        async with asyncio.TaskGroup() as group:
            reloading = group.create_task(house.reload({"links": {"a": {"system_id": "another"}}}))
            await asyncio.sleep(0)
            for number in range(10):
                assert (await house.sent(esme, f"{number}", f"+3362000000{number}")).status == 0
            assert not reloading.done()
            house.smscs["a"].thaw()
        await esme.wait_for(lambda: len(esme.ledger.receipts) == 11, WAIT_S)
        assert esme.is_bound
        assert len(await house.taken("a", 11)) == 11


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_new_link_is_bound_and_routed_over(tmp_path: Path, workers: int) -> None:
    async with house_of(tmp_path, "a", workers=workers) as house:
        esme = await house.esme()
        (bind,) = await house.bound("a")
        await house.carrier("b")
        assert await house.reload({"links": {"b": house.link("b")}, "routes": [{"links": ["b"]}]}) == []
        for number in range(10):
            await house.sent(esme, f"{number}", f"+3362000000{number}")
        await esme.wait_for(lambda: len(esme.ledger.receipts) == 10, WAIT_S)
        assert len(await house.taken("b", 10)) == 10
        assert house.smscs["a"].binds() == [bind]


@pytest.mark.parametrize("workers", [1, 2])
async def test_what_waits_for_a_link_that_is_removed_finds_another_way(tmp_path: Path, workers: int) -> None:
    async with house_of(tmp_path, "a", "b", workers=workers) as house:
        esme = await house.esme()
        await house.bound("a")
        (other,) = await house.bound("b")
        house.smscs["a"].bind_status = Status.ESME_RBINDFAIL
        house.smscs["a"].drop_binds()
        await house.bound("a", 0)
        sent = [await house.sent(esme, f"{number}", f"+3362000000{number}") for number in range(10)]
        assert await house.reload({"routes": [{"links": ["b"]}]}, without="links.a") == []
        await esme.wait_for(lambda: len(esme.ledger.receipts) == 10, WAIT_S)
        assert {receipt.message_id for receipt in esme.ledger.receipts} == {each.message_id for each in sent}
        assert house.smscs["b"].binds() == [other]
        for worker in house.workers:
            assert "a" not in worker.own_links
            assert "a" not in worker.desk.settings


async def test_a_removed_links_binds_end_politely_and_its_last_receipts_are_heard(tmp_path: Path) -> None:
    async with house_of(tmp_path, "a", "b") as house:
        esme = await house.esme()
        await house.bound("a")
        house.smscs["a"].script.tell(Rule(receipt="before", delay_s=0.05))
        await house.sent(esme)
        await house.taken("a", 1)
        await house.reload({"routes": [{"links": ["b"]}]}, without="links.a")
        await esme.wait_for(lambda: len(esme.ledger.receipts) == 1, WAIT_S)
        await house.bound("a", 0)
        assert not house.smscs["a"].ledger.faults


async def test_a_link_that_was_removed_may_come_back(tmp_path: Path) -> None:
    async with house_of(tmp_path, "a", "b", workers=2) as house:
        esme = await house.esme()
        await house.bound("a")
        kept = dict(house.tables["links"]["a"])
        await house.reload({"routes": [{"links": ["b"]}]}, without="links.a")
        await house.bound("a", 0)
        await house.reload({"links": {"a": kept}, "routes": [{"links": ["a"]}]})
        await house.bound("a")
        for number in range(10):
            await house.sent(esme, f"{number}", f"+3362000000{number}")
        await esme.wait_for(lambda: len(esme.ledger.receipts) == 10, WAIT_S)
        assert len(await house.taken("a", 10)) == 10


async def test_binds_come_and_go_with_their_number(tmp_path: Path) -> None:
    async with house_of(tmp_path, "a", workers=2) as house:
        await house.bound("a")
        await house.reload({"links": {"a": {"binds": 4}}})
        await house.bound("a", 4)
        await house.reload({"links": {"a": {"binds": 1}}})
        await house.bound("a", 1)


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"rate_per_s": 50, "burst": 3}, lambda house: house.workers[0].dispatcher._outbound._limits["a"].slots[0][1]),
        ({"retry_max": 3}, lambda house: house.workers[0].desk.terms["a"].retry_max),
        ({"on_unknown": "prefer_silence"}, lambda house: house.workers[0].desk.settings["a"].on_unknown),
        ({"parked_receipt_ttl_s": 5.0}, lambda house: house.workers[0].desk.settings["a"].parked_receipt_ttl_s),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
async def test_what_is_asked_for_at_each_message_changes_without_an_unbind(
    tmp_path: Path, change: dict[str, Any], seen: Callable[[House], Any]
) -> None:
    async with house_of(tmp_path, "a") as house:
        (bind,) = await house.bound("a")
        before = seen(house)
        assert await house.reload({"links": {"a": change}}) == []
        assert seen(house) != before
        assert house.smscs["a"].binds() == [bind]


async def test_another_password_is_another_link(tmp_path: Path) -> None:
    async with house_of(tmp_path, "a") as house:
        (bind,) = await house.bound("a")
        await house.reload({"links": {"a": {"password_file": secret_file(tmp_path / "other", "wrong")}}})
        await house.smscs["a"].ledger.wait_for(lambda: house.smscs["a"].ledger.binds_refused > 0, WAIT_S)
        await house.reload({"links": {"a": {"password_file": secret_file(tmp_path / "password", PASSWORD)}}})
        assert (await house.bound("a"))[0] is not bind


async def test_a_link_that_cannot_be_got_ready_leaves_the_old_one_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house_of(tmp_path, "a") as house:
        esme = await house.esme()
        (bind,) = await house.bound("a")

        def fail(link: object) -> None:
            raise FileNotFoundError(2, "No such file", "ca.pem")

        with monkeypatch.context() as patch:
            patch.setattr("gatewayd.carriers.smpp_link.SmppLink.prepare", fail)
            (fault,) = await house.reload({"links": {"a": {"window": 7}}})
        assert fault.startswith("links.a: ")
        assert house.smscs["a"].binds() == [bind]
        await house.sent(esme)
        await esme.wait_for(lambda: len(esme.ledger.receipts) == 1, WAIT_S)
        assert await house.reload() == []
        assert (await house.bound("a"))[0] is not bind
        assert house.workers[0].own_links["a"].window_up in (0, 7)
        (bind,) = house.smscs["a"].binds()
        assert await house.reload() == []
        assert house.smscs["a"].binds() == [bind], "once is enough"


async def test_a_new_link_that_cannot_be_got_ready_takes_messages_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house_of(tmp_path, "a") as house:
        esme = await house.esme()
        await house.carrier("b")

        def fail(link: object) -> None:
            raise OSError("no more files")

        with monkeypatch.context() as patch:
            patch.setattr("gatewayd.carriers.smpp_link.SmppLink.prepare", fail)
            (fault,) = await house.reload({"links": {"b": house.link("b")}, "routes": [{"links": ["b"]}]})
        assert fault == "links.b: no more files"
        assert (await house.sent(esme)).status == 0
        assert await house.reload() == []
        await esme.wait_for(lambda: len(esme.ledger.receipts) == 1, WAIT_S)


async def test_nothing_changed_touches_nothing(tmp_path: Path) -> None:
    async with house_of(tmp_path, "a", "b", workers=2) as house:
        esme = await house.esme()
        (a,), (b,) = await house.bound("a"), await house.bound("b")
        assert await house.reload() == []
        assert (house.smscs["a"].binds(), house.smscs["b"].binds()) == ([a], [b])
        assert esme.is_bound


# -- accounts ---------------------------------------------------------------------------------------------------------


async def refusal(house: House, **how: Any) -> int:
    with pytest.raises(NotBoundError) as refused:
        await house.esme(**how)
    return refused.value.status


async def test_an_accounts_limits_and_rights_change_and_its_binds_stay(tmp_path: Path) -> None:
    async with house_of(tmp_path, "a") as house:
        esme = await house.esme()
        change = {"senders": ["SHOP"], "binds_max": 1, "networks": ["192.0.2.0/24"]}
        assert await house.reload({"accounts": {"shop": change}}) == []
        assert esme.is_bound
        assert (await house.sent(esme)).status == Status.ESME_RINVSRCADR
        assert await refusal(house) == Status.ESME_RBINDFAIL
        await house.reload({"accounts": {"shop": {"networks": []}}})
        assert await refusal(house) == Status.ESME_RALYBND
        await house.reload({"accounts": {"shop": {"binds_max": 2, "senders": ["*"]}}})
        assert (await house.sent(await house.esme())).status == 0


async def test_an_accounts_rate_changes(tmp_path: Path) -> None:
    async with house_of(tmp_path, "a") as house:
        esme = await house.esme()
        await house.reload({"accounts": {"shop": {"rate_per_s": 0.01, "burst": 1}}})
        assert [(await house.sent(esme)).status for _ in range(2)] == [0, Status.ESME_RTHROTTLED]
        await house.reload({"accounts": {"shop": {"rate_per_s": 0}}})
        assert (await house.sent(esme)).status == 0


async def test_a_password_changes_for_the_next_bind(tmp_path: Path) -> None:
    async with house_of(tmp_path, "a") as house:
        esme = await house.esme()
        hashed = house.tables["accounts"]["shop"]["password_hash"]
        await house.reload({"accounts": {"shop": {"password_hash": another_hash()}}})
        assert await refusal(house) == Status.ESME_RINVPASWD
        assert esme.is_bound
        await house.esme(password="another")
        await house.reload({"accounts": {"shop": {"password_hash": hashed}}})
        await house.esme()


async def until_closed(esme: Esme) -> None:
    await esme.wait_for(lambda: esme.closed_reason != "", WAIT_S)


def another_hash() -> str:
    return hash_password("another", random.Random(2))


@pytest.mark.parametrize("workers", [1, 2])
async def test_an_account_that_is_removed_is_unbound_and_one_that_is_new_may_bind(tmp_path: Path, workers: int) -> None:
    async with house_of(tmp_path, "a", workers=workers) as house:
        shops = [await house.esme(worker=worker) for worker in range(workers)]
        bank = await house.esme("bank")
        assert await refusal(house, account="new") == Status.ESME_RINVSYSID
        assert await house.reload({"accounts": {"new": account()}}, without="accounts.shop") == []
        for shop in shops:
            await until_closed(shop)
        assert bank.is_bound
        assert await refusal(house) == Status.ESME_RINVSYSID
        new = await house.esme("new", worker=workers - 1)
        for number in range(6):
            await house.sent(new, f"{number}", f"+3362000000{number}")
        await new.wait_for(lambda: len(new.ledger.receipts) == 6, WAIT_S)


@pytest.mark.parametrize("workers", [1, 2])
async def test_what_is_owed_to_an_account_waits_until_it_is_back(tmp_path: Path, workers: int) -> None:
    async with house_of(tmp_path, "a", workers=workers) as house:
        shop = await house.esme()
        await house.bound("a")
        house.smscs["a"].script.tell(Rule(delay_s=0.1))
        for number in range(6):
            await house.sent(shop, f"{number}", f"+3362000000{number}")
        await house.taken("a", 6)
        await house.reload(without="accounts.shop")
        await until_closed(shop)
        ledger = house.smscs["a"].ledger
        await ledger.wait_for(lambda: len(ledger.acknowledged("receipt")) == 6, WAIT_S)
        await house.reload({"accounts": {"shop": account()}})
        again = await house.esme(worker=workers - 1)
        await again.wait_for(lambda: len(shop.ledger.receipts) + len(again.ledger.receipts) >= 6, WAIT_S)


async def test_a_numbers_owner_changes(tmp_path: Path) -> None:
    async with house_of(tmp_path, "a") as house:
        bank = await house.esme("bank")
        await house.bound("a")
        await house.reload({"accounts": {"bank": {"numbers": ["33700000009"]}}})
        house.smscs["a"].send_mo(HANDSET, "+33700000009", "Hello")
        await bank.wait_for(lambda: bool(bank.ledger.texts), WAIT_S)


# -- routes -----------------------------------------------------------------------------------------------------------


async def test_routes_change_for_what_comes_now(tmp_path: Path) -> None:
    async with house_of(tmp_path, "a", "b") as house:
        esme = await house.esme()
        (a,), (b,) = await house.bound("a"), await house.bound("b")
        await house.sent(esme, "1")
        assert await house.taken("a", 1) == [b"1"]
        await house.reload({"routes": [{"links": ["b"]}]})
        await house.sent(esme, "2")
        assert await house.taken("b", 1) == [b"2"]
        assert (house.smscs["a"].binds(), house.smscs["b"].binds()) == ([a], [b])


async def test_limits_outlive_a_reload(tmp_path: Path) -> None:
    """A reload is no way to a second burst."""
    async with house_of(tmp_path, "a") as house:
        esme = await house.esme()
        await house.bound("a")
        await house.reload({"links": {"a": {"rate_per_s": 0.01, "burst": 2}}})
        for number in range(4):
            await house.sent(esme, f"{number}")
        await house.taken("a", 2)
        await house.reload({"links": {"a": {"system_id": "another"}}})
        await house.bound("a")
        await house.reload()
        assert len(house.smscs["a"].ledger.submits) == 2
        limits = SharedLimits.open(tmp_path / "run" / "limits")
        assert "link:a" in limits.names()
        limits.close()


async def test_how_receipts_are_read_and_written_changes_and_every_bind_stays(tmp_path: Path) -> None:
    async with house_of(tmp_path, "a") as house:
        (bind,) = await house.bound("a")
        esme = await house.esme()
        smsc = house.smscs["a"]
        columns = "00,{done},{submitted},,33620000001,33700000001,{id}"
        smsc.behaviour = msgspec.structs.replace(smsc.behaviour, receipt_text=columns, receipt_tlvs=False)
        account = {"receipt_template": "{id}={stat}", "message_id_base": "decimal"}
        assert await house.reload({"links": {"a": {"receipts": "vodafone_csv"}}, "accounts": {"shop": account}}) == []
        submitted = await house.sent(esme)
        assert submitted.message_id.isdigit()
        await esme.wait_for(lambda: bool(esme.ledger.receipts), WAIT_S)
        assert esme.ledger.receipts[-1].pdu.short_message == f"{submitted.message_id}=DELIVRD".encode()
        assert await house.bound("a") == [bind]
        assert esme.is_bound
