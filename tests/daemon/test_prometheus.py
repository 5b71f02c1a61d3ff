"""Dashboards, rules and alerts over a real Prometheus that scrapes the daemon under traffic of every kind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gatewayd.config.api_keys import hash_key
from gatewayd.runtime.metrics import PROCESS
from gatewayd.simulate import behaviour as sms
from gatewayd.simulate.esme import Esme, NotBoundError
from gatewayd.simulate.rcs_behaviour import Rule
from tests.conf.boards import concrete, queries
from tests.conf.queries import RULES, labels_by_family
from tests.daemon.conftest import Stage
from tests.daemon.process import secret_file
from tests.daemon.prometheus import IS_THERE, Prometheus, impatient
from tests.daemon.scene import Scene
from tests.daemon.test_several_workers import processes
from tests.daemon.test_tls import certificate
from tests.support.api import KEY, Api
from tests.support.mosquitto import Mosquitto, needs_mosquitto
from tests.support.receiver import SECRET, Receiver

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(not IS_THERE, reason="prometheus is not installed"),
    needs_mosquitto,
]

SCRAPES, PATIENCE_S = 12, 90.0
INTERVAL = "10s"
# Whether these would ring is a matter of the machine that the test runs on: how busy it is, how full its disk.
OF_THE_MACHINE = {"GatewaydLoopLate", "GatewaydStoreSlow", "GatewaydDiskFills", "GatewaydDescriptorsShort"}

# Every message is a record of its own as soon as it has settled; an answered one opens a conversation.
BILLING = """
[[versions]]
version = "1"
valid_from = 2021-10-01
bill_on = "delivered"
reply_window_h = 0.0005
session_h = 24
absorb = "last"
basic_class = false
mo_reply_window_h = 24
mo_session_h = 24
mo_anchor = "last_mo"
mo_alone = "free"
count_action_tap = true
count_stop = true
reply_at_limit_counts = true
session_holds_at_end = false
settle_s = 1

