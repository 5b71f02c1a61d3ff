"""One SMPP connection as a machine, for either role: octets and ``now`` in; events, octets and a deadline out.

Knows no socket, no clock, no logger and no account: whether a bind is welcome and what becomes of a message is decided
by whoever drives it. Times are float seconds on any clock that never goes back.
"""

from __future__ import annotations

from typing import Final

from protocol.smpp import states, versions
from protocol.smpp.constants import INTERFACE_VERSION, RESPONSE_BIT, SEQUENCE_MAX, Command, Status, command_name
from protocol.smpp.errors import LocalFault, RemoteFault
from protocol.smpp.events import Answered, BindAsked, BindRefused, Bound, Closed, Event, FaultSeen, Unanswered
from protocol.smpp.framing import Framer
from protocol.smpp.layouts import HEADER
from protocol.smpp.outstanding import Outstanding
from protocol.smpp.pdu import build, build_answer, build_deliver_ok, build_submit_ok, parse
from protocol.smpp.records import (
    Bind,
    BindResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    Response,
    Unbind,
    UnbindResp,
)
from protocol.smpp.states import ConnState, Role
from protocol.smpp.timers import Asked, Due, Limits, Timers, answers

__all__ = [
    "Answered",
    "BindAsked",
    "BindRefused",
    "Bound",
    "Closed",
    "ConnState",
    "Connection",
    "Event",
    "FaultSeen",
    "Limits",
    "Role",
    "Unanswered",
]

_BOUND_STATES: Final[dict[int, ConnState]] = {
    Command.BIND_TRANSMITTER: ConnState.BOUND_TX,
    Command.BIND_RECEIVER: ConnState.BOUND_RX,
    Command.BIND_TRANSCEIVER: ConnState.BOUND_TRX,
}
_UNANSWERED: Final = states.UNANSWERED
_CLOSED: Final = ConnState.CLOSED  # asked for each PDU, and looking a member up in its class is dear


