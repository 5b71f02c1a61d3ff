"""One day: traffic in campaigns and calm, mishaps in between, and in the end the reckoning.

``Day.run`` gives the figures and what is wrong by question; the questions are those of ``gatewayd.simulate.reckoning``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from bench_processes import Actor, processor_s
from chaos_gateway import HOST, PASSWORD, ChaosFault, Gateway, until
from day_application import Application, Diary
from day_town import BRIEF, PER_MINUTE, PER_SECOND, REQUEST_TIMEOUT_S, SECRET, Times, plan_of, platform_of, smsc

from gatewayd.billing.record_files import read_lines
from gatewayd.policy.homes import home_of
from gatewayd.simulate import reckoning
from gatewayd.simulate.population import UNREACHED, Population, handset_of
from gatewayd.simulate.rcs_disturbance import Wishes
from gatewayd.simulate.rcs_ledger import MessageRecord
from gatewayd.simulate.rcs_quota import busiest
from gatewayd.simulate.reckoning import Billed, Books

CAMPAIGN_S, CALM_S = 20.0, 40.0
CAMPAIGN, CALM = 2.0, 0.5  # times the rate; over both it is the rate
OTP_SHARE = 0.05
TICK_S = 0.05
PATIENCE_S = 20.0
FRESH_S = 1.0
"""What was answered so shortly before a death may not have been written down."""
SHOWN = 5
SLOW_ANSWERS = ("slow", "silent", "reset")

Mishap = Callable[[], Awaitable[None]]


class Options(msgspec.Struct, frozen=True):
    """What is asked for."""

    messages: int
    rate: float
    seed: int
    workers: int
    is_brief: bool = False

    @property
    def times(self) -> Times:
        """How slow the slow ones are."""
        return BRIEF if self.is_brief else Times()


class Day:
    """One run. ``on_progress`` is told of messages submitted and ended, and of what happens."""

    def __init__(self, options: Options, place: Path, on_progress: Callable[[int, int, str], None]) -> None:
        self._options, self._place, self._on_progress = options, place, on_progress
        self._times = options.times
        self._rng = random.Random(options.seed)
        self._platform = platform_of(self._times)
        self._smsc = smsc()
        self._diary = Diary()
        self._applications: dict[str, Application] = {}
        self._exits = contextlib.AsyncExitStack()
        self._gateway: Gateway
        self._clockwork: Actor
        self._platform_port = 0
        self._mortal: list[int] = []
        self._deaths: list[tuple[int, float, float]] = []  # slot, wall and monotonic
        self._throttled = 0
        self._cpu_s = 0.0
        self._peak_mb = 0.0
        self._happening = "campaigns and calm"

    async def run(self) -> dict[str, Any]:
        """From the start of the daemon to the reckoning."""
        async with self._exits:
            await self._set_up()
            began, cpu_s = time.monotonic(), processor_s(self._gateway.pid)
            await self._live(began)
            sent_s = time.monotonic() - began
            await self._settle()
            self._cpu_s = processor_s(self._gateway.pid) - cpu_s
            moments = await self._moments()
            return self._reckoning(sent_s, time.monotonic() - began, moments)

    async def _set_up(self) -> None:
        self._platform_port = await self._platform.start(HOST)
        self._exits.push_async_callback(self._platform.stop)
        self._clockwork = Actor("chaos_clockwork.py", host=HOST, port=self._platform_port, kind="http")
        self._exits.callback(self._clockwork.process.kill)
        door = f"http://{HOST}:{(await asyncio.to_thread(self._clockwork.hear, PATIENCE_S))['port']}"
        carrier_port = await self._smsc.start(HOST)
        self._exits.push_async_callback(self._smsc.stop)
        plan, webhook_port = plan_of(self._place, self._options.workers, carrier_port, door, self._times)
        self._platform.set_webhook(f"http://{HOST}:{webhook_port}/rcs/{{bot}}", SECRET)
        self._gateway = Gateway(self._place, plan)
        self._exits.push_async_callback(self._gateway.stop)
        await self._gateway.start()
        for account, binds in (("shop", 4), ("otp", 2)):
            application = self._applications[account] = Application(account, PASSWORD, binds, self._diary)
            application.start(HOST, self._gateway.port)
            self._exits.push_async_callback(application.stop)
        is_ready = await until(
            lambda: all(one.is_bound for one in self._applications.values()) and bool(self._smsc.binds()), PATIENCE_S
        )
        self._mortal = self._gateway.workers()
        if not is_ready or len(self._mortal) != self._options.workers:
            raise ChaosFault(f"not everybody is there:\n{self._gateway.last_words()}")

    # -- traffic ------------------------------------------------------------------------------------------------------

    async def _live(self, began: float) -> None:
        count = self._options.messages
        mishaps = self._mishaps()
        due, last = 0.0, began
        while self._diary.submitted < count:
            now = time.monotonic()
            at = (now - began) % (CAMPAIGN_S + CALM_S)
            due += self._options.rate * (CAMPAIGN if at < CAMPAIGN_S else CALM) * (now - last)
            last = now
            while self._diary.submitted < min(count, int(due)):
                self._submit()
                if mishaps and mishaps[0][0] <= self._diary.submitted:
                    await mishaps.pop(0)[1]()
            self._look()
            await asyncio.sleep(TICK_S)

    def _submit(self) -> None:
        account = "otp" if self._rng.random() < OTP_SHARE else "shop"
        handset = handset_of(self._rng.randrange(max(100, self._options.messages // 5)))
        self._applications[account].submit(handset, f"m{self._diary.submitted}")

    def _look(self) -> None:
        self._peak_mb = max(self._peak_mb, self._gateway.memory_mb())
        self._on_progress(self._diary.submitted, len(self._diary.receipts), self._happening)

    # -- mishaps ------------------------------------------------------------------------------------------------------

    def _mishaps(self) -> list[tuple[int, Mishap]]:
        """What goes wrong, in order, each when so many messages were submitted."""
        count = self._options.messages
        shares: list[tuple[float, Mishap]] = [
            (0.10, self._fail),
            (0.20, self._throttle),
            (0.35, self._go_down),
            (0.45, self._kill),
            (0.60, self._kill),
            (0.70, self._repeat),
            (0.80, self._throttle),
        ]
        return [(int(count * share), mishap) for share, mishap in shares]

    @property
    def _population(self) -> Population:
        behaviour = self._platform._lives.behaviour
        assert isinstance(behaviour, Population)
        return behaviour

    async def _fail(self) -> None:
        self._happening = "the platform answers 503"
        self._population.is_failing = True
        asyncio.get_running_loop().call_later(self._times.fail_s, self._work_again)

    def _work_again(self) -> None:
        self._population.is_failing = False

    async def _throttle(self) -> None:
        self._happening = "the platform answers 429"
        self._throttled += 1
        self._platform.throttle_next(1)

    async def _go_down(self) -> None:
        self._happening = "the platform is away"
        await self._platform.stop()
        await asyncio.sleep(self._times.outage_s)
        await self._platform.start(HOST, self._platform_port)

    async def _repeat(self) -> None:
        self._happening = "every webhook comes late and twice"
        self._platform.disturb(Wishes(repeat_next=self._options.messages // 20, delay_s=self._times.late_s / 10))

    async def _kill(self) -> None:
        """One of the workers that live since the start; in the end each of two has died once."""
        if not self._mortal:
            return
        victim = self._mortal.pop(self._rng.randrange(len(self._mortal)))
        self._happening = "a worker has died"
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
            self._deaths.append((self._gateway.slots()[victim], time.time(), time.monotonic()))

    # -- the end ------------------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Until every message has its receipt and its record, as long as something moves or may still come."""
        self._happening = "waiting for the last receipts"
        patience_s = self._times.deadline_s * 2 + self._times.pause_s + PATIENCE_S
        self._diary.moved_at = time.monotonic()
        while not self._is_over() and time.monotonic() - self._diary.moved_at < patience_s:
            self._look()
            await asyncio.sleep(TICK_S * 4)
        self._happening = "waiting for the last records"
        # Some handsets are reached long after the SMS that went instead, and are billed for all the same.
        last_s = self._times.pace.after_deadline_s + self._times.billed_s * 2
        give_up_at = time.monotonic() + last_s + PATIENCE_S
        while time.monotonic() < give_up_at:
            books = self._books()
            if not reckoning.not_billed(books) and not reckoning.replies_missing(books):
                return
            await asyncio.sleep(1.0)

    def _is_over(self) -> bool:
        queues = self._platform._webhooks._queues
        is_idle = all(one.is_idle for one in self._applications.values())
        return is_idle and not self._diary.waiting() and not any(len(queue) for queue in queues)

    async def _moments(self) -> list[float]:
        """When each message passed on its way to the platform."""
        assert self._clockwork.process.stdin is not None
        self._clockwork.process.stdin.close()
        moments: list[float] = (await asyncio.to_thread(self._clockwork.hear, PATIENCE_S))["moments"]
        return moments

    def _books(self) -> Books:
        diary, ledger = self._diary, self._platform.ledger
        records: dict[str, list[MessageRecord]] = {}
        for record in ledger.messages.values():
            records.setdefault(record.submission.text, []).append(record)
        carried: Counter[str] = Counter()
        reached: set[str] = set()
        for submit in self._smsc.ledger.accepted():
            name = submit.pdu.short_message.decode()
            carried[name] += 1
            if not submit.pdu.destination_addr.endswith(UNREACHED):
                reached.add(name)
        # A delivery may come again when its answer was lost; two ends are another matter.
        receipts = {diary.ids[key]: sorted(set(states)) for key, states in diary.receipts.items() if key in diary.ids}
        lines = read_lines(self._place / "cdr")
        return Books(
            answered=set(diary.ids.values()),
            receipts=receipts,
            records=records,
            carried=carried,
            reached=reached,
            interrupted=self._interrupted(records) | diary.unanswered,
            billed=[Billed(line.id, _names(line.message_ids, diary)) for line in lines],
            replies=diary.replies,
            said=len(ledger.inbound),
        )

    def _interrupted(self, records: dict[str, list[MessageRecord]]) -> set[str]:
        """Messages that were on their way when a worker died, or had just been taken there.

        To the platform each home speaks itself; to the carrier it may be over a bind of another worker.
        """
        found = set()
        for slot, wall, monotonic in self._deaths:
            for name, several in records.items():
                for record in several:
                    fresh_s = FRESH_S + (REQUEST_TIMEOUT_S if record.rule.submit in SLOW_ANSWERS else 0.0)
                    is_fresh = 0.0 <= wall - record.accepted_at <= fresh_s
                    if is_fresh and home_of(record.contact, self._options.workers) == slot:
                        found.add(name)
            found |= {
                submit.pdu.short_message.decode()
                for submit in self._smsc.ledger.submits
                if 0.0 <= monotonic - submit.at <= FRESH_S
            }
        return found

    # -- the reckoning ------------------------------------------------------------------------------------------------

    def _reckoning(self, sent_s: float, took_s: float, moments: list[float]) -> dict[str, Any]:
        books, diary, ledger = self._books(), self._diary, self._platform.ledger
        statuses = Counter(record.status for record in ledger.requests if record.path.endswith("/messages"))
        checks: dict[str, Any] = {
            "taken, and without exactly one end": reckoning.without_one_end(books),
            "told what did not happen": reckoning.wrongly_told(books),
            "taken twice over one way": reckoning.taken_twice(books),
            "arrived twice, and could be known": reckoning.arrived_twice(books),
            "arrived over RCS, and not billed": sorted(reckoning.not_billed(books)),
            "billed, and did not arrive": sorted(reckoning.billed_in_vain(books)),
            "billed twice": reckoning.billed_twice(books),
            "records astray": reckoning.records_astray(books),
            "replies missing": reckoning.replies_missing(books),
            "beyond the quota": reckoning.over_quota(moments, PER_MINUTE, PER_SECOND),
            "throttled without being told to": max(0, statuses[429] - self._throttled),
            "error ratio too great": reckoning.over_ratio(ledger.reach.worst()),
            "receipts damaged": diary.faults,
            "submits refused": dict(diary.refused),
            "failures in the daemon's log": self._gateway.crashes(),
        }
        return {
            "messages": self._options.messages,
            "seed": self._options.seed,
            "workers": self._options.workers,
            "checks": {question: _count(wrong) for question, wrong in checks.items()},
            "examples": {question: _few(wrong) for question, wrong in checks.items() if _count(wrong)},
            "figures": self._figures(books, moments, statuses, sent_s, took_s),
        }

    def _figures(
        self, books: Books, moments: list[float], statuses: Counter[int], sent_s: float, took_s: float
    ) -> dict[str, Any]:
        diary, ledger = self._diary, self._platform.ledger
        by_rcs = {name for name in books.records if books.came_by_rcs(name)}
        return {
            "offered_per_s": round(diary.submitted / sent_s, 2),
            "seconds": round(took_s, 1),
            "workers_killed": len(self._deaths),
            "taken": len(books.answered),
            "unanswered": len(diary.unanswered),
            "sent_again": diary.again,
            "receipts": dict(Counter(states[0] for states in books.receipts.values())),
            "receipts_repeated": sum(len(states) - 1 for states in diary.receipts.values()),
            "arrived_by_rcs": len(by_rcs),
            "arrived_by_sms": len(books.reached),
            "arrived_both_ways": len(by_rcs & books.reached),
            "interrupted": len(books.interrupted),
            "answers_to_sends": {str(status): count for status, count in sorted(statuses.items())},
            "busiest_minute": busiest(moments, 60.0),
            "busiest_second": busiest(moments, 1.0),
            "webhooks": len(ledger.webhooks),
            "webhooks_in_vain": sum(hook.http_status != 200 for hook in ledger.webhooks),
            "replies": len(diary.replies),
            "unreachable_share": round(ledger.reach.total().share, 4),
            "unreachable_worst_share": round(ledger.reach.worst().share, 4),
            "billing_records": len(books.billed),
            "cpu_us_per_message": round(self._cpu_s * 1e6 / max(1, diary.submitted), 1),
            "memory_peak_mb": round(self._peak_mb, 1),
        }


def is_good(figures: dict[str, Any]) -> bool:
    """Whether all agree."""
    return not any(figures["checks"].values())


def _names(ids: tuple[str, ...], diary: Diary) -> tuple[str, ...]:
    """The messages among them that an application knows; others are replies."""
    return tuple(diary.ids[message_id] for message_id in ids if message_id in diary.ids)


def _count(wrong: Any) -> float:
    return wrong if isinstance(wrong, int | float) else len(wrong)


def _few(wrong: Any) -> Any:
    if isinstance(wrong, dict):
        return dict(list(wrong.items())[:SHOWN])
    return wrong if isinstance(wrong, int | float) else list(wrong)[:SHOWN]
