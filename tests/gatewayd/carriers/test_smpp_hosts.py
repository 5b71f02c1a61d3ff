"""A link with several hosts: over to the next and back to the first, and what is in the window comes to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.message import Accepted
from gatewayd.runtime.tasks import spawn
from protocol.smpp.constants import Status
from tests.gatewayd.carriers.test_smpp_link import Stage, message, stage
from tests.support.scripted_smsc import ScriptedSmsc, say_nothing

__all__ = ["stage"]


class Hosts:
    """The stage's carrier is the first, ``second`` the other."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.first = stage.smsc
        self.second = ScriptedSmsc(stage.watch)

    def link(self, **settings: Any) -> SmppLink:
        hosts = (f"127.0.0.1:{self.first.port}", f"localhost:{self.second.port}")
        known = {"host": "", "hosts": hosts, "failover_after": 1, "failback_interval_s": 3600.0}
        return self.stage.link(**(known | settings))

    @property
    def names(self) -> list[str]:
        return [f"127.0.0.1:{self.first.port}", f"localhost:{self.second.port}"]


@pytest.fixture
async def hosts(stage: Stage) -> AsyncIterator[Hosts]:
    hosts = Hosts(stage)
    await hosts.second.start()
    yield hosts
    for link in stage.links:
        await link.stop(0.0)
    await hosts.second.stop()


async def test_over_and_back_with_a_full_window(hosts: Hosts) -> None:
    stage = hosts.stage
    hosts.first.bind_status = Status.ESME_RSYSERR
    link = hosts.link(binds=2)
    await link.start()
    await stage.watch.until(lambda: link.binds_up == 2)
    assert link.hosts_up == {hosts.names[1]: 2}
    await link._failback.look()
    await stage.watch.until(lambda: link.hosts_up == {hosts.names[1]: 2})
    assert stage.faults.count("host_changed") == 3, "each once over, and one of them back in vain"
    hosts.second.on_submit = say_nothing
    for number in range(50):
        link.submit(message(number))
    await stage.watch.until(lambda: len(hosts.second.submits) == 50)
    hosts.first.bind_status = Status.ESME_ROK
    going = spawn(link._failback.look(), name="going back")
    await stage.watch.until(lambda: len(hosts.first.binds) == 4)  # a knock
    while link.capacity() > 100:  # noqa: ASYNC110  the first of them leaves
        await asyncio.sleep(0)
    assert link.hosts_up == {hosts.names[1]: 2}, "and stays until it has its answers"
    for bind in hosts.second.binds:
        for submit in bind.submits:
            bind.accept(submit, f"{submit.destination_addr} {submit.sequence} {id(bind)}")
    await going
    assert link.hosts_up == {hosts.names[0]: 2}
    assert all(isinstance(result.outcome, Accepted) for result in stage.flow.results)
    assert {result.message_id for result in stage.flow.results} == set(range(50))
    assert len(stage.flow.results) == 50


async def test_a_host_that_takes_binds_and_cuts_them_is_left_as_one_that_takes_none(hosts: Hosts) -> None:
    """A balancer before a dead machine, or a machine that has just lost its own store, does so."""
    stage = hosts.stage
    link = hosts.link(failover_after=3, reconnect_min_s=0.01, reconnect_max_s=0.02)
    await link.start()
    for number in range(3):
        await stage.watch.until(lambda number=number: len(hosts.first.binds) > number and link.binds_up == 1)  # type: ignore[misc]
        hosts.first.binds[number].pump.abort()
    await stage.watch.until(lambda: link.hosts_up == {hosts.names[1]: 1})
    assert len(hosts.first.binds) == 3


async def test_it_looks_by_itself(hosts: Hosts) -> None:
    hosts.first.bind_status = Status.ESME_RSYSERR
    link = hosts.link(failback_interval_s=0.05)
    await link.start()
    await hosts.stage.watch.until(lambda: link.binds_up == 1)
    hosts.first.bind_status = Status.ESME_ROK
    await hosts.stage.watch.until(lambda: link.hosts_up == {hosts.names[0]: 1})


async def test_nobody_goes_back_to_where_nobody_is(hosts: Hosts) -> None:
    await hosts.first.stop()
    link = hosts.link()
    await link.start()
    await hosts.stage.watch.until(lambda: link.binds_up == 1)
    await link._failback.look()
    assert [bind.end for bind in hosts.second.binds] == [""]
