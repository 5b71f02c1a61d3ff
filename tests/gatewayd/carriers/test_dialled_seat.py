"""The life of a bind that we connect: refused, silent, lost, stubborn, secured, elsewhere, and always coming back."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import logging
import random
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gatewayd.carriers.carrier_tls import CarrierTls
from gatewayd.carriers.dialing import Admission, Dialer
from gatewayd.carriers.dialled_seat import DialledSeat
from gatewayd.carriers.smpp_seat import Credentials, Ears, Seat
from gatewayd.config import schema
from gatewayd.runtime.shared_limits import SharedLimits
from protocol.smpp.connection import BindRefused, Bound, Closed, Event
from protocol.smpp.constants import Status
from tests.support.scripted_smsc import ScriptedSmsc
from tests.support.watch import Watch


class Stage:
    """A seat, its carrier, and the waits it asked for."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.smsc = ScriptedSmsc(self.watch)
        self.faults: list[str] = []
        self.waits: list[float] = []
        self.now = 100.0
        self.seats: list[DialledSeat] = []

    def seat(self, **settings: Any) -> DialledSeat:
        known: dict[str, Any] = {"host": "127.0.0.1", "port": self.smsc.port, "reconnect_min_s": 1.0, "system_id": "us"}
        link = schema.Link(kind="smpp", **(known | settings))
        tls = CarrierTls(link)
        tls.read()
        seat = DialledSeat(
            "seat",
            Credentials(link, "secret"),
            "transceiver",
            Ears(self._take, lambda: None, self._fault),
            Dialer(link, tls, Admission(10.0, clock=lambda: self.now, burst=1_000_000)),
            lambda: self.now,
            random.Random(1),
        )
        self.seats.append(seat)
        seat.start()
        return seat

    async def bound(self, seat: DialledSeat, connections: int) -> None:
        await self.watch.until(lambda: seat.is_bound and len(self.smsc.binds) == connections)

    def _take(self, seat: Seat, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Bound):
                seat.bound()
            elif isinstance(event, BindRefused):
                seat.refused(event.status)
            elif isinstance(event, Closed):
                seat.closed(event.reason)
        self.watch.ring()

    def _fault(self, kind: str) -> None:
        self.faults.append(kind)
        self.watch.ring()


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    stage = Stage()
    yield_to_others = asyncio.sleep

    async def no_sleep(delay_s: float) -> None:
        if delay_s:
            stage.waits.append(delay_s)
            stage.watch.ring()
        await yield_to_others(0)

    monkeypatch.setattr(asyncio, "sleep", no_sleep)
    await stage.smsc.start()
    yield stage
    for seat in stage.seats:
        await seat.stop()
    await stage.smsc.stop()


async def test_waits_double_and_are_reset_by_a_bind_that_held(stage: Stage) -> None:
    seat = stage.seat(reconnect_max_s=8.0)
    for binds in range(1, 6):
        await stage.bound(seat, binds)
        stage.smsc.binds[-1].pump.abort()
    await stage.bound(seat, 6)
    for wait_s, doubled_s in zip(stage.waits, [1.0, 2.0, 4.0, 8.0, 8.0], strict=True):
        assert doubled_s / 2 <= wait_s <= doubled_s
    stage.now += 10.0
    stage.smsc.binds[-1].pump.abort()
    await stage.bound(seat, 7)
    assert stage.waits[-1] <= 1.0


async def test_another_host_is_asked_with_short_waits_first(stage: Stage) -> None:
    await stage.smsc.stop()
    hosts = (f"127.0.0.1:{stage.smsc.port}", f"localhost:{stage.smsc.port}")
    stage.seat(hosts=hosts, failover_after=2, reconnect_max_s=60.0)
    await stage.watch.until(lambda: len(stage.waits) >= 4)
    for wait_s, doubled_s in zip(stage.waits, [1.0, 1.0, 2.0, 4.0], strict=False):
        assert doubled_s / 2 <= wait_s <= doubled_s


@pytest.mark.parametrize("status", [Status.ESME_RALYBND, Status.ESME_RBINDFAIL, Status.ESME_RINVPASWD])
async def test_a_stubborn_refusal_is_not_asked_again_in_a_hurry(stage: Stage, status: Status) -> None:
    stage.smsc.bind_status = status
    stage.seat()
    await stage.watch.until(lambda: len(stage.waits) >= 2)
    assert stage.faults[0] == "bind_refused"
    if status == Status.ESME_RINVPASWD:  # the whole link rests: in slices, so that it hears when a person has mended it
        assert stage.waits[:2] == [1.0, 1.0]
    else:
        assert 15.0 <= stage.waits[0] <= 30.0 <= stage.waits[1] <= 60.0


