"""One outage: the daemon, an application with a pace, a carrier, a sink that fails for a while, and the reckoning.

Knows no sink's language. Message n goes to handset n modulo their number, with the turn of that handset as its
reference: what a sink was told leads back to one message, and says whether it came in its order.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import msgspec
from chaos_carrier import Carrier
from chaos_gateway import HOST, PASSWORD, ROOT, ChaosFault, Gateway, LinkPlan, until
from chaos_gateway import Plan as GatewayPlan

from gatewayd.runtime.tasks import spawn
from gatewayd.simulate.esme import Esme
from protocol.smpp.connection import Limits
from protocol.smpp.constants import Tag
from protocol.smpp.pdu import SubmitSm

ACCOUNT = "app"
PREFIX = "336"
FIRST = 33_600_000_000
WINDOW = 1_000
STEADY_S = 10.0
SAMPLE_S = 1.0
TOLD_S = 30.0
PULSE_S = 0.01
# An endpoint that failed for long is tried once a minute.
STALLED_S = 90.0
START_S = 30.0
CURRENT_S = 2.0
GROWTH_MAX_MB = 150.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried."""

    sink: str
    trouble: str
    seconds: float
    rate: float
    workers: int
    handsets: int


class Taken(NamedTuple):
    """A receipt that a sink was told of: whose, and which turn of that handset's."""

    handset: int
    reference: int


class Sink(Protocol):
    """What takes the news of the account. ``account`` and ``tables`` are its lines in the daemon's configuration."""

    name: str
    troubles: ClassVar[tuple[str, ...]]
    account: str

    @property
    def tables(self) -> str:
        """Further tables."""

    async def start(self) -> None:
        """Be well."""

    async def fail(self, trouble: str) -> None:
        """Be in trouble."""

    async def recover(self, gateway: Gateway) -> None:
        """Be well again."""

    def count(self) -> int:
        """How many receipts have come by now, each once."""

    async def stop(self) -> list[Taken]:
        """End; the receipts that came, in their order, repetitions too."""


def taken_of(ledger: Path) -> list[Taken]:
    """The receipts of a ledger with a line for each event: moment, id, type, handset, reference, and more."""
    rows = (line.split() for line in ledger.read_text(encoding="ascii").splitlines())
    return [Taken(int(row[3]), int(row[4])) for row in rows if row[2] == "message.receipt"]


class Application:
    """Sends at its pace, whatever becomes of it."""

    def __init__(self, rate: float, handsets: int) -> None:
        self.esme = Esme(ACCOUNT, PASSWORD, limits=Limits(window=WINDOW))
        self._rate, self._handsets = rate, handsets
        self._is_sending = True
        self.sent = self.refused = 0
        self.acknowledged: list[int] = []

    async def send(self) -> None:
        """Until it is told to stop; a machine that cannot keep the pace gets no burst for it."""
        at = time.monotonic()
        owed = 0.0
        while self._is_sending:
            now = time.monotonic()
            owed = min(owed + (now - at) * self._rate, self._rate * 0.1 + 1)
            at = now
            while owed >= 1 and len(self.esme.ledger.submits) < WINDOW:
                owed -= 1
                self._submit()
            self.read()
            await asyncio.sleep(PULSE_S)

    def pause(self) -> None:
        """Send nothing more."""
        self._is_sending = False

    def read(self) -> None:
        """Take over what was answered."""
        submits = self.esme.ledger.submits
        while submits and (submits[0].status is not None or submits[0].lost):
            done = submits.popleft()
            if done.status == 0:
                turn = int.from_bytes(done.pdu.tlvs[0][1], "big")
                self.acknowledged.append(turn * self._handsets + int(done.pdu.destination_addr) - FIRST)
            else:
                self.refused += 1

    def _submit(self) -> None:
        turn, handset = divmod(self.sent, self._handsets)
        self.sent += 1
        pdu = SubmitSm(
            source_addr_ton=5,
            source_addr="Outage",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr=str(FIRST + handset),
            registered_delivery=1,
            short_message=b"does this arrive?",
            tlvs=((int(Tag.USER_MESSAGE_REFERENCE), turn.to_bytes(2, "big")),),
        )
        self.esme.submit(pdu)


