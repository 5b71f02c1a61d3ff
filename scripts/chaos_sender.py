"""The honest application under chaos: sends one message after the other, each once, and keeps a ledger of their fates.

Its handsets' numbers are the messages' names: whatever the carriers or the receipts say leads back to one message.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Sequence

from gatewayd.runtime.tasks import spawn
from gatewayd.simulate.esme import Esme, NotBoundError
from protocol.smpp.connection import Limits

CONNECT_S = 5.0
RETRY_S = 0.05
LOOK_S = 0.02
NUMBER_SIZE = 9


class Ledger:
    """What the application was told of its messages."""

    def __init__(self) -> None:
        self.submitted = 0
        self.ids: dict[str, str] = {}  # acknowledged: the gateway's message id, by handset
        self.refused: Counter[int] = Counter()
        self.unanswered = 0
        self.receipts: Counter[str] = Counter()  # by message id
        self.states: dict[str, set[str]] = {}
        self.faults: list[str] = []

    @property
    def acknowledged(self) -> int:
        """How many messages the gateway has taken."""
        return len(self.ids)

    def waiting(self) -> list[str]:
        """The handsets whose message was taken and has no receipt."""
        return [handset for handset, message_id in self.ids.items() if message_id not in self.receipts]

    def contradicted(self) -> int:
        """How many messages were given two different ends."""
        return sum(len(states) > 1 for states in self.states.values())

    def repeated(self) -> int:
        """How many receipts came once more, as they must when their answer may have been lost."""
        return sum(self.receipts.values()) - len(self.receipts)


class Sender:
    """One bind of the honest application, which comes back whenever it is lost."""

    def __init__(
        self,
        ledger: Ledger,
        account: str,
        password: str,
        prefixes: Sequence[str],
        window: int,
        seed: int,
        messages_max: int = 10**9,
    ) -> None:
        self._ledger = ledger
        self._prefixes = prefixes
        self._rng = random.Random(seed)
        self._first = seed % 1_000 * 1_000_000
        self._window = window
        limits = Limits(window=window, enquire_interval_s=5.0, response_timeout_s=20.0)
        self._esme = Esme(account, password, limits=limits)
        self._messages_max = messages_max
        self._is_sending = True
        self._next = 0
        self._tasks: list[asyncio.Task[None]] = []
        self.binds = 0

    @property
    def is_bound(self) -> bool:
        """Whether messages can flow."""
        return self._esme.is_bound

    @property
    def is_idle(self) -> bool:
        """Whether every submit has come to its answer, or to the end of its connection."""
        return not self._esme.ledger.submits

    def start(self, host: str, port: int) -> None:
        """Connect, and begin to send."""
        self._tasks = [
            spawn(self._stay_bound(host, port), name="an honest application's bind"),
            spawn(self._send(), name="an honest application's load"),
        ]

    def pause(self) -> None:
        """Send nothing new."""
        self._is_sending = False

    async def stop(self) -> None:
        """End it all."""
        for task in self._tasks:
            task.cancel()
        await self._esme.abort()

    async def _stay_bound(self, host: str, port: int) -> None:
        esme = self._esme
        while True:
            with contextlib.suppress(NotBoundError, OSError, TimeoutError):
                await esme.connect(host, port, CONNECT_S)
                self.binds += 1
                await esme.pump.wait_closed()
            await asyncio.sleep(RETRY_S)

    async def _send(self) -> None:
        esme = self._esme
        while True:
            self.read()
            while self._may_send():
                self._ledger.submitted += 1
                esme.send("chaos", self._handset(), "does this arrive?")
            with contextlib.suppress(TimeoutError):
                await esme.wait_for(self._has_news, LOOK_S)

    def _may_send(self) -> bool:
        esme = self._esme
        has_room = esme.is_bound and len(esme.ledger.submits) < self._window
        return has_room and self._is_sending and self._next < self._messages_max

    def _has_news(self) -> bool:
        submits = self._esme.ledger.submits
        return bool(self._esme.ledger.receipts) or bool(submits and (submits[0].status is not None or submits[0].lost))

    def _handset(self) -> str:
        self._next += 1
        return f"{self._rng.choice(self._prefixes)}{self._first + self._next:0{NUMBER_SIZE}d}"

    def read(self) -> None:
        """Take over what the connection has brought."""
        ours, theirs = self._ledger, self._esme.ledger
        while theirs.submits and (theirs.submits[0].status is not None or theirs.submits[0].lost):
            submitted = theirs.submits.popleft()
            if submitted.lost:
                ours.unanswered += 1
            elif submitted.status:
                ours.refused[submitted.status] += 1
            else:
                ours.ids[submitted.pdu.destination_addr] = submitted.message_id
        while theirs.receipts:
            receipt = theirs.receipts.popleft()
            ours.receipts[receipt.message_id] += 1
            ours.states.setdefault(receipt.message_id, set()).add(receipt.state)
            ours.faults += receipt.faults
