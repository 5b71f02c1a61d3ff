"""A carrier that connects to us: with outbind or without, from its networks, as often as agreed, encrypted."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatewayd.carriers.door import Door
from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.config import schema
from gatewayd.message import Accepted
from gatewayd.runtime.tasks import spawn
from protocol.smpp.constants import Command, Status
from protocol.smpp.pdu import DeliverSm, Outbind
from protocol.smpp.states import BOUND
from tests.gatewayd.carriers.test_dialled_seat import certificate
from tests.gatewayd.carriers.test_smpp_link import RECEIPT, Recorder, message
from tests.support.scripted_smsc import ScriptedSmsc, SmscBind, say_nothing
from tests.support.watch import Watch


class Stage:
    """A link that listens, and a carrier that dials."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.smsc = ScriptedSmsc(self.watch)
        self.flow = Recorder(self.watch)
        self.faults: list[str] = []
        self.links: list[SmppLink] = []
        self.now = 100.0

    def _fault(self, kind: str) -> None:
        self.faults.append(kind)
        self.watch.ring()

    async def listening(self, outbind_password: str | None = None, **settings: Any) -> SmppLink:
        known = {"listen": "127.0.0.1:0", "listen_networks": ("127.0.0.0/8",), "system_id": "us"}
        link = SmppLink(
            "carrier",
            schema.Link(kind="smpp", **(known | settings)),
            "secret",
            self.flow,
            on_fault=self._fault,
            outbind_password=outbind_password,
            clock=lambda: self.now,
        )
        self.links.append(link)
        await link.start()
        while not self.door(link).port:  # noqa: ASYNC110
            await asyncio.sleep(0)
        return link

    def door(self, link: SmppLink) -> Door:
        (door,) = link._berths
        assert isinstance(door, Door)
        return door

    async def dials(self, link: SmppLink, tls: ssl.SSLContext | None = None) -> SmscBind:
        bind = SmscBind(self.smsc)
        self.smsc.binds.append(bind)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: bind.pump, "127.0.0.1", self.door(link).port, ssl=tls)
        return bind


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    for link in stage.links:
        await link.stop(0.0)
    await stage.smsc.stop()


async def test_it_connects_and_waits_for_our_bind(stage: Stage) -> None:
    link = await stage.listening(system_type="sys")
    bind = await stage.dials(link)
    await stage.watch.until(lambda: link.is_up)
    assert bind.asked is not None
    assert (bind.asked.command, bind.asked.system_id, bind.asked.password) == (
        Command.BIND_TRANSCEIVER,
        "us",
        "secret",
    )
    link.submit(message(1))
    await stage.watch.until(lambda: stage.flow.results)
    assert stage.flow.outcomes() == [(1, 0, Accepted("id-1"))]
    bind.send(DeliverSm(source_addr="33612345678", esm_class=4, short_message=RECEIPT))
    await stage.watch.until(lambda: stage.flow.reports)
    link.acknowledge([stage.flow.reports[0].token], stored=True)
    await stage.watch.until(lambda: bind.answers)
    assert link.hosts_up == {"127.0.0.1": 1}
    bind.pump.abort()
    await stage.watch.until(lambda: bind.end)
    await stage.dials(link)
    await stage.watch.until(lambda: link.is_up and len(stage.flow.told) > 3)


async def test_its_outbind_bears_the_password(stage: Stage) -> None:
    link = await stage.listening("knock")
    bind = await stage.dials(link)
    bind.send(Outbind(system_id="carrier", password="knock"))  # type: ignore[arg-type]
    await stage.watch.until(lambda: link.is_up)


async def test_an_outbind_with_another_password_ends_it(stage: Stage) -> None:
    link = await stage.listening("knock")
    bind = await stage.dials(link)
    bind.send(Outbind(system_id="carrier", password="knack"))  # type: ignore[arg-type]
    await stage.watch.until(lambda: bind.end)
    assert stage.faults[0] == "outbind_refused"
    assert bind.asked is None, "who does not know the password is not shown ours"
    assert not link.is_up


async def test_an_outbind_that_crosses_our_bind_changes_nothing(stage: Stage) -> None:
    link = await stage.listening()
    bind = await stage.dials(link)
    bind.send(Outbind(system_id="carrier", password="anything"))  # type: ignore[arg-type]
    await stage.watch.until(lambda: link.is_up)
    assert bind.end == ""


async def test_one_that_says_nothing_is_left(stage: Stage) -> None:
    link = await stage.listening("knock", bind_timeout_s=10.0)
    bind = await stage.dials(link)
    while not stage.door(link).seats:  # noqa: ASYNC110
        await asyncio.sleep(0)
    stage.now += 10.0
    stage.door(link).seats[0].pump._wake()
    await stage.watch.until(lambda: bind.end)
    assert "bind_failed" in stage.faults


async def test_one_of_ipv4_is_known_on_a_socket_for_both(stage: Stage) -> None:
    """A listener on [::] takes IPv4, too, and names such a peer as an address of IPv6."""
    link = await stage.listening(listen="[::ffff:127.0.0.1]:0")
    await stage.dials(link)
    await stage.watch.until(lambda: link.is_up or stage.faults)
    assert stage.faults == []


async def test_strangers_are_turned_away(stage: Stage) -> None:
    link = await stage.listening(listen_networks=("192.0.2.0/24", "2001:db8::/32"))
    bind = await stage.dials(link)
    await stage.watch.until(lambda: bind.end)
    assert stage.faults == ["foreign_network"]
    assert bind.asked is None


