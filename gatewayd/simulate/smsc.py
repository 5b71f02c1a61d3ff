"""A carrier's SMSC that can be told how to behave: the far end for tests, benchmarks and people who try the gateway.

Knows nothing of the daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
import uvloop
from rich.console import Console
from rich.table import Table

from gatewayd.simulate.behaviour import Behaviour, MessageIds, Rule, Script, load, status_code
from gatewayd.simulate.composing import LongStyle, compose
from gatewayd.simulate.schedule import Schedule
from gatewayd.simulate.smsc_bind import Bind
from gatewayd.simulate.smsc_ledger import Delivery, Ledger, Submit
from gatewayd.simulate.smsc_outbox import Outbox
from protocol.smpp.connection import Limits
from protocol.smpp.constants import (
    ESM_RECEIPT,
    REGISTERED_RECEIPT,
    REGISTERED_RECEIPT_MASK,
    REGISTERED_RECEIPT_ON_FAILURE,
    MessageState,
    Status,
    Tag,
)
from protocol.smpp.pdu import Outbind
from protocol.smpp.records import AlertNotification, DeliverSm
from protocol.smpp.records import Bind as BindRequest

# SMPP 3.4 5.2.28 and appendix B: a state as a number in its TLV and as a word in the text.
STATE_NUMBERS = {
    "ENROUTE": MessageState.ENROUTE,
    "DELIVRD": MessageState.DELIVERED,
    "EXPIRED": MessageState.EXPIRED,
    "DELETED": MessageState.DELETED,
    "UNDELIV": MessageState.UNDELIVERABLE,
    "ACCEPTD": MessageState.ACCEPTED,
    "UNKNOWN": MessageState.UNKNOWN,
    "REJECTD": MessageState.REJECTED,
}


class Smsc:
    """The carrier: accepts binds, answers submits by its script, sends receipts and texts from handsets.

    ``ledger`` tells what happened and can be waited for; ``script.tell`` changes what will happen.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        system_id: str = "smsc",
        password: str = "secret",
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.behaviour = behaviour or Behaviour()
        self.system_id = system_id
        self.limits = limits or Limits()
        self.port = 0
        self.clock = clock
        self.script = Script(self.behaviour)
        self.ledger = Ledger()
        self.schedule = Schedule(clock)
        self.bind_status = status_code(self.behaviour.bind_status)
        self.congestion = self.behaviour.congestion
        self.outbox = Outbox(
            self.binds, self.ledger, self.schedule, self.behaviour.redeliver_s, self.behaviour.redeliveries_max
        )
        self._password = password
        self._ids = MessageIds(self.behaviour.message_ids)
        self._connections: list[Bind] = []
        self._bind_count = 0
        self._references = 0
        self._paid_until = 0.0
        self._server: asyncio.Server | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> int:
        """Listen; returns the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, host, port, ssl=tls)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def dial(self, host: str, port: int, password: str | None = None) -> Bind:
        """Connect to a gateway that listens, with an outbind when there is a password. Raises OSError."""
        bind = self._connection()
        await asyncio.get_running_loop().create_connection(lambda: bind.pump, host, port)
        if password is not None:
            bind.connection.request(Outbind(system_id=self.system_id, password=password), self.clock())
            bind.pump.flush()
        return bind

    async def stop(self) -> None:
        """Close every connection at once and stop listening."""
        self.schedule.close()
        if self._server is not None:
            self._server.close()
        self.drop_binds()
        for bind in self._connections:
            if bind.pump.is_connected:  # else its handshake came to nothing
                await bind.pump.wait_closed()

    def binds(self) -> list[Bind]:
        """The connections that are bound now, oldest first."""
        return [bind for bind in self._connections if bind.is_bound]

    def drop_binds(self) -> None:
        """Cut every connection without a word, as a broken network does."""
        for bind in self._connections:
            bind.pump.abort()

    def freeze(self) -> None:
        """Read nothing any more, neither submits nor enquire_link: the machine hangs, its connections stand."""
        for bind in self._connections:
            bind.pump.pause_reading()

    def thaw(self) -> None:
        """Read on after ``freeze``."""
        for bind in self._connections:
            bind.pump.resume_reading()

    def send_mo(
        self, source: str, destination: str, text: str, *, encoding: str = "", long: LongStyle = "udh"
    ) -> list[Delivery]:
        """Send a text from a handset, in as many parts as it takes."""
        self._references = self._references % 255 + 1
        pdus = compose(DeliverSm, source, destination, text, encoding=encoding, long=long, reference=self._references)
        return [self.deliver(pdu) for pdu in pdus]

    def alert(self, handset: str, address: str, status: int = 0) -> None:
        """Tell every receiving bind that a handset is available (0), denied (1) or unavailable (2) to an address."""
        pdu = AlertNotification(
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr=handset,
            esme_addr_ton=1,
            esme_addr_npi=1,
            esme_addr=address,
            tlvs=((Tag.MS_AVAILABILITY_STATUS, bytes((status,))),),
        )
        for bind in self.binds():
            if bind.can_deliver():
                bind.alert(pdu)

    def deliver(self, pdu: DeliverSm) -> Delivery:
        """Send any deliver_sm; the ledger's entry shows what became of it."""
        delivery = Delivery("receipt" if pdu.esm_class & ESM_RECEIPT else "mo", pdu)
        self.outbox.put(delivery)
        return delivery

    # What a bind asks of its carrier.

    def check_bind(self, asked: BindRequest) -> int:
        """The status that a bind is answered with."""
        if self.bind_status:
            return self.bind_status
        return Status.ESME_ROK if asked.password == self._password else Status.ESME_RINVPASWD

    def has_room(self) -> bool:
        """Whether one more submit is within what the carrier takes in a second; it is counted."""
        rate = self.behaviour.rate_per_s
        if not rate:
            return True
        now = self.clock()
        self._paid_until = max(self._paid_until, now - 0.5) + 1 / rate
        if self._paid_until <= now + 0.5:
            return True
        self._paid_until -= 1 / rate
        return False

    def take(self, submit: Submit, rule: Rule) -> None:
        """Enter a submit, name it when it is taken, and plan what follows from it."""
        self.ledger.submits.append(submit)
        self.ledger.counts["submits"] += 1
        if not rule.takes:
            self.ledger.counts["refused"] += 1
            return
        submit.message_id, submit.receipt_id = self._ids.next_pair()
        if _wants_receipt(submit.pdu.registered_delivery, rule):
            delay_s = self.behaviour.receipt_delay_s if rule.receipt_delay_s is None else rule.receipt_delay_s
            if rule.receipt == "before":
                self._send_receipts(submit, rule)
            else:
                self.schedule.after(rule.delay_s + delay_s, partial(self._send_receipts, submit, rule))
        if rule.reply:
            self.schedule.after(rule.delay_s + rule.reply_delay_s, partial(self._send_reply, submit, rule.reply))

    def flush(self) -> None:
        """Send what waits for room in a window."""
        self.outbox.flush()

    def _accept(self) -> asyncio.BaseProtocol:
        return self._connection().pump

    def _connection(self) -> Bind:
        self._bind_count += 1
        self.ledger.counts["connections"] += 1
        bind = Bind(self, self._bind_count)
        self._connections = [other for other in self._connections if not other.is_over]
        self._connections.append(bind)
        return bind

    def _send_reply(self, submit: Submit, text: str) -> None:
        self.send_mo(submit.pdu.destination_addr, submit.pdu.source_addr, text)

    def _send_receipts(self, submit: Submit, rule: Rule) -> None:
        for _ in range(rule.receipt_copies):
            self.outbox.put(Delivery("receipt", self._receipt(submit, rule), submit.message_id, submit.bind))

    def _receipt(self, submit: Submit, rule: Rule) -> DeliverSm:
        pdu = submit.pdu
        now = datetime.now(UTC).strftime("%y%m%d%H%M")
        text = self.behaviour.receipt_text.format(
            id=submit.receipt_id,
            delivered="001" if rule.receipt_state == "DELIVRD" else "000",
            submitted=now,
            done=now,
            state=rule.receipt_state,
            error=rule.receipt_error,
            text="",
        )
        tlvs: tuple[tuple[int, bytes], ...] = ()
        if self.behaviour.receipt_tlvs:
            state = STATE_NUMBERS.get(rule.receipt_state, MessageState.UNKNOWN)
            tlvs = (
                (Tag.RECEIPTED_MESSAGE_ID, submit.receipt_id.encode("latin-1") + b"\0"),
                (Tag.MESSAGE_STATE, bytes((state,))),
            )
        return DeliverSm(
            source_addr_ton=pdu.dest_addr_ton,
            source_addr_npi=pdu.dest_addr_npi,
            source_addr=pdu.destination_addr,
            dest_addr_ton=pdu.source_addr_ton,
            dest_addr_npi=pdu.source_addr_npi,
            destination_addr=pdu.source_addr,
            esm_class=ESM_RECEIPT,
            short_message=text.encode("latin-1"),
            tlvs=tlvs,
        )


