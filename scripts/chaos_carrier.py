"""A carrier under chaos: counts what reaches each handset, and falls into one bad mood after the other when told to.

Knows nothing of the daemon; says of every mood how many messages it may have made the daemon send twice.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

from gatewayd.simulate.behaviour import Behaviour, Rule
from gatewayd.simulate.smsc import Smsc
from gatewayd.simulate.smsc_ledger import Submit
from protocol.smpp.connection import Limits
from protocol.smpp.constants import Status

# Longer than the daemon waits for an answer.
TOO_LATE_S = 2.5
SILENT_S = 0.6
NO_BINDS_S = 1.0
LATE_MAX = 20


class Carrier(Smsc):
    """One simulated SMSC."""

    def __init__(self, name: str, password: str, window: int) -> None:
        behaviour = Behaviour(message_ids="hex", receipt_delay_s=0.02, redeliver_s=0.2, redeliveries_max=1_000_000)
        super().__init__(behaviour, system_id=name, password=password, limits=Limits(window=window))
        self.name = name
        self._window = window
        self.copies: Counter[str] = Counter()
        self.moods: dict[str, Callable[[random.Random], Awaitable[int]]] = {
            "closes": self._close,
            "resets": self._reset,
            "is silent": self._be_silent,
            "answers half a PDU": self._answer_half,
            "answers too late": self._answer_late,
            "refuses binds": self._refuse_binds,
            "throttles": self._throttle,
        }

    def take(self, submit: Submit, rule: Rule) -> None:
        """Count what is taken; the ledger itself need not grow."""
        if rule.takes:
            self.copies[submit.pdu.destination_addr] += 1
        super().take(submit, rule)
        self.ledger.submits.clear()
        while self.ledger.deliveries and self.ledger.deliveries[0].status == 0:
            self.ledger.deliveries.popleft()

    def duplicates(self) -> int:
        """How many messages came once more than they should have, each copy counted."""
        return sum(copies - 1 for copies in self.copies.values())

    # -- moods: each returns how many messages it may have made the daemon send twice ------------------------------

    async def _close(self, rng: random.Random) -> int:
        """Close in order, instead of answering."""
        self.script.tell(Rule(answer="close", times=1))
        return self._window

    async def _reset(self, rng: random.Random) -> int:
        at_stake = self._window * len(self.binds())
        self.drop_binds()
        return at_stake

    async def _be_silent(self, rng: random.Random) -> int:
        """Not for so long that anybody would give up."""
        self.freeze()
        await asyncio.sleep(rng.uniform(0.1, SILENT_S))
        self.thaw()
        return 0

    async def _answer_half(self, rng: random.Random) -> int:
        self.script.tell(Rule(answer="half", times=1))
        return self._window

    async def _answer_late(self, rng: random.Random) -> int:
        times = rng.randint(1, LATE_MAX)
        self.script.tell(Rule(delay_s=TOO_LATE_S, times=times))
        return times

    async def _refuse_binds(self, rng: random.Random) -> int:
        self.bind_status = Status.ESME_RSYSERR
        at_stake = await self._reset(rng)
        await asyncio.sleep(rng.uniform(0.1, NO_BINDS_S))
        self.bind_status = Status.ESME_ROK
        return at_stake

    async def _throttle(self, rng: random.Random) -> int:
        self.script.tell(Rule(answer="throttle", times=rng.randint(1, LATE_MAX)))
        return 0
