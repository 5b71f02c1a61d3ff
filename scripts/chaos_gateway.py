"""The daemon under chaos: a configuration of its own, and a process with all of its workers that can be killed at will.

Knows nothing of what is sent through it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import random
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from gatewayd.config.passwords import hash_password
from gatewayd.runtime.tasks import spawn

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
PASSWORD = "chaos-pw"
START_PATIENCE_S = 30.0
STOP_PATIENCE_S = 20.0
RETRY_S = 0.02
WORDS_MAX = 30
PR_SET_PDEATHSIG = 1
_READY = re.compile(rb"is ready: smpp on ")
_WORKER_READY = re.compile(r"= worker (\d+) is ready \(process (\d+)\)")

_CONFIG = """\
[daemon]
workers = {workers}
spool_dir = "{place}/spool"
runtime_dir = "{runtime}"
log_level = "info"
drain_timeout_s = 5.0

[metrics]
listen = ""

[smpp]
listen = ["{host}:{port}"]
window = {window}
connections_max = {connections}
session_init_timeout_s = 3600
"""

_ACCOUNT = """
[accounts.{name}]
password_hash = "{password_hash}"
rate_per_s = 0
window = {window}
binds_max = 8
outbox_depth_max = 10000000
"""

_LINK = """
[links.{name}]
kind = "smpp"
host = "{host}"
port = {port}
system_id = "chaos"
password_file = "{place}/password"
window = {window}
binds = {binds}
rate_per_s = {rate}
burst = {burst}
reconnect_min_s = 0.05
reconnect_max_s = 0.5
response_timeout_s = 2.0
enquire_interval_s = 2.0
retry_max = 1000
parked_receipt_ttl_s = 86400

