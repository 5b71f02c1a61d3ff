"""Sends webhooks to the bot: a few long-lived workers with bounded queues, and repeats with growing pauses.

Knows nothing of messages or rules; it is given bodies and says in the ledger how each attempt went.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import Callable

import aiohttp
import msgspec

from gatewayd.runtime.tasks import spawn
from gatewayd.simulate.rcs_book import Book, WebhookRecord
from gatewayd.simulate.rcs_disturbance import Disturbance, Wishes
from gatewayd.simulate.schedule import Schedule


class Event(msgspec.Struct, frozen=True):
    """One webhook to send. ``status`` is empty unless the event is a message's status."""

    id: int
    name: str
    status: str
    msg_id: str
    contact: str
    bot: str
    body: bytes
    headers: dict[str, str] = {}


class WebhookPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How webhooks are sent: by ``workers`` at once, each up to ``attempts`` times, ``backoff_s`` doubling between.

    ``queue_max`` bounds each worker's queue.
    """

    workers: int = 8
    attempts: int = 5
    backoff_s: float = 1.0
    backoff_max_s: float = 600.0
    timeout_s: float = 10.0
    queue_max: int = 20_000


class _Queue:
    """One worker's events. The first leaves the queue only when it was tried, so that a stop loses none."""

    __slots__ = ("_waiting", "waiter")

    def __init__(self) -> None:
        self.waiter = asyncio.Event()
        self._waiting: deque[tuple[Event, int]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: Event, attempt: int) -> None:
        self._waiting.append((event, attempt))
        self.waiter.set()

    async def first(self) -> tuple[Event, int]:
        while not self._waiting:
            self.waiter.clear()
            await self.waiter.wait()
        return self._waiting[0]

    def done(self) -> None:
        self._waiting.popleft()


class WebhookSender:
    """Posts events to ``url`` (``{bot}`` in it stands for the bot) with ``authorization`` as the raw header.

    Each contact has its worker, so that its events leave in order; only a repeated one comes later. What is queued
    outlives a stop.
    """

    def __init__(self, policy: WebhookPolicy, book: Book, schedule: Schedule, wall: Callable[[], float]) -> None:
        self.url = ""
        self.authorization = ""
        self._policy = policy
        self._book = book
        self._schedule = schedule
        self._wall = wall
        self._queues = [_Queue() for _ in range(policy.workers)]
        self._workers: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None
        self._disturbance: Disturbance[Event] = Disturbance()

    def start(self) -> None:
        """Start the workers."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._policy.timeout_s),
            connector=aiohttp.TCPConnector(limit=self._policy.workers),
        )
        session = self._session
        for number, queue in enumerate(self._queues):
            self._workers.append(spawn(self._work(session, queue), name=f"rcs platform webhook {number}"))

    async def stop(self) -> None:
        """Stop the workers; what is queued waits for the next start."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def disturb(self, wishes: Wishes) -> None:
        """Lose, repeat, delay or hold what comes from now on; let go of what is held no more."""
        for event in self._disturbance.set(wishes):
            self._queue(event, 1)

    def post(self, event: Event) -> None:
        """Send ``event``, unless told to lose or hold it; without a URL it goes nowhere."""
        lost = self._disturbance.lost
        for passed in self._disturbance.pass_on(event):
            delay_s = self._disturbance.wishes.delay_s
            if delay_s:
                self._schedule.after(delay_s, lambda passed=passed: self._queue(passed, 1))  # type: ignore[misc]
            else:
                self._queue(passed, 1)
        for _ in range(self._disturbance.lost - lost):
            self._book.count_lost()

    def _queue(self, event: Event, attempt: int) -> None:
        if not self.url:
            return
        queue = self._queues[zlib.crc32(event.contact.encode()) % len(self._queues)]
        if len(queue) >= self._policy.queue_max:
            self._book.count_given_up()
            return
        queue.put(event, attempt)

    async def _work(self, session: aiohttp.ClientSession, queue: _Queue) -> None:
        while True:
            event, attempt = await queue.first()
            http_status, error = await self._try(session, event)
            queue.done()
            record = WebhookRecord(
                self._wall(),
                event.id,
                attempt,
                event.name,
                event.status,
                event.msg_id,
                event.contact,
                http_status,
                error,
            )
            self._book.add_webhook(record)
            if http_status != 200:
                self._repeat(event, attempt)

    async def _try(self, session: aiohttp.ClientSession, event: Event) -> tuple[int, str]:
        headers = {"Content-Type": "application/json", **event.headers}
        if self.authorization:
            headers["Authorization"] = self.authorization
        url = self.url.replace("{bot}", event.bot)
        try:
            async with session.post(url, data=event.body, headers=headers, allow_redirects=False) as response:
                return response.status, ""
        except TimeoutError:
            return 0, "timeout"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # ValueError is how an unusable URL shows itself.
            return 0, type(error).__name__

    def _repeat(self, event: Event, attempt: int) -> None:
        if attempt >= self._policy.attempts:
            self._book.count_given_up()
            return
        pause_s = min(self._policy.backoff_max_s, self._policy.backoff_s * 2.0 ** min(attempt - 1, 30))
        self._schedule.after(pause_s, lambda: self._queue(event, attempt + 1))
