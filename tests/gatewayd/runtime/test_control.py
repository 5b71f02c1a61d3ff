"""The channel: orders first, objects both ways, an end for whoever is left."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from gatewayd.runtime import control
from gatewayd.runtime.control import Channel, WorkerChannel, socket_pair


async def both(orders: dict[str, Any]) -> tuple[Channel, WorkerChannel]:
    ours, theirs = socket_pair()
    supervisor = await Channel.connect(ours)
    assert supervisor.send(orders)
    return supervisor, await WorkerChannel.open(theirs.detach())


async def rest(channel: Channel) -> list[dict[str, Any]]:
    async with asyncio.timeout(5):
        return [line async for line in channel]


async def test_orders_come_first() -> None:
    supervisor, worker = await both({"slot": 3, "sockets": {"smpp": [7]}})
    assert worker.orders == {"slot": 3, "sockets": {"smpp": [7]}}
    supervisor.send({"drain": 30.0})
    supervisor.send({"reload": True})
    supervisor.close()
    assert await rest(worker) == [{"drain": 30.0}, {"reload": True}]
    worker.close()


async def test_the_worker_is_heard_to_its_last_word() -> None:
    supervisor, worker = await both({})
    worker.send({"ready": {}})
    worker.send({"fatal": "no space\nleft"})
    worker.close()
    assert await rest(supervisor) == [{"ready": {}}, {"fatal": "no space\nleft"}]
    supervisor.close()


async def test_a_long_line_passes() -> None:
    accounts = {f"account-{number}": "x" * 100 for number in range(10_000)}
    supervisor, worker = await both({"loaded": accounts})
    assert worker.orders == {"loaded": accounts}
    supervisor.close()
    worker.close()


async def test_no_orders_is_an_end() -> None:
    ours, theirs = socket_pair()
    ours.close()
    with pytest.raises(ConnectionError, match="without giving orders"):
        await WorkerChannel.open(theirs.detach())


async def test_what_is_no_object_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    ours, theirs = socket_pair()
    theirs.sendall(b'not json\n[1]\n{"beat": {}}\n{"half')
    theirs.close()
    channel = await Channel.connect(ours)
    assert await rest(channel) == [{"beat": {}}]
    channel.close()
    assert "9 octets on the control channel are no JSON object" in caplog.text


async def test_a_line_without_end_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "LINE_SIZE_MAX", 10)
    ours, theirs = socket_pair()
    channel = await Channel.connect(ours)
    theirs.sendall(b"x" * 100)
    assert await rest(channel) == []
    channel.close()
    theirs.close()


async def test_a_side_that_does_not_read_costs_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "UNSENT_MAX", 100_000)
    ours, theirs = socket_pair()
    channel = await Channel.connect(ours)
    taken = [channel.send({"beat": "x" * 1_000}) for _ in range(3_000)]
    assert taken[0]
    assert not taken[-1]
    theirs.close()
    assert await rest(channel) == []
    channel.close()
    assert not channel.send({"beat": {}})


async def test_no_child_inherits_the_channel() -> None:
    ours, theirs = socket_pair()
    os.set_inheritable(theirs.fileno(), True)
    supervisor = await Channel.connect(ours)
    supervisor.send({})
    number = theirs.fileno()
    worker = await WorkerChannel.open(theirs.detach())
    assert not os.get_inheritable(number)
    supervisor.close()
    worker.close()
