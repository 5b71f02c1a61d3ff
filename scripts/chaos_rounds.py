"""Rounds of chaos: load that never ends, one fault at a random moment after the other, and the reckoning afterwards.

The seed decides over faults, victims and moments. Processes have their own timing, so a replay is alike, not equal.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from chaos_carrier import Carrier
from chaos_gateway import HOST, PASSWORD, ChaosFault, Gateway, LinkPlan, Plan, until
from chaos_sender import Ledger, Sender

from gatewayd.runtime.tasks import spawn
from gatewayd.simulate.rude import RudeEsme, idle_connections
from gatewayd.simulate.smsc import Smsc

FAMILIES = ("kills", "carriers", "applications")
PREFIXES = ("336", "337")
SENDERS = 3
WINDOW, CARRIER_WINDOW, CARRIER_BINDS = 100, 50, 2
WINDOWS = len(PREFIXES) * CARRIER_WINDOW * CARRIER_BINDS  # what may be on its way when the daemon dies
QUIET_S = (0.02, 0.4)
RECOVERY_S = 40.0
SETTLE_S = 60.0
BREATH = 20  # messages that must get through before the next fault, most times
IMPATIENCE = 0.3  # how often the next fault does not wait for that
IDLE_CONNECTIONS = 300
RUDE_HANDSET = "33999999999"
RUDE_S = 0.5

Strike = Callable[[], Awaitable[None]]


class Options(msgspec.Struct, frozen=True):
    """What is asked for."""

    rounds: int
    seed: int
    workers: int
    families: tuple[str, ...] = FAMILIES


class Rounds:
    """One run."""

    def __init__(self, options: Options, place: Path) -> None:
        self._options = options
        self._place = place
        self._rng = random.Random()
        self.ledger = Ledger()
        self.carriers = [Carrier(f"carrier{n}", PASSWORD, CARRIER_WINDOW) for n in range(len(PREFIXES))]
        self.struck: Counter[str] = Counter()
        self.bound = 0
        self.gateway: Gateway
        self._senders: list[Sender] = []
        self._exits = contextlib.AsyncExitStack()

    async def run(self, on_round: Callable[[int, str], None]) -> dict[str, Any]:
        """All rounds and the reckoning; ``on_round`` is told of each."""
        began = time.monotonic()
        async with self._exits:
            await self._set_up()
            strikes = self._strikes()
            for number in range(1, self._options.rounds + 1):
                # One for each round: whatever happens in this one, the next is what the seed says.
                self._rng = random.Random(f"{self._options.seed} {number}")
                name = self._rng.choice(sorted(strikes))
                is_patient = self._rng.random() > IMPATIENCE
                await asyncio.sleep(self._rng.uniform(*QUIET_S))
                on_round(number, name)
                self.struck[name] += 1
                before = self.ledger.acknowledged
                await strikes[name]()
                if is_patient:
                    await self._recovered(before + BREATH, name)
            await self._settle()
        return self._reckoning(time.monotonic() - began)

    async def _set_up(self) -> None:
        links = []
        for carrier, prefix in zip(self.carriers, PREFIXES, strict=True):
            port = await carrier.start(HOST)
            self._exits.push_async_callback(carrier.stop)
            links.append(LinkPlan(carrier.name, port, prefix, CARRIER_WINDOW, CARRIER_BINDS))
        elsewhere = Smsc(system_id="elsewhere", password=PASSWORD)
        links.append(LinkPlan("elsewhere", await elsewhere.start(HOST), RUDE_HANDSET[:4], 1, 1))
        self._exits.push_async_callback(elsewhere.stop)
        plan = Plan(self._options.workers, tuple(links), window=WINDOW)
        self.gateway = Gateway(self._place, plan)
        self._exits.push_async_callback(self.gateway.stop)
        await self.gateway.start()
        for number in range(SENDERS):
            sender = Sender(self.ledger, "app", PASSWORD, PREFIXES, WINDOW, seed=number)
            sender.start(HOST, self.gateway.port)
            self._exits.push_async_callback(sender.stop)
            self._senders.append(sender)
        await self._recovered(BREATH, "the start")

    async def _recovered(self, acknowledged: int, what: str) -> None:
        """The load must flow again."""
        if not await until(lambda: self.ledger.acknowledged >= acknowledged, RECOVERY_S):
            words = self.gateway.last_words()
            raise ChaosFault(f"nothing was acknowledged for {RECOVERY_S:g} s after this: {what}.\n{words}")

    # -- faults ---------------------------------------------------------------------------------------------------

    def _strikes(self) -> dict[str, Strike]:
        strikes: dict[str, Strike] = {}
        if "kills" in self._options.families:
            strikes |= {
                "kill a worker": self._kill_worker,
                "kill the supervisor": self._kill_supervisor,
                "kill everything": self._kill_all,
            }
        if "carriers" in self._options.families:
            for mood in self.carriers[0].moods:
                strikes[f"a carrier {mood}"] = lambda mood=mood: self._spoil(mood)  # type: ignore[misc]
        if "applications" in self._options.families:
            strikes |= {
                "an application never reads": lambda: self._behave_badly("never reads"),
                "an application reads a byte a second": lambda: self._behave_badly("reads slowly"),
                "an application floods": lambda: self._behave_badly("floods"),
                "an application dies within a PDU": lambda: self._behave_badly("dies"),
                "an application holds idle connections": self._hold_idle,
            }
        return strikes

    async def _kill_worker(self) -> None:
        if self.gateway.kill_worker(self._rng):
            self.bound += WINDOWS

    async def _kill_supervisor(self) -> None:
        self.bound += WINDOWS
        await self.gateway.kill_supervisor()
        await self.gateway.start()

    async def _kill_all(self) -> None:
        self.bound += WINDOWS
        await self.gateway.kill_all()
        await self.gateway.start()

    async def _spoil(self, mood: str) -> None:
        carrier = self._rng.choice(self.carriers)
        self.bound += await carrier.moods[mood](self._rng)

    async def _behave_badly(self, how: str) -> None:
        """In the background: the honest application must not notice."""
        rude = RudeEsme(HOST, self.gateway.port)
        with contextlib.suppress(OSError):
            await rude.bind("rude", PASSWORD)
            if how == "dies":
                await rude.die_within_a_pdu(RUDE_HANDSET)
                return
        spawn(self._misbehave(rude, how), name=f"an application that {how}")

    async def _misbehave(self, rude: RudeEsme, how: str) -> None:
        end = time.monotonic() + RUDE_S
        if how == "never reads":
            await rude.never_read(RUDE_HANDSET, end)
        elif how == "reads slowly":
            await rude.read_slowly(RUDE_HANDSET, end, RUDE_S / 5)
        else:
            await rude.flood(RUDE_HANDSET, end)
        rude.close(reset=True)

    async def _hold_idle(self) -> None:
        held = await idle_connections(HOST, self.gateway.port, IDLE_CONNECTIONS)
        await asyncio.sleep(RUDE_S)
        for rude in held:
            rude.close()

    # -- the end --------------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """No new load, no faults: everything must come to its end, as long as something moves."""
        for sender in self._senders:
            sender.pause()
        seen, deadline = -1, 0.0
        while self.ledger.waiting() or not all(sender.is_idle for sender in self._senders):
            moved = sum(self.ledger.receipts.values())
            if moved != seen:
                seen, deadline = moved, time.monotonic() + SETTLE_S
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(0.05)

    def _reckoning(self, elapsed_s: float) -> dict[str, Any]:
        ledger = self.ledger
        copies: Counter[str] = Counter()
        for carrier in self.carriers:
            copies.update(carrier.copies)
        never_sent = [handset for handset in ledger.ids if not copies[handset]]
        lost = set(never_sent) | set(ledger.waiting())
        return {
            "rounds": sum(self.struck.values()),
            "seed": self._options.seed,
            "workers": self._options.workers,
            "acknowledged": ledger.acknowledged,
            "lost": len(lost),
            "never_sent": len(never_sent),
            "without_receipt": len(ledger.waiting()),
            "duplicated": sum(copies.values()) - len(copies),
            "in_flight_bound": self.bound,
            "two_ends": ledger.contradicted(),
            "receipts_repeated": ledger.repeated(),
            "receipts_damaged": len(ledger.faults),
            "refused": sum(ledger.refused.values()),
            "unanswered": ledger.unanswered,
            "binds": sum(sender.binds for sender in self._senders),
            "failures_logged": self.gateway.crashes(),
            "starts_refused": self.gateway.refused_starts,
            "faults": dict(sorted(self.struck.items())),
            "elapsed_s": round(elapsed_s, 1),
        }