def _wants_receipt(registered_delivery: int, rule: Rule) -> bool:
    """SMPP 3.4 5.2.17."""
    if rule.receipt == "none":
        return False
    asked = registered_delivery & REGISTERED_RECEIPT_MASK
    return asked == REGISTERED_RECEIPT or (asked == REGISTERED_RECEIPT_ON_FAILURE and rule.receipt_state != "DELIVRD")


def run_command(
    listen: str, rules: Path | None, system_id: str, password: str, message_ids: str, receipt_delay_s: float
) -> None:
    """`gatewayd simulate smsc`: serve until SIGINT or SIGTERM, then print what was seen."""
    behaviour = load(rules) if rules else Behaviour()
    if message_ids:
        behaviour = msgspec.structs.replace(behaviour, message_ids=message_ids)
    if receipt_delay_s:
        behaviour = msgspec.structs.replace(behaviour, receipt_delay_s=receipt_delay_s)
    host, _, port = listen.rpartition(":")
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(Smsc(behaviour, system_id=system_id, password=password), host.strip("[]"), int(port)))


async def _serve(smsc: Smsc, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    bound_port = await smsc.start(host, port)
    print(f"smsc listening on {host}:{bound_port}", flush=True)
    await stopped.wait()
    await smsc.stop()
    _print_counts(smsc.ledger)


def _print_counts(ledger: Ledger) -> None:
    table = Table("what", "count", title="smsc")
    table.add_row("binds accepted", str(ledger.binds_accepted))
    table.add_row("binds refused", str(ledger.binds_refused))
    for word, count in sorted(ledger.counts.items()):
        table.add_row(word, str(count))
    table.add_row("faults of the gateway", str(len(ledger.faults)))
    Console().print(table)
