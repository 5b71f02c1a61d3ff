"""The composition root: what a start opens, in which order, what an end leaves behind, and what stops a start."""

from __future__ import annotations

import errno
import gc
import logging
import random
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from gatewayd import serving as module
from gatewayd.asking.state import links
from gatewayd.carriers.link import Report
from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.cli.status import link_row
from gatewayd.config import handover
from gatewayd.config.load import Loaded, load
from gatewayd.config.passwords import hash_password
from gatewayd.message import Receipt, State
from gatewayd.policy.pacing import UNLIMITED
from gatewayd.runtime.control import Channel, socket_pair
from gatewayd.runtime.tasks import spawn
from gatewayd.serving import EXIT_FAILED, EXIT_OK
from gatewayd.store.database import StoreFault
from gatewayd.worker import SPOOL_FILE, Worker

CONFIG = """
[daemon]
spool_dir = "spool"
runtime_dir = "run"
drain_timeout_s = 1

[metrics]
listen = "{metrics}"

[smpp]
listen = ["127.0.0.1:{port}"]

[webhooks]
listen = "{webhooks}"

[accounts.shop]
password_hash = "{password_hash}"

[providers.orange]
per_minute = 1800

[links.carrier]
kind = "smpp"
host = "127.0.0.1"
port = 9
system_id = "example"
password_file = "secret"
rate_per_s = 50
binds = 2
window = 10
reconnect_min_s = 60

[links.rcs]
kind = "gsma"
provider = "orange"
server_root = "http://127.0.0.1:9/rcs"
bot_id = "bot@example.com"
token_url = "http://127.0.0.1:9/token"
client_id = "example"
client_secret_file = "secret"
webhook_token_file = "secret"
window = 5

[[routes]]
links = ["rcs", "carrier"]
"""


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("aiohttp").setLevel(logging.NOTSET)


def loaded(folder: Path, **words: object) -> Loaded:
    secret = folder / "secret"
    secret.write_text("secret", encoding="ascii")
    secret.chmod(0o600)
    known = {
        "metrics": "127.0.0.1:0",
        "webhooks": "127.0.0.1:0",
        "port": 0,
        "password_hash": hash_password("secret", random.Random(1)),
    }
    path = folder / "gatewayd.toml"
    path.write_text(CONFIG.format(**(known | words)), encoding="utf-8")
    return load(path)


async def end(worker: Worker) -> None:
    await worker.drain(1.0)
    await worker.stop()


async def hang_up(supervisor: Channel) -> None:
    supervisor.close()
    async for _ in supervisor:
        pass


async def page(worker: Worker) -> str:
    assert worker.scrape is not None
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{worker.scrape.port}/metrics") as answer,
    ):
        return await answer.text()


async def test_a_start_opens_every_door(tmp_path: Path) -> None:
    worker = Worker(loaded(tmp_path))
    await worker.start()
    try:
        assert worker.webhooks is not None
        assert worker.scrape is not None
        doors = [worker.server.addresses[0][1], worker.scrape.port, worker.webhooks.port]
        for door in doors:
            socket.create_connection(("127.0.0.1", door), 5).close()
    finally:
        await end(worker)
    assert (tmp_path / "spool" / SPOOL_FILE.format(slot=0)).exists()
    for door in doors:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", door), 5)


async def test_what_is_told_of_a_carriers_receipts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(loaded(tmp_path))
    await worker.start()
    try:
        link = worker.own_links["carrier"]
        assert isinstance(link, SmppLink)
        monkeypatch.setattr(link, "acknowledge", lambda tokens, stored: None)
        worker.metrics.receipt_events.labels("carrier", "unparsed").value += 3
        worker.dispatcher.on_reports(link, [Report(Receipt("ff", State.DELIVRD, aliases=("255",)), object())])
        told = links(worker)["carrier"]
        assert (told["message_ids"], told["unread"], told["unmatched"]) == ("auto", 3, 1)
        assert (link_row("carrier", told)["ids"], links(worker)["rcs"]["message_ids"]) == ("", "")
        link.reader.verdict = "hex_to_decimal"
        told = links(worker)["carrier"]
        row = link_row("carrier", told)
        assert (row["ids"], row["unread"], row["unmatched"]) == ("hex to dec", "3", "1")
    finally:
        await end(worker)


async def test_every_gauge_is_read(tmp_path: Path) -> None:
    worker = Worker(loaded(tmp_path))
    await worker.start()
    try:
        text = await page(worker)
    finally:
        await end(worker)
    samples = {(s.name, *s.labels.values()): s.value for family in parse_plain(text) for s in family.samples}
    expected = {
        ("gatewayd_queue_messages", "carrier"): 0,
        ("gatewayd_queue_oldest_age_seconds", "rcs"): 0,
        ("gatewayd_outbox_deliveries", "shop", "smpp"): 0,
        ("gatewayd_outbox_oldest_age_seconds", "shop", "smpp"): 0,
        ("gatewayd_binds", "esme", "shop"): 0,
        ("gatewayd_binds", "carrier", "carrier"): 0,
        ("gatewayd_window_used", "carrier", "rcs"): 0,
        ("gatewayd_window_size", "esme", "shop"): 0,
        ("gatewayd_window_size", "carrier", "carrier"): 0,
        ("gatewayd_window_size", "carrier", "rcs"): 5,
        ("gatewayd_link_up", "carrier"): 0,
        ("gatewayd_limiter_paused_seconds", "provider:orange"): 0,
        ("gatewayd_store_pending_records",): 0,
        ("gatewayd_workers_up",): 1,
        ("gatewayd_submits_total", "shop", "ESME_ROK"): 0,
    }
    assert expected.items() <= samples.items()
    assert samples["gatewayd_faults_total", "metrics", "gauge"] == 0