[versions.classes]
single = "single_message"
mt_first = "conversation"
mo_first = "free_conversation"
"""

CARRIER = (
    sms.Rule(destination=".*9", answer="refuse", status="ESME_RINVDSTADR"),
    sms.Rule(destination=".*8", answer="throttle", times=3),
    sms.Rule(destination=".*7", reply="STOP"),
    sms.Rule(destination=".*6", receipt_copies=2),
)
HANDSETS = (
    Rule(handset=".*9", submit="refuse", refuse_status=400),
    Rule(handset=".*8", capable=False),
    Rule(handset=".*[0-4]", reply_text="Oui"),
)


def tables(folder: Path, receiver: Receiver, broker: Mosquitto) -> dict[str, Any]:
    """Everything that has a metric of its own is in use."""
    (folder / "rules").mkdir()
    (folder / "rules" / "test_rules.toml").write_text(BILLING, encoding="utf-8")
    (folder / "prefixes.csv").write_text("prefix;operator\n3361;orange\n3362;sfr\n", encoding="utf-8")
    (folder / "names.csv").write_text("code;operator\nsfr;sfr\n", encoding="utf-8")
    pem, key = certificate(folder, days=365)
    return {
        "daemon": {"workers": 2},
        "smpp": {"tls_listen": ["127.0.0.1:0"], "tls_certificate": pem, "tls_key": key},
        "numbers": {"ported": "", "prefixes": str(folder / "prefixes.csv"), "names": str(folder / "names.csv")},
        "billing": {"rules_dir": str(folder / "rules"), "records_dir": str(folder / "cdr")},
        "providers": {"operator": {"per_minute": 6_000}},
        "http": {"listen": ["127.0.0.1:0"]},
        "mqtt": {"host": "127.0.0.1", "port": broker.port},
        "accounts": {
            "shop": {
                "sinks": ["smpp", "webhook"],
                "endpoint": "crm",
                "api_keys": {"main": {"hash": hash_key(KEY)}},
            }
        },
        "endpoints": {
            "crm": {
                "url": receiver.url,
                "secret_file": secret_file(folder / "hooks.secret", f"{SECRET}\n"),
                "allow_private": True,
            }
        },
        "links": {"rcs": {"provider": "operator", "billing": "test_rules", "operators": {"orange": "launched"}}},
    }


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[list[Prometheus]]:
    """Those that a test started; all end with it."""
    started: list[Prometheus] = []
    yield started
    for prometheus in started:
        prometheus.stop()


async def watch(scene: Scene, folder: Path, started: list[Prometheus], rules: Sequence[Path] = RULES) -> Prometheus:
    """A Prometheus that scrapes the daemon."""
    started.append(Prometheus(folder / "prometheus", scene.daemon.metrics, rules))
    await asyncio.to_thread(started[-1].start)
    return started[-1]


async def traffic(esme: Esme, is_over: asyncio.Event) -> None:
    """Messages of all kinds, most of them fine, a few times a second."""
    number = 0
    while not is_over.is_set():
        for _ in range(20):
            esme.send("33700000001", f"3362{number:07}", "Bonjour")
            esme.send("33700000001", f"+3361{number:07}", "Oui ou non ?")
            number += 1
        esme.send("33700000001", "33X", "nobody's number")
        await esme.wait_answered()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(is_over.wait(), 0.3)


async def calls(api: Api, is_over: asyncio.Event) -> None:
    """Some more, over HTTP."""
    while not is_over.is_set():
        await api.send("+33620000001", "Bonjour")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(is_over.wait(), 0.3)
    await api.close()


@contextlib.asynccontextmanager
async def under_load(scene: Scene) -> AsyncIterator[None]:
    """Traffic for as long as the block lasts."""
    scene.tell_handsets(*HANDSETS)
    esme, forger, is_over = await scene.esme(), Esme("shop", "wrong"), asyncio.Event()
    with pytest.raises(NotBoundError):
        await forger.connect("127.0.0.1", scene.north.port)
    async with asyncio.TaskGroup() as group:
        group.create_task(traffic(esme, is_over))
        for host, port in scene.daemon.http:
            group.create_task(calls(Api(f"http://{host}:{port}"), is_over))
        try:
            yield
        finally:
            is_over.set()


async def test_every_panel_has_data_and_no_alert_rings(
    stage: Stage, receiver: Receiver, broker: Mosquitto, tmp_path: Path, watched: list[Prometheus]
) -> None:
    scene = await stage(tables(tmp_path, receiver, broker), carrier={"rules": CARRIER})
    prometheus = await watch(scene, tmp_path, watched)
    async with under_load(scene):
        for expr, least in (
            ('count_over_time(up{job="gatewayd"}[5m])', SCRAPES),
            ("sum(gatewayd_billing_records_total)", 5),
            ('sum(gatewayd_link_results_total{outcome="deferred"})', 1),
            ("sum(rate(gatewayd_mo_total[10s]))", 0.1),
            ("sum(gatewayd_billing_open_conversations)", 1),
        ):
            await asyncio.to_thread(prometheus.wait_until, expr, least, PATIENCE_S)
        empty = await asyncio.to_thread(_empty, prometheus)
        rules = await asyncio.to_thread(prometheus.alerting_rules)
        true_now = {name for name, expr in rules.items() if await asyncio.to_thread(prometheus.ask, expr)}
        without = [name for name in await asyncio.to_thread(prometheus.recorded) if not prometheus.ask(name)]
        ringing = await asyncio.to_thread(prometheus.ringing)
        samples = await scene.samples()
    assert empty == [], "\n".join(empty)
    assert true_now - OF_THE_MACHINE == set()
    assert without == []
    assert ringing.keys() - OF_THE_MACHINE == set()
    _compare_with_the_page(samples.page)


def _empty(prometheus: Prometheus) -> list[str]:
    """The queries that find nothing."""
    return [
        f"{asked.board}: {asked.panel}: {asked.expr}"
        for asked in queries()
        if not prometheus.has_data(concrete(asked.expr, INTERVAL))
    ]


def _compare_with_the_page(page: str) -> None:
    """docs/metrics.md and a live scrape tell of the same metrics, with the same types and labels."""
    documented = {
        cells[1].strip(" `"): (cells[2].strip(), {label.strip(" `") for label in cells[3].split(",") if label.strip()})
        for line in Path("docs/metrics.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `gatewayd_") and len(cells := line.split("|")) > 5
    }
    shown = {line.split()[2]: line.split()[3] for line in page.splitlines() if line.startswith("# TYPE ")}
    ours = {name: kind for name, kind in shown.items() if name.startswith("gatewayd_")}
    assert ours == {name: kind for name, (kind, _) in documented.items()}
    assert {name.removesuffix("_total") for name in shown.keys() - ours.keys()} == set(PROCESS)
    declared = {name: labels - {"le"} for name, labels in labels_by_family().items()}
    assert declared == {name: labels for name, (_, labels) in documented.items()}


async def test_alerts_ring_when_it_happens(stage: Stage, tmp_path: Path, watched: list[Prometheus]) -> None:
    scene = await stage({"daemon": {"workers": 2}})
    await scene.carrier_is_bound()
    prometheus = await watch(scene, tmp_path, watched, [impatient(path, tmp_path) for path in RULES])
    await asyncio.to_thread(prometheus.wait_until, "sum(gatewayd_link_up)", 2, PATIENCE_S)
    await asyncio.to_thread(prometheus.wait_until, "count(gatewayd_worker_deaths_total)", 6, PATIENCE_S)

    await scene.smsc.stop()
    texts = await asyncio.to_thread(prometheus.wait_for_alert, "GatewaydLinkDown", PATIENCE_S)
    host, port = scene.daemon.metrics
    assert texts["summary"] == f"link carrier of {host}:{port} is down"
    assert texts["runbook_url"] == "docs/runbook.md#gatewaydlinkdown"

    for _ in range(3):
        pid = processes(scene)[1]
        os.kill(pid, signal.SIGKILL)
        await scene.until_samples(lambda _, before=pid: processes(scene)[1] != before)  # type: ignore[misc]
    texts = await asyncio.to_thread(prometheus.wait_for_alert, "GatewaydWorkerCrashLoop", PATIENCE_S)
    assert texts["summary"].startswith("worker 1 of ")

    scene.daemon.config.write_text("[nonsense]\n", encoding="utf-8")
    scene.daemon.tell(signal.SIGHUP)
    await asyncio.to_thread(prometheus.wait_for_alert, "GatewaydReloadFailed", PATIENCE_S)

    await scene.terminate()
    await asyncio.to_thread(prometheus.wait_for_alert, "GatewaydDown", PATIENCE_S)
