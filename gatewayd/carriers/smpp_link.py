"""A link to a carrier's SMSC: several binds that share the work, and every segment given back exactly once.

Knows no route, no store and no account; it neither queues nor retries.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from gatewayd.carriers.link import Capability, LinkListener, Report, Result, Revocation
from gatewayd.carriers.segments import count_of, segments_of
from gatewayd.carriers.smpp_reports import report_of
from gatewayd.carriers.smpp_seat import Seat
from gatewayd.carriers.statuses import StatusTable
from gatewayd.config import schema
from gatewayd.message import Accepted, Channel, Deferred, Message, Outcome, Refused, Unknown
from gatewayd.runtime.transport import Pump
from protocol.smpp.connection import (
    Answered,
    BindRefused,
    Bound,
    Closed,
    Connection,
    ConnState,
    Event,
    FaultSeen,
    Unanswered,
)
from protocol.smpp.constants import Status
from protocol.smpp.errors import LocalFault, RemoteFault, SmppFault
from protocol.smpp.pdu import DataSm, DataSmResp, DeliverSm, DeliverSmResp, MessageResponse, SubmitSm
from protocol.smpp.receipt_ids import canonical_key

logger = logging.getLogger(__name__)

FULL_RETRY_S: Final = 1.0
RECONNECT_DRAIN_S: Final = 5.0
REPORTS_PER_SEAT_MAX: Final = 2_000
"""Reports that a carrier may have unacknowledged on one bind before it is no longer read."""


class _Sent(NamedTuple):
    """What a request's answer must be joined to."""

    message_id: int
    segment: int
    at: float


class _Token(NamedTuple):
    """Where a report must be answered."""

    pump: Pump
    connection: Connection
    sequence: int
    is_data: bool


