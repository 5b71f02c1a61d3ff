"""The stage of scripts/run: a fresh folder, the real daemon, and around it an application, a carrier and a platform.

The daemon and the RCS platform are processes of their own. The carrier lives in this one, so that its ledger can be
read. Knows no journey.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import random
import shutil
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Self

import aiohttp
import msgspec

from gatewayd.config.passwords import hash_password
from gatewayd.runtime.tasks import spawn
from gatewayd.simulate.behaviour import Behaviour, Rule
from gatewayd.simulate.esme import Esme, NotBoundError
from gatewayd.simulate.rcs_behaviour import Rule as RcsRule
from gatewayd.simulate.smsc import Smsc

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
SMPP_PORT, METRICS_PORT = 2775, 9464
ACCOUNT, PASSWORD = "demo", "demo-pw"
PLATFORM_SECRET, WEBHOOK_TOKEN, CARRIER_PASSWORD = "platform-secret", "webhook-token", "carrier"
START_PATIENCE_S = 30.0
STOP_PATIENCE_S = 15.0
WORDS_MAX = 30
PR_SET_PDEATHSIG = 1
TAKEN = "already in use"

CONFIG = """\
# Written by scripts/run at every start. conf/gatewayd.toml explains every key.

[daemon]
spool_dir = "spool"
runtime_dir = "runtime"
log_level = "debug"
drain_timeout_s = 5.0

[metrics]
listen = "{host}:{metrics}"

[smpp]
listen = ["{host}:{smpp}"]

[webhooks]
listen = "{host}:{webhooks}"

[accounts.{account}]
password_hash_file = "{account}.hash"
numbers = ["33639980099"]

[links.platform]
kind = "gsma"
server_root = "http://{host}:{platform}"
bot_id = "demo@bot.example"
token_url = "http://{host}:{platform}/oauth2/v1/token"
client_id = "gateway"
client_secret_file = "platform.secret"
webhook_token_file = "platform.webhook"
# Seconds, so that one can watch a message fall back to SMS. Minutes are usual.
deadline_s = 2.0

[links.carrier]
kind = "smpp"
host = "{host}"
port = {carrier}
system_id = "gateway"
password_file = "carrier.password"
throttle_pause_s = 0.5

[[routes]]
links = ["platform", "carrier"]
"""


class StageFault(Exception):
    """Why there is nothing to see; the text says what to do."""


class Ports(msgspec.Struct, frozen=True):
    """Where everybody listens."""

    smpp: int
    metrics: int
    webhooks: int
    carrier: int = 0
    platform: int = 0


def _end_with_parent() -> None:
    """Were we killed, nobody would be left to stop it (prctl(2), Linux)."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Program:
    """A process of ours: what it says goes to a file, until it is stopped or ends by itself."""

    def __init__(self, name: str, log: Path, ready: str) -> None:
        self.name = name
        self.log = log
        self.ended = asyncio.Event()
        self._mark = ready
        self._ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *words: str) -> str:
        """Run `gatewayd` with these words; returns the line with which it says that it is ready."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gatewayd", *words),
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C at the terminal is for us to pass on, in the right order
            preexec_fn=_end_with_parent,
        )
        spawn(self._follow(self._process), name=f"log of {self.name}")
        try:
            async with asyncio.timeout(START_PATIENCE_S):
                return await asyncio.shield(self._ready)
        except TimeoutError:
            raise StageFault(f"{self.name} says nothing; look into {self.log}") from None

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        with self.log.open("wb") as log:
            async for line in process.stdout:
                log.write(line)
                log.flush()
                if self._mark.encode() in line and not self._ready.done():
                    self._ready.set_result(line.decode())
        await process.wait()
        self.ended.set()
        if not self._ready.done():
            self._ready.set_exception(StageFault(f"{self.name} ended at once:\n{self.last_words()}"))

    def last_words(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-WORDS_MAX:])

    async def stop(self) -> None:
        """Ask it to end, and insist after a while."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_PATIENCE_S):
                    await self.ended.wait()
            self._process.kill()
        await self.ended.wait()


