"""Dashboards, rules and alerts over a real Prometheus that scrapes the daemon under traffic of every kind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from gatewayd.config.api_keys import hash_key
from gatewayd.runtime.metrics import PROCESS
from gatewayd.simulate import behaviour as sms
from gatewayd.simulate.esme import Esme, NotBoundError
from gatewayd.simulate.rcs import Options, RcsPlatform
from gatewayd.simulate.rcs_behaviour import Rule, behaviour
from gatewayd.simulate.smsc import Smsc
from protocol.smpp.constants import Status
from tests.conf.boards import concrete, queries
from tests.conf.queries import RULES, alerts, labels_by_family
from tests.daemon.conftest import Stage
from tests.daemon.process import PASSWORD, password_hash, secret_file
from tests.daemon.prometheus import IS_THERE, Prometheus, free_port, impatient
from tests.daemon.scene import WAIT_S, Scene
from tests.daemon.test_several_workers import READY, processes
from tests.daemon.test_tls import certificate
from tests.support.api import KEY, Api
from tests.support.mosquitto import Mosquitto, needs_mosquitto
from tests.support.receiver import SECRET, Receiver

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(not IS_THERE, reason="prometheus is not installed"),
    needs_mosquitto,
]

PATIENCE_S = 90.0
SENDER = "33700000001"
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
                "per_day": 1_000_000,
                "throttle_delay_s": 0.5,
                "outbind": "127.0.0.1:9",
                "outbind_password_file": secret_file(folder / "outbind.secret", "secret\n"),
            }
        },
        "endpoints": {
            "crm": {
                "url": receiver.url,
                "secret_file": secret_file(folder / "hooks.secret", f"{SECRET}\n"),
                "allow_private": True,
            }
        },
        "links": {
            "carrier": {"rate_per_s": 5_000.0, "burst": 100},
            "rcs": {"provider": "operator", "billing": "test_rules", "operators": {"orange": "launched"}},
        },
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


async def watch(folder: Path, started: list[Prometheus], rules: Sequence[Path] = RULES) -> Prometheus:
    """A Prometheus that will scrape the daemon: before its first scrape it takes five seconds, in which that starts."""
    started.append(Prometheus(folder / "prometheus", ("127.0.0.1", free_port()), rules))
    await asyncio.to_thread(started[-1].start)
    return started[-1]


def scraped(prometheus: Prometheus, tables: Mapping[str, Any]) -> dict[str, Any]:
    """Tables of a daemon that shows its metrics where they are looked for."""
    host, port = prometheus.target
    return {**tables, "metrics": {"listen": f"{host}:{port}"}}


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
    prometheus = await watch(tmp_path, watched)
    scene = await stage(scraped(prometheus, tables(tmp_path, receiver, broker)), carrier={"rules": CARRIER})
    async with under_load(scene):
        recorded = {name: name for name in await asyncio.to_thread(prometheus.recorded)}
        empty = await asyncio.to_thread(prometheus.without_data, panels() | recorded, PATIENCE_S)
        rules = await asyncio.to_thread(prometheus.alerting_rules)
        ours = {name: expr for name, expr in rules.items() if name not in OF_THE_MACHINE}
        true_still = await asyncio.to_thread(prometheus.with_data, ours, PATIENCE_S)
        ringing = await asyncio.to_thread(prometheus.ringing)
        samples = await scene.samples()
    assert empty == {}
    assert true_still == {}, "once there were enough scrapes for a rate, nothing waits to ring"
    assert ringing.keys() - OF_THE_MACHINE == set()
    _compare_with_the_page(samples.page)


def panels() -> dict[str, str]:
    """Every query of every panel, by the words for it."""
    return {f"{asked.board}: {asked.panel}: {asked.expr}": concrete(asked.expr, INTERVAL) for asked in queries()}


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


# By how they are brought about: the configuration and its traffic, or what is done to the processes.
AT_WORK = {
    "GatewaydAccountThrottled",
    "GatewaydApplicationAway",
    "GatewaydBindsMissing",
    "GatewaydBindsRefused",
    "GatewaydBrokerAway",
    "GatewaydCertificateEnds",
    "GatewaydCertificateExpires",
    "GatewaydDeliveriesLost",
    "GatewaydEndpointDown",
    "GatewaydErrorRatioNearGuard",
    "GatewaydGuardClosed",
    "GatewaydLinkDown",
    "GatewaydLinkFails",
    "GatewaydLinkRefuses",
    "GatewaydOutboxNearlyFull",
    "GatewaydQueueOld",
    "GatewaydQuotaPause",
    "GatewaydQuotaUsed",
    "GatewaydReceiptsMissing",
    "GatewaydRepliesUnrouted",
    "GatewaydSubmitsRefused",
    "GatewaydUndelivered",
    "GatewaydWebhooksRefused",
}
TOLD = {"GatewaydDescriptorsShort", "GatewaydReloadFailed"}
OF_DEATHS = {
    "GatewaydDeadLetters",  # these are looked for now and then
    "GatewaydWatchdog",
    "GatewaydWorkerCrashLoop",
    "GatewaydWorkersMissing",
}
# A disk that is full, slow or refuses, a busy machine and a fault of ours: only by the series that they would give.
# What the two of the door ring for (certificates, lock-outs) has scenes in test_admission.py.
NOT_FROM_OUTSIDE = {
    "GatewaydBillingUnwritten",
    "GatewaydCertificateRefused",
    "GatewaydDiskFills",
    "GatewaydHistoryLost",
    "GatewaydInternalFaults",
    "GatewaydLockedOut",
    "GatewaydLoopLate",
    "GatewaydStoreFailing",
    "GatewaydStoreSlow",
}

ILL_ALREADY = 'sum(gatewayd_link_results_total{outcome="refused"}) * sum(gatewayd_messages_total{outcome="UNDELIV"})'
ILL_CARRIER = sms.Behaviour(
    rules=(
        sms.Rule(destination="331.*", answer="refuse", status="ESME_RINVSRCADR"),
        sms.Rule(destination="332.*", receipt="none"),
        sms.Rule(destination="333.*", receipt_state="UNDELIV"),
        sms.Rule(destination="335.*", answer="throttle"),
    ),
    redeliver_s=0.2,
    redeliveries_max=1_000,
)


class Ills(NamedTuple):
    """Neighbours beside those of a scene, none of them well: a carrier, one with room for one bind, a platform."""

    carrier: Smsc
    meagre: Smsc
    platform_port: int
    hook: Receiver


@pytest.fixture
async def ills(receiver: Receiver) -> AsyncIterator[Ills]:
    carrier, meagre = Smsc(ILL_CARRIER), Smsc()
    platform = RcsPlatform(Options(root="/rcs", client_id="gateway", client_secret="x"))
    platform.set_behaviour(behaviour(Rule(submit="refuse", refuse_status=503)))
    receiver.status = 410
    await carrier.start()
    await meagre.start()
    yield Ills(carrier, meagre, await platform.start(), receiver)
    await carrier.stop()
    await meagre.stop()
    await platform.stop()


def ill_tables(folder: Path, ills: Ills) -> dict[str, Any]:
    """One trouble each: a route leads every block of numbers to a link of its own."""
    pem, key = certificate(folder, days=1)
    link = {
        "kind": "smpp",
        "host": "127.0.0.1",
        "port": ills.carrier.port,
        "system_id": "example",
        "password_file": secret_file(folder / "ill.password", PASSWORD),
        "reconnect_max_s": 0.2,
        "reconnect_min_s": 0.1,
    }
    account = {"password_hash": password_hash(), "rate_per_s": 0}
    platform = f"http://127.0.0.1:{ills.platform_port}"
    own = {"331": "refusing", "332": "deaf", "333": "undelivering", "334": "slow", "335": "resting", "3369": "failing"}
    return {
        "daemon": {"workers": 2, "worker_silence_s": 2},
        "smpp": {"tls_listen": ["127.0.0.1:0"], "tls_certificate": pem, "tls_key": key},
        "store": {"fold_entries": 100},
        "mqtt": {"host": "127.0.0.1", "port": 1},
        "providers": {"operator": {"guard_hold_s": 0.1, "guard_errors": ["41200"]}},
        "accounts": {
            "hooked": account | {"sinks": ["webhook"], "endpoint": "gone", "outbox_ttl_h": 0.001},
            "away": account | {"outbox_depth_max": 5},
            "hasty": account | {"rate_per_s": 1},
            "careless": account,
        },
        "endpoints": {
            "gone": {
                "url": ills.hook.url,
                "secret_file": secret_file(folder / "hooks.secret", f"{SECRET}\n"),
                "allow_private": True,
            }
        },
        "links": {
            "rcs": {"provider": "operator"},
            "failing": {
                "kind": "gsma",
                "server_root": f"{platform}/rcs",
                "bot_id": "ill@example.com",
                "token_url": f"{platform}/oauth2/v1/token",
                "client_id": "gateway",
                "client_secret_file": secret_file(folder / "ill.secret", "x"),
                "webhook_token_file": secret_file(folder / "ill.webhook", "x"),
                "capability": "assume",
            },
            "half": link | {"binds": 2, "port": ills.meagre.port},
            "dead": link | {"port": 1},
            "slow": link | {"rate_per_s": 0.5, "burst": 60},
            "resting": link | {"throttle_pause_s": 60},
            **dict.fromkeys(("refusing", "deaf", "undelivering"), link),
        },
        "routes": [
            *({"links": [name], "prefixes": [block]} for block, name in own.items()),
            {"links": ["rcs", "carrier"], "prefixes": ["3361"]},
            {"links": ["carrier"]},
        ],
    }


async def misuse(scene: Scene, ills: Ills, prometheus: Prometheus) -> None:
    """Traffic that goes wrong in every way, once all links stand that will and everything was seen at zero."""
    for expr, least in (("sum(gatewayd_link_up)", 9), ('gatewayd_binds{name="half"}', 2)):
        await asyncio.to_thread(prometheus.wait_until, expr, least, PATIENCE_S)
    ills.meagre.bind_status = Status.ESME_RALYBND
    ills.meagre.binds()[0].pump.abort()
    for _ in range(25):
        with pytest.raises(NotBoundError):
            await Esme("nobody", "wrong").connect("127.0.0.1", scene.north.port)
    away = await scene.esme("away", "transmitter")
    shop, hooked, hasty = await scene.esme(), await scene.esme("hooked"), await scene.esme("hasty")
    for number in range(20):
        away.send(SENDER, f"3362{number:07}", "Bonjour")
        hooked.send(SENDER, f"3362{number:07}", "Bonjour")
    await away.wait_answered()
    await away.abort()
    # Numbers that the platform vouches for, and of which one in ten cannot be reached all the same.
    scene.tell_handsets(Rule(handset=".*0", delivery="fail", fail_code=41200))
    for number in range(80):
        for block in ("331", "332", "333", "334", "3369"):
            shop.send(SENDER, f"{block}0000000{number:03}"[:11], "Bonjour")
        for more in range(3):
            shop.send(SENDER, f"3361{more}{number:06}", "Bonjour")
        hasty.send(SENDER, f"3362{number:07}", "Bonjour")
        if number % 10 == 9:
            shop.send(SENDER, "33500000001", "Bonjour")
            await shop.wait_answered()
        if number == 9:  # what begins with an error grows from there
            await asyncio.to_thread(prometheus.wait_until, ILL_ALREADY, 1, PATIENCE_S)
    ills.carrier.send_mo("33620000001", "36999", "STOP")


async def knock(scene: Scene, is_over: asyncio.Event) -> None:
    """Strangers at the webhooks, and an application that does not look at its numbers."""
    host, port = scene.daemon.webhooks
    careless = await scene.esme("careless")
    async with aiohttp.ClientSession() as stranger:
        while not is_over.is_set():
            for _ in range(20):
                careless.send(SENDER, "33X", "Bonjour")
                async with stranger.post(f"http://{host}:{port}/rcs/rcs", data=b"{}") as answer:
                    assert answer.status == 401
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(is_over.wait(), 0.5)


async def killed(scene: Scene, slot: int) -> None:
    """Until another worker stands in the place of one that was killed."""
    pid = processes(scene)[slot]
    os.kill(pid, signal.SIGKILL)
    while processes(scene)[slot] == pid:
        await asyncio.to_thread(scene.daemon.hear, READY, WAIT_S, len(scene.daemon.lines))


def leave_no_room(pid: int) -> None:
    """Hardly any descriptor more than a process has now."""
    used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 8, used + 8))


async def test_alerts_ring_when_it_happens(stage: Stage, ills: Ills, tmp_path: Path, watched: list[Prometheus]) -> None:
    """All but a few, with their patience taken away, in one daemon for which nothing goes well."""
    prometheus = await watch(tmp_path, watched, [impatient(path, tmp_path) for path in RULES])
    scene = await stage(scraped(prometheus, ill_tables(tmp_path, ills)))
    await misuse(scene, ills, prometheus)
    is_over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(knock(scene, is_over))
        texts = await asyncio.to_thread(prometheus.wait_for_alerts, AT_WORK, PATIENCE_S)
        is_over.set()
    host, port = prometheus.target
    assert texts["GatewaydLinkDown"]["summary"] == f"link dead of {host}:{port} is down"
    assert texts["GatewaydLinkDown"]["runbook_url"] == "docs/runbook.md#gatewaydlinkdown"

    for pid in processes(scene).values():
        leave_no_room(pid)
    scene.daemon.config.write_text("[nonsense]\n", encoding="utf-8")
    scene.daemon.tell(signal.SIGHUP)
    await asyncio.to_thread(prometheus.wait_for_alerts, TOLD, PATIENCE_S)

    await asyncio.to_thread(prometheus.wait_until, "count(gatewayd_worker_deaths_total)", 6, PATIENCE_S)
    for _ in range(2):
        await killed(scene, 1)
    os.kill(processes(scene)[1], signal.SIGSTOP)
    texts = await asyncio.to_thread(prometheus.wait_for_alerts, OF_DEATHS, PATIENCE_S)
    assert texts["GatewaydWorkerCrashLoop"]["summary"].startswith("worker 1 of ")

    await scene.kill()
    await asyncio.to_thread(prometheus.wait_for_alerts, {"GatewaydDown"}, PATIENCE_S)
    assert alerts().keys() == AT_WORK | TOLD | OF_DEATHS | {"GatewaydDown"} | NOT_FROM_OUTSIDE
