"""The server's own part: how many may come in, how much is read, who gets what, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from gatewayd.config import schema
from gatewayd.config.passwords import hash_password
from gatewayd.message import State
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.senders.accounts import Account
from gatewayd.senders.esme_connection import EsmeConnection
from gatewayd.senders.smpp_server import SmppServer
from gatewayd.simulate.esme import BindMode, Esme, NotBoundError
from gatewayd.store.records import Delivery
from protocol.smpp.connection import Limits
from protocol.smpp.constants import Command, Status
from protocol.smpp.pdu import Bind, BindResp, DeliverSm, SubmitSm, build, parse
from tests.support.watch import Watch

PASSWORD_HASH = hash_password("secret", random.Random(1))


class Neighbours:
    """The submit desk and the outbox, which only keep what they are told."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.taken: list[tuple[EsmeConnection, SubmitSm]] = []
        self.told: list[tuple[str, object]] = []

    def take(
        self, connection: EsmeConnection, pdus: Sequence[SubmitSm], rename: object = None, granted: int = -1
    ) -> None:
        self.taken += [(connection, pdu) for pdu in pdus]
        self.watch.ring()

    def answer_all(self) -> None:
        taken, self.taken = self.taken, []
        for connection, pdu in taken:
            connection.answer_submits([(pdu.sequence, pdu.sequence)])

    def _tell(self, word: str, fact: object = None) -> None:
        self.told.append((word, fact))
        self.watch.ring()

    def join(self, connection: EsmeConnection) -> None:
        self._tell("join", connection.account_name)

    def leave(self, connection: EsmeConnection) -> None:
        self._tell("leave", connection.account_name)

    def ready(self, connection: EsmeConnection) -> None:
        self._tell("ready")

    def answered(self, connection: EsmeConnection, delivery: Delivery, status: int) -> None:
        self._tell("answered", status)

    def unanswered(self, connection: EsmeConnection, delivery: Delivery, reason: str) -> None:
        self._tell("unanswered", reason)


class Stage:
    """A server on a free port and whoever connects to it."""

    def __init__(self, limits: SharedLimits, settings: dict[str, Any]) -> None:
        self.neighbours = Neighbours()
        self.metrics = Metrics("test")
        account = Account("shop", schema.Account(rate_per_s=0), PASSWORD_HASH, limits)
        self.server = SmppServer(
            schema.SmppServer(**({"listen": ("127.0.0.1:0",)} | settings)),
            {"shop": account},
            cast(Any, self.neighbours),
            cast(Any, self.neighbours),
            self.metrics,
        )
        self.account = account
        self.esmes: list[Esme] = []

    async def esme(self, mode: BindMode = "transceiver") -> Esme:
        esme = Esme("shop", "secret", bind_mode=mode, limits=Limits(window=1_000))
        self.esmes.append(esme)
        await esme.connect(*self.server.addresses[0])
        return esme

    def bind(self) -> EsmeConnection:
        (bind,) = self.account.binds
        return bind

    def faults(self, kind: str) -> int:
        return self.metrics.faults.labels("esme", kind).value


@pytest.fixture
async def stages(tmp_path: Path) -> AsyncIterator[Any]:
    limits = SharedLimits.open(tmp_path / "limits")
    made: list[Stage] = []

    async def stage(**settings: Any) -> Stage:
        made.append(Stage(limits, settings))
        await made[-1].server.start()
        return made[-1]

    yield stage
    for each in made:
        await each.server.stop(0.0)
        for esme in each.esmes:
            await esme.abort()
    limits.close()


def delivery() -> Delivery:
    return Delivery(1, "shop", "receipt", 1, 1, "33600000001", 5, 0, "SHOP", 0.0, 0.0, state=State.DELIVRD)


async def test_one_more_than_may_connect_is_cut(stages: Any) -> None:
    stage = await stages(connections_max=1)
    await stage.esme()
    with pytest.raises((NotBoundError, ConnectionError)):
        await stage.esme()
    assert stage.faults("too_many_connections") == 1


async def test_what_is_beyond_the_window_stays_in_the_senders_socket(stages: Any) -> None:
    stage = await stages(window=10)
    esme = await stage.esme()
    big = b"x" * 250
    for _ in range(1_000):
        esme.submit(SubmitSm(short_message=big))
    await stage.neighbours.watch.until(lambda: len(stage.neighbours.taken) >= 10)
    bind = stage.bind()
    seen = len(stage.neighbours.taken)
    assert bind.engine.owed == seen < 1_000, "one read may bring more than the window, a second is not made"
    while len(esme.ledger.answered()) < 1_000:
        stage.neighbours.answer_all()
        await esme.wait_for(lambda: stage.neighbours.taken or len(esme.ledger.answered()) == 1_000)
    assert [submitted.status for submitted in esme.ledger.submits] == [0] * 1_000


