"""The processes of a benchmark: our own actors, and the daemon that is measured, with a configuration of its own.

Knows nothing of what is sent, nor of figures.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import msgspec

from gatewayd.config.api_keys import hash_key, make_key
from gatewayd.config.passwords import hash_password

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "bench-pw"
KEY = make_key(random.Random(1))
WEBHOOK_SECRET = "whsec_c2VjcmV0LW9mLXRoZS1iZW5jaG1hcmstMDAwMDE="
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
SETTLE_MAX_S, SETTLE_LOOK_S, QUIET_SHARE = 15.0, 0.5, 0.04

CONFIG = """\
[daemon]
workers = {workers}
spool_dir = "{place}/spool"
runtime_dir = "{place}/run"
log_level = "warning"

[history]
keep_h = {history_h}

[metrics]
listen = ""

[smpp]
listen = ["127.0.0.1:{port}"]
window = {window}
{smpp_keys}

[accounts.bench]
password_hash = "{password_hash}"
rate_per_s = 0
window = {window}
"""

HTTP = """
sinks = ["{sink}"]
{endpoint}
api_keys.bench = {{ hash = "{key_hash}" }}

[http]
listen = ["127.0.0.1:{http_port}"]
ready_without_links = true

[endpoints.bench]
url = "http://127.0.0.1:{receiver_port}/hooks"
secret_file = "{place}/hooks.secret"
allow_private = true
"""

SMS_LINK = """
[links.carrier]
kind = "smpp"
host = "127.0.0.1"
port = {carrier_port}
system_id = "bench"
password_file = "{place}/password"
window = {window}
binds = {binds}
{link_keys}

[[routes]]
links = ["carrier"]
"""

RCS_LINK = """
[webhooks]
listen = "127.0.0.1:{webhook_port}"

[links.platform]
kind = "gsma"
server_root = "http://127.0.0.1:{carrier_port}"
bot_id = "bench@bot.example"
token_url = "http://127.0.0.1:{carrier_port}/token"
client_id = "bench"
client_secret_file = "{place}/password"
webhook_token_file = "{place}/password"
capability = "assume"
deadline_s = 3600
window = {senders}

[[routes]]
links = ["platform"]
"""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon is configured for; with a ``webhook_port`` it has an RCS platform in place of a carrier."""

    port: int
    carrier_port: int
    window: int = 1_000
    workers: int = 1
    binds: int = 1
    webhook_port: int = 0
    senders: int = 0
    history_h: int = 72
    http_port: int = 0
    receiver_port: int = 1
    sink: str = "smpp"
    smpp_keys: str = ""
    """Further lines of ``[smpp]``, as TOML."""
    account_keys: str = ""
    """Further lines of the account ``bench``, as TOML."""
    link_keys: str = ""
    """Further lines of the SMS link, as TOML."""
    more: str = ""
    """Further tables of the configuration, as TOML; ``{place}`` and the names of this plan are filled in."""

    @property
    def endpoint(self) -> str:
        """The account's key of that name, where it has one."""
        return 'endpoint = "bench"' if self.sink == "webhook" else ""


class Failure(Exception):
    """Why there is no figure."""


class Silence(Failure):
    """A process has nothing to say, so far."""


