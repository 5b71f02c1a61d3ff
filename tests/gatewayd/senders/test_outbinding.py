"""Applications that wait to be called: called when something waits for them, once, and ever less often in vain.

The application is played with octets written by hand from SMPP 3.4 sections 4.1.3, 4.1.7 and 4.6.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from gatewayd.config import schema
from gatewayd.config.passwords import hash_password
from gatewayd.policy.retry import OUTBIND_FIRST_S, OUTBIND_MAX_S, outbind_delay_s
from gatewayd.runtime.seats import SeatFile
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.senders.accounts import Account
from gatewayd.senders.outbinding import STEADY_S, Outbinder, Target
from gatewayd.senders.smpp_server import SmppServer
from tests.gatewayd.senders.test_deliver import Stage as Owing
from tests.gatewayd.senders.test_deliver import owed
from tests.support.watch import Watch

PASSWORD_HASH = hash_password("secret", random.Random(1))
OUTBIND, BIND_RECEIVER, BIND_TRANSMITTER, DELIVER = 0x0B, 0x01, 0x02, 0x05


def pdu(command: int, body: bytes = b"", sequence: int = 1) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command, 0, sequence) + body


class Application:
    """An ESME that listens, and binds when it is asked to, in its way."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.calls: list[bytes] = []
        self.statuses: list[int] = []
        self.delivered = 0
        self.watch = Watch()
        self.writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length, command, status, sequence = struct.unpack(">IIII", await reader.readexactly(16))
                body = await reader.readexactly(length - 16)
                if command == OUTBIND:
                    self.calls.append(body)
                    if self.answer is not None:
                        writer.write(self.answer)
                elif command == DELIVER:
                    self.delivered += 1
                    writer.write(pdu(DELIVER | 0x80000000, b"\0", sequence))
                elif command & 0x80000000:
                    self.statuses.append(status)
                self.watch.ring()
        writer.close()
        self.watch.ring()


def bind(name: bytes = b"shop", password: bytes = b"secret", command: int = BIND_RECEIVER) -> bytes:
    return pdu(command, name + b"\0" + password + b"\0" + b"\0" + b"\x34\0\0" + b"\0")


class Stage:
    """One worker with an account that is to be called; others of the same folder share its seats."""

    def __init__(self, folder: Path, slot: int = 0, init_s: float = 10.0, **account: Any) -> None:
        self.now = 1_000.0
        self.owing = Owing()
        self.outbox, self.metrics = self.owing.outbox, self.owing.metrics
        self.limits = SharedLimits.open(folder / f"limits-{slot}")
        self.seats = SeatFile(folder / "seats", slot)
        self.account = Account("shop", schema.Account(**account), PASSWORD_HASH, self.limits)
        smpp = schema.SmppServer(listen=("127.0.0.1:0",), session_init_timeout_s=init_s)
        self.server = SmppServer(smpp, {"shop": self.account}, cast(Any, None), self.outbox, self.metrics)
        self.outbinder = Outbinder(self.server, self.outbox, self.seats.group, self.metrics, lambda: self.now)

    async def call(self, application: Application) -> None:
        """Look once, and wait for the end of the call, if one was made."""
        self.outbinder.configure({"shop": Target("127.0.0.1", application.port, "ours")})
        self.outbinder.look()
        task = self.outbinder._calls["shop"].task
        if task is not None:
            await asyncio.wait_for(task, 10)

    def counted(self, outcome: str) -> int:
        return self.metrics.outbinds.labels("shop", outcome).value

    async def close(self) -> None:
        self.outbinder.stop()
        self.outbox.stop()
        await self.server.stop(0.0)
        self.seats.close()
        self.limits.close()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    closing: list[Any] = []

    async def made(answer: bytes | None = None, **how: Any) -> tuple[Stage, Application]:
        application = Application(answer)
        await application.start()
        stage = Stage(tmp_path, **how)
        closing.append((stage, application))
        return stage, application

    yield made
    for stage, application in closing:
        await stage.close()
        application.server.close()
        for writer in application.writers:
            writer.close()