@pytest.mark.parametrize("is_shared", [True, False])
def test_a_wrong_password_is_shown_less_and_less_often_by_the_whole_link(tmp_path: Path, is_shared: bool) -> None:
    """A carrier locks accounts by the tries of all binds together, so each of them must not have waits of its own."""
    limits, now = SharedLimits.open(tmp_path / "limits"), [100.0]
    slot = limits.slot("connects:carrier") if is_shared else None
    workers = [Admission(10.0, slot, lambda: now[0]) for _ in range(2 if is_shared else 1)]
    waits = []
    for turn in range(8):
        for admission in workers:  # of those that asked at once, one counts
            admission.refused(30.0, 900.0)
        waits.append(workers[0].wait_s())
        now[0] += waits[-1] + 1.0
        assert workers[turn % len(workers)].wait_s() == 0.0
    assert waits == pytest.approx([30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0])
    workers[0].refused(30.0, 900.0)
    workers[0].release()
    workers[-1].refused(30.0, 900.0)
    assert workers[0].wait_s() == pytest.approx(30.0), "another password begins anew"
    now[0] += 930.0
    workers[0].refused(30.0, 900.0)
    assert workers[0].wait_s() == pytest.approx(30.0), "and so does one that was right for a long time"
    limits.close()


async def test_another_refusal_is_asked_again_soon(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stage.smsc.bind_status = Status.ESME_RSYSERR
    seat = stage.seat()
    await stage.watch.until(lambda: len(stage.waits) >= 2)
    assert stage.waits[0] <= 1.0
    stage.smsc.bind_status = Status.ESME_ROK
    await stage.watch.until(lambda: seat.is_bound)
    said = [record.getMessage() for record in caplog.records if record.name == "gatewayd.carriers.smpp_seat"]
    at = f"127.0.0.1:{stage.smsc.port}"
    assert said == [f"seat: bind refused at {at}, ESME_RSYSERR", f"seat: bound to carrier at {at}"]
    assert "secret" not in caplog.text


async def test_a_carrier_that_never_answers_a_bind_is_left(stage: Stage) -> None:
    stage.smsc.bind_status = None
    stage.seat(bind_timeout_s=30.0)
    await stage.watch.until(lambda: stage.smsc.binds and stage.smsc.binds[0].asked)
    stage.now += 30.0
    stage.seats[0].pump._wake()
    await stage.watch.until(lambda: stage.faults)
    assert stage.faults[0] == "bind_failed"
    await stage.watch.until(lambda: stage.waits)


async def test_nobody_listens(stage: Stage) -> None:
    await stage.smsc.stop()
    seat = stage.seat()
    await stage.watch.until(lambda: len(stage.waits) >= 3)
    assert set(stage.faults) == {"connect_failed"}
    assert (seat.is_bound, seat.free()) == (False, 0)


async def test_a_host_that_accepts_nothing_in_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object, **__: object) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
    stage.seat(bind_timeout_s=0.01)
    await stage.watch.until(lambda: stage.waits)
    assert stage.faults[0] == "connect_failed"


async def test_stop_while_the_bind_is_unanswered(stage: Stage) -> None:
    stage.smsc.bind_status = None
    seat = stage.seat()
    await stage.watch.until(lambda: stage.smsc.binds and stage.smsc.binds[0].asked)
    await seat.stop()
    assert not seat.pump.is_connected
    assert stage.waits == []


