"""The supervisor over stub workers: start, death, silence, reload, drain, and what systemd is told of it all."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gatewayd import supervisor
from gatewayd.config.load import load
from gatewayd.runtime.keeper import Restarts
from gatewayd.runtime.tasks import spawn
from gatewayd.supervisor import Supervisor
from tests.support.diary import Diary

ROOT = Path(__file__).parents[2]
CONFIG = """
[daemon]
spool_dir = "{place}/spool"
runtime_dir = "{place}/run"
workers = 2
drain_timeout_s = 20
worker_silence_s = 20

[metrics]
listen = "127.0.0.1:0"

[smpp]
listen = ["127.0.0.1:0", "127.0.0.1:0"]

[accounts.shop]
password_hash = "scrypt$16384$8$1$cA2bud8HXsUi6FoUX120Cw$Ma2oXw0rDhfTJ1KYYhOtC9OEMKu8/M4/+hAh4bnGhmo"

[links.carrier]
kind = "smpp"
host = "127.0.0.1"
port = 2776
system_id = "gateway"
password_file = "carrier.password"

[[routes]]
links = ["carrier"]
"""


class Daemon:
    """A supervisor in this process, with stub workers and with us as its systemd."""

    def __init__(self, place: Path) -> None:
        self.diary = Diary(place)
        self.path = place / "gatewayd.toml"
        self.path.write_text(CONFIG.format(place=place))
        secret = place / "carrier.password"
        secret.write_text("s3cret")
        secret.chmod(0o600)
        self._task: asyncio.Task[int] | None = None

    def change(self, old: str, new: str) -> None:
        """Edit the configuration."""
        text = self.path.read_text()
        assert old in text
        self.path.write_text(text.replace(old, new))

    def start(
        self, manner: str = "good", delays_s: Sequence[float] = (0.0,), watchdog_s: float = 0.0, status_s: float = 3.0
    ) -> Supervisor:
        """Run it."""
        variables = {"NOTIFY_SOCKET": self.diary.manager_path}
        if watchdog_s:
            variables["WATCHDOG_USEC"] = str(int(watchdog_s * 1e6))
        one = Supervisor(
            load(self.path),
            command=self.diary.command(manner),
            environment=variables,
            restarts=lambda: Restarts(delays_s),
            status_interval_s=status_s,
        )
        self._task = spawn(one.run(), name="supervisor")
        return one

    async def code(self) -> int:
        """How it ended."""
        assert self._task is not None
        async with asyncio.timeout(15):
            return await self._task

    async def close(self) -> None:
        """Make an end of whatever still runs."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        self.diary.close()


@pytest_asyncio.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    daemon = Daemon(tmp_path)
    yield daemon
    await daemon.close()


def values(notes: list[dict[str, Any]]) -> list[Any]:
    return [note["value"] for note in notes]


# -- starting ---------------------------------------------------------------------------------------------------------


async def test_a_start_and_a_stop(daemon: Daemon, tmp_path: Path) -> None:
    one = daemon.start()
    await daemon.diary.notified("READY=1")
    told = [notice for notice in daemon.diary.notices if notice.startswith(("STATUS", "READY"))]
    assert "STATUS=2 of 2 workers ready" in told[told.index("READY=1") - 1], "whoever waited for us reads it at once"
    assert (tmp_path / "run").is_dir()
    orders = await daemon.diary.noted("orders", 2)
    assert sorted(note["slot"] for note in orders) == [0, 1]
    assert {note["value"]["count"] for note in orders} == {2}
    assert {note["value"]["config"] for note in orders} == {str(daemon.path)}
    assert orders[0]["value"]["loaded"]["secrets"] == {"links.carrier.password_file": "s3cret"}
    one.stop()
    assert await daemon.code() == 0
    assert values(daemon.diary.of("told")) == [{"drain": 20.0}] * 2
    assert daemon.diary.notices[-1].startswith(("STOPPING=1", "STATUS=draining: "))
    await daemon.diary.notified("STOPPING=1\nEXTEND_TIMEOUT_USEC=30000000")