class Outage:
    """One run. ``on_progress`` is told a line now and then."""

    def __init__(self, plan: Plan, sink: Sink, place: Path, on_progress: Callable[[str], None]) -> None:
        self._plan, self._sink, self._place, self._on_progress = plan, sink, place, on_progress
        self._application = Application(plan.rate, plan.handsets)
        self._carrier = Carrier("carrier", PASSWORD, WINDOW)
        self._gateway: Gateway
        self._exits = contextlib.AsyncExitStack()
        self._course: list[dict[str, Any]] = []
        self._phase = "steady"
        self._began = 0.0
        self._peak_mb = self._spool_peak_mb = 0.0
        self._owed_peak = 0

    async def run(self) -> dict[str, Any]:
        """Steady, in trouble, well again, and the reckoning."""
        plan, application = self._plan, self._application
        async with self._exits:
            await self._set_up()
            spawn(application.send(), name="the application's load")
            self._exits.callback(application.pause)
            await self._watch("steady", STEADY_S)
            before_mb = self._gateway.memory_mb()
            await self._sink.fail(plan.trouble)
            await self._watch(plan.trouble, plan.seconds)
            outage_mb, owed, count = self._peak_mb, self._owed(), self._sink.count()
            await self._sink.recover(self._gateway)
            recovered_at = time.monotonic()
            is_current = await self._catch_up(lambda: self._owed() <= plan.rate * CURRENT_S)
            caught_up_s, drained = time.monotonic() - recovered_at, self._sink.count() - count
            application.pause()
            await until(lambda: not self._read(), START_S)
            await self._catch_up(lambda: self._owed() <= 0)
            dead = await self._replay()
            taken = await self._sink.stop()
        return {
            **msgspec.structs.asdict(plan),
            **self._reckoning(taken),
            "is_current": is_current,
            "dead_letters": dead,
            "backlog": owed,
            "backlog_peak": self._owed_peak,
            "caught_up_s": round(caught_up_s, 1),
            "drained_per_s": round(drained / max(caught_up_s, 1e-9)),
            "memory_before_mb": round(before_mb, 1),
            "memory_peak_mb": round(self._peak_mb, 1),
            "growth_mb": round(outage_mb - before_mb, 1),
            "spool_peak_mb": round(self._spool_peak_mb, 1),
            "crashes": self._gateway.crashes(),
            "course": self._course,
        }

    async def _set_up(self) -> None:
        plan, sink, esme = self._plan, self._sink, self._application.esme
        port = await self._carrier.start(HOST)
        self._exits.push_async_callback(self._carrier.stop)
        link = LinkPlan("carrier", port, PREFIX, WINDOW, plan.workers)
        self._gateway = Gateway(
            self._place,
            GatewayPlan(
                plan.workers, (link,), (ACCOUNT,), window=WINDOW, account_extra=sink.account, extra=sink.tables
            ),
        )
        await sink.start()
        self._exits.push_async_callback(sink.stop)
        self._exits.push_async_callback(self._gateway.stop)
        await self._gateway.start()
        self._exits.push_async_callback(esme.abort)
        await esme.connect(HOST, self._gateway.port)
        if not await until(lambda: len(self._carrier.binds()) >= 1, START_S):
            raise ChaosFault(f"the daemon does not bind at the carrier:\n{self._gateway.last_words()}")
        self._began = time.monotonic()

    # -- watching -------------------------------------------------------------------------------------------------

    def _read(self) -> int:
        """How many submits are unanswered."""
        self._application.read()
        return len(self._application.esme.ledger.submits)

    def _owed(self) -> int:
        return len(self._application.acknowledged) - self._sink.count()

    async def _watch(self, phase: str, seconds: float) -> None:
        """Let it go on for a while."""
        self._phase = phase
        ends_at, told_at, count = time.monotonic() + seconds, time.monotonic(), self._sink.count()
        while (now := time.monotonic()) < ends_at:
            await asyncio.sleep(min(SAMPLE_S, ends_at - now))
            self._look()
            if time.monotonic() - told_at >= TOLD_S or time.monotonic() >= ends_at:
                told_at, count = self._tell(told_at, count)

    async def _catch_up(self, is_done: Callable[[], bool]) -> bool:
        """Until it is done, or nothing moves; which of them."""
        self._phase = "recovery"
        told_at, count, moved_at, seen = time.monotonic(), self._sink.count(), time.monotonic(), -1
        while not is_done():
            await asyncio.sleep(SAMPLE_S)
            self._look()
            if self._sink.count() > seen:
                moved_at, seen = time.monotonic(), self._sink.count()
            if time.monotonic() - moved_at > STALLED_S:
                return False
            if time.monotonic() - told_at >= TOLD_S:
                told_at, count = self._tell(told_at, count)
        self._tell(told_at, count)
        return True

    def _look(self) -> None:
        """At what must stay bounded."""
        if not self._application.esme.is_bound:
            raise ChaosFault(f"the application has lost its bind:\n{self._gateway.last_words()}")
        memory_mb = self._gateway.memory_mb()
        self._peak_mb = max(self._peak_mb, memory_mb)
        self._owed_peak = max(self._owed_peak, self._owed())
        self._on_progress(f"{self._phase}: {self._owed():,} owed, {memory_mb:.0f} MB")

    def _tell(self, since: float, count: int) -> tuple[float, int]:
        """One more row of the course."""
        now, seen, spool_mb = time.monotonic(), self._sink.count(), _size_mb(self._place / "spool")
        self._spool_peak_mb = max(self._spool_peak_mb, spool_mb)
        self._course.append(
            {
                "at_s": round(now - self._began, 1),
                "phase": self._phase,
                "owed": self._owed(),
                "per_s": round((seen - count) / max(now - since, 1e-9), 1),
                "memory_mb": round(self._gateway.memory_mb(), 1),
                "spool_mb": round(spool_mb, 1),
            }
        )
        return now, seen

    # -- the end --------------------------------------------------------------------------------------------------

    async def _replay(self) -> int:
        """Owe dead letters again until there are none; how many there were."""
        count = 0
        while replayed := await self._replay_once():
            count += replayed
            goal = self._sink.count() + replayed
            await self._catch_up(lambda goal=goal: self._owed() <= 0 or self._sink.count() >= goal)  # type: ignore[misc]
        return count

    async def _replay_once(self) -> int:
        words = ("outbox", "dead", "replay", ACCOUNT, "--json", "--config", str(self._gateway.config))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "gatewayd", *words),
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        return int(json.loads(said)["replayed"]) if process.returncode == 0 else 0

    def _reckoning(self, taken: Iterable[Taken]) -> dict[str, Any]:
        application, handsets = self._application, self._plan.handsets
        seen: set[int] = set()
        last: dict[int, int] = {}
        doubled = out_of_order = 0
        for handset, reference in taken:
            number = reference * handsets + handset - FIRST
            if number in seen:
                doubled += 1
                continue
            seen.add(number)
            out_of_order += reference < last.get(handset, 0)
            last[handset] = max(reference, last.get(handset, 0))
        return {
            "acknowledged": len(application.acknowledged),
            "refused": application.refused + len(application.esme.ledger.submits),
            "lost": len(set(application.acknowledged) - seen),
            "doubled": doubled,
            "out_of_order": out_of_order,
        }


def is_good(figures: dict[str, Any]) -> bool:
    """Whether the promises were kept. What was a dead letter comes after others of its handset: it is said so."""
    in_order = not figures["out_of_order"] or figures["dead_letters"] > 0
    is_bounded = figures["growth_mb"] < GROWTH_MAX_MB
    return in_order and is_bounded and figures["is_current"] and not figures["lost"] and not figures["crashes"]


def _size_mb(folder: Path) -> float:
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # it was folded and is gone
            size += path.stat().st_size
    return size / 1e6
