"""An application's own side of one bind, for ``gatewayd send``: binds, submits within a window, hears answers.

Knows no file and no terminal. What is delivered to it and is not meant for it is left to the account's other binds.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable

from gatewayd.runtime.transport import Pump
from protocol.smpp import text as alphabets
from protocol.smpp.connection import Connection, Limits
from protocol.smpp.constants import Command, Npi, Status, Tag, Ton, status_name
from protocol.smpp.events import Answered, BindRefused, Bound, Closed, Event, Unanswered
from protocol.smpp.fields import SHORT_MESSAGE_MAX
from protocol.smpp.pdu import Bind, DeliverSm, DeliverSmResp, SubmitSm, SubmitSmResp
from protocol.smpp.receipt import is_receipt, parse
from protocol.smpp.states import BOUND, Role

SHORT_CODE_DIGITS_MAX = 6
TEXT_OCTETS_MAX = 255 * 153
WINDOW = 100

Answer = Callable[[int, int, str], None]
"""Gets the number of a submit, its command_status (-1: none came) and its message id, or why there was no answer."""

Receipt = Callable[[str, str, str], bool]
"""Gets message id, state and error of a receipt; whether it is of a message that was sent here."""


class ClientFault(Exception):
    """No bind, in a sentence for people."""


class EsmeClient:
    """One bind. With ``on_receipt`` it is a transceiver, else a transmitter, which nothing is delivered to."""

    def __init__(
        self,
        system_id: str,
        password: str,
        on_answer: Answer,
        on_receipt: Receipt | None = None,
        *,
        window: int = WINDOW,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bind = Bind(
            command=Command.BIND_TRANSCEIVER if on_receipt is not None else Command.BIND_TRANSMITTER,
            system_id=system_id,
            password=password,
        )
        self._on_answer = on_answer
        self._on_receipt = on_receipt
        self._clock = clock
        self._engine = Connection(Role.ESME, Limits(window=window), clock())
        self._pump = Pump(self._engine, self._on_events, self._ring, clock)
        self._changed = asyncio.Event()
        self.closed = ""
        self._refused = 0

    @property
    def is_bound(self) -> bool:
        """Whether messages can go."""
        return self._engine.state in BOUND

    @property
    def room(self) -> int:
        """How many may be submitted now."""
        return self._engine.window_free if self.is_bound and self._pump.is_writable else 0

    @property
    def unanswered(self) -> int:
        """How many wait for their answer."""
        return self._engine.window_used

    async def connect(self, host: str, port: int, tls: ssl.SSLContext | None = None, timeout_s: float = 10.0) -> None:
        """Connect and bind. Raises ClientFault."""
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.get_running_loop().create_connection(lambda: self._pump, host, port, ssl=tls)
                self._engine.bind(self._bind, self._clock())
                self._pump.flush()
                while not (self.is_bound or self._refused or self.closed):
                    await self.wait()
        except TimeoutError:
            raise ClientFault(f"{host}:{port}: no answer within {timeout_s:g} s") from None
        except OSError as error:
            raise ClientFault(f"{host}:{port}: {error.strerror or error}") from None
        if not self.is_bound:
            why = status_name(self._refused) if self._refused else f"the connection was closed ({self.closed})"
            raise ClientFault(f"{host}:{port}: not bound as {self._bind.system_id}: {why}")

    def submit(self, number: int, pdu: SubmitSm) -> None:
        """Send one; there must be room. Its answer comes under ``number``."""
        self._engine.request(pdu, self._clock(), number)
        self._pump.flush()

    async def wait(self, timeout_s: float | None = None) -> None:
        """Return when anything has happened, or the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    async def close(self, timeout_s: float = 3.0) -> None:
        """Unbind, and be gone."""
        if self.is_bound:
            self._engine.unbind(self._clock())
            self._pump.flush()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._pump.wait_closed()
            except TimeoutError:
                pass
        if self._pump.is_connected:
            self._pump.abort()
            await self._pump.wait_closed()

    def _ring(self) -> None:
        self._changed.set()

    def _on_events(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Answered(context=int(number), pdu=SubmitSmResp() as response):
                    self._on_answer(number, response.status, response.message_id)
                case Unanswered(context=int(number), reason=reason, status=status):
                    self._on_answer(number, status or -1, reason)
                case DeliverSm():
                    self._take(event)
                case BindRefused(status=status):
                    self._refused = status
                case Bound():
                    pass
                case Closed(reason=reason):
                    self.closed = reason or "closed"
        self._ring()

    def _take(self, pdu: DeliverSm) -> None:
        """A receipt of ours is taken. All else is for the application: "not now", so that it is offered elsewhere."""
        receipt = parse(pdu.short_message, pdu.tlvs) if is_receipt(pdu.esm_class, pdu.tlvs) else None
        is_ours = (
            receipt is not None
            and self._on_receipt is not None
            and self._on_receipt(receipt.carrier_id, receipt.state, receipt.error)
        )
        status = Status.ESME_ROK if is_ours else Status.ESME_RX_T_APPN
        self._engine.respond(DeliverSmResp(sequence=pdu.sequence, status=status))


def address_of(written: str) -> tuple[int, int, str]:
    """Type of number, numbering plan and address of what a person wrote: ``+336…``, ``36105`` or ``Shop``."""
    digits = written.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal()):
        return Ton.ALPHANUMERIC, Npi.UNKNOWN, written
    if len(digits) <= SHORT_CODE_DIGITS_MAX:
        return Ton.NETWORK_SPECIFIC, Npi.UNKNOWN, digits
    return Ton.INTERNATIONAL, Npi.ISDN, digits


def submit_of(source: str, destination: str, text: str, *, wants_receipt: bool, default: str = "gsm") -> SubmitSm:
    """One submit_sm with the whole text, in message_payload if it is long. ``default`` is data_coding 0.

    Raises ValueError for a text that is too long.
    """
    encoding = alphabets.best_encoding(text)
    payload = alphabets.encode(text, encoding)
    if len(payload) > TEXT_OCTETS_MAX:
        raise ValueError("the text is too long")
    source_ton, source_npi, source_addr = address_of(source)
    dest_ton, dest_npi, destination_addr = address_of(destination)
    is_long = len(payload) > SHORT_MESSAGE_MAX
    return SubmitSm(
        source_addr_ton=source_ton,
        source_addr_npi=source_npi,
        source_addr=source_addr,
        dest_addr_ton=dest_ton,
        dest_addr_npi=dest_npi,
        destination_addr=destination_addr,
        registered_delivery=int(wants_receipt),
        data_coding=alphabets.data_coding_of(encoding, default),
        short_message=b"" if is_long else payload,
        tlvs=((int(Tag.MESSAGE_PAYLOAD), payload),) if is_long else (),
    )