async def test_all_workers_share_the_same_sockets(daemon: Daemon) -> None:
    one = daemon.start()
    first, second = values(await daemon.diary.noted("listening", 2))
    assert first == second
    assert {kind: len(several) for kind, several in first.items()} == {
        "smpp": 2,
        "smpp_tls": 0,
        "metrics": 1,
        "webhooks": 0,
        "http": 0,
        "http_tls": 0,
    }
    with socket.create_connection(first["smpp"][0], timeout=5):
        pass  # also while no worker accepts yet
    one.stop()
    await daemon.code()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(first["smpp"][0], timeout=5)


async def test_what_systemd_says_to_us_is_not_for_workers(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", daemon.diary.manager_path)
    monkeypatch.setenv("LISTEN_FDNAMES", "smpp")
    one = Supervisor(load(daemon.path), command=daemon.diary.command())
    running = spawn(one.run(), name="supervisor")
    variables = values(await daemon.diary.noted("variables"))[0]
    assert "PATH" in variables
    assert {"NOTIFY_SOCKET", "LISTEN_FDNAMES"}.isdisjoint(variables)
    one.stop()
    async with asyncio.timeout(10):
        assert await running == 0


async def test_auto_is_one_worker_for_each_core(daemon: Daemon) -> None:
    daemon.change("workers = 2", 'workers = "auto"')
    one = daemon.start()
    await daemon.diary.notified("READY=1")
    assert len(one.keepers) == len(os.sched_getaffinity(0))
    one.stop()
    await daemon.code()


async def test_an_address_that_is_taken_ends_the_start(daemon: Daemon, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        daemon.change('"127.0.0.1:0", "127.0.0.1:0"', f'"{address}"')
        daemon.start()
        assert await daemon.code() == 1
    assert f"cannot start: cannot listen on {address} for smpp: Address already in use" in caplog.text
    assert daemon.diary.notes == []


async def test_a_spool_that_cannot_be_used_ends_the_start(
    daemon: Daemon, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "worker-0.spool").write_bytes(b"this is no database" * 1_000)
    daemon.start()
    assert await daemon.code() == 1
    assert "cannot start: " in caplog.text
    assert "worker-0.spool" in caplog.text
    assert daemon.diary.notes == []


async def test_a_stop_does_not_wait_for_the_spools(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arranging a big backlog takes minutes, and can be ended at any moment."""
    release = threading.Event()
    monkeypatch.setattr(supervisor, "ARRANGE_NEWS_S", 0.01)
    monkeypatch.setattr(supervisor, "arrange", lambda *facts: release.wait(30))
    one = daemon.start()
    await daemon.diary.notified("STATUS=arranging the spools for 2 workers")
    await daemon.diary.notified("EXTEND_TIMEOUT_USEC=", 3)
    one.stop()
    assert await daemon.code() == 0
    assert daemon.diary.notes == []
    release.set()


async def test_a_worker_that_says_why_it_cannot_start_ends_the_start(
    daemon: Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    daemon.start("fatal")
    assert await daemon.code() == 1
    assert "cannot start: the spool is on fire" in caplog.text
    assert not any("READY" in notice for notice in daemon.diary.notices)


# -- death and silence ------------------------------------------------------------------------------------------------


async def test_a_worker_that_dies_is_started_again(daemon: Daemon) -> None:
    one = daemon.start()
    await daemon.diary.notified("READY=1")
    before = await daemon.diary.noted("orders", 2)
    os.kill(before[0]["pid"], signal.SIGKILL)
    after = (await daemon.diary.noted("orders", 3))[2]
    assert after["slot"] == before[0]["slot"]
    assert after["value"] == before[0]["value"]
    slot = after["slot"]
    await daemon.diary.notified(f"carrier binds, 0.0 messages/s, 1 restart; worker {slot} died (SIGKILL)")
    await daemon.diary.notified("STATUS=2 of 2 workers ready, 4 application binds, 2 carrier binds, 0.0 messages/s, 1 ")
    one.stop()
    assert await daemon.code() == 0
    assert sum("READY=1" in notice for notice in daemon.diary.notices) == 1


async def test_a_worker_that_always_dies_is_no_hot_loop(daemon: Daemon) -> None:
    daemon.change("workers = 2", "workers = 1")
    one = daemon.start("crash", delays_s=(0.0, 0.01, 3_600.0))
    await daemon.diary.notified("3 restarts; worker 0 died (SIGKILL)")
    assert len(daemon.diary.of("orders")) == 3
    one.stop()
    assert await daemon.code() == 0, "also while a worker waits"


@pytest.mark.parametrize("manner", ["silent", "deaf"])
async def test_a_worker_that_is_silent_is_killed(daemon: Daemon, manner: str, caplog: pytest.LogCaptureFixture) -> None:
    daemon.change("worker_silence_s = 20", "worker_silence_s = 0.2")
    daemon.change("workers = 2", "workers = 1")
    one = daemon.start(manner)
    await daemon.diary.notified("worker 0 died (SIGKILL: silent for ")
    await daemon.diary.noted("orders", 2)
    assert "= worker 0 died (SIGKILL: silent for " in caplog.text
    one.stop()
    await daemon.code()


async def test_who_was_stopped_itself_calls_nobody_silent(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody seems silent to a supervisor that was held up; every look here seems to come too late."""
    monkeypatch.setattr(supervisor, "_LATE_S", -3_600.0)
    daemon.change("worker_silence_s = 20", "worker_silence_s = 0.2")
    one = daemon.start("silent", watchdog_s=0.2)
    await daemon.diary.notified("WATCHDOG=1", 8)
    assert [keeper.deaths for keeper in one.keepers] == [0, 0]


# -- systemd ----------------------------------------------------------------------------------------------------------


async def test_the_watchdog_is_fed_and_the_status_told(daemon: Daemon) -> None:
    one = daemon.start(watchdog_s=0.2, status_s=0.1)
    await daemon.diary.notified("WATCHDOG=1", 3)
    await daemon.diary.notified("STATUS=2 of 2 workers ready, 4 application binds, 2 carrier binds, ")
    one.stop()
    assert await daemon.code() == 0


# -- reloading --------------------------------------------------------------------------------------------------------


async def test_a_reload_reaches_every_worker(daemon: Daemon, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    one = daemon.start()
    await daemon.diary.notified("READY=1")
    daemon.change("port = 2776", "port = 2777")
    daemon.change("workers = 2", "workers = 3")
    os.kill(os.getpid(), signal.SIGHUP)
    await daemon.diary.notified("READY=1", 2)
    told = values(daemon.diary.of("told"))
    assert [line["reload"] for line in told] == [True, True]
    assert told[0]["loaded"]["config"]["links"]["carrier"]["port"] == 2777
    assert told[0]["loaded"]["config"]["daemon"]["workers"] == 2
    assert "= a reload cannot change daemon.workers: restart for that" in caplog.text
    assert f"= reloaded {daemon.path}" in caplog.text
    states = [word for notice in daemon.diary.notices if (word := notice.partition("=")[0]) in ("READY", "RELOADING")]
    assert states == ["READY", "RELOADING", "READY"]
    one.stop()
    assert await daemon.code() == 0


async def test_a_faulty_configuration_changes_nothing(daemon: Daemon, caplog: pytest.LogCaptureFixture) -> None:
    one = daemon.start()
    await daemon.diary.notified("READY=1")
    daemon.change("port = 2776", "port = 99999")
    one.reload()
    await daemon.diary.notified("READY=1", 2)
    status = await daemon.diary.notified("; not reloaded, 1 fault: ")
    fault = f"{daemon.path}: links.carrier.port: 99999 is not a port; give 1 to 65535"
    assert status.startswith("STATUS=2 of 2 workers ready, 4 application binds, 2 carrier binds, ")
    assert status.endswith(fault)
    assert f"= not reloaded: {fault}" in caplog.text
    assert daemon.diary.of("told") == []

    # A worker that dies now works by what is in force, not by what stands in the file.
    os.kill(daemon.diary.of("orders")[0]["pid"], signal.SIGKILL)
    orders = (await daemon.diary.noted("orders", 3))[2]["value"]
    assert orders["loaded"]["config"]["links"]["carrier"]["port"] == 2776

    daemon.change("port = 99999", "port = 2778")
    one.reload()
    await daemon.diary.notified("READY=1", 3)
    await daemon.diary.watch.until(lambda: "not reloaded" not in daemon.diary.notices[-1])
    one.stop()
    assert await daemon.code() == 0


async def test_what_a_worker_could_not_take_up_is_told(daemon: Daemon, caplog: pytest.LogCaptureFixture) -> None:
    one = daemon.start("faulty")
    await daemon.diary.notified("READY=1")
    one.reload()
    await daemon.diary.notified("; not wholly reloaded, 2 faults: worker 0: the bind is stuck")
    assert "= not wholly reloaded: worker 1: the bind is stuck" in caplog.text
    one.stop()
    assert await daemon.code() == 0


async def test_a_worker_that_does_not_answer_delays_no_reload_for_ever(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "RELOAD_PATIENCE_S", 0.05)
    one = daemon.start("slow")
    await daemon.diary.notified("READY=1")
    one.reload()
    one.reload()
    await daemon.diary.notified("; not wholly reloaded, 2 faults: worker 0: did not answer")
    one.stop()
    assert await daemon.code() == 0


# -- ending -----------------------------------------------------------------------------------------------------------


async def test_a_worker_that_is_not_done_in_time_is_killed(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervisor, "DRAIN_GRACE_S", 0.1)
    daemon.change("drain_timeout_s = 20", "drain_timeout_s = 0.1")
    one = daemon.start("stubborn")
    await daemon.diary.notified("READY=1")
    one.stop()
    assert await daemon.code() == 0
    assert "= worker 1 is not done in time: killed" in caplog.text


async def test_a_second_interrupt_waits_no_longer(daemon: Daemon) -> None:
    one = daemon.start("stubborn")
    await daemon.diary.notified("READY=1")
    os.kill(os.getpid(), signal.SIGINT)
    await daemon.diary.noted("told", 2)
    os.kill(os.getpid(), signal.SIGINT)
    assert await daemon.code() == 0
    assert [keeper.pid for keeper in one.keepers] == [None, None]


async def test_a_worker_that_ends_badly_is_told(daemon: Daemon, caplog: pytest.LogCaptureFixture) -> None:
    daemon.start("sloppy")
    await daemon.diary.notified("READY=1")
    os.kill(os.getpid(), signal.SIGTERM)
    assert await daemon.code() == 0
    assert "= worker 0 ended badly (exit code 5)" in caplog.text


async def test_workers_end_with_their_supervisor(daemon: Daemon) -> None:
    """In a process of its own, which dies without a word."""
    run = (
        "import sys, pathlib; from gatewayd import supervisor; from gatewayd.config.load import load\n"
        "one = supervisor.Supervisor(load(pathlib.Path(sys.argv[1])), command=sys.argv[2:])\n"
        "import asyncio; sys.exit(asyncio.run(one.run()))\n"
    )
    command = [sys.executable, "-c", run, str(daemon.path), *daemon.diary.command()]
    environment = dict(os.environ, NOTIFY_SOCKET=daemon.diary.manager_path)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment)
    await daemon.diary.notified("READY=1")
    process.kill()
    await process.wait()
    ends = await daemon.diary.noted("end", 2)
    assert sorted(note["slot"] for note in ends) == [0, 1]


def test_it_stays_small() -> None:
    """What it imports stays for as long as the daemon runs, beside every worker's own."""
    report = "import gatewayd.cli, gatewayd.supervisor, json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", report], cwd=ROOT, capture_output=True, timeout=30, check=True)
    heavy = {"aiohttp", "cryptography", "jwt", "uvloop", "prometheus_client", "rich", "gatewayd.worker"}
    assert heavy & set(json.loads(done.stdout)) == set()
