"""Shared limits under chaos: more than the quotas allow waits, workers are killed at random, and the far ends count.

One SMSC link has a rate a second, two bots share their provider's quota a minute. What is counted is what arrives.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from bench_processes import Actor
from chaos_carrier import Carrier
from chaos_gateway import HOST, PASSWORD, ChaosFault, Gateway, LinkPlan, Plan, until
from chaos_sender import Ledger, Sender

from gatewayd.simulate.rcs import Options as PlatformOptions
from gatewayd.simulate.rcs import RcsPlatform
from gatewayd.simulate.rcs_quota import busiest

# What arrives may have been on its way for so long: a window of arrivals that is shorter by this was one of sends.
ON_ITS_WAY_S = 0.05
LEAD_IN_S = 1.0
PATIENCE_S = 20.0
KILLS_S = (2.0, 8.0)
BACKLOG = 1.3  # times what the quota allows, so that something always waits
SMS, RCS = "336", "337"
WINDOW = 100

_PROVIDER = """
[providers.platform]
per_minute = {per_minute}
rate_per_s = {rcs_rate}
burst = {rcs_burst}
headroom = 0
guard = false
"""

_BOT = """
[links.{name}]
kind = "gsma"
provider = "platform"
server_root = "{platform}"
bot_id = "{name}@bot.example"
token_url = "{platform}/oauth2/v1/token"
client_id = "gateway"
client_secret_file = "{place}/platform.secret"
webhook_token_file = "{place}/platform.secret"
capability = "assume"
deadline_s = 86400
on_unknown = "prefer_silence"
window = 40

[[routes]]
links = ["{name}"]
prefixes = ["{prefix}"]
"""


class Limits(msgspec.Struct, frozen=True):
    """What is configured, and for how long it is tried."""

    seconds: float = 125.0
    rate: float = 100.0
    burst: int = 10
    per_minute: int = 1_800
    rcs_rate: float = 0.0
    rcs_burst: int = 5
    workers: int = 4
    seed: int = 1

    @property
    def rcs_per_s(self) -> float:
        """The steady pace to the platform."""
        return min(self.rcs_rate or float("inf"), self.per_minute / 60 if self.per_minute else float("inf"))


class LimitsRun:
    """One run."""

    def __init__(self, limits: Limits, place: Path, on_second: Callable[[int], None] = lambda second: None) -> None:
        self._limits = limits
        self._place = place
        self._on_second = on_second
        self._rng = random.Random(limits.seed)
        self._carrier = Carrier("carrier", PASSWORD, WINDOW)
        self._platform = RcsPlatform(PlatformOptions(client_secret="chaos"))
        self._exits = contextlib.AsyncExitStack()
        self._gateway: Gateway
        self._ledger = Ledger()
        self._clockworks: list[Actor] = []
        self.kills = 0

    async def run(self) -> dict[str, Any]:
        """Load, kills, and the count."""
        async with self._exits:
            await self._set_up()
            flows = await until(lambda: bool(self._carrier.copies) and bool(self._platform.ledger.accepted_at), 20.0)
            if not flows:
                raise ChaosFault(f"nothing arrives:\n{self._gateway.last_words()}")
            began = time.monotonic() + LEAD_IN_S
            ended = began + self._limits.seconds
            await self._kill_until(ended)
            sms, rcs = [await self._moments(clockwork) for clockwork in self._clockworks]
            return self._reckoning(began, ended, sms, rcs)

    async def _set_up(self) -> None:
        limits = self._limits
        carrier_port = await self._clockwork("smpp", await self._carrier.start(HOST))
        self._exits.push_async_callback(self._carrier.stop)
        platform = f"http://{HOST}:{await self._clockwork('http', await self._platform.start(HOST))}"
        self._exits.push_async_callback(self._platform.stop)
        secret = self._place / "platform.secret"
        secret.write_text("chaos", encoding="ascii")
        secret.chmod(0o600)
        extra = _PROVIDER.format(**msgspec.structs.asdict(limits))
        for name, prefix in (("one", f"{RCS}0"), ("two", f"{RCS}1")):
            extra += _BOT.format(name=name, prefix=prefix, platform=platform, place=self._place)
        link = LinkPlan("carrier", carrier_port, SMS, WINDOW, limits.workers, limits.rate, limits.burst)
        plan = Plan(limits.workers, (link,), extra=extra)
        self._gateway = Gateway(self._place, plan)
        self._exits.push_async_callback(self._gateway.stop)
        await self._gateway.start()
        for number, (rate, prefixes) in enumerate(((limits.rate, [SMS]), (limits.rcs_per_s, [f"{RCS}0", f"{RCS}1"]))):
            wanted = int(rate * (limits.seconds + 10) * BACKLOG)
            sender = Sender(self._ledger, "app", PASSWORD, prefixes, WINDOW, seed=number, messages_max=wanted)
            sender.start(HOST, self._gateway.port)
            self._exits.push_async_callback(sender.stop)

    async def _clockwork(self, kind: str, port: int) -> int:
        """Between the daemon and a far end: the port to connect to instead."""
        actor = Actor("chaos_clockwork.py", host=HOST, port=port, kind=kind)
        self._exits.callback(actor.process.kill)
        self._clockworks.append(actor)
        return int((await asyncio.to_thread(actor.hear, PATIENCE_S))["port"])

    async def _moments(self, clockwork: Actor) -> list[float]:
        assert clockwork.process.stdin is not None
        clockwork.process.stdin.close()
        moments: list[float] = (await asyncio.to_thread(clockwork.hear, PATIENCE_S))["moments"]
        return moments

    async def _kill_until(self, ended: float) -> None:
        while (now := time.monotonic()) < ended:
            self._on_second(int(self._limits.seconds - (ended - now)))
            await asyncio.sleep(min(self._rng.uniform(*KILLS_S), ended - now))
            if time.monotonic() < ended:
                self.kills += self._gateway.kill_worker(self._rng)

    def _reckoning(self, began: float, ended: float, sms: list[float], rcs: list[float]) -> dict[str, Any]:
        limits, span_s = self._limits, ended - began
        figures = {
            "limits": round(span_s, 1),
            "workers": limits.workers,
            "seed": limits.seed,
            "kills": self.kills,
            "sms_rate": limits.rate,
            "sms_burst": limits.burst,
            "sms_busiest_second": busiest(sms, 1.0),
            "sms_over": over(sms, limits.rate, limits.burst),
            "sms_used": round(within(sms, began, ended) / (limits.rate * span_s), 4),
            "rcs_per_minute": limits.per_minute,
            "rcs_burst": limits.rcs_burst,
            "rcs_busiest_second": busiest(rcs, 1.0),
            "rcs_busiest_minute": busiest(rcs, 60.0),
            "rcs_over": over(rcs, limits.rcs_per_s, limits.rcs_burst),
            "rcs_used": round(within(rcs, began, ended) / (limits.rcs_per_s * span_s), 4),
        }
        if limits.per_minute:
            figures["rcs_over"] += max(0, busiest(rcs, 60.0 - ON_ITS_WAY_S) - limits.per_minute)
        return figures


def over(times: Sequence[float], rate: float, burst: int) -> int:
    """By how many the busiest second exceeded the rate and its burst; 0 when it never did."""
    return max(0, busiest(times, 1.0 - ON_ITS_WAY_S) - int(rate + burst))


def within(times: Sequence[float], began: float, ended: float) -> int:
    """How many of the ascending times lie between two moments."""
    return bisect_left(times, ended) - bisect_left(times, began)