async def test_no_more_than_agreed(stage: Stage) -> None:
    link = await stage.listening(binds=2)
    for _ in range(2):
        await stage.dials(link)
    await stage.watch.until(lambda: link.binds_up == 2)
    third = await stage.dials(link)
    await stage.watch.until(lambda: third.end)
    assert stage.faults == ["too_many_connections"]
    stage.smsc.binds[0].pump.abort()
    await stage.watch.until(lambda: stage.smsc.binds[0].end)
    async with asyncio.timeout(5.0):
        while link.binds_up > 1:  # noqa: ASYNC110  nobody is told of a loss
            await asyncio.sleep(0)
    await stage.dials(link)
    await stage.watch.until(lambda: link.binds_up == 2)


async def test_one_that_storms_us_is_let_in_no_faster_than_agreed(stage: Stage) -> None:
    link = await stage.listening(binds=2, connects_per_s=5.0)
    for _ in range(20):
        bind = await stage.dials(link)
        bind.pump.abort()
        await stage.watch.until(lambda one=bind: one.end)  # type: ignore[misc]
    await stage.watch.until(lambda: stage.faults.count("too_fast") == 13)
    stage.now += 1.0
    await stage.dials(link)
    await stage.watch.until(lambda: link.is_up)


async def test_a_wrong_password_is_not_shown_again_soon(stage: Stage) -> None:
    stage.smsc.bind_status = Status.ESME_RINVPASWD
    link = await stage.listening()
    first = await stage.dials(link)
    await stage.watch.until(lambda: first.end)
    second = await stage.dials(link)
    await stage.watch.until(lambda: second.end)
    assert stage.faults == ["bind_refused", "too_fast"]
    assert second.asked is None
    stage.now += 31.0
    stage.smsc.bind_status = Status.ESME_ROK
    await stage.dials(link)
    await stage.watch.until(lambda: link.is_up)


async def test_pairs(stage: Stage) -> None:
    link = await stage.listening(bind="separate", binds=2)
    for _ in range(4):
        await stage.dials(link)
    await stage.watch.until(lambda: link.binds_up == 4)
    commands = [bind.asked.command for bind in stage.smsc.binds if bind.asked is not None]
    assert commands.count(Command.BIND_RECEIVER) == commands.count(Command.BIND_TRANSMITTER) == 2
    assert link.window_up == 200


async def test_a_bind_that_is_lost_hides_no_other_from_the_drain(stage: Stage) -> None:
    stage.smsc.on_submit = say_nothing
    link = await stage.listening(binds=3)
    for number in range(1, 4):
        bind = await stage.dials(link)
        await stage.watch.until(lambda: link.binds_up == len(stage.smsc.binds))
        link.submit(message(number))
        await stage.watch.until(lambda one=bind: one.submits)  # type: ignore[misc]
    first, second, third = stage.smsc.binds
    door = stage.door(link)
    closing = spawn(link.close_bind(door, 5.0), name="closing")
    await asyncio.sleep(0)
    first.pump.abort()
    async with asyncio.timeout(5.0):
        while len(door.seats) > 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
    second.accept(second.submits[0], "id-2")
    await stage.watch.until(lambda: len(stage.flow.results) == 2)
    for _ in range(20):  # were it taken for drained, it would be unbound by now
        await asyncio.sleep(0)
    assert third.connection.state in BOUND
    third.accept(third.submits[0], "id-3")
    await closing
    assert stage.flow.outcomes()[1:] == [(2, 0, Accepted("id-2")), (3, 0, Accepted("id-3"))]


async def test_encrypted_and_only_with_a_certificate_of_its_own(
    stage: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    own, key = certificate(tmp_path)
    link = await stage.listening(tls=True, tls_certificate=str(own), tls_key=str(key), tls_ca=str(own), binds=2)
    known = ssl.create_default_context(cafile=str(own))
    known.load_cert_chain(own, key)
    await stage.dials(link, known)
    await stage.watch.until(lambda: link.is_up)
    stranger = ssl.create_default_context(cafile=str(own))
    with contextlib.suppress(OSError):  # it hears of it during the handshake, or with its first read
        await stage.dials(link, stranger)
    await stage.watch.until(lambda: "tls_handshake" in stage.faults)
    await stage.watch.until(lambda: "turned away, TLS: PEER_DID_NOT_RETURN_A_CERTIFICATE" in caplog.text)
    assert stage.smsc.binds[1].asked is None
    assert link.binds_up == 1


async def test_two_that_want_one_port_take_turns(stage: Stage) -> None:
    first = await stage.listening()
    port = stage.door(first).port
    second = SmppLink(
        "carrier",
        schema.Link(kind="smpp", listen=f"127.0.0.1:{port}", listen_networks=("127.0.0.1/32",), system_id="us"),
        "secret",
        stage.flow,
        on_fault=stage._fault,
    )
    await second.start()
    await stage.watch.until(lambda: "listen_failed" in stage.faults)
    await first.stop(0.0)
    stage.links[:] = [second]
    async with asyncio.timeout(5.0):
        while not stage.door(second).port:  # noqa: ASYNC110
            await asyncio.sleep(0)
    await stage.dials(second)
    await stage.watch.until(lambda: second.is_up)
