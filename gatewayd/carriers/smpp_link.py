"""A link to a carrier's SMSC: several binds that share the work, and every segment given back exactly once.

Knows no route, no store and no account; it neither queues nor retries.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gatewayd.carriers import tlv_rules
from gatewayd.carriers.acknowledging import REPORTS_PER_SEAT_MAX, Token, acknowledge, respond
from gatewayd.carriers.addressing import addressing_of
from gatewayd.carriers.berth import Berth
from gatewayd.carriers.carrier_tls import CarrierTls
from gatewayd.carriers.dialing import Admission, Dialer, burst_of
from gatewayd.carriers.dialled_seat import DialledSeat
from gatewayd.carriers.door import AcceptedSeat, Door
from gatewayd.carriers.failback import Failback
from gatewayd.carriers.link import Capability, LinkListener, Report, Result, Revocation
from gatewayd.carriers.segments import count_of, is_kept_whole, prepared
from gatewayd.carriers.smpp_reports import ReportReader, availability_of, spelt_out
from gatewayd.carriers.smpp_seat import Credentials, Ears, Seat, modes_of
from gatewayd.carriers.statuses import StatusTable
from gatewayd.carriers.wording import manner_of
from gatewayd.config import schema
from gatewayd.message import Accepted, Availability, Channel, Deferred, Message, Outcome, Receipt, Refused, Unknown
from gatewayd.policy.easing import NEARLY_FULL
from protocol.smpp.connection import (
    Answered,
    BindRefused,
    Bound,
    Closed,
    ConnState,
    Event,
    FaultSeen,
    Unanswered,
)
from protocol.smpp.errors import LocalFault, SmppFault
from protocol.smpp.pdu import (
    AlertNotification,
    DataSm,
    DeliverSm,
    MessageResponse,
    Outbind,
    SubmitSm,
)
from protocol.smpp.receipt_ids import canonical_key

logger = logging.getLogger(__name__)

FULL_RETRY_S: Final = 1.0
RECONNECT_DRAIN_S: Final = 5.0


class _Sent(msgspec.Struct, frozen=True, gc=False):
    """What a request's answer must be joined to."""

    message_id: int
    segment: int
    at: float
    changed: str = ""


