"""Sends webhooks to the bot: a few long-lived workers with bounded queues, and repeats with growing pauses.

Knows nothing of messages or rules; it is given bodies and says in the ledger how each attempt went.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable

import aiohttp
import msgspec

from gatewayd.runtime.tasks import spawn
from gatewayd.simulate.rcs_ledger import Ledger, WebhookRecord
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


class WebhookPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How webhooks are sent: by ``workers`` at once, each up to ``attempts`` times.

    ``queue_max`` bounds each worker's queue.
    """

    workers: int = 8
    attempts: int = 5
    backoff_s: float = 1.0
    timeout_s: float = 10.0
    queue_max: int = 20_000


class WebhookSender:
    """Posts events to ``url`` (``{bot}`` in it stands for the bot) with ``authorization`` as the raw header.

    Each contact has its worker, so that its events leave in order; only a repeated one comes later.
    """

    def __init__(self, policy: WebhookPolicy, ledger: Ledger, schedule: Schedule, wall: Callable[[], float]) -> None:
        self.url = ""
        self.authorization = ""
        self._policy = policy
        self._ledger = ledger
        self._schedule = schedule
        self._wall = wall
        self._queues: list[asyncio.Queue[tuple[Event, int]]] = []
        self._workers: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None

    def start(self) -> None:
        """Start the workers."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._policy.timeout_s),
            connector=aiohttp.TCPConnector(limit=self._policy.workers),
        )
        session = self._session
        self._queues = [asyncio.Queue(self._policy.queue_max) for _ in range(self._policy.workers)]
        for number, queue in enumerate(self._queues):
            self._workers.append(spawn(self._work(session, queue), name=f"rcs platform webhook {number}"))

    async def stop(self) -> None:
        """Stop the workers; what is queued is dropped."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers.clear()
        self._queues.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def post(self, event: Event, attempt: int = 1) -> None:
        """Queue one attempt at ``event``; without a URL, or when stopped, it goes nowhere."""
        if not self.url or not self._queues:
            return
        queue = self._queues[zlib.crc32(event.contact.encode()) % len(self._queues)]
        if queue.full():
            self._ledger.count_given_up()
            return
        queue.put_nowait((event, attempt))

    async def _work(self, session: aiohttp.ClientSession, queue: asyncio.Queue[tuple[Event, int]]) -> None:
        while True:
            event, attempt = await queue.get()
            http_status, error = await self._try(session, event)
            self._ledger.add_webhook(
                WebhookRecord(
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
            )
            if http_status != 200:
                self._repeat(event, attempt)

    async def _try(self, session: aiohttp.ClientSession, event: Event) -> tuple[int, str]:
        headers = {"Content-Type": "application/json"}
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
            self._ledger.count_given_up()
            return
        pause_s = self._policy.backoff_s * 2.0 ** (attempt - 1)
        self._schedule.after(pause_s, lambda: self.post(event, attempt + 1))
