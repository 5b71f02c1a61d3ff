"""An SMS carrier with a memory, and a worker's part of the link to it: receipts that are not confirmed come again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gatewayd.carriers.link import LinkListener, Report, Result
from gatewayd.message import Accepted, Channel, Message, Receipt, State, Unknown
from gatewayd.simulate.population import UNREACHED

ANSWER_S, RECEIPT_S, AGAIN_S = 0.05, 2.0, 5.0
WINDOW = 100


class Carrier:
    """What it took: by the text of a message, how often, and what became of it."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}
        self.delivered: set[str] = set()
        self.parts: dict[int, CarrierPart] = {}
        self._owed: dict[str, tuple[int, Receipt]] = {}
        self._count = 0

    def take(self, slot: int, message: Message) -> str:
        """Accept it; the receipt follows, twice for every tenth."""
        self._count += 1
        name, text = f"sms-{self._count}", message.payload.decode()
        self.taken[text] = self.taken.get(text, 0) + 1
        is_reached = not message.destination.endswith(UNREACHED)
        if is_reached:
            self.delivered.add(text)
        state, error = (State.DELIVRD, "000") if is_reached else (State.UNDELIV, "001")
        receipt = Receipt(name, state, error, handset=message.destination)
        self._owed[name] = slot, receipt
        loop = asyncio.get_running_loop()
        loop.call_later(RECEIPT_S, self._tell, name)
        if self._count % 10 == 0:
            loop.call_later(RECEIPT_S, self._tell_again, slot, receipt)
        return name

    def settled(self, name: str) -> None:
        """A worker has the receipt."""
        self._owed.pop(name, None)

    @property
    def owed(self) -> int:
        """Receipts that no worker has confirmed."""
        return len(self._owed)

    def _tell(self, name: str) -> None:
        if name not in self._owed:
            return
        self._tell_again(*self._owed[name])
        asyncio.get_running_loop().call_later(AGAIN_S, self._tell, name)

    def _tell_again(self, slot: int, receipt: Receipt) -> None:
        part = self.parts.get(slot)
        if part is not None:
            part.listener.on_reports(part, [Report(receipt, receipt.carrier_id)])


class CarrierPart:
    """One worker's part of the link."""

    name = "carrier"
    channel = Channel.SMS
    is_up = True

    def __init__(self, carrier: Carrier, slot: int, listener: LinkListener) -> None:
        self.listener = listener
        self._carrier = carrier
        self._slot = slot
        self._used = 0
        carrier.parts[slot] = self

    @property
    def window_used(self) -> int:
        return self._used

    def capacity(self) -> int:
        return WINDOW - self._used

    def want(self, waiting: int, keep: int) -> None:
        """Nothing to share."""

    def cost(self, message: Message) -> int:
        return 1

    def unseen(self, message: Message, error: str) -> Unknown:
        return Unknown(error)

    def submit(self, message: Message, segments: Sequence[int] | None = None, expires_at: float = 0.0) -> None:
        self._used += 1
        name = self._carrier.take(self._slot, message)
        asyncio.get_running_loop().call_later(ANSWER_S, self._answer, message.id, name)

    def _answer(self, message_id: int, name: str) -> None:
        self._used -= 1
        self.listener.on_results(self, [Result(message_id, 0, Accepted(name), ANSWER_S)])
        self.listener.on_ready(self)

    def acknowledge(self, tokens: Sequence[object], stored: bool) -> None:
        for token in tokens if stored else ():
            self._carrier.settled(str(token))

    def revoke(self, message_id: int, carrier_id: str) -> None:
        raise AssertionError("SMS cannot be taken back")

    def spelt_out(self, receipt: Receipt) -> Receipt:
        return receipt

    def check_capability(self, handset: str) -> None:
        raise AssertionError("every handset takes SMS")

    async def start(self) -> None:
        """Nothing to connect."""

    async def stop(self, drain_s: float) -> None:
        """Nothing to drain."""