[[routes]]
links = ["{name}"]
prefixes = ["{prefix}"]
"""


class ChaosFault(Exception):
    """Why there is no verdict."""


class LinkPlan(msgspec.Struct, frozen=True):
    """A link to one simulated carrier, and whose handsets it serves."""

    name: str
    port: int
    prefix: str
    window: int = 50
    binds: int = 2
    rate: float = 0.0
    burst: int = 1


class Plan(msgspec.Struct, frozen=True):
    """What the daemon is configured for."""

    workers: int
    links: tuple[LinkPlan, ...]
    accounts: tuple[str, ...] = ("app", "rude")
    window: int = 100
    connections: int = 1_000
    account_extra: str = ""
    extra: str = ""


class Gateway:
    """One spool, one port, and the process that works on them now."""

    def __init__(self, place: Path, plan: Plan) -> None:
        self.port = free_port()
        self.log = place / "daemon.log"
        self.lives = 0
        self.refused_starts = 0
        self.config = place / "gatewayd.toml"
        # Sockets lie here: their paths must be short.
        self._runtime = Path(tempfile.mkdtemp(prefix="chaos-"))
        self._process: asyncio.subprocess.Process | None = None
        self._is_ready = asyncio.Event()
        self._ended = asyncio.Event()
        _write_config(place, plan, self._runtime, self.port)

    async def start(self) -> None:
        """Start, again and again until it is up: right after a kill, what the dead held may not be free yet."""
        deadline = time.monotonic() + START_PATIENCE_S
        while time.monotonic() < deadline:
            await self._start_once()
            if self._is_ready.is_set() or not self._ended.is_set():
                return
            self.refused_starts += 1
            await asyncio.sleep(RETRY_S)
        raise ChaosFault(f"the daemon does not start:\n{self.last_words()}")

    async def _start_once(self) -> None:
        self._is_ready, self._ended = asyncio.Event(), asyncio.Event()
        process = self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "gatewayd", "run", "--config", str(self.config)),
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C at the terminal is for us to pass on
            preexec_fn=_end_with_parent,
        )
        spawn(self._follow(process, self._is_ready), name="log of the daemon")
        spawn(_watch(process, self._ended), name="end of the daemon")
        waits = [spawn(event.wait(), name="a sign of the daemon") for event in (self._is_ready, self._ended)]
        done, rest = await asyncio.wait(waits, timeout=START_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        if not done:
            raise ChaosFault(f"the daemon says nothing:\n{self.last_words()}")
        self.lives += self._is_ready.is_set()

    async def _follow(self, process: asyncio.subprocess.Process, is_ready: asyncio.Event) -> None:
        assert process.stdout is not None
        with self.log.open("ab") as log:
            async for line in process.stdout:
                log.write(line)
                log.flush()
                if _READY.search(line):
                    is_ready.set()

    # -- its processes --------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The supervisor."""
        assert self._process is not None
        return self._process.pid

    def workers(self) -> list[int]:
        """The workers that live now, oldest first."""
        return sorted(children_of(self.pid))

    def slots(self) -> dict[int, int]:
        """The slot of each process that was ever a worker."""
        found = _WORKER_READY.findall(self.log.read_text(encoding="utf-8", errors="replace"))
        return {int(pid): int(slot) for slot, pid in found}

    def memory_mb(self) -> float:
        """What the workers have resident now."""
        return sum(resident_mb(pid) for pid in self.workers())

    def kill_worker(self, rng: random.Random) -> bool:
        """SIGKILL to one of the workers; False when none lives."""
        workers = self.workers()
        if not workers:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(workers), signal.SIGKILL)
        return True

    async def kill_supervisor(self) -> None:
        """SIGKILL to the supervisor alone; its workers are to notice."""
        os.kill(self.pid, signal.SIGKILL)
        await self._ended.wait()

    async def kill_all(self) -> None:
        """SIGKILL to everybody at once, as a power cut that spares the disk."""
        for pid in (self.pid, *self.workers()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await self._ended.wait()

    async def stop(self) -> int:
        """SIGTERM, and insist after a while; the exit code."""
        assert self._process is not None
        if not self._ended.is_set():
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_PATIENCE_S):
                    await self._ended.wait()
            if not self._ended.is_set():
                await self.kill_all()
        shutil.rmtree(self._runtime, ignore_errors=True)
        return self._process.returncode or 0

    def last_words(self) -> str:
        """The end of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-WORDS_MAX:])

    def crashes(self) -> int:
        """Failures of its own that it wrote down."""
        return self.log.read_text(encoding="utf-8", errors="replace").count("Traceback") if self.log.exists() else 0


async def until(condition: Callable[[], bool], patience_s: float, pause_s: float = 0.01) -> bool:
    """Look again and again; whether it became true in time."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(pause_s)
    return True


async def _watch(process: asyncio.subprocess.Process, ended: asyncio.Event) -> None:
    await process.wait()
    ended.set()


def children_of(pid: int) -> Iterator[int]:
    """The processes that a process has started and that live (proc(5))."""
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                if _state_of(int(child)) != "Z":
                    yield int(child)


def resident_mb(pid: int) -> float:
    """A process's memory, what it shares with others counted in part."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def free_port() -> int:
    """A port of the loopback that nobody uses."""
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


def _state_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    return "Z"


def _end_with_parent() -> None:
    """Were we killed, nobody would be left to stop it (prctl(2), Linux)."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _write_config(place: Path, plan: Plan, runtime: Path, port: int) -> None:
    secret = place / "password"
    secret.write_text(PASSWORD, encoding="ascii")
    secret.chmod(0o600)
    known = hash_password(PASSWORD, random.SystemRandom())
    facts = {
        "place": place,
        "runtime": runtime,
        "host": HOST,
        "port": port,
        **{name: getattr(plan, name) for name in plan.__struct_fields__},
    }
    parts = [_CONFIG.format(**facts)]
    account = _ACCOUNT + plan.account_extra
    parts += [account.format(name=name, password_hash=known, window=plan.window) for name in plan.accounts]
    parts += [_LINK.format(place=place, host=HOST, **msgspec.structs.asdict(link)) for link in plan.links]
    (place / "gatewayd.toml").write_text("".join((*parts, plan.extra)), encoding="utf-8")