class Actor:
    """One of our own processes: told what to do in one JSON argument, heard in JSON lines."""

    def __init__(self, script: str, **options: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / script), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._latest: dict[str, Any] = {}
        self._name = script
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put({})

    def hear(self, patience_s: float) -> dict[str, Any]:
        """The next line."""
        try:
            heard = self._lines.get(timeout=patience_s)
        except Empty:
            raise Silence(f"{self._name} says nothing") from None
        if not heard:
            raise Failure(f"{self._name} ended too early")
        return heard

    def latest(self) -> dict[str, Any]:
        """The last line of all that have come; the same as before when none has."""
        while True:
            try:
                heard = self._lines.get_nowait()
            except Empty:
                return self._latest
            if not heard:
                raise Failure(f"{self._name} ended too early")
            self._latest = heard

    def tell(self, word: str) -> None:
        """Say a word to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def go(self) -> None:
        """Let it begin."""
        self.tell("go")


class Use(NamedTuple):
    """What the daemon has used up to a moment, and has then."""

    at: float
    processor_s: float
    rss_mb: float
    pss_mb: float


def settled(look: Callable[[], Use]) -> Use:
    """What it uses once it has done what it had put off."""
    use = look()
    for _ in range(round(SETTLE_MAX_S / SETTLE_LOOK_S)):
        time.sleep(SETTLE_LOOK_S)
        before, use = use, look()
        if use.processor_s - before.processor_s <= SETTLE_LOOK_S * QUIET_SHARE:
            break
    return use


class Daemon:
    """The process that is measured, with all of its children."""

    def __init__(self, place: Path, plan: Plan, under: Sequence[str] = ()) -> None:
        """``under`` is a command that is to run it, and gets one worker without its supervisor."""
        for name in ("spool", "run"):
            (place / name).mkdir()
        secret = place / "password"
        secret.write_text(PASSWORD, encoding="ascii")
        secret.chmod(0o600)
        hooks = place / "hooks.secret"
        hooks.write_text(WEBHOOK_SECRET, encoding="ascii")
        hooks.chmod(0o600)
        config = place / "gatewayd.toml"
        http = HTTP if plan.http_port or plan.sink != "smpp" else ""
        text = CONFIG + plan.account_keys + http + (RCS_LINK if plan.webhook_port else SMS_LINK) + plan.more
        facts = msgspec.structs.asdict(plan) | {"endpoint": plan.endpoint, "key_hash": hash_key(KEY)}
        config.write_text(
            text.format(place=place, password_hash=hash_password(PASSWORD, random.Random(1)), **facts), encoding="utf-8"
        )
        self.log = place / "daemon.log"
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "gatewayd", "run", "--config", str(config)]
            if under:
                command = [*under, sys.executable, str(ROOT / "scripts" / "bench_worker.py"), str(config)]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def check(self) -> None:
        """Failure, with its last words, when it has ended."""
        if self.process.poll() is not None:
            words = self.log.read_text(encoding="utf-8", errors="replace")[-2_000:]
            raise Failure(f"the daemon ended with status {self.process.returncode}:\n{words}")

    def processor_s(self) -> float:
        """What all its processes have used."""
        return processor_s(self.process.pid)

    def memory_mb(self) -> float:
        """The sum of what its processes have resident now."""
        return _memory_mb(self.process.pid, "VmRSS:")

    def memory_proportional_mb(self) -> float:
        """The same, with each page that several processes share counted once (proc(5), Pss)."""
        return _memory_mb(self.process.pid, "Pss:", "smaps_rollup")

    def use(self) -> Use:
        """All of this at once; Failure when it has ended."""
        self.check()
        return Use(time.monotonic(), self.processor_s(), self.memory_mb(), self.memory_proportional_mb())

    def memory_peak_mb(self) -> float:
        """The sum of the largest resident sizes of its processes."""
        return _memory_mb(self.process.pid, "VmHWM:")


def _memory_mb(pid: int, word: str, file: str = "status") -> float:
    kilobytes = 0
    for one in _family(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/{file}").read_text(encoding="utf-8").splitlines():
                if line.startswith(word):
                    kilobytes += int(line.split()[1])
    return kilobytes / 1024


def processor_s(pid: int) -> float:
    """User and system time of a process and all below it, those that have ended included (proc(5))."""
    ticks = 0
    for one in _family(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks * TICK_S


def _family(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                yield from _family(int(child))


def free_port() -> int:
    """A port of the loopback that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def end(process: subprocess.Popen[Any]) -> None:
    """Ask a process to stop, and do not wait for ever."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