class Connection:
    """The machine. ``receive``, ``eof`` and ``tick`` never raise for what the peer did; our own mistakes do.

    After any call the driver writes ``data_to_send()``, closes the transport when ``wants_close``, and calls ``tick``
    no later than ``next_deadline()``.

    ``version`` is what both sides speak (3.4 section 5.2.4), ``peer_version`` what the peer said, 0: nothing.
    ``is_bound``: a bind stands. ``peer_congestion``: the last congestion_state of a peer of 5.0, 0 to 100.
    ``deadline_min_s``: no deadline lies nearer to the moment at which it begins.
    """

    __slots__ = (
        "_accepted",
        "_bind_pending",
        "_build",
        "_end_told",
        "_framer",
        "_issuable",
        "_leaving",
        "_out",
        "_outstanding",
        "_owed",
        "_reason",
        "_role",
        "_sequence",
        "_timers",
        "_unbind_reason",
        "_window",
        "deadline_min_s",
        "is_bound",
        "peer_congestion",
        "peer_system_id",
        "peer_version",
        "state",
        "version",
    )

    def __init__(self, role: Role, limits: Limits, now: float, version: int = INTERFACE_VERSION) -> None:
        """``version`` is the newest that we are to speak."""
        self.peer_system_id, self.version = "", version
        self.peer_version = self.peer_congestion = 0
        self._build = build
        self._role = role
        self._window = limits.window
        self._framer = Framer(limits.pdu_size_max)
        self._outstanding = Outstanding(limits.response_timeout_s)
        self._owed: set[int] = set()
        self._out: list[bytes] = []
        self._sequence = 0
        self._timers = Timers(limits, now)
        self.deadline_min_s = limits.shortest_s
        self._bind_pending = self._end_told = False
        self._leaving: int | None = None  # the peer's unbind that is to be answered once nothing else is owed
        self._unbind_reason = self._reason = ""
        self._enter(ConnState.OPEN)

    # ---- what the driver asks -------------------------------------------------------------------------------------

    @property
    def window_used(self) -> int:
        """Our requests that wait for their response."""
        return len(self._outstanding)

    @property
    def window_free(self) -> int:
        """How many more requests may go now; 0 when full, whatever the state."""
        return max(0, self._window - len(self._outstanding))

    @property
    def owed(self) -> int:
        """The peer's requests that we have not answered yet."""
        return len(self._owed)

    @property
    def wants_close(self) -> bool:
        """Whether the transport must be closed once ``data_to_send`` has nothing left."""
        return self.state is _CLOSED

    def data_to_send(self) -> bytes:
        """Every octet gathered since the last call."""
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def next_deadline(self) -> float | None:
        """The moment at which ``tick`` has something to do; None when never."""
        return min((at for at, _ in self._timers.running(self.state, self._outstanding.deadline())), default=None)

    # ---- what the peer does ---------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Take octets of the peer; the events are in the order of the wire."""
        events: list[Event] = []
        if self.state is _CLOSED:
            return events
        self._timers.heard_at = now
        try:
            pdus = self._framer.feed(data)
        except RemoteFault:
            pdus = []  # the framer keeps its fault, which is told below
        owed = self._owed
        for raw in pdus:
            try:
                pdu = parse(raw)
            except RemoteFault as fault:
                self._take_malformed(raw, fault, now, events)
            else:
                if type(pdu) in self._accepted:
                    sequence = pdu.sequence
                    if sequence in owed or not sequence:
                        _note_sequence(sequence, pdu, events)
                    owed.add(sequence)
                    events.append(pdu)
                    self._timers.active_at = now
                elif isinstance(pdu, Response):
                    self._take_response(pdu, now, events)
                else:
                    self._take(pdu, now, events)
            if self._end_told:
                return events
        if self._framer.fault is not None:
            self._take_fatal(self._framer.fault, events)
        return events

    def eof(self, now: float) -> list[Event]:
        """The stream ended; nothing more will come nor go."""
        del now
        events: list[Event] = []
        self._out.clear()
        if self._framer.is_within_pdu and not self.wants_close:
            events.append(FaultSeen("truncated", 0, "the stream ended within a PDU"))
        self._finish("eof", events)
        return events

    def tick(self, now: float) -> list[Event]:
        """Do what time asks for; harmless when called early."""
        events: list[Event] = []
        for at, due in tuple(self._timers.running(self.state, self._outstanding.deadline())):
            if at <= now and not self.wants_close:
                self._act(due, now, events)
        return events

    # ---- what we do -----------------------------------------------------------------------------------------------

    def request(self, pdu: Pdu, now: float, context: object = None) -> int:
        """Send a request, and give its sequence_number; ``context`` comes back in Answered or Unanswered.

        outbind and alert_notification have no response, so nothing comes back for them. Raises LocalFault when the
        state or our role forbids it (3.4 section 2.3), the window is full, or the record cannot be built.
        """
        command: int = pdu.command  # type: ignore[attr-defined]
        if type(pdu) not in self._issuable:
            raise LocalFault("wrong_state", Status.ESME_RINVBNDSTS, command=command, detail=self.state.value)
        if len(self._outstanding) >= self._window:
            raise LocalFault("window_full", Status.ESME_RMSGQFUL, command=command)
        sequence = self._sequence + 1
        if sequence > SEQUENCE_MAX or sequence in self._outstanding:
            sequence = self._next_sequence()
        self._sequence = pdu.sequence = sequence
        self._out.append(self._build(pdu))
        if type(pdu) not in _UNANSWERED:
            self._outstanding[sequence] = (context, now, command | RESPONSE_BIT)
        self._timers.active_at = now
        return sequence

    def respond(self, pdu: Pdu) -> None:
        """Send a response whose ``sequence`` is that of the request; raises LocalFault once closed."""
        self._check_alive()
        if not isinstance(pdu, Response):
            raise LocalFault("wrong_command", Status.ESME_RINVCMDID)
        self._out.append(self._build(pdu))
        self._pay(pdu.sequence)

    def respond_submit(self, sequence: int, message_id: str) -> None:
        """Answer a submit_sm with ESME_ROK; raises LocalFault once closed, or for an id that does not fit."""
        if self.state is _CLOSED:
            self._check_alive()
        self._out.append(build_submit_ok(sequence, message_id))
        self._owed.discard(sequence)
        if self._leaving is not None:
            self._pay(sequence)

    def respond_deliver(self, sequence: int) -> None:
        """Answer a deliver_sm with ESME_ROK; raises LocalFault once closed."""
        if self.state is _CLOSED:
            self._check_alive()
        self._out.append(build_deliver_ok(sequence))
        self._owed.discard(sequence)
        if self._leaving is not None:
            self._pay(sequence)

    def refuse(self, pdu: Pdu, status: int) -> None:
        """Answer any request of the peer with an error status, by its own response; raises LocalFault once closed."""
        self._check_alive()
        command: int = pdu.command  # type: ignore[attr-defined]
        self._out.append(build_answer(command, pdu.sequence, status))
        self._pay(pdu.sequence)

    def bind(self, pdu: Bind, now: float) -> None:
        """Ask to be bound (ESME role), in the version that ``pdu`` names; ends in Bound, BindRefused or Closed."""
        if Bind not in states.issued(self._role, self.state) or self._timers.binding is not None:
            raise LocalFault("wrong_state", Status.ESME_RALYBND, command=pdu.command, detail=self.state.value)
        pdu.sequence = self._next_sequence()
        self.version = versions.version_of(pdu.interface_version)
        self._out.append(build(pdu))
        self._timers.binding = Asked(pdu.sequence, now, pdu.command | RESPONSE_BIT)

    def accept_bind(self, asked: Bind, system_id: str, now: float, version: int = 0) -> None:
        """Answer BindAsked with ESME_ROK (SMSC role); ``system_id`` is our own name, of at most 15 characters.

        ``version`` is for a peer that says one thing and means another: 0 takes it at its word.
        """
        self._check_bind_pending()
        self.peer_version = asked.interface_version
        self.version = version or versions.spoken(self.version, asked.interface_version)
        tlvs = versions.bind_answer_tlvs(self.version)
        command = Command(asked.command | RESPONSE_BIT)
        self._out.append(build(BindResp(command=command, system_id=system_id, tlvs=tlvs, sequence=asked.sequence)))
        self._bind_pending = False
        self.peer_system_id = asked.system_id
        self._timers.active_at = now
        self._enter(_BOUND_STATES[asked.command])

    def refuse_bind(self, asked: Bind, status: int) -> None:
        """Answer BindAsked with an error, then close (SMSC role)."""
        self._check_bind_pending()
        self._out.append(build_answer(asked.command, asked.sequence, status))
        self._bind_pending = False
        self.close("bind_refused")

    def unbind(self, now: float) -> None:
        """Ask to end the bind; Closed follows with its response, or when that does not come in time."""
        if not self.is_bound:
            raise LocalFault("wrong_state", Status.ESME_RINVBNDSTS, command=Command.UNBIND, detail=self.state.value)
        self._send_unbind("unbound", now)

    def close(self, reason: str) -> None:
        """No more: what was gathered still goes out, nothing is read; ``eof`` then tells Closed with this reason."""
        if self.state is not ConnState.CLOSED:
            self._reason = reason
            self._enter(ConnState.CLOSED)

    # ---- requests and responses of the peer -----------------------------------------------------------------------

    def _take(self, pdu: Pdu, now: float, events: list[Event]) -> None:
        """A request, but no message that is welcome."""
        if not pdu.sequence:
            _note_sequence(0, pdu, events)
        if isinstance(pdu, EnquireLink):
            self._out.append(build(EnquireLinkResp(pdu.sequence)))
        elif isinstance(pdu, Unbind):
            self._take_unbind(pdu, now, events)
        elif type(pdu) not in states.issued(self._role.peer, self.state):
            self._refuse(pdu, events)
        elif isinstance(pdu, Bind):
            self._take_bind(pdu, events)
        else:
            events.append(pdu)

    def _take_bind(self, pdu: Bind, events: list[Event]) -> None:
        """A bind while OPEN; a second one before the first was answered is one too many."""
        if self._bind_pending:
            self._refuse(pdu, events)
        else:
            self._bind_pending = True
            events.append(BindAsked(pdu))

    def _take_unbind(self, pdu: Unbind, now: float, events: list[Event]) -> None:
        """Whoever leaves still gets every answer that it is owed, and the one to its unbind last."""
        if self._owed:
            self._leaving = pdu.sequence
            self._timers.leaving_at = now
            self._enter(ConnState.UNBINDING)
        else:
            self._out.append(build(UnbindResp(pdu.sequence)))
            self._finish(self._unbind_reason or "unbound_by_peer", events)

    def _pay(self, sequence: int) -> None:
        """A request of the peer is answered; when it was the last, and the peer wants to leave, let it go."""
        self._owed.discard(sequence)
        if self._leaving is not None and not self._owed:
            self._out.append(build(UnbindResp(self._leaving)))
            self.close(self._unbind_reason or "unbound_by_peer")

    def _refuse(self, pdu: Pdu, events: list[Event]) -> None:
        """A request that the law of states forbids here."""
        command: int = pdu.command  # type: ignore[attr-defined]
        kind, status = "wrong_state", Status.ESME_RINVBNDSTS
        if type(pdu) not in states.ever_issued(self._role.peer):
            kind, status = "wrong_role", Status.ESME_RINVCMDID
        elif isinstance(pdu, Bind):
            status = Status.ESME_RALYBND
        elif self.state is ConnState.UNBINDING:
            kind, status = "", states.CROSSED[self._role]
        if type(pdu) in states.UNANSWERED:
            status = Status.ESME_ROK
        else:
            self._out.append(build_answer(command, pdu.sequence, status))
        if kind:
            events.append(FaultSeen(kind, int(status), command_name(command)))

    def _take_response(self, pdu: Response, now: float, events: list[Event]) -> None:
        """The answer to a request of ours, or to nothing."""
        command: int = pdu.command  # type: ignore[attr-defined]
        waiting = self._outstanding.take(pdu.sequence, command)
        if waiting is None:
            self._take_own_answer(pdu, command, events)
        elif type(pdu) is GenericNack:
            events.append(Unanswered(waiting[0], "nacked", pdu.status))
            self._timers.active_at = now
        else:
            if self.version == versions.NEWEST:
                self._hear_congestion(pdu)
            events.append(Answered(waiting[0], pdu, now - waiting[1]))
            self._timers.active_at = now

    def _hear_congestion(self, pdu: Response) -> None:
        """congestion_state may come with any response (5.0 section 4.8.4.18)."""
        state = versions.said_congestion(getattr(pdu, "tlvs", ()))
        if state is not None:
            self.peer_congestion = state

    def _take_own_answer(self, pdu: Response, command: int, events: list[Event]) -> None:
        """The answer to a question of the machine's own; any other is unexpected, late ones included."""
        if answers(self._timers.probe, pdu.sequence, command):
            self._timers.probe = None
        elif self._timers.binding is not None and answers(self._timers.binding, pdu.sequence, command):
            bound = _BOUND_STATES[self._timers.binding.answer & ~RESPONSE_BIT]
            self._timers.binding = None
            self._take_bind_answer(pdu, bound, events)
        elif answers(self._timers.unbinding, pdu.sequence, command):
            self._finish(self._unbind_reason, events)
        else:
            events.append(FaultSeen("unexpected_response", 0, command_name(command)))

    def _take_bind_answer(self, pdu: Response, bound: ConnState, events: list[Event]) -> None:
        """bind_resp or generic_nack to our bind."""
        if pdu.status or not isinstance(pdu, BindResp):
            events.append(BindRefused(pdu.status))
            self._finish("bind_refused", events)
        else:
            self.peer_system_id = pdu.system_id
            # Many an SMSC that speaks 3.4 says nothing; one that speaks less is configured so.
            self.peer_version = versions.said_version(pdu.tlvs)
            if self.peer_version:
                self.version = versions.spoken(self.version, self.peer_version)
            self._timers.active_at = self._timers.heard_at
            self._enter(bound)
            events.append(Bound())

    # ---- faults of the peer ---------------------------------------------------------------------------------------

    def _take_malformed(self, raw: bytes, fault: RemoteFault, now: float, events: list[Event]) -> None:
        """A PDU with a sound header and a body, or a command, that cannot be taken: the stream survives."""
        name = command_name(fault.command)
        detail = f"{name}: {fault.detail}" if fault.detail else name
        is_response = bool(fault.command & RESPONSE_BIT)
        events.append(FaultSeen(fault.kind, 0 if is_response else fault.status, detail))
        if not is_response:
            self._out.append(build_answer(fault.command, fault.sequence, fault.status))
        elif fault.status != Status.ESME_RINVCMDID:
            self._take_maimed_response(raw, now, events)

    def _take_maimed_response(self, raw: bytes, now: float, events: list[Event]) -> None:
        """A response whose body is broken: its header alone says enough, unless it says that a message was taken."""
        _, command, status, sequence = HEADER.unpack_from(raw)
        waiting = None if status else self._outstanding.take(sequence, command)
        if waiting is not None:
            events.append(Unanswered(waiting[0], "malformed"))
            return
        bare = parse(HEADER.pack(HEADER.size, command, status, sequence))
        assert isinstance(bare, Response)
        self._take_response(bare, now, events)

    def _take_fatal(self, fault: RemoteFault, events: list[Event]) -> None:
        """Nobody knows where the next PDU begins: say so and close (3.4 section 4.3)."""
        self._out.append(build(GenericNack(fault.status, sequence=fault.sequence)))
        events.append(FaultSeen(fault.kind, fault.status, fault.detail or "command_length"))
        self._finish(fault.kind, events)

    # ---- time -----------------------------------------------------------------------------------------------------

    def _act(self, due: Due, now: float, events: list[Event]) -> None:
        """One timer has run out."""
        if due is Due.REQUEST:
            events.extend(Unanswered(context, "timeout") for context in self._outstanding.expire(now))
        elif due is Due.PROBE:
            self._timers.probe = Asked(self._next_sequence(), now, Command.ENQUIRE_LINK_RESP)
            self._out.append(build(EnquireLink(sequence=self._timers.probe.sequence)))
        elif due is Due.INACTIVITY:
            self._send_unbind(due.value, now)
        else:
            self._finish(due.value, events)

    # ---- small print ----------------------------------------------------------------------------------------------

    def _enter(self, state: ConnState) -> None:
        """The only place where the state changes."""
        self.state = state
        self.is_bound = state in states.BOUND
        self._issuable = states.issued(self._role, state) - {Bind}
        if self.is_bound and self.version == versions.OLDEST:
            self._issuable -= versions.UNKNOWN_TO_3_3
            self._build = versions.build_bare
        # What goes straight to the driver, which must answer; the rest takes the longer way.
        self._accepted = states.issued(self._role.peer, state) - states.UNANSWERED - {Bind, EnquireLink}

    def _send_unbind(self, reason: str, now: float) -> None:
        self._timers.unbinding = Asked(self._next_sequence(), now, Command.UNBIND_RESP)
        self._out.append(build(Unbind(sequence=self._timers.unbinding.sequence)))
        self._unbind_reason = reason
        self._enter(ConnState.UNBINDING)

    def _finish(self, reason: str, events: list[Event]) -> None:
        """Give back what waits, and tell the end, once; a reason given earlier stands."""
        self.close(reason)
        if not self._end_told:
            self._end_told = True
            events.extend(Unanswered(context, "lost") for context in self._outstanding.drain())
            events.append(Closed(self._reason))

    def _next_sequence(self) -> int:
        """The next number from 1 to 0x7FFFFFFF that no waiting request uses (3.4 section 5.1.4)."""
        while True:
            self._sequence = self._sequence % SEQUENCE_MAX + 1
            if self._sequence not in self._outstanding:
                return self._sequence

    def _check_alive(self) -> None:
        if self.state is _CLOSED:
            raise LocalFault("closed", Status.ESME_RINVBNDSTS, detail=self._reason)

    def _check_bind_pending(self) -> None:
        self._check_alive()
        if not self._bind_pending:
            raise LocalFault("wrong_state", Status.ESME_RALYBND, detail=self.state.value)


def _note_sequence(sequence: int, pdu: Pdu, events: list[Event]) -> None:
    """A number that 3.4 section 5.1.4 forbids: tolerated, answered as it came, and told."""
    command: int = pdu.command  # type: ignore[attr-defined]
    events.append(FaultSeen("sequence_reused" if sequence else "sequence_zero", 0, command_name(command)))
