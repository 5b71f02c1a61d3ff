"""A legacy sender: binds, sends texts of any length, collects answers, receipts and replies. For tests and for people.

Knows nothing of the daemon.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import uvloop
from rich.console import Console
from rich.table import Table

from gatewayd.runtime.transport import Pump
from gatewayd.simulate.composing import LongStyle, compose
from gatewayd.simulate.esme_ledger import Asked, Ledger, Submitted, delivered
from gatewayd.simulate.schedule import Schedule
from protocol.smpp.connection import (
    Answered,
    BindRefused,
    Bound,
    Closed,
    Connection,
    ConnState,
    Event,
    FaultSeen,
    Limits,
    Role,
    Unanswered,
)
from protocol.smpp.constants import INTERFACE_VERSION, Command, status_name
from protocol.smpp.records import (
    AlertNotification,
    Bind,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    Request,
    Response,
    SubmitSm,
    SubmitSmResp,
)

BindMode = Literal["transceiver", "transmitter", "receiver"]
WAITING_MAX = 1_000_000

_COMMANDS = {
    "transceiver": Command.BIND_TRANSCEIVER,
    "transmitter": Command.BIND_TRANSMITTER,
    "receiver": Command.BIND_RECEIVER,
}
_BOUND = (ConnState.BOUND_TX, ConnState.BOUND_RX, ConnState.BOUND_TRX)


class NotBoundError(Exception):
    """The gateway refused the bind, or closed before it answered. ``status`` is 0 when it said nothing."""

    def __init__(self, status: int) -> None:
        super().__init__(f"not bound: {status_name(status)}" if status else "not bound: the connection was closed")
        self.status = status


class Esme:
    """One bind of a sender. What does not fit the window waits and goes out as answers come."""

    def __init__(
        self,
        system_id: str,
        password: str,
        *,
        bind_mode: BindMode = "transceiver",
        version: int = INTERFACE_VERSION,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ledger = Ledger()
        self.limits = limits or Limits()
        self.clock = clock
        # What deliver_sm is answered: 0 takes it, another status refuses it, None says nothing.
        self.deliver_status: int | None = 0
        self.bind_status: int | None = None
        self.closed_reason = ""
        self.schedule = Schedule(clock)
        self._asked = Bind(
            command=_COMMANDS[bind_mode], system_id=system_id, password=password, interface_version=version
        )
        self._connection = Connection(Role.ESME, self.limits, clock())
        self._pump: Pump | None = None
        self._waiting: deque[Submitted] = deque()
        self._references = 0

    @property
    def is_bound(self) -> bool:
        """Whether messages can flow."""
        return self._connection.state in _BOUND

    @property
    def pump(self) -> Pump:
        """The transport's side; there is none before the first ``connect``."""
        if self._pump is None:
            raise NotBoundError(0)
        return self._pump

    async def connect(self, host: str, port: int, timeout_s: float = 10.0) -> None:
        """Connect and bind; NotBoundError when the gateway does not want us, OSError when nobody listens."""
        pump = self._renew()
        await asyncio.get_running_loop().create_connection(lambda: pump, host, port)
        self._connection.bind(self._asked, self.clock())
        pump.flush()
        await self.wait_for(self._has_bind_ended, timeout_s)
        if not self.is_bound:
            raise NotBoundError(self.bind_status or 0)

    async def unbind(self, timeout_s: float = 10.0) -> None:
        """Unbind and wait until the connection is closed."""
        self._connection.unbind(self.clock())
        self.pump.flush()
        await self.wait_for(lambda: self.closed_reason != "", timeout_s)
        await self.pump.wait_closed()

    async def abort(self) -> None:
        """Cut the connection without a word."""
        self.schedule.close()
        if self._pump is not None and self._pump.is_connected:
            self._pump.abort()
            await self._pump.wait_closed()

    def send(
        self,
        source: str,
        destination: str,
        text: str,
        *,
        encoding: str = "",
        default: str = "gsm",
        long: LongStyle = "udh",
        registered_delivery: int = 1,
    ) -> list[Submitted]:
        """Send a text, in as many parts as it takes; one entry a part, whose answers arrive later."""
        self._references = self._references % 255 + 1
        pdus = compose(
            SubmitSm,
            source,
            destination,
            text,
            encoding=encoding,
            default=default,
            long=long,
            reference=self._references,
            registered_delivery=registered_delivery,
        )
        return [self.submit(pdu) for pdu in pdus]

    @property
    def connection(self) -> Connection:
        """The engine: what was agreed with the gateway, and what it said of itself."""
        return self._connection

    def ask(self, pdu: Request) -> Asked:
        """Send any other request at once; its answer arrives later."""
        asked = Asked(pdu)
        self._connection.request(pdu, self.clock(), asked)
        self.pump.flush()
        return asked

    async def answer_to(self, pdu: Request, timeout_s: float = 10.0) -> Any:
        """The same, and wait for the answer."""
        asked = self.ask(pdu)
        await self.wait_for(lambda: asked.answer is not None or asked.lost != "", timeout_s)
        return asked.answer

    def submit(self, pdu: SubmitSm) -> Submitted:
        """Send any submit_sm."""
        if len(self._waiting) >= WAITING_MAX:
            raise OverflowError("too much waits for room in the window")
        submitted = Submitted(pdu)
        self.ledger.submits.append(submitted)
        self._waiting.append(submitted)
        self._send_waiting()
        return submitted

    async def wait_for(self, predicate: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Return as soon as ``predicate`` holds; TimeoutError when it does not within ``timeout_s``."""
        await self.ledger.wait_for(predicate, timeout_s)

    async def wait_answered(self, timeout_s: float = 10.0) -> None:
        """Wait until every submit has its answer, or will have none."""
        await self.wait_for(
            lambda: all(submit.status is not None or submit.lost for submit in self.ledger.submits), timeout_s
        )

    def freeze(self) -> None:
        """Read nothing any more, as an application that hangs."""
        self.pump.pause_reading()

    def thaw(self) -> None:
        """Read on after ``freeze``."""
        self.pump.resume_reading()

    def _renew(self) -> Pump:
        """A connection ends for good: each ``connect`` has its own."""
        self._connection = Connection(Role.ESME, self.limits, self.clock())
        self._pump = Pump(self._connection, self._on_events, self._send_waiting, self.clock)
        self.closed_reason = ""
        self.bind_status = None
        return self._pump

    def _has_bind_ended(self) -> bool:
        """Whether the bind was accepted, refused, or will not be answered."""
        return self.is_bound or self.bind_status is not None or self.closed_reason != ""

    def _send_waiting(self) -> None:
        connection = self._connection
        pump = self._pump
        while pump and self._waiting and self.is_bound and connection.window_free > 0 and pump.is_writable:
            submitted = self._waiting.popleft()
            submitted.at = self.clock()
            connection.request(submitted.pdu, submitted.at, submitted)
        if pump is not None:
            pump.flush()

    def _on_events(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Answered(context=Submitted() as submitted, pdu=SubmitSmResp() as response):
                    submitted.status = response.status
                    submitted.message_id = response.message_id
                    submitted.latency_s = event.latency_s
                    self.ledger.counts["answers"] += 1
                case Answered(context=Asked() as asked, pdu=Response() as response):
                    asked.answer = response
                case Unanswered(context=Asked() as asked):
                    asked.lost = event.reason
                case AlertNotification():
                    self.ledger.alerts.append(event)
                case Unanswered(context=Submitted() as submitted):
                    submitted.lost = event.reason
                    self.ledger.counts["unanswered"] += 1
                case DeliverSm() | DataSm():
                    self._on_deliver(event)
                case BindRefused():
                    self.bind_status = event.status
                case Bound():
                    self.bind_status = 0
                case FaultSeen():
                    self.ledger.faults.append((event.kind, event.status))
                case Closed():
                    self.closed_reason = event.reason or "closed"
        self._send_waiting()
        self.ledger.changed()

    def _on_deliver(self, pdu: DeliverSm | DataSm) -> None:
        if self.deliver_status is None:
            self.ledger.counts["deliveries ignored"] += 1
            return
        answer = DataSmResp if isinstance(pdu, DataSm) else DeliverSmResp
        self._connection.respond(answer(sequence=pdu.sequence, status=self.deliver_status))
        if self.deliver_status == 0:
            self.ledger.take(delivered(pdu), self.clock())
        else:
            self.ledger.counts["deliveries refused"] += 1


def run_command(
    connect: str,
    system_id: str,
    password_file: Path,
    source: str,
    to: list[str],
    text: str,
    count: int,
    rate: float,
    wait_s: float,
) -> None:
    """`gatewayd simulate esme`: send ``text`` ``count`` times to each of ``to``, ``rate`` a second (0: at once).

    Then wait up to ``wait_s`` for the answers and a receipt each, and print what became of every message. Leaves with
    status 1 when the gateway cannot be reached, refuses the bind, or answers anything but ESME_ROK.
    """
    host, _, port = connect.rpartition(":")
    esme = Esme(system_id, password_file.read_text(encoding="utf-8").strip())
    texts = [partial(esme.send, source, destination, text) for _ in range(count) for destination in to]
    try:
        uvloop.run(_converse(esme, host.strip("[]"), int(port), texts, rate, wait_s))
    except (NotBoundError, OSError, TimeoutError) as failure:
        print(f"esme: {connect}: {str(failure) or 'no answer in time'}", file=sys.stderr)
        sys.exit(1)
    _print_fates(esme.ledger)
    if any(submit.status != 0 for submit in esme.ledger.submits):
        sys.exit(1)


async def _converse(
    esme: Esme, host: str, port: int, texts: Sequence[Callable[[], list[Submitted]]], rate: float, wait_s: float
) -> None:
    await esme.connect(host, port)
    print(f"esme bound to {host}:{port}", flush=True)
    for at, send in enumerate(texts):
        esme.schedule.after(at / rate if rate else 0.0, send)
    ledger = esme.ledger

    def is_complete() -> bool:
        return (
            len(ledger.submits) >= len(texts)
            and not esme.schedule
            and all(submit.lost or submit.status is not None for submit in ledger.submits)
            and {receipt.message_id for receipt in ledger.receipts}
            >= {submit.message_id for submit in ledger.submits if submit.status == 0}
        )

    try:
        await esme.wait_for(
            lambda: is_complete() or esme.closed_reason != "", wait_s + (len(texts) / rate if rate else 0)
        )
    except TimeoutError:
        print("esme: not everything came in time", file=sys.stderr)
    if not esme.closed_reason:
        await esme.unbind()


def _print_fates(ledger: Ledger) -> None:
    table = Table("to", "message id", "answer", "ms", "receipt", title="what became of it")
    states = {receipt.message_id: f"{receipt.state} {receipt.error}" for receipt in ledger.receipts}
    for submit in ledger.submits:
        answer = submit.lost or ("none" if submit.status is None else status_name(submit.status))
        table.add_row(
            submit.pdu.destination_addr,
            submit.message_id,
            answer,
            f"{submit.latency_s * 1000:.1f}",
            states.get(submit.message_id, "none"),
        )
    for text in ledger.texts:
        table.add_row(text.source, "", "reply", "", text.text)
    Console().print(table)
