"""Workers that share a carrier's binds: never more at the carrier than configured, none missing for long, all even."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from gatewayd.carriers.link import Capability, Link, LinkListener, Report, Result, Revocation
from gatewayd.carriers.seat_keeper import GRACE_S, SeatKeeper
from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.config import schema
from gatewayd.message import Accepted, Encoding, Message
from gatewayd.runtime.seats import SeatFile
from gatewayd.runtime.tasks import spawn
from gatewayd.simulate.behaviour import Behaviour, Rule
from gatewayd.simulate.smsc import Smsc
from protocol.smpp.connection import Limits
from protocol.smpp.records import Bind as BindRequest

ROOT = Path(__file__).resolve().parents[3]
BINDS = 5


class StrictSmsc(Smsc):
    """Remembers how many binds stood at most."""

    most = 0

    def check_bind(self, asked: BindRequest) -> int:
        status = super().check_bind(asked)
        self.most = max(self.most, len(self.binds()) + (status == 0))
        return status


class Results(LinkListener):
    """What came of submits, and what was reported and is still to be acknowledged."""

    def __init__(self) -> None:
        self.outcomes: list[object] = []
        self.reports: list[Report] = []

    def on_results(self, link: Link, results: Sequence[Result]) -> None:
        self.outcomes += [result.outcome for result in results]

    def on_reports(self, link: Link, reports: Sequence[Report]) -> None:
        self.reports += reports

    def on_ready(self, link: Link) -> None:
        return

    def on_revoked(self, link: Link, revocation: Revocation) -> None:
        raise AssertionError

    def on_capability(self, link: Link, capability: Capability) -> None:
        raise AssertionError


class Workers:
    """Several, each with its own link, file and keeper, on one loop; ``looks`` are made as often as one asks."""

    def __init__(self, folder: Path, smsc: StrictSmsc, count: int, binds: int = BINDS) -> None:
        self._path = folder / "seats"
        self._settings = schema.Link(
            kind="smpp", host="127.0.0.1", port=smsc.port, system_id="us", binds=binds, reconnect_min_s=0.01
        )
        self.smsc = smsc
        self.count = count
        self.now = 0.0
        self.alive: set[int] = set()
        self.links: dict[int, SmppLink] = {}
        self.flows: dict[int, Results] = {}
        self._keepers: dict[int, SeatKeeper] = {}
        self._files: dict[int, SeatFile] = {}

    async def start(self, slot: int) -> None:
        flow = self.flows[slot] = Results()
        link = self.links[slot] = SmppLink("carrier", self._settings, "secret", flow)
        file = self._files[slot] = SeatFile(self._path, slot)
        self.alive.add(slot)
        keeper = self._keepers[slot] = SeatKeeper(
            link,
            file.group("link:carrier", self._settings.binds),
            slot,
            self.count,
            lambda: self.alive,
            look_s=0.002,
            grace_s=0.0,
            clock=lambda: self.now,
        )
        await keeper.start()

    async def die(self, slot: int) -> None:
        """Its connections are cut and its locks freed, as the kernel does."""
        self.alive.discard(slot)
        keeper, link = self._keepers.pop(slot), self.links.pop(slot)
        await keeper.stop()
        await link.stop(0.0)
        self._files.pop(slot).close()

    async def reconnect(self, slot: int) -> None:
        await self._keepers[slot].reconnect()

    async def stop(self) -> None:
        for slot in list(self._keepers):
            await self.die(slot)

    def counts(self) -> list[int]:
        return [self.links[slot].binds_up if slot in self.links else 0 for slot in range(self.count)]

    async def until(self, condition: Callable[[], bool]) -> None:
        """While the clock of the keepers runs."""
        async with asyncio.timeout(10):
            while not condition():
                self.now += 0.05
                await asyncio.sleep(0)

    async def until_counts(self, *counts: int) -> None:
        await self.until(lambda: self.counts() == list(counts) and len(self.smsc.binds()) == sum(counts))


@contextlib.asynccontextmanager
async def carrier(behaviour: Behaviour | None = None, limits: Limits | None = None) -> AsyncIterator[StrictSmsc]:
    smsc = StrictSmsc(behaviour, limits=limits)
    await smsc.start()
    try:
        yield smsc
    finally:
        await smsc.stop()


@pytest.fixture
async def smsc() -> AsyncIterator[StrictSmsc]:
    async with carrier() as started:
        yield started


@pytest.fixture
async def workers(tmp_path: Path, smsc: StrictSmsc) -> AsyncIterator[Workers]:
    started = Workers(tmp_path, smsc, 3)
    for slot in range(3):
        await started.start(slot)
    yield started
    await started.stop()


async def test_the_binds_are_spread_and_as_many_as_configured(workers: Workers, smsc: StrictSmsc) -> None:
    await workers.until_counts(2, 2, 1)
    assert smsc.most == BINDS


async def test_the_binds_of_a_dead_worker_are_taken_over_and_given_back_when_it_returns(
    workers: Workers, smsc: StrictSmsc
) -> None:
    await workers.until_counts(2, 2, 1)
    await workers.die(1)
    await workers.until(lambda: len(smsc.binds()) == BINDS)
    assert workers.counts()[1] == 0
    accepted = smsc.ledger.binds_accepted
    await workers.start(1)
    await workers.until_counts(2, 2, 1)
    assert smsc.ledger.binds_accepted == accepted + 2, "no bind was moved in vain"
    assert smsc.most == BINDS


async def test_alone_a_worker_holds_all(workers: Workers, smsc: StrictSmsc) -> None:
    await workers.until_counts(2, 2, 1)
    await workers.die(0)
    await workers.die(2)
    await workers.until_counts(0, BINDS, 0)
    await workers.start(0)
    await workers.start(2)
    await workers.until_counts(2, 2, 1)
    assert smsc.most == BINDS


async def test_a_bind_that_moves_waits_for_its_answers(tmp_path: Path) -> None:
    async with carrier(Behaviour(rules=(Rule(delay_s=0.03, receipt="none"),))) as smsc:
        workers = Workers(tmp_path, smsc, 2, binds=2)
        try:
            await workers.start(0)
            await workers.until_counts(2, 0)
            for number in range(20):
                workers.links[0].submit(message(number))
            await workers.start(1)
            await workers.until_counts(1, 1)
            await workers.until(lambda: len(workers.flows[0].outcomes) == 20)
            assert {type(outcome) for outcome in workers.flows[0].outcomes} == {Accepted}
        finally:
            await workers.stop()


async def test_a_bind_that_moves_waits_for_its_reports_to_be_kept(tmp_path: Path) -> None:
    """Otherwise the carrier would offer them again over another bind, and an answer of a handset would come twice."""
    async with carrier(limits=Limits(window=1)) as smsc:
        workers = Workers(tmp_path, smsc, 2, binds=2)
        try:
            await workers.start(0)
            await workers.until_counts(2, 0)
            link, heard = workers.links[0], workers.flows[0].reports
            sent = [smsc.send_mo("33612345678", "33700000001", f"{number}")[0] for number in range(2)]
            await workers.until(lambda: len(heard) == 2)
            free = link.capacity()
            await workers.start(1)
            await workers.until(lambda: link.capacity() < free)  # one of the binds takes nothing more
            link.acknowledge([report.token for report in heard], stored=True)
            await workers.until_counts(1, 1)
            assert [delivery.status for delivery in sent] == [0, 0]
        finally:
            await workers.stop()


async def test_binds_are_connected_anew_as_often_as_asked(
    tmp_path: Path, smsc: StrictSmsc, caplog: pytest.LogCaptureFixture
) -> None:
    workers = Workers(tmp_path, smsc, 1, binds=2)
    try:
        await workers.start(0)
        await workers.until_counts(2)
        await asyncio.gather(*(workers.reconnect(0) for _ in range(3)))
        await workers.until_counts(2)
        assert smsc.ledger.binds_accepted >= 4, "each at least once"
        assert smsc.most == 2
        assert [record.message for record in caplog.records if "failed" in record.message] == []
    finally:
        await workers.stop()


async def test_a_keeper_that_stopped_connects_nothing_anew(tmp_path: Path, smsc: StrictSmsc) -> None:
    workers = Workers(tmp_path, smsc, 1, binds=2)
    await workers.start(0)
    await workers.until_counts(2)
    asked = [spawn(workers.reconnect(0), name="asked") for _ in range(2)]
    await asyncio.sleep(0)
    await workers.stop()
    await asyncio.gather(*asked)
    for _ in range(50):
        await asyncio.sleep(0)
    assert smsc.ledger.binds_accepted == 2


async def test_nothing_is_an_orphan_while_the_others_may_only_be_slower(tmp_path: Path, smsc: StrictSmsc) -> None:
    clock = [0.0]
    settings = schema.Link(kind="smpp", host="127.0.0.1", port=smsc.port, system_id="us", binds=4)
    link = SmppLink("carrier", settings, "secret", Results())
    file = SeatFile(tmp_path / "seats", 0)
    keeper = SeatKeeper(link, file.group("link:carrier", 4), 0, 2, lambda: [0], look_s=0.001, clock=lambda: clock[0])
    await keeper.start()
    try:
        await smsc.ledger.wait_for(lambda: len(smsc.binds()) == 2)
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(smsc.binds()) == 2
        clock[0] = GRACE_S
        await smsc.ledger.wait_for(lambda: len(smsc.binds()) == 4)
    finally:
        await keeper.stop()
        await link.stop(0.0)
        keeper.release()
        assert file.group("link:carrier", 4).holders() == [None] * 4
        file.close()


@contextlib.asynccontextmanager
async def processes(path: Path, port: int, count: int) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """Real ones, that begin together."""
    arguments = [sys.executable, "-m", "tests.support.bind_holder", str(path), str(port), str(BINDS)]
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "cwd": ROOT}
    started = [
        await asyncio.create_subprocess_exec(*arguments, str(slot), str(count), **pipes)  # type: ignore[arg-type]
        for slot in range(count)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        yield started
    finally:
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            process._transport.close()  # type: ignore[attr-defined]  # its pipes, which nobody reads to their end


async def test_a_killed_process_is_replaced_within_a_second(tmp_path: Path, smsc: StrictSmsc) -> None:
    path = tmp_path / "seats"
    async with processes(path, smsc.port, 3) as started:
        await smsc.ledger.wait_for(lambda: len(smsc.binds()) == BINDS)
        file = SeatFile(path, 9)
        seats = file.group("link:carrier", BINDS)
        assert sorted(seats.holders(), key=str) == [0, 0, 1, 1, 2]
        started[0].kill()
        killed_at = time.monotonic()
        await smsc.ledger.wait_for(lambda: len(smsc.binds()) < BINDS)
        await smsc.ledger.wait_for(lambda: len(smsc.binds()) == BINDS)
        assert time.monotonic() - killed_at < 1.0
        assert set(seats.holders()) == {1, 2}
        assert smsc.most == BINDS
        file.close()


def message(number: int) -> Message:
    return Message(
        id=number,
        account="shop",
        source_ton=1,
        source_npi=1,
        source="33700000001",
        destination_ton=1,
        destination_npi=1,
        destination="33612345678",
        payload=b"hello",
        encoding=Encoding.GSM,
        accepted_at=0.0,
    )