async def test_stop_when_unbind_is_never_answered(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewayd.carriers.smpp_seat.UNBIND_WAIT_S", 0.01)
    seat = stage.seat()
    await stage.watch.until(lambda: seat.is_bound)
    stage.smsc.binds[0].pump.pause_reading()
    await seat.stop()
    assert not seat.is_bound


async def test_stop_while_it_is_stopping_already(stage: Stage) -> None:
    seat = stage.seat()
    await stage.watch.until(lambda: seat.is_bound)
    await asyncio.gather(seat.stop(), seat.stop())
    assert not seat.is_bound


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for the loopback and its key, made for one test."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "carrier")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    certificate_path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_path, key_path


async def test_tls_with_a_known_authority_and_with_none(
    stage: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await stage.smsc.stop()
    certificate_path, key_path = certificate(tmp_path)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate_path, key_path)
    await stage.smsc.start(served)
    seat = stage.seat(tls=True, tls_ca=str(certificate_path))
    await stage.watch.until(lambda: seat.is_bound)
    stranger = stage.seat(tls=True)
    await stage.watch.until(lambda: "connect_failed" in stage.faults)
    assert not stranger.is_bound
    misnamed = stage.seat(tls=True, tls_ca=str(certificate_path), tls_server_name="other.example")
    await stage.watch.until(lambda: "'other.example'" in caplog.text)
    assert not misnamed.is_bound
    assert "TLS: self-signed certificate" in caplog.text
    assert "TLS: Hostname mismatch" in caplog.text


async def test_a_carrier_that_leaves_is_asked_again_at_once_but_only_once(stage: Stage) -> None:
    seat = stage.seat()
    await stage.bound(seat, 1)
    stage.now += 60.0
    stage.smsc.binds[-1].unbind()
    await stage.bound(seat, 2)
    assert stage.waits == []
    for binds in range(2, 5):  # one that does so again and again has a fault
        stage.smsc.binds[-1].unbind()
        await stage.bound(seat, binds + 1)
    for wait_s, doubled_s in zip(stage.waits, [2.0, 4.0, 8.0], strict=True):
        assert doubled_s / 2 <= wait_s <= doubled_s


async def two_hosts(stage: Stage, **settings: Any) -> tuple[DialledSeat, ScriptedSmsc]:
    """A seat whose first host has the stage's carrier, and whose second one has the one that comes back."""
    second = ScriptedSmsc(stage.watch)
    await second.start()
    hosts = (f"127.0.0.1:{stage.smsc.port}", f"localhost:{second.port}")
    return stage.seat(**({"hosts": hosts, "host": "", "failover_after": 2} | settings)), second


async def test_after_so_many_failures_it_is_the_next_hosts_turn(stage: Stage) -> None:
    stage.smsc.bind_status = Status.ESME_RSYSERR
    seat, second = await two_hosts(stage)
    await stage.watch.until(lambda: seat.is_bound)
    assert (len(stage.smsc.binds), len(second.binds)) == (2, 1)
    assert len(stage.waits) == 1, "between the two at the first host, and none before the second"
    assert (seat.where, seat.is_away) == (f"localhost:{second.port}", True)
    assert stage.faults.count("host_changed") == 1
    await seat.stop()
    await second.stop()


async def until_empty(seat: Seat) -> None:
    while not seat.is_empty:  # noqa: ASYNC110
        await asyncio.sleep(0)


async def test_it_goes_back_and_is_taken(stage: Stage) -> None:
    stage.smsc.bind_status = Status.ESME_RSYSERR
    seat, second = await two_hosts(stage)
    await stage.watch.until(lambda: seat.is_bound)
    stage.smsc.bind_status = Status.ESME_ROK
    assert await seat.go_back(until_empty)
    assert (seat.where, seat.is_away, second.binds[0].end) == (
        f"127.0.0.1:{stage.smsc.port}",
        False,
        "unbound_by_peer",
    )
    assert seat.free() == 100
    await seat.stop()
    await second.stop()


async def test_it_goes_back_in_vain_and_is_where_it_was_at_once(stage: Stage) -> None:
    stage.smsc.bind_status = Status.ESME_RSYSERR
    seat, second = await two_hosts(stage)
    await stage.watch.until(lambda: seat.is_bound)
    waits = len(stage.waits)
    assert not await seat.go_back(until_empty)
    await stage.watch.until(lambda: seat.is_bound)
    assert (len(stage.smsc.binds), len(second.binds), len(stage.waits)) == (3, 2, waits)
    await seat.stop()
    await second.stop()


async def test_all_hosts_away_are_asked_in_turn_and_ever_more_rarely(stage: Stage) -> None:
    await stage.smsc.stop()
    seat, second = await two_hosts(stage, failover_after=1, reconnect_max_s=64.0)
    await second.stop()
    await stage.watch.until(lambda: len(stage.waits) >= 6)
    for wait_s, doubled_s in zip(stage.waits[:6], [1.0, 2.0, 4.0, 8.0, 16.0, 32.0], strict=True):
        assert doubled_s / 2 <= wait_s <= doubled_s
    await seat.stop()


async def test_a_name_that_is_not_known_and_one_that_nobody_tells(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver that hangs is asked once, however often the bind tries, for it would hold a thread each time."""
    asked: list[str] = []
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo

    async def hangs(host: str, *arguments: Any, **more: Any) -> Any:
        asked.append(host)
        if host == "hangs.invalid":
            await loop.create_future()
        return await real(host, *arguments, **more)

    monkeypatch.setattr(loop, "getaddrinfo", hangs)
    seat = stage.seat(host="hangs.invalid", bind_timeout_s=0.01)
    await stage.watch.until(lambda: len(stage.waits) >= 4)
    assert asked == ["hangs.invalid"]
    await seat.stop()
    stage.waits.clear()
    other = stage.seat(host="no-such-host.invalid")
    await stage.watch.until(lambda: len(stage.waits) >= 3)
    assert set(stage.faults) == {"connect_failed"}
    await other.stop()


async def test_many_binds_and_a_carrier_that_hangs_up_at_once(stage: Stage) -> None:
    """A hundred binds share the pace of their link: what they begin is counted in time, not in binds."""
    stage.smsc.bind_status = None
    link = schema.Link(
        kind="smpp", host="127.0.0.1", port=stage.smsc.port, system_id="us", connects_per_s=10.0, reconnect_max_s=4.0
    )
    dialer = Dialer(link, CarrierTls(link), Admission(10.0, clock=lambda: stage.now))
    ears = Ears(stage._take, lambda: None, stage._fault)
    for number in range(100):
        seat = DialledSeat(
            f"seat {number}",
            Credentials(link, "secret"),
            "transceiver",
            ears,
            dialer,
            lambda: stage.now,
            random.Random(number),
        )
        stage.seats.append(seat)
        seat.start()
    for turn in range(1, 101):
        await stage.watch.until(lambda until=turn: len(stage.smsc.binds) >= until)  # type: ignore[misc]
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(stage.smsc.binds) <= turn
        stage.smsc.binds[-1].pump.abort()
        stage.now += 0.1