async def test_who_is_owed_something_is_called_binds_and_gets_it(scene: Any) -> None:
    stage, application = await scene(bind(), networks=("192.0.2.0/24",))
    await stage.call(application)
    assert application.calls == [], "nothing waits"
    stage.owing.add(owed(1), owed(2))
    await stage.call(application)
    assert application.calls == [b"gatewayd\0ours\0"]
    await application.watch.until(lambda: application.delivered == 2)
    assert application.statuses == [0]
    assert stage.counted("bound") == 1
    stage.owing.add(owed(3))
    await stage.call(application)
    await application.watch.until(lambda: application.delivered == 3)
    assert len(application.calls) == 1, "it is bound"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (bind(name=b"bank"), 0x0F),
        (bind(password=b"wrong"), 0x0E),
        (bind(command=BIND_TRANSMITTER), 0x0D),
    ],
)
async def test_whoever_else_answers_is_not_let_in(scene: Any, answer: bytes, status: int) -> None:
    stage, application = await scene(answer)
    stage.owing.add(owed(1))
    await stage.call(application)
    await application.watch.until(lambda: application.statuses)
    assert application.statuses == [status]
    assert stage.counted("refused") == 1
    assert not stage.account.binds


async def test_who_does_not_answer_is_called_less_and_less_often(scene: Any) -> None:
    stage, application = await scene(init_s=0.01)
    stage.owing.add(owed(1))
    waits = []
    for calls in range(1, 6):
        await stage.call(application)
        assert len(application.calls) == calls
        wait_s = stage.outbinder._calls["shop"].next_at - stage.now
        waits.append(wait_s)
        stage.now += wait_s - 0.01
        await stage.call(application)
        assert len(application.calls) == calls, "not yet"
        stage.now += 0.01
    assert stage.counted("unanswered") == 5
    assert all(OUTBIND_FIRST_S * 2**n / 2 <= wait_s <= OUTBIND_FIRST_S * 2**n for n, wait_s in enumerate(waits))
    assert outbind_delay_s(100, 1.0) == OUTBIND_MAX_S
    application.server.close()
    for writer in application.writers:
        writer.close()
    stage.now += OUTBIND_MAX_S
    await stage.call(application)
    assert stage.counted("unreachable") == 1


async def test_a_bind_that_ends_at_once_is_no_reason_to_call_again_at_once(scene: Any) -> None:
    stage, application = await scene(bind())
    stage.owing.add(owed(1))
    await stage.call(application)
    await application.watch.until(lambda: application.delivered == 1)
    calls = stage.outbinder._calls["shop"]
    assert calls.next_at > stage.now
    assert calls.failures == 1
    stage.now += STEADY_S
    await stage.call(application)
    assert calls.failures == 0, "it has stood for a while"


async def test_of_several_workers_one_calls_and_none_while_another_has_a_receiver(scene: Any) -> None:
    one, application = await scene(bind())
    other, _ = await scene(slot=1)
    for stage in (one, other):
        stage.owing.add(owed(1))
        stage.outbinder.configure({"shop": Target("127.0.0.1", application.port, "ours")})
    one.outbinder.look()
    other.outbinder.look()
    await asyncio.wait_for(one.outbinder._calls["shop"].task, 10)
    assert other.outbinder._calls["shop"].task is None, "the other one is calling"
    one.outbinder.look()
    other.now += 1_000.0
    await other.call(application)
    assert len(application.calls) == 1, "it is bound there"
    (standing,) = one.account.binds
    standing.pump.abort()
    await application.watch.until(application.writers[0].is_closing)
    one.outbinder.look()
    await other.call(application)
    assert len(application.calls) == 2


async def test_it_looks_by_itself_until_it_is_stopped(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewayd.senders.outbinding.LOOK_S", 0.001)
    stage, application = await scene(bind())
    stage.outbinder.start()
    stage.owing.add(owed(1))
    stage.outbinder.configure({"shop": Target("127.0.0.1", application.port, "ours")})
    await application.watch.until(lambda: application.delivered == 1)
    stage.outbinder.stop()
    stage.outbinder.configure({})