class Stage:
    """Everybody, for as long as the `with` block lasts."""

    def __init__(self, place: Path, port: int, rcs_rules: Sequence[RcsRule], sms_rules: Sequence[Rule]) -> None:
        """``place`` is the folder of all state; ``port`` 0 takes SMPP's own port or, where that is taken, another."""
        self.place = place
        self.esme = Esme(ACCOUNT, PASSWORD)
        self.smsc = Smsc(
            Behaviour(rules=tuple(sms_rules), receipt_delay_s=0.1), system_id="carrier", password=CARRIER_PASSWORD
        )
        self.ports = Ports(0, 0, 0)
        self.programs: list[Program] = []
        self._port = port
        self._rcs_rules = rcs_rules
        self._http: aiohttp.ClientSession
        self._exits = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._enter()
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()

    async def _enter(self) -> None:
        self._exits.enter_context(_held(self.place))
        self._smpp_port()
        self._http = await self._exits.enter_async_context(aiohttp.ClientSession())
        carrier = await self.smsc.start(HOST)
        self._exits.push_async_callback(self.smsc.stop)
        webhooks = free_port()
        platform = await self._start_platform(webhooks)
        self.ports = Ports(0, 0, webhooks, carrier, platform)
        self._write_secrets()
        try:
            await self._start_gateway(self._smpp_port(), free_port(METRICS_PORT))
        except StageFault as fault:
            if TAKEN not in str(fault):
                raise
            # Somebody was quicker at one of these.
            await self._start_gateway(self._port or free_port(), free_port())
        await self._bind()

    @property
    def config(self) -> Path:
        """The daemon's configuration."""
        return self.place / "gatewayd.toml"

    async def platform_ledger(self, contact: str) -> dict[str, Any]:
        """What the RCS platform has seen of one contact."""
        url = f"http://{HOST}:{self.ports.platform}/control/ledger"
        async with self._http.get(url, params={"contact": contact}) as answer:
            answer.raise_for_status()
            ledger: dict[str, Any] = await answer.json()
            return ledger

    async def say(self, contact: str, reply: str, postback: str) -> None:
        """Let a handset tap a suggestion."""
        url = f"http://{HOST}:{self.ports.platform}/control/mo"
        body = {"contact": contact, "reply": reply, "postback": postback, "bot": "demo@bot.example"}
        async with self._http.post(url, json=body) as answer:
            answer.raise_for_status()

    async def wait_for_an_end(self) -> Program:
        """Wait until one of the processes ends, which none should."""
        waits = {spawn(program.ended.wait(), name=f"end of {program.name}"): program for program in self.programs}
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        return waits[done.pop()]

    async def _start_platform(self, webhooks: int) -> int:
        rules = self.place / "platform-rules.toml"
        rules.write_text("".join(map(_rule_text, self._rcs_rules)), encoding="utf-8")
        line = await self._start(
            *("the RCS platform", "platform.log", "listening on", "simulate", "rcs", "--listen", f"{HOST}:0"),
            *("--webhook", f"http://{HOST}:{webhooks}/rcs/platform", "--webhook-token", WEBHOOK_TOKEN),
            *("--client-secret", PLATFORM_SECRET, "--rules", str(rules)),
        )
        return int(line.rpartition(":")[2])

    def _smpp_port(self) -> int:
        port = free_port(self._port or SMPP_PORT)
        if self._port and port != self._port:
            raise StageFault(f"port {self._port} is taken; stop what listens there, or leave --port out")
        return port

    async def _start_gateway(self, smpp: int, metrics: int) -> None:
        self.ports = msgspec.structs.replace(self.ports, smpp=smpp, metrics=metrics)
        settings = msgspec.structs.asdict(self.ports)
        self.config.write_text(CONFIG.format(host=HOST, account=ACCOUNT, **settings), encoding="utf-8")
        await self._start("the gateway", "daemon.log", "is ready", "run", "--config", str(self.config))

    async def _start(self, name: str, log: str, ready: str, *words: str) -> str:
        program = Program(name, self.place / log, ready)
        self._exits.push_async_callback(program.stop)
        line = await program.start(*words)
        self.programs.append(program)
        return line

    def _write_secrets(self) -> None:
        secrets = {
            f"{ACCOUNT}.hash": hash_password(PASSWORD, random.SystemRandom()),
            f"{ACCOUNT}.password": PASSWORD,
            "platform.secret": PLATFORM_SECRET,
            "platform.webhook": WEBHOOK_TOKEN,
            "carrier.password": CARRIER_PASSWORD,
        }
        for name, secret in secrets.items():
            (self.place / name).write_text(secret + "\n", encoding="ascii")
            (self.place / name).chmod(0o600)

    async def _bind(self) -> None:
        """The application at the gateway, and the gateway at the carrier."""
        try:
            await self.smsc.ledger.wait_for(lambda: bool(self.smsc.binds()), START_PATIENCE_S)
            await self.esme.connect(HOST, self.ports.smpp)
        except (NotBoundError, OSError, TimeoutError) as fault:
            raise StageFault(f"no bind ({str(fault) or 'in time'}); look into {self.place}/daemon.log") from fault
        self._exits.push_async_callback(self.esme.abort)


@contextlib.contextmanager
def _held(place: Path) -> Iterator[None]:
    """The folder, empty but for its lock, and for nobody else as long as we are here."""
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock: IO[str] = (place / "lock").open("a", encoding="ascii")
    except OSError as error:
        raise StageFault(f"{place}: {error.strerror}; it must be a folder that you may write to") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StageFault(f"another scripts/run is up in {place}; stop it first, or give --dir another") from None
        for name in ("spool", "runtime"):
            shutil.rmtree(place / name, ignore_errors=True)
        yield


def free_port(preferred: int = 0) -> int:
    """The preferred port when nobody listens there, else any that is free."""
    for port in (preferred, 0):
        with contextlib.suppress(OSError), socket.create_server((HOST, port)) as server:
            return int(server.getsockname()[1])
    raise StageFault("there is no free port on 127.0.0.1")


def _rule_text(rule: RcsRule) -> str:
    """A rule as a TOML table, with what differs from the defaults. JSON writes these values as TOML does."""
    given = {name: getattr(rule, name) for name in rule.__struct_fields__ if getattr(rule, name) != _DEFAULTS[name]}
    lines = [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in given.items()]
    return "\n".join(["[[rule]]", *lines, "", ""])


_DEFAULTS = msgspec.structs.asdict(RcsRule())