class SmppLink:
    """One carrier over SMPP, as the contract in ``link`` asks. ``rng`` spreads reconnections in time."""

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
        outbind_password: str | None = None,
        admission: Admission | None = None,
        width: Callable[[], float] = lambda: 1.0,
        on_congestion: Callable[[int], None] = lambda state: None,
        reader: ReportReader | None = None,
    ) -> None:
        """``width`` is the share of each window that is used for now; ``admission`` is all workers' where there are
        several; ``on_congestion`` hears of a carrier that is nearly full (SMPP 5.0)."""
        self.name = name
        self.channel = Channel.SMS  # of the instance: the interpreter finds what is of the class only by a search
        self.on_alert: Callable[[Availability], None] = lambda alert: None
        self._settings = settings
        self._statuses = StatusTable(settings.statuses, settings.throttle_pause_s)
        self._credentials = Credentials(settings, password)
        self._outbind_password = outbind_password
        self._listener = listener
        self._clock = clock
        self._rng = rng or random.Random()
        self._on_fault = on_fault
        self._manner = manner_of(settings)
        self._addressing = addressing_of(settings)
        self._tlv_rule = tlv_rules.outgoing(settings)
        self.reader = reader or ReportReader(settings, on_fault)
        self._berths: list[Berth | Door] = []
        self._seats: list[Seat] = []
        self._looked_at = 0
        self._whole: Message | None = None  # whose cost was asked for last, if it goes in one piece
        self._opened = 0
        self._tls = CarrierTls(settings)
        self.admission = admission or Admission(settings.connects_per_s, clock=clock, burst=burst_of(settings))
        self._dialer = Dialer(settings, self._tls, self.admission)
        self._ears = Ears(self._take, self._writable, on_fault)
        self._width = width
        self._on_congestion = on_congestion
        self._is_narrow = False
        self._failback = Failback(name, settings.failback_interval_s, self._dialer, lambda: self._berths, self._emptied)
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
        """Whether a bind stands over which messages may go; of a link that only receives, any."""
        return any(seat.is_bound and (seat.submits or self._settings.bind == "receiver") for seat in self._seats)

    @property
    def binds_up(self) -> int:
        """How many binds stand; of a pair each counts."""
        return sum(seat.is_bound for seat in self._seats)

    @property
    def hosts_up(self) -> Counter[str]:
        """How many binds stand at each of the carrier's hosts; where it comes to us, at the addresses it came from."""
        return Counter(seat.where for seat in self._seats if seat.is_bound)

    @property
    def elsewhere(self) -> list[str]:
        """At which hosts binds stand that should be at the first."""
        first = str(self._dialer.hosts[0]) if self._dialer.hosts else ""
        return sorted(host for host in self.hosts_up if first and host != first)

    @property
    def window_used(self) -> int:
        """Segments that wait for the carrier's answer, over all binds."""
        return sum(seat.connection.window_used for seat in self._seats)

    @property
    def window_up(self) -> int:
        """How many segments may wait at most, over the binds that stand."""
        window = self._settings.window
        return sum(window - seat.narrowed for seat in self._seats if seat.is_bound and seat.submits)

    def capacity(self) -> int:
        """How many segments may be submitted right now."""
        width = self._width()
        if width < 1.0 or self._is_narrow:
            self._narrow(width)
        free = self._free()
        if not free:
            self._was_full = True
        return free

    def cost(self, message: Message) -> int:
        """How many segments the message becomes on this link."""
        if is_kept_whole(message, self._manner):
            self._whole = message
            return 1
        try:
            return count_of(message, self._manner)
        except SmppFault:
            return 1  # it will be refused as a whole

    def submit(self, message: Message, segments: Sequence[int] | None = None, expires_at: float = 0.0) -> None:
        """Send all segments, or only those given, over one bind as long as its window has room."""
        is_whole = message is self._whole
        if self._addressing is not None:
            message = self._addressing.of(message)
        try:
            requests, changed = prepared(message, self._manner, expires_at, is_whole)
        except SmppFault as fault:
            for segment in segments or (0,):
                self._owe(message.id, segment, Refused(fault.kind))
            return
        if self._tlv_rule is not None:
            tlv_rules.apply(self._tlv_rule, requests)
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
                self._send(seat, requests[segment], message.id, segment, "" if segment else changed)
        if not free:
            self.capacity()  # whoever fills the last window hears when there is room again

    def unseen(self, message: Message, error: str) -> Unknown:
        """What became of an attempt whose end nobody saw: the carrier gives the names, so there is none."""
        return Unknown(error)

    def acknowledge(self, tokens: Sequence[object], stored: bool) -> None:
        """Answer reports; those of a connection that is gone will be repeated by the carrier."""
        acknowledge(tokens, stored)
        self._idle.set()

    def revoke(self, message_id: int, carrier_id: str) -> None:
        """Not over SMPP: an SMS that was taken is not asked back."""
        revocation = Revocation(message_id, carrier_id, None, "unsupported")
        asyncio.get_running_loop().call_soon(self._listener.on_revoked, self, revocation)

    def want(self, waiting: int, keep: int) -> None:
        """Nothing to share: the whole window is this process's."""

    def spelt_out(self, receipt: Receipt) -> Receipt:
        """The same with all spellings of its id."""
        return spelt_out(receipt)

    def check_capability(self, handset: str) -> None:
        """Not over SMPP: whether a handset takes RCS is another channel's knowledge."""
        capability = Capability(handset, None, "unsupported")
        asyncio.get_running_loop().call_soon(self._listener.on_capability, self, capability)

    async def start(self) -> None:
        """Begin to connect every bind."""
        self.prepare()
        for _ in range(self._settings.berths):
            self.open_bind()

    def prepare(self) -> None:
        """Get ready to ``open_bind``; for those who count the binds themselves, instead of ``start``."""
        self._tls.read()
        self._failback.start()

    def learn(self, settings: schema.Link) -> None:
        """What no bind need go for: other statuses and addresses, and certificates for the connections to come.

        Raises OSError or ValueError when these cannot be read; those read before go on to be used.
        """
        self._settings = settings
        self._statuses = StatusTable(settings.statuses, settings.throttle_pause_s)
        self._addressing = addressing_of(settings)
        self._tls.read()

    def open_bind(self) -> Berth | Door:
        """One bind more (or pair of them), kept connected from now on; or the door that the carrier comes through."""
        self._opened += 1
        berth = self._door() if self._settings.listen else self._berth(f"link {self.name} bind {self._opened}")
        self._berths.append(berth)
        self._count_seats()
        berth.start()
        return berth

    def _berth(self, label: str) -> Berth:
        modes = modes_of(self._settings)
        return Berth(
            [
                DialledSeat(
                    label if len(modes) == 1 else f"{label} ({mode})",
                    self._credentials,
                    mode,
                    self._ears,
                    self._dialer,
                    self._clock,
                    self._rng,
                )
                for mode in modes
            ]
        )

    def _door(self) -> Door:
        return Door(
            self.name,
            self._credentials,
            self._ears,
            self._clock,
            self._tls,
            self.admission,
            outbind_password=self._outbind_password,
            on_change=self._count_seats,
        )

    def _count_seats(self) -> None:
        self._seats = [seat for berth in self._berths for seat in berth.seats]

    async def close_bind(self, berth: Berth | Door, drain_s: float) -> None:
        """One bind less: let its answers come and ours go, for a while, then unbind."""
        berth.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                for seat in tuple(berth.seats):  # a door forgets those that end meanwhile
                    await self._emptied(seat)
        await berth.stop()
        self._berths.remove(berth)
        self._count_seats()

    async def _emptied(self, seat: Seat) -> None:
        """Return once neither side of a bind owes the other an answer.

        A report that was kept and not yet acknowledged would come again over another bind.
        """
        while not seat.is_empty:
            self._idle.clear()
            await self._idle.wait()

    async def reconnect(self) -> None:
        """Connect each bind anew, one after the other, once its answers have come."""
        self.admission.release()
        async with self._reconnecting:
            for berth in tuple(self._berths):
                await self.close_bind(berth, RECONNECT_DRAIN_S)
                if self._is_stopping:  # a new bind would outlive the link
                    return
                self.open_bind()

    async def stop(self, drain_s: float) -> None:
        """Take no more, wait for answers, unbind, and give back the rest as Unknown."""
        self._is_stopping = True
        await self._failback.stop()
        for berth in self._berths:
            berth.drain()
        try:
            async with asyncio.timeout(drain_s):
                while self.window_used:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            logger.warning("link %s: %d segments unanswered after %.0f s", self.name, self.window_used, drain_s)
        await asyncio.gather(*(berth.stop() for berth in self._berths))
        self.admission.release()  # who starts it again may have another password; a crash does not come by here
        if self._is_telling_asked:
            await asyncio.sleep(0)  # what was asked for earlier in this loop turn is told by now

    # ---- sending --------------------------------------------------------------------------------------------------

    def _narrow(self, width: float) -> None:
        """Use so much of each window: at least one, lest nothing went at all."""
        narrowed = self._settings.window - max(1, int(self._settings.window * width))
        self._is_narrow = narrowed > 0
        for seat in self._seats:
            seat.narrowed = narrowed

    def _free(self) -> int:
        return sum(seat.free() for seat in self._seats)

    def _roomiest(self) -> tuple[Seat | None, int]:
        """A bind with room, and how much: the roomiest of three, others each time; of all, if these have none."""
        seats = self._seats
        if len(seats) == 1:
            free = seats[0].free()
            return (seats[0], free) if free else (None, 0)
        if len(seats) > 3:  # a look at each bind for each message is dear where there are many
            self._looked_at = at = (self._looked_at + 1) % len(seats)
            found = _roomiest_of((seats[at - 2], seats[at - 1], seats[at]))
            if found[0] is not None:
                return found
        return _roomiest_of(seats)

    def _send(self, seat: Seat, request: SubmitSm, message_id: int, segment: int, changed: str) -> None:
        now = self._clock()
        try:
            seat.connection.request(request, now, _Sent(message_id, segment, now, changed))
        except LocalFault as fault:
            # Nothing was written. A field that does not fit its place on the wire never will.
            is_ours = fault.kind in ("wrong_state", "window_full")
            self._owe(message_id, segment, Deferred(fault.kind, FULL_RETRY_S) if is_ours else Refused(fault.kind))
        else:
            if not seat.pump.is_flush_asked:
                seat.pump.flush()

    def _owe(self, message_id: int, segment: int, outcome: Outcome) -> None:
        """A result that must not be told from inside ``submit``."""
        self._results.append(Result(message_id, segment, outcome, 0.0))
        if not self._is_telling_asked:
            self._is_telling_asked = True
            asyncio.get_running_loop().call_soon(self._tell)

    # ---- what one read brought ------------------------------------------------------------------------------------

    def _take(self, seat: Seat, events: list[Event]) -> None:
        is_answered = False
        for event in events:
            # The two that nearly all are, by their very type: an isinstance that says no takes three times as long.
            if type(event) is Answered:
                self._answered(event)
                is_answered = True
            elif type(event) is DeliverSm or type(event) is DataSm:
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
            elif isinstance(event, AlertNotification):
                self.on_alert(availability_of(event))
            elif isinstance(event, Outbind):
                if isinstance(seat, AcceptedSeat):
                    seat.asked(event)
                else:
                    self._on_fault("outbind_unexpected")
            elif isinstance(event, Closed):
                seat.closed(event.reason)
        if is_answered and seat.connection.peer_congestion >= NEARLY_FULL:
            self._on_congestion(seat.connection.peer_congestion)
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
            key = canonical_key(pdu.message_id, self.reader.id_mode)
            if self.reader.learner is not None:
                self.reader.learner.on_named(key)
            outcome = Accepted(key, changed=sent.changed)
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
        is_data = type(pdu) is DataSm
        content, status = self.reader.heard(pdu)
        if content is not None:
            token = Token(seat.pump, seat.connection, pdu.sequence, is_data)
            self._reports.append(Report(content, token))
        elif seat.connection.state is not ConnState.CLOSED:
            respond(seat.connection, pdu.sequence, is_data, status)


def _roomiest_of(seats: Sequence[Seat]) -> tuple[Seat | None, int]:
    roomiest, most = None, 0
    for seat in seats:
        free = seat.free()
        if free > most:
            roomiest, most = seat, free
    return roomiest, most