async def test_limits_are_those_of_link_and_provider(tmp_path: Path) -> None:
    worker = Worker(loaded(tmp_path))
    try:
        assert set(worker.shared.names()) >= {"link:carrier", "link:rcs", "provider:orange", "account:shop"}
        rcs = worker.limits_of("rcs")
        assert len(rcs.slots) == 2
        assert rcs.slots[0][1].rate_per_s == UNLIMITED.rate_per_s
        carrier = worker.limits_of("carrier")
        assert len(carrier.slots) == 1
        assert carrier.slots[0][1] is not UNLIMITED
    finally:
        await end(worker)


async def test_what_is_turned_off_is_not_there(tmp_path: Path) -> None:
    worker = Worker(loaded(tmp_path, metrics="", webhooks=""))
    await worker.start()
    try:
        assert (worker.scrape, worker.webhooks) == (None, None)
    finally:
        await end(worker)


async def test_faults_of_links_are_counted_by_their_side(tmp_path: Path) -> None:
    worker = Worker(loaded(tmp_path))
    try:
        for kind in ("oversized", "receipt_unparsed"):
            worker._link_fault("carrier")(kind)
        worker._count_fault("webhook")("unauthorized")
        counted = {labels: tally.value for labels, tally in worker.metrics.faults.items()}
        assert counted == {
            ("carrier", "oversized"): 1,
            ("carrier", "receipt_unparsed"): 1,
            ("webhook", "unauthorized"): 1,
        }
        assert worker.metrics.receipt_events.labels("carrier", "unparsed").value == 1
    finally:
        await end(worker)


async def test_a_store_that_cannot_commit_is_a_complaint(tmp_path: Path) -> None:
    worker = Worker(loaded(tmp_path))
    try:
        assert worker._complaints() == ()
        worker.journal.is_failing = True
        assert worker._complaints() == ("the store cannot commit",)
        worker.journal.is_failing = False
    finally:
        await end(worker)


async def test_a_spool_serves_one_process(tmp_path: Path) -> None:
    worker = Worker(loaded(tmp_path))
    try:
        with pytest.raises(StoreFault, match="another gatewayd is using this spool"):
            Worker(loaded(tmp_path))
    finally:
        await end(worker)


async def test_what_a_failed_start_had_opened_is_closed_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        worker = Worker(loaded(tmp_path, port=taken.getsockname()[1]))
        with pytest.raises(OSError) as failure:
            await worker.start()
        assert failure.value.errno == errno.EADDRINUSE
        await end(worker)
    await end(Worker(loaded(tmp_path)))


async def test_a_worker_does_what_its_supervisor_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_prepare_process", lambda config, orders: None)
    ours, theirs = socket_pair()
    supervisor = await Channel.connect(ours)
    configuration = loaded(tmp_path)
    supervisor.send({"slot": 0, "count": 1, "sockets": {}, "loaded": handover.pack(configuration)})
    serving = spawn(module._serve(theirs.detach()), name="worker")
    lines = aiter(supervisor)
    assert "ready" in await anext(lines)
    supervisor.send({"reload": True, "loaded": handover.pack(configuration)})
    answers = [await anext(lines), await anext(lines)]
    assert {"reloaded": []} in answers or await anext(lines) == {"reloaded": []}
    supervisor.send({"drain": 1.0})
    assert await serving == EXIT_OK
    await hang_up(supervisor)


@pytest.mark.parametrize("fault", [OSError(errno.EACCES, "denied"), StoreFault("the spool is damaged")])
async def test_what_stops_a_start_is_told_to_the_supervisor(
    tmp_path: Path, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Worker, loaded: Loaded, place: object) -> None:
        raise fault

    monkeypatch.setattr(module, "_prepare_process", lambda config, orders: None)
    monkeypatch.setattr(Worker, "__init__", broken)
    ours, theirs = socket_pair()
    supervisor = await Channel.connect(ours)
    supervisor.send({"slot": 0, "count": 1, "sockets": {}, "loaded": handover.pack(loaded(tmp_path))})
    serving = spawn(module._serve(theirs.detach()), name="worker")
    assert await anext(aiter(supervisor)) == {"fatal": str(fault)}
    assert await serving == EXIT_FAILED
    await hang_up(supervisor)


def test_what_is_set_once_in_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = _spare_the_interpreter(monkeypatch)
    ignored: list[int] = []
    monkeypatch.setattr(signal, "signal", lambda number, action: ignored.append(number))
    named: list[int | None] = []
    monkeypatch.setattr(module, "configure_logging", lambda *_, worker, **__: named.append(worker))
    module._prepare_process(loaded(tmp_path).config, {"slot": 1, "count": 2})
    module._prepare_process(loaded(tmp_path).config, {"slot": 0, "count": 1})
    assert named == [1, None], "one that is alone needs no number in its log"
    assert set(changed) == {"switch", "gc"}
    assert ignored == [signal.SIGTERM, signal.SIGINT, signal.SIGHUP] * 2


def _spare_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The process is the tests'."""
    changed: dict[str, Any] = {}
    monkeypatch.setattr(sys, "setswitchinterval", lambda seconds: changed.update(switch=seconds))
    monkeypatch.setattr(gc, "set_threshold", lambda *counts: changed.update(gc=counts))
    return changed
