"""A country for a day: handsets of every kind, a strict platform, an SMS carrier, two workers, and what goes wrong.

``Country.live`` plays it; what is true in the end is asked by the test.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from gatewayd.carriers.rcs_webhook import WebhookServer
from gatewayd.config import schema
from gatewayd.policy.homes import home_of
from gatewayd.runtime.tasks import spawn
from gatewayd.simulate.population import Population, handset_of
from gatewayd.simulate.rcs import Options, RcsPlatform
from gatewayd.simulate.rcs_disturbance import Wishes
from gatewayd.simulate.rcs_webhooks import WebhookPolicy
from tests.day.station import HOOK_TOKEN, SECRET, WORKERS, Station, Town
from tests.day.virtual import BEGINS_AT, VirtualLoop, pass_time, until
from tests.day.wires import Hooks, PlatformWire, start_webhooks

START = 1_790_000_000.0
PER_MINUTE, PER_SECOND = 1_800, 30
CAMPAIGN_PER_S, CALM_PER_S, CAMPAIGN_S, CALM_S = 60.0, 8.0, 20.0, 40.0
OTP_SHARE = 0.05
DOWN_S = 2.0
"""How long a worker that died is gone."""
HOUR_S = 3_600.0
SETTLING_S = 300.0
"""What comes due at once after a leap of time is looked at in portions."""

Mishap = Callable[[], Awaitable[None]]


def _config() -> schema.Config:
    bot = schema.Link(
        kind="gsma",
        provider="orange",
        bot_id="asked@example.com",
        server_root="http://platform.test/rcs",
        token_url="http://platform.test/oauth2/v1/token",
        client_id="gateway",
        billing="google_std",
        window=50,
        deadline_s=300.0,
    )
    return schema.Config(
        accounts={
            "shop": schema.Account(numbers=("36179",)),
            "otp": schema.Account(traffic_class="otp"),
        },
        providers={"orange": schema.Provider(per_minute=PER_MINUTE, per_second=PER_SECOND, guard_errors=("41200",))},
        links={
            "asked": bot,
            "bold": msgspec.structs.replace(bot, bot_id="bold@example.com", capability="assume"),
            "carrier": schema.Link(kind="smpp"),
        },
        routes=(
            schema.Route(links=("asked", "carrier"), prefixes=("3361",)),
            schema.Route(links=("bold", "carrier"), prefixes=("3362",)),
        ),
    )


class Country:
    """Everything, on the running virtual loop."""

    def __init__(self, folder: Path, count: int, seed: int) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.loop, self.count, self.rng = loop, count, random.Random(seed)
        options = Options(
            root="/rcs",
            client_id="gateway",
            client_secret=SECRET,
            quota_per_minute=PER_MINUTE,
            quota_per_s=PER_SECOND,
            webhooks=WebhookPolicy(workers=64, attempts=8, backoff_s=1.0),
            records_max=10_000_000,
        )
        self.platform = RcsPlatform(options, clock=loop.time, wall=self.wall)
        self.platform._lives.behaviour = Population()
        self.platform.set_webhook("memory://hooks/{bot}", HOOK_TOKEN)
        self.wire = PlatformWire(self.platform, self.rng)
        self.town = Town(folder, _config(), self.wire, self.wall)
        self.hooks = Hooks(self._server_for)
        self.stations: dict[int, Station] = {}
        self.held: list[tuple[str, str]] = []
        self.submitted = 0
        self.throttled = 0
        self.deaths = 0
        loop.is_busy = lambda: any(station.is_busy for station in self.stations.values())

    def wall(self) -> float:
        """Unix seconds."""
        return START + self.loop.time() - BEGINS_AT

    def _server_for(self, body: bytes) -> WebhookServer | None:
        contact = msgspec.json.decode(body)["messageContact"]["userContact"]
        station = self.stations.get(home_of(contact, WORKERS))
        return station.hooks if station is not None and not station.ear.is_dead else None

    async def live(self) -> None:
        """From the first message to the end of the last conversation."""
        self.platform._door.open()
        self.platform._schedule.resume()
        start_webhooks(self.platform, self.hooks)
        for slot in range(WORKERS):
            await self._begin(slot)
        mishaps: dict[int, Mishap] = {
            self.count // 12: self._kill_first,
            self.count // 8: self._fail,
            self.count // 6: self._throttle,
            self.count * 3 // 5: self._go_down,
            self.count * 2 // 3: self._throttle,
            self.count * 5 // 6: self._repeat,
            self.count * 19 // 20: self._kill_second,
        }
        while self.submitted < self.count:
            await self._moment(mishaps)
        await until(lambda: not self.held and self._is_over(), 5.0, 3 * HOUR_S)
        # Until the last conversation is over, and its record written.
        await pass_time(HOUR_S)
        self.loop.now += 50 * HOUR_S
        await pass_time(SETTLING_S)
        await until(self._is_accounted, 30.0, HOUR_S)

    async def close(self) -> None:
        """An orderly end of both workers and of the platform."""
        for station in self.stations.values():
            await station.stop()
        self.platform._door.close()
        await self._stop_platform()

    async def _stop_platform(self) -> None:
        self.platform._schedule.pause()
        for worker in self.platform._webhooks._workers:
            worker.cancel()
        await asyncio.gather(*self.platform._webhooks._workers, return_exceptions=True)

    async def _begin(self, slot: int) -> None:
        self.stations[slot] = Station(self.town, slot)
        await self.stations[slot].start()

    # -- traffic ------------------------------------------------------------------------------------------------------

    async def _moment(self, mishaps: Mapping[int, Mishap]) -> None:
        """A tenth of a second of traffic: campaigns, and calm between them."""
        at = (self.loop.time() - BEGINS_AT) % (CAMPAIGN_S + CALM_S)
        rate = CAMPAIGN_PER_S if at < CAMPAIGN_S else CALM_PER_S
        for _ in range(max(1, round(rate / 10))):
            if self.submitted >= self.count:
                return
            self.submitted += 1
            self._submit("otp" if self.rng.random() < OTP_SHARE else "shop", self._handset())
            mishap = mishaps.get(self.submitted)
            if mishap is not None:
                await mishap()
        await pass_time(0.1)

    def _handset(self) -> str:
        return handset_of(self.rng.randrange(max(100, self.count // 5)))

    def _submit(self, account: str, handset: str) -> None:
        station = self.stations.get(home_of(handset, WORKERS))
        if station is None or station.ear.is_dead:
            self.held.append((account, handset))
        else:
            station.submit(account, handset)

    # -- mishaps ------------------------------------------------------------------------------------------------------

    async def _throttle(self) -> None:
        self.throttled += 1
        self.platform.throttle_next(1)

    async def _fail(self) -> None:
        self.wire.failing_until = self.loop.time() + 5.0

    async def _go_down(self) -> None:
        self.wire.down_until = self.loop.time() + 10.0

    async def _repeat(self) -> None:
        self.platform.disturb(Wishes(repeat_next=self.count // 20, delay_s=3.0))

    async def _kill_first(self) -> None:
        await self._kill(0)

    async def _kill_second(self) -> None:
        await self._kill(1)

    async def _kill(self, slot: int) -> None:
        """It dies in the middle of its work, and another starts on its files."""
        self.deaths += 1
        await self.stations[slot].die()
        del self.stations[slot]
        self.loop.call_later(DOWN_S, lambda: spawn(self._again(slot), name="again"))

    async def _again(self, slot: int) -> None:
        await self._begin(slot)
        held, self.held = self.held, []
        for account, handset in held:
            self._submit(account, handset)

    # -- the end ------------------------------------------------------------------------------------------------------

    def _is_over(self) -> bool:
        """Whether every message has its receipt, and nobody has anything left to say."""
        application = self.town.application
        return (
            len(self.stations) == WORKERS
            and application.answered <= application.receipts.keys()
            and not self.town.carrier.owed
            and not any(len(queue) for queue in self.platform._webhooks._queues)
        )

    def _is_accounted(self) -> bool:
        return not any(self._unaccounted(station) for station in self.stations.values())

    def _unaccounted(self, station: Station) -> int:
        ledger = station.desk.ledger
        assert ledger is not None
        return ledger.unwritten + sum(1 for _ in ledger.open_conversations())