async def test_an_accounts_own_window_and_patience_are_in_force_at_once(stages: Any) -> None:
    stage = await stages(window=1_000)
    esme = await stage.esme()
    bind = stage.bind()
    stage.account.change(schema.Account(rate_per_s=0, submit_window=3), PASSWORD_HASH)
    for _ in range(3):
        esme.submit(SubmitSm(short_message=b"x"))
    await stage.neighbours.watch.until(lambda: len(stage.neighbours.taken) == 3)
    assert bind.pump.is_reading_paused
    stage.account.change(schema.Account(rate_per_s=200.0, burst=1.0, throttle_delay_s=5.0), PASSWORD_HASH)
    stage.neighbours.answer_all()
    assert not bind.pump.is_reading_paused
    for _ in range(8):
        esme.submit(SubmitSm(short_message=b"x"))
    await stage.neighbours.watch.until(lambda: stage.neighbours.taken)
    assert bind.pump.is_reading_paused, "those that wait for their turn are all that is read"
    await stage.neighbours.watch.until(lambda: len(stage.neighbours.taken) == 8)
    stage.neighbours.answer_all()
    await esme.wait_for(lambda: len(esme.ledger.answered()) == 11)
    assert not bind.pump.is_reading_paused
    assert 6 <= stage.metrics.submits_delayed.labels("shop").value <= 7


async def test_who_rests_is_read_again_afterwards(stages: Any) -> None:
    """One rest is enough: a second one, of an hour, does not add to it."""
    stage = await stages()
    esme = await stage.esme()
    bind = stage.bind()
    bind.rest(0.01)
    bind.rest(3_600.0)
    submitted = esme.submit(SubmitSm(source_addr="shop", destination_addr="33600000001"))
    await stage.neighbours.watch.until(lambda: stage.neighbours.taken)
    stage.neighbours.answer_all()
    await esme.wait_for(lambda: submitted.status == 0)


@pytest.mark.parametrize(("mode", "told"), [("transceiver", True), ("receiver", True), ("transmitter", False)])
async def test_only_receivers_join_the_outbox(stages: Any, mode: BindMode, told: bool) -> None:
    stage = await stages()
    esme = await stage.esme(mode)
    assert stage.neighbours.told == ([("join", "shop")] if told else [])
    await esme.unbind()
    assert stage.neighbours.told[1:] == ([("leave", "shop")] if told else [])
    assert not stage.account.binds


@pytest.mark.parametrize("status", [0, Status.ESME_RX_T_APPN])
async def test_the_answer_to_a_delivery_comes_back(stages: Any, status: int) -> None:
    stage = await stages()
    esme = await stage.esme()
    esme.deliver_status = status
    stage.bind().deliver(DeliverSm(esm_class=4), delivery())
    assert stage.server.windows() == [(("esme", "shop"), 1)]
    await stage.neighbours.watch.until(lambda: len(stage.neighbours.told) == 2)
    assert stage.neighbours.told[1] == ("answered", status)


async def test_what_a_lost_bind_had_not_answered_comes_back_before_it_leaves(stages: Any) -> None:
    stage = await stages()
    esme = await stage.esme()
    esme.deliver_status = None
    bind = stage.bind()
    bind.deliver(DeliverSm(esm_class=4), delivery())
    await esme.wait_for(lambda: esme.ledger.counts["deliveries ignored"] == 1)
    await esme.abort()
    await stage.neighbours.watch.until(lambda: len(stage.neighbours.told) == 3)
    assert stage.neighbours.told[1:] == [("unanswered", "lost"), ("leave", "shop")]
    assert not bind.can_deliver


async def test_an_answer_to_somebody_who_is_gone_is_dropped(stages: Any) -> None:
    stage = await stages()
    esme = await stage.esme()
    esme.submit(SubmitSm())
    await stage.neighbours.watch.until(lambda: stage.neighbours.taken)
    await esme.abort()
    await stage.neighbours.watch.until(lambda: ("leave", "shop") in stage.neighbours.told)
    stage.neighbours.answer_all()


async def test_binds_are_shown(stages: Any) -> None:
    stage = await stages()
    await stage.esme()
    await stage.esme("transmitter")
    assert stage.server.binds() == [(("esme", "shop"), 2)]


async def test_who_connected_before_the_drain_may_not_bind_in_it(stages: Any) -> None:
    stage = await stages()
    reader, writer = await asyncio.open_connection(*stage.server.addresses[0])
    try:
        esme = await stage.esme()
        stage.server.close_listeners()
        writer.write(build(Bind(Command.BIND_TRANSCEIVER, "shop", "secret", sequence=1)))
        async with asyncio.timeout(5):
            answer = await reader.readexactly(16)
        assert parse(answer) == BindResp(
            command=Command.BIND_TRANSCEIVER_RESP, status=Status.ESME_RBINDFAIL, sequence=1
        )
        assert esme.is_bound
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_stop_unbinds_and_closes_everybody(stages: Any) -> None:
    stage = await stages()
    bound = await stage.esme()
    address = stage.server.addresses[0]
    with socket.create_connection(address, 5) as stranger:
        stranger.setblocking(False)
        await stage.server.stop(5.0)
        with contextlib.suppress(ConnectionResetError):  # it may not have been let in yet
            assert await asyncio.get_running_loop().sock_recv(stranger, 16) == b""
    await bound.wait_for(lambda: bound.closed_reason != "")
    assert bound.closed_reason == "unbound_by_peer"
    with pytest.raises(ConnectionRefusedError):
        await Esme("shop", "secret").connect(*address)


async def test_a_stop_does_not_wait_for_who_does_not_answer(stages: Any) -> None:
    stage = await stages()
    esme = await stage.esme()
    esme.freeze()
    await stage.server.stop(0.05)
    esme.thaw()
    await esme.wait_for(lambda: esme.closed_reason != "")


async def test_an_address_that_is_taken_is_an_error_with_its_name(stages: Any) -> None:
    stage = await stages()
    host, port = stage.server.addresses[0]
    with pytest.raises(OSError, match=str(port)):
        await stages(listen=(f"{host}:{port}",))
