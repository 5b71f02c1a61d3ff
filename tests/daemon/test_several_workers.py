"""Several workers as processes: one page of metrics for all, binds as configured, and nothing lost by a death."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from typing import Any

import pytest

from gatewayd.simulate.behaviour import Rule
from gatewayd.simulate.esme import Esme
from tests.daemon.conftest import Stage
from tests.daemon.process import Samples
from tests.daemon.scene import WAIT_S, Scene

READY = re.compile(r"= worker (\d) is ready \(process (\d+)\)")
BINDS = 4
pytestmark = pytest.mark.timeout(180)  # each starts several processes

COUNTING = ("_total", "_count", "_sum", "_bucket")


def tables(workers: int) -> dict[str, Any]:
    return {
        "daemon": {"workers": workers},
        "links": {"carrier": {"binds": BINDS}},
        "accounts": {"shop": {"binds_max": 8}},
    }


def processes(scene: Scene) -> dict[int, int]:
    """The process of each slot, as the log told last."""
    return {int(found[1]): int(found[2]) for found in map(READY.search, scene.daemon.log.splitlines()) if found}


def counts(samples: Samples) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Everything that only grows."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in samples.families.values()
        for sample in family.samples
        if family.type in ("counter", "histogram") and sample.name.endswith(COUNTING)
    }


def handset(number: int) -> str:
    return f"+336200{number:05}"


async def send_some(scene: Scene, esmes: list[Esme], first: int, count: int = 4) -> list[str]:
    """A few messages over each bind, to handsets of every worker."""
    return [
        await scene.send(esme, handset(first + at * count + number), f"{number}")
        for at, esme in enumerate(esmes)
        for number in range(count)
    ]


def told(esmes: list[Esme], ids: list[str]) -> bool:
    """Whether each message has its receipt, at whichever bind."""
    return set(ids) <= {receipt.message_id for esme in esmes for receipt in esme.ledger.receipts}


@pytest.mark.parametrize("workers", [2, pytest.param(4, marks=pytest.mark.long)])
async def test_one_page_for_all_workers(stage: Stage, workers: int) -> None:
    scene = await stage(tables(workers))
    esmes = [await scene.esme() for _ in range(6)]
    await scene.smsc.ledger.wait_for(lambda: len(scene.smsc.binds()) == BINDS, WAIT_S)
    ids = await send_some(scene, esmes, 0)
    delivered = {"account": "shop", "kind": "receipt", "outcome": "delivered"}
    samples = await scene.until_samples(lambda s: s.value("gatewayd_deliveries_total", **delivered) == len(ids))
    assert told(esmes, ids)
    assert samples.value("gatewayd_messages_total", outcome="DELIVRD") == len(ids)
    assert samples.value("gatewayd_submits_total", account="shop", status="ESME_ROK") == len(ids)
    assert samples.value("gatewayd_link_results_total", link="carrier", outcome="accepted") == len(ids)
    assert samples.value("gatewayd_binds", side="carrier", name="carrier") == BINDS
    assert samples.value("gatewayd_binds", side="esme", name="shop") == len(esmes)
    assert samples.value("gatewayd_window_size", side="carrier", name="carrier") == BINDS * 100
    assert samples.value("gatewayd_build_info") == 1
    assert samples.value("gatewayd_submit_response_seconds_count", account="shop") == len(ids)


@pytest.mark.parametrize("workers", [2, pytest.param(4, marks=pytest.mark.long)])
async def test_a_killed_worker_takes_nothing_with_it(stage: Stage, workers: int) -> None:
    """No counter goes back, no acknowledged message is lost, and the carrier soon has as many binds as before."""
    scene = await stage(tables(workers))
    esmes = [await scene.esme() for _ in range(6)]
    await scene.smsc.ledger.wait_for(lambda: len(scene.smsc.binds()) == BINDS, WAIT_S)
    most = [0]
    check_bind = scene.smsc.check_bind

    def watched(asked: Any) -> int:
        most[0] = max(most[0], len(scene.smsc.binds()) + 1)
        return check_bind(asked)

    scene.smsc.check_bind = watched  # type: ignore[method-assign]
    shown = counts(await scene.samples())
    ids: list[str] = []
    for round_number, victim in enumerate((0, workers - 1)):
        scene.smsc.script.tell(Rule(delay_s=0.1, times=12))
        ids += await send_some(scene, [esme for esme in esmes if esme.is_bound], 1_000 * round_number)
        os.kill(processes(scene)[victim], signal.SIGKILL)
        begins_at = len(scene.daemon.lines)
        while not any(f"worker {victim} is ready" in line for line in scene.daemon.lines[begins_at:]):
            now = counts(await scene.samples())
            assert {key: value for key, value in shown.items() if now.get(key, 0.0) < value} == {}
            shown = now
        for esme in esmes:
            if not esme.is_bound:
                await esme.connect("127.0.0.1", scene.north.port)
        await scene.until_samples(lambda s: s.value("gatewayd_binds", side="carrier", name="carrier") == BINDS)
        await scene.until_samples(lambda s: s.value("gatewayd_binds", side="esme", name="shop") == len(esmes))
    await scene.until_samples(lambda samples: told(esmes, ids))
    assert most[0] <= BINDS
    now = counts(await scene.samples())
    assert {key: value for key, value in shown.items() if now.get(key, 0.0) < value} == {}


async def test_another_number_of_workers_finds_everything(stage: Stage) -> None:
    """Messages taken by one worker are brought on their way by four, and told about by two."""
    scene = await stage(tables(1))
    scene.smsc.bind_status = 0x0D
    scene.smsc.drop_binds()
    esme = await scene.esme()
    ids = await send_some(scene, [esme], 0, 20)
    for workers in (4, 2):
        assert await scene.terminate() == 0
        scene.daemon.configure({"daemon": {"workers": workers}})
        await scene.start()
        await scene.until_samples(lambda s: s.value("gatewayd_queue_messages", link="carrier") == len(ids))
    scene.smsc.bind_status = 0
    again = await scene.esme()
    await again.wait_for(lambda: told([again], ids), WAIT_S)


async def reload(scene: Scene) -> None:
    begins_at = len(scene.daemon.lines)
    scene.daemon.tell(signal.SIGHUP)
    await asyncio.to_thread(scene.daemon.hear, re.compile("= reloaded"), WAIT_S, begins_at)


async def test_a_reload_touches_what_changed_in_all_workers(stage: Stage) -> None:
    scene = await stage(tables(2))
    esme = await scene.esme()
    await scene.smsc.ledger.wait_for(lambda: len(scene.smsc.binds()) == BINDS, WAIT_S)
    binds = scene.smsc.binds()
    scene.daemon.configure({"accounts": {"shop": {"senders": ["SHOP"]}}})
    await reload(scene)
    (refused,) = esme.send("33700000001", handset(1), "?")
    await esme.wait_for(lambda: refused.status is not None)
    assert refused.status == 0x0A
    assert scene.smsc.binds() == binds
    scene.daemon.configure({"accounts": {"shop": {"senders": ["*"]}}, "links": {"carrier": {"binds": 2}}})
    await reload(scene)
    await scene.smsc.ledger.wait_for(lambda: len(scene.smsc.binds()) == 2, WAIT_S)
    assert esme.is_bound
    ids = await send_some(scene, [esme], 10)
    await esme.wait_for(lambda: told([esme], ids), WAIT_S)
