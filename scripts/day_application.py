"""The applications of a day: each a few binds that come back when they are lost, and what they were told.

Every message is sent once, and again only when the gateway refused it for now. Its text is its name.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, deque

from gatewayd.runtime.tasks import spawn
from gatewayd.simulate.esme import Esme, NotBoundError
from protocol.smpp.connection import Limits
from protocol.smpp.constants import Status

SOURCE = "36179"
CONNECT_S = 5.0
RETRY_S = 0.1
LOOK_S = 0.02
WINDOW = 50
FOR_NOW = frozenset({Status.ESME_RTHROTTLED, Status.ESME_RMSGQFUL})


class Diary:
    """What all applications together were told, by the names of messages."""

    def __init__(self) -> None:
        self.submitted = 0
        self.ids: dict[str, str] = {}  # name by the gateway's message id: the messages that it took
        self.receipts: dict[str, list[str]] = {}  # states by message id, also of messages whose answer was lost
        self.replies: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.again = 0
        self.unanswered: set[str] = set()
        self.faults: list[str] = []
        self.moved_at = 0.0

    def waiting(self) -> list[str]:
        """The message ids that have no receipt."""
        return [message_id for message_id in self.ids if message_id not in self.receipts]


class Application:
    """One account."""

    def __init__(self, account: str, password: str, binds: int, diary: Diary) -> None:
        limits = Limits(window=WINDOW, enquire_interval_s=5.0, response_timeout_s=60.0)
        self._esmes = [Esme(account, password, limits=limits) for _ in range(binds)]
        self._diary = diary
        self._waiting: deque[tuple[float, str, str]] = deque()
        self._tasks: list[asyncio.Task[None]] = []
        self.binds = 0

    def start(self, host: str, port: int) -> None:
        """Connect all binds, and keep them."""
        self._tasks = [spawn(self._stay_bound(esme, host, port), name="an application's bind") for esme in self._esmes]
        self._tasks.append(spawn(self._go_on(), name="an application"))

    async def stop(self) -> None:
        """End it all."""
        for task in self._tasks:
            task.cancel()
        for esme in self._esmes:
            await esme.abort()

    @property
    def is_bound(self) -> bool:
        """Whether all binds are up."""
        return all(esme.is_bound for esme in self._esmes)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be sent or answered."""
        return not self._waiting and not any(esme.ledger.submits for esme in self._esmes)

    def submit(self, handset: str, name: str) -> None:
        """Send a message as soon as a bind has room."""
        self._diary.submitted += 1
        self._waiting.append((0.0, handset, name))
        self._send_waiting()

    async def _stay_bound(self, esme: Esme, host: str, port: int) -> None:
        while True:
            with contextlib.suppress(NotBoundError, OSError, TimeoutError):
                await esme.connect(host, port, CONNECT_S)
                self.binds += 1
                await esme.pump.wait_closed()
            await asyncio.sleep(RETRY_S)

    async def _go_on(self) -> None:
        while True:
            for esme in self._esmes:
                self._read(esme)
            self._send_waiting()
            await asyncio.sleep(LOOK_S)

    def _send_waiting(self) -> None:
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            free = [esme for esme in self._esmes if esme.is_bound and len(esme.ledger.submits) < WINDOW]
            if not free:
                return
            _, handset, name = self._waiting.popleft()
            min(free, key=lambda esme: len(esme.ledger.submits)).send(SOURCE, handset, name)

    def _read(self, esme: Esme) -> None:
        """Take over what a bind has brought, so that its own ledger stays short."""
        diary, ledger = self._diary, esme.ledger
        while ledger.submits and (ledger.submits[0].status is not None or ledger.submits[0].lost):
            submitted = ledger.submits.popleft()
            name = submitted.pdu.short_message.decode()
            if submitted.lost or submitted.status == Status.ESME_RSYSERR:
                # Its connection, or the worker that was to keep it, has died: it may have been taken or not.
                diary.unanswered.add(name)
            elif submitted.status in FOR_NOW:
                diary.again += 1
                self._waiting.append((time.monotonic() + RETRY_S, submitted.pdu.destination_addr, name))
            elif submitted.status:
                diary.refused[f"{submitted.status:#x}"] += 1
            else:
                diary.ids[submitted.message_id] = name
            diary.moved_at = time.monotonic()
        while ledger.receipts:
            receipt = ledger.receipts.popleft()
            diary.receipts.setdefault(receipt.message_id, []).append(receipt.state)
            diary.faults += receipt.faults
            diary.moved_at = time.monotonic()
        while ledger.texts:
            diary.replies[ledger.texts.popleft().text] += 1