class SmppLink:
    """One carrier over SMPP, as the contract in ``link`` asks. ``rng`` spreads reconnections in time."""

    channel = Channel.SMS

    def __init__(
        self,
        name: str,
        settings: schema.Link,
        password: str,
        listener: LinkListener,
        *,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        on_fault: Callable[[str], None] = lambda kind: None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._statuses = StatusTable(settings.statuses, settings.throttle_pause_s)
        self._password = password
        self._listener = listener
        self._clock = clock
        self._rng = rng or random.Random()
        self._on_fault = on_fault
        self._alphabet: str = settings.data_coding_0
        self._id_mode: str = settings.message_id_mode
        self._seats: list[Seat] = []
        self._opened = 0
        self._tls: ssl.SSLContext | None = None
        self._results: list[Result] = []
        self._reports: list[Report] = []
        self._is_telling_asked = False
        self._is_stopping = False
        self._was_full = False
        self._became_ready = False
        self._idle = asyncio.Event()
        self._reconnecting = asyncio.Lock()

    # ---- what flow asks -------------------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether a bind stands."""
        return self.binds_up > 0

    @property
    def binds_up(self) -> int:
        """How many binds stand."""
        return sum(seat.is_bound for seat in self._seats)

    @property
    def window_used(self) -> int:
        """Segments that wait for the carrier's answer, over all binds."""
        return sum(seat.connection.window_used for seat in self._seats)

    @property
    def window_up(self) -> int:
        """How many segments may wait at most, over the binds that stand."""
        return self._settings.window * self.binds_up

    def capacity(self) -> int:
        """How many segments may be submitted right now."""
        free = self._free()
        if not free:
            self._was_full = True
        return free

    def cost(self, message: Message) -> int:
        """How many segments the message becomes on this link."""
        try:
            return count_of(message, self._alphabet)
        except SmppFault:
            return 1  # it will be refused as a whole

    def submit(self, message: Message, segments: Sequence[int] | None = None, expires_at: float = 0.0) -> None:
        """Send all segments, or only those given, over one bind as long as its window has room."""
        try:
            requests = segments_of(message, self._alphabet, expires_at)
        except SmppFault as fault:
            for segment in segments or (0,):
                self._owe(message.id, segment, Refused(fault.kind))
            return
        seat, free = self._roomiest()
        for segment in range(len(requests)) if segments is None else segments:
            if segment >= len(requests):
                self._owe(message.id, segment, Refused("no_such_segment"))
                continue
            if not free:
                seat, free = self._roomiest()
            if seat is None:
                error = "window_full" if self.is_up else "link_down"
                self._owe(message.id, segment, Deferred(error, FULL_RETRY_S))
            else:
                free -= 1
                self._send(seat, requests[segment], message.id, segment)
        if not free:
            self.capacity()  # whoever fills the last window hears when there is room again

    def unseen(self, message: Message, error: str) -> Unknown:
        """What became of an attempt whose end nobody saw: the carrier gives the names, so there is none."""
        return Unknown(error)

    def acknowledge(self, tokens: Sequence[object], stored: bool) -> None:
        """Answer reports; those of a connection that is gone will be repeated by the carrier."""
        for token in tokens:
            if not isinstance(token, _Token) or token.connection.state is ConnState.CLOSED:
                continue
            pump, connection, sequence, is_data = token
            if not stored or is_data:
                status = Status.ESME_ROK if stored else Status.ESME_RX_T_APPN
                _respond(connection, sequence, is_data, status)
            else:
                connection.respond_deliver(sequence)
            if connection.owed <= REPORTS_PER_SEAT_MAX // 2:
                pump.resume_reading()
            pump.flush()
        self._idle.set()

    def revoke(self, message_id: int, carrier_id: str) -> None:
        """Not over SMPP: an SMS that was taken is not asked back."""
        revocation = Revocation(message_id, carrier_id, None, "unsupported")
        asyncio.get_running_loop().call_soon(self._listener.on_revoked, self, revocation)

    def want(self, waiting: int, keep: int) -> None:
        """Nothing to share: the whole window is this process's."""

    def check_capability(self, handset: str) -> None:
        """Not over SMPP: whether a handset takes RCS is another channel's knowledge."""
        capability = Capability(handset, None, "unsupported")
        asyncio.get_running_loop().call_soon(self._listener.on_capability, self, capability)

    async def start(self) -> None:
        """Begin to connect every bind."""
        self.prepare()
        for _ in range(self._settings.binds):
            self.open_bind()

    def prepare(self) -> None:
        """Get ready to ``open_bind``; for those who count the binds themselves, instead of ``start``."""
        settings = self._settings
        self._tls = ssl.create_default_context(cafile=settings.tls_ca or None) if settings.tls else None

    def open_bind(self) -> Seat:
        """One bind more, kept connected from now on."""
        self._opened += 1
        seat = Seat(
            f"link {self.name} bind {self._opened}",
            self._settings,
            self._password,
            self._take,
            self._writable,
            self._on_fault,
            self._clock,
            self._rng,
        )
        self._seats.append(seat)
        seat.start(self._tls)
        return seat

    async def close_bind(self, seat: Seat, drain_s: float) -> None:
        """One bind less: let its answers come and ours go, for a while, then unbind."""
        seat.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                # A report that was kept and not yet acknowledged would come again over another bind.
                while seat.connection.window_used or seat.connection.owed:
                    self._idle.clear()
                    await self._idle.wait()
        await seat.stop()
        self._seats.remove(seat)

    async def reconnect(self) -> None:
        """Connect each bind anew, one after the other, once its answers have come."""
        async with self._reconnecting:
            for seat in tuple(self._seats):
                await self.close_bind(seat, RECONNECT_DRAIN_S)
                if self._is_stopping:  # a new bind would outlive the link
                    return
                self.open_bind()

    async def stop(self, drain_s: float) -> None:
        """Take no more, wait for answers, unbind, and give back the rest as Unknown."""
        self._is_stopping = True
        for seat in self._seats:
            seat.drain()
        if self.window_used:
            try:
                async with asyncio.timeout(drain_s):
                    while self.window_used:
                        self._idle.clear()
                        await self._idle.wait()
            except TimeoutError:
                logger.warning("link %s: %d segments unanswered after %.0f s", self.name, self.window_used, drain_s)
        await asyncio.gather(*(seat.stop() for seat in self._seats))
        if self._is_telling_asked:
            await asyncio.sleep(0)  # what was asked for earlier in this loop turn is told by now

    # ---- sending --------------------------------------------------------------------------------------------------

    def _free(self) -> int:
        return sum(seat.free() for seat in self._seats)

    def _roomiest(self) -> tuple[Seat | None, int]:
        """The bind with the most room, and how much that is."""
        roomiest, most = None, 0
        for seat in self._seats:
            free = seat.free()
            if free > most:
                roomiest, most = seat, free
        return roomiest, most

    def _send(self, seat: Seat, request: SubmitSm, message_id: int, segment: int) -> None:
        now = self._clock()
        try:
            seat.connection.request(request, now, _Sent(message_id, segment, now))
        except LocalFault as fault:
            # Nothing was written. A field that does not fit its place on the wire never will.
            is_ours = fault.kind in ("wrong_state", "window_full")
            self._owe(message_id, segment, Deferred(fault.kind, FULL_RETRY_S) if is_ours else Refused(fault.kind))
        else:
            seat.pump.flush()

    def _owe(self, message_id: int, segment: int, outcome: Outcome) -> None:
        """A result that must not be told from inside ``submit``."""
        self._results.append(Result(message_id, segment, outcome, 0.0))
        if not self._is_telling_asked:
            self._is_telling_asked = True
            asyncio.get_running_loop().call_soon(self._tell)

    # ---- what one read brought ------------------------------------------------------------------------------------

    def _take(self, seat: Seat, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Answered):
                self._answered(event)
            elif isinstance(event, DeliverSm | DataSm):
                self._delivered(seat, event)
            elif isinstance(event, Unanswered):
                self._unanswered(event)
            elif isinstance(event, FaultSeen):
                self._on_fault(event.kind)
            elif isinstance(event, Bound):
                seat.bound()
                self._became_ready = True
            elif isinstance(event, BindRefused):
                seat.refused(event.status)
            elif isinstance(event, Closed):
                seat.closed(event.reason)
        if seat.connection.owed > REPORTS_PER_SEAT_MAX:
            seat.pump.pause_reading()
        self._tell()

    def _writable(self) -> None:
        self._became_ready = True
        self._tell()

    def _tell(self) -> None:
        """Give flow all that was gathered; results go first, for a receipt may follow its own answer in one read."""
        self._is_telling_asked = False
        results, self._results = self._results, []
        reports, self._reports = self._reports, []
        if results:
            self._listener.on_results(self, results)
        if reports:
            self._listener.on_reports(self, reports)
        if (self._became_ready or self._was_full) and self._free():
            self._became_ready = self._was_full = False
            self._listener.on_ready(self)
        self._idle.set()

    def _answered(self, event: Answered) -> None:
        sent, pdu = event.context, event.pdu
        if not isinstance(sent, _Sent) or not isinstance(pdu, MessageResponse):
            return
        outcome: Outcome
        if pdu.status:
            outcome = self._statuses.outcome_of(pdu.status)
        else:
            outcome = Accepted(canonical_key(pdu.message_id, self._id_mode))
        self._results.append(Result(sent.message_id, sent.segment, outcome, event.latency_s))

    def _unanswered(self, event: Unanswered) -> None:
        sent = event.context
        if not isinstance(sent, _Sent):
            return
        outcome: Outcome
        if event.reason != "nacked":
            outcome = Unknown(event.reason)
        elif event.status:
            outcome = self._statuses.outcome_of(event.status)
        else:
            outcome = Refused("generic_nack")
        self._results.append(Result(sent.message_id, sent.segment, outcome, self._clock() - sent.at))

    def _delivered(self, seat: Seat, pdu: DeliverSm | DataSm) -> None:
        is_data = isinstance(pdu, DataSm)
        status = int(Status.ESME_ROK)
        try:
            content = report_of(pdu, self._alphabet, self._id_mode)
        except RemoteFault as fault:
            self._on_fault(fault.kind)
            content, status = None, fault.status
        else:
            if content is None:
                # Sent again it would be no clearer, and as a message it would puzzle a person.
                self._on_fault("receipt_unparsed")
        if content is not None:
            token = _Token(seat.pump, seat.connection, pdu.sequence, is_data)
            self._reports.append(Report(content, token))
        elif seat.connection.state is not ConnState.CLOSED:
            _respond(seat.connection, pdu.sequence, is_data, status)


def _respond(connection: Connection, sequence: int, is_data: bool, status: int) -> None:
    if is_data:
        connection.respond(DataSmResp(sequence=sequence, status=status))
    else:
        connection.respond(DeliverSmResp(sequence=sequence, status=status))
