"""Binds over real sockets: who is locked out, who is believed behind a balancer, and whose certificate lets him in."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from gatewayd.config import schema
from gatewayd.config.passwords import hash_password
from gatewayd.policy.lockout import Terms
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.runtime.shared_marks import SharedMarks
from gatewayd.runtime.tls import LiveTls
from gatewayd.senders.accounts import Account
from gatewayd.senders.lockout import Lockout
from gatewayd.senders.smpp_server import SmppServer
from protocol.smpp.constants import Command, Status
from protocol.smpp.pdu import Bind, build
from tests.daemon.test_tls import certificate
from tests.gatewayd.senders.test_doorstep import HEADER

PASSWORD_HASH = hash_password("secret", random.Random(1))
FAILURES = 3
CLIENT = "203.0.113.9"  # for whom HEADER is


class NoOutbox:
    """Nothing is owed here."""

    def join(self, connection: object) -> None:
        """Nothing waits."""

    leave = ready = join


class Stage:
    """A server with accounts, one of which is known by its certificate."""

    def __init__(self, folder: Path, tls: LiveTls | None, networks: tuple[str, ...], settings: dict[str, Any]) -> None:
        self.metrics = Metrics("test")
        self.limits = SharedLimits.open(folder / "limits")
        self.now = 1_790_000_000.0
        terms = Terms(FAILURES, 60.0, 300.0)
        marks = SharedMarks.open(folder / "lockouts"), SharedMarks.open(folder / "proven")
        self.lockout = Lockout(terms, *marks, metrics=self.metrics, clock=lambda: self.now)
        account = schema.Account(rate_per_s=0, networks=networks)
        self.accounts = {
            "shop": Account("shop", account, PASSWORD_HASH, self.limits),
            "bank": Account("bank", schema.Account(tls_names=("gatewayd",)), PASSWORD_HASH, self.limits),
        }
        listen = {"listen": ("127.0.0.1:0",), "tls_listen": ("127.0.0.1:0",) if tls is not None else ()}
        nobody: Any = cast(Any, NoOutbox())
        smpp = schema.SmppServer(**(listen | settings))
        self.server = SmppServer(smpp, self.accounts, nobody, nobody, self.metrics, tls, self.lockout)

    async def bind(
        self, name: str = "shop", password: str = "secret", *, head: bytes = b"", mode: str = "TRANSCEIVER", **how: Any
    ) -> tuple[int, asyncio.StreamWriter]:
        """The status of the answer; -1 when there is none. The connection is the caller's to close."""
        address = self.server.addresses[1 if "ssl" in how else 0]
        reader, writer = await asyncio.open_connection(*address, **how)
        asked = Bind(command=Command[f"BIND_{mode}"], system_id=name, password=password, sequence=1)
        writer.write(head + build(asked))
        try:
            answer = await asyncio.wait_for(reader.readexactly(16), 10)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            return -1, writer
        return int.from_bytes(answer[8:12], "big"), writer

    async def status(self, *words: str, **how: Any) -> int:
        """The same of a connection that is closed again."""
        status, writer = await self.bind(*words, **how)
        writer.close()
        return status

    def faults(self, kind: str) -> int:
        return self.metrics.faults.labels("esme", kind).value


Build = Callable[..., Any]


@pytest.fixture
async def stages(tmp_path: Path) -> AsyncIterator[Build]:
    made: list[Stage] = []

    async def stage(tls: LiveTls | None = None, networks: tuple[str, ...] = (), **settings: Any) -> Stage:
        made.append(Stage(tmp_path, tls, networks, settings))
        await made[-1].server.start()
        return made[-1]

    yield stage
    for each in made:
        await each.server.stop(0.0)
        each.lockout.close()
        each.limits.close()


async def test_who_guesses_is_locked_out_and_a_bind_that_stands_is_not_touched(stages: Build) -> None:
    stage = await stages()
    status, standing = await stage.bind()
    assert status == 0
    for _ in range(FAILURES):
        assert await stage.status("shop", "wrong") == Status.ESME_RINVPASWD
    assert await stage.status("shop", "wrong") == Status.ESME_RBINDFAIL
    assert await stage.status() == Status.ESME_RBINDFAIL, "the right password tells a guesser nothing"
    assert stage.faults("locked_out") == 2
    assert len(stage.accounts["shop"].binds) == 1
    assert stage.lockout.unlock("shop")
    assert await stage.status() == 0
    standing.close()


async def test_many_guesses_at_once_are_no_more_guesses(stages: Build) -> None:
    stage = await stages()
    statuses = await asyncio.gather(*(stage.status("shop", f"wrong{number}") for number in range(12)))
    assert statuses.count(Status.ESME_RINVPASWD) == FAILURES
    assert statuses.count(Status.ESME_RBINDFAIL) == 12 - FAILURES


async def test_of_many_applications_that_come_back_at_once_none_is_locked_out(stages: Build) -> None:
    stage = await stages()
    stage.accounts["shop"].change(schema.Account(rate_per_s=0, binds_max=20), PASSWORD_HASH)
    assert await asyncio.gather(*(stage.status() for _ in range(20))) == [0] * 20


async def test_behind_a_balancer_it_is_the_client_who_is_looked_at(stages: Build) -> None:
    stage = await stages(networks=("203.0.113.0/24",), proxy_networks=("127.0.0.1/32",))
    status, writer = await stage.bind(head=HEADER)
    assert status == 0
    (bind,) = stage.accounts["shop"].binds
    assert bind.pump.peername == CLIENT
    writer.close()
    for _ in range(FAILURES):
        assert await stage.status("shop", "wrong", head=HEADER) == Status.ESME_RINVPASWD
    assert [row["address"] for row in stage.lockout.listed()] == [CLIENT]
    assert await stage.status() == -1
    assert stage.faults("proxy_absent") == 1


async def test_a_client_is_not_believed_who_is_no_balancer(stages: Build) -> None:
    stage = await stages(networks=("203.0.113.0/24",), proxy_networks=("192.0.2.0/24",))
    assert await stage.status(head=HEADER) == Status.ESME_RINVCMDLEN, "it is no SMPP"
    assert await stage.status() == Status.ESME_RBINDFAIL, "and its own address is none of the account's"


async def test_an_account_that_is_known_by_its_certificate(stages: Build, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("shown", "own", "other")]
    for folder in folders:
        folder.mkdir()
    shown, own, other = map(certificate, folders)
    stage = await stages(LiveTls(*shown, own[0]), proxy_networks=())

    def with_one(pair: tuple[str, str] | None) -> dict[str, Any]:
        context = ssl.create_default_context(cafile=shown[0])
        if pair is not None:
            context.load_cert_chain(*pair)
        return {"ssl": context, "server_hostname": "127.0.0.1"}

    assert await stage.status("bank", **with_one(own)) == 0
    assert await stage.status("bank", "wrong", **with_one(own)) == Status.ESME_RINVPASWD
    assert await stage.status("bank", **with_one(None)) == Status.ESME_RBINDFAIL
    assert await stage.status("bank") == Status.ESME_RBINDFAIL
    assert stage.faults("tls_name") == 2
    assert await stage.status("bank", **with_one(other)) == -1, "nobody vouches for it"
    assert stage.faults("tls_handshake") == 1
    assert await stage.status("shop", **with_one(None)) == 0, "others need none"
    for _ in range(FAILURES):
        await stage.status("bank")
    assert stage.lockout.refuses("bank", "127.0.0.1")
    assert await stage.status("bank", **with_one(own)) == 0, "what others do is not held against its owner"


@pytest.mark.parametrize("modes", [(), ("transmitter",), ("receiver", "transceiver")])
async def test_an_account_binds_in_its_modes_alone(stages: Build, modes: tuple[Any, ...]) -> None:
    stage = await stages()
    settings = schema.Account(bind_modes=modes)
    stage.accounts["odd"] = Account("odd", settings, PASSWORD_HASH, stage.limits)
    asked = ("transmitter", "receiver", "transceiver") * (FAILURES + 1)
    statuses = {mode: await stage.status("odd", mode=mode.upper()) for mode in asked}
    assert statuses == {mode: 0 if mode in modes else Status.ESME_RBINDFAIL for mode in asked}
    assert stage.faults("bind_mode") == (FAILURES + 1) * (3 - len(modes))
    assert stage.faults("locked_out") == 0, "its password is right"
    assert await stage.status("odd", "wrong", mode="RECEIVER") == Status.ESME_RINVPASWD, "which comes first"


async def test_nobody_learns_a_password_from_where_its_account_may_not_bind(
    stages: Build, caplog: pytest.LogCaptureFixture
) -> None:
    stage = await stages(networks=("192.0.2.0/24",))
    for password in ("wrong", "secret", "secret", "secret"):
        assert await stage.status("shop", password) == Status.ESME_RBINDFAIL
    assert await stage.status("bank") == Status.ESME_RBINDFAIL
    refused = [record.getMessage() for record in caplog.records if "bind_refused" in record.getMessage()]
    reasons = [line.rpartition("why=")[2] for line in refused]
    assert reasons == [*["network"] * 3, "locked_out", "tls_name"], "the log says what the status does not"
