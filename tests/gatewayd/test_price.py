"""What a message may cost, counted and not timed: the functions called for each one, and what it leaves on disk.

A figure that rises was a decision of somebody, or a slip. What is off must cost nothing: it is decided at a start, a
bind or a reload. `scripts/bench` tells what the same message costs in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

from gatewayd.config.load import load
from gatewayd.config.passwords import hash_password
from gatewayd.store.database import Database
from gatewayd.store.journal import Journal
from gatewayd.worker import Worker

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = 400
PASSWORD = "bench-pw"

# 147 on Python 3.11, and later ones call a little less; a busy machine makes smaller batches, and may call twice more.
CALLS_MAX = 149
# The times in records are written with as many digits as they need.
OCTETS_MAX = 1_250
# Message and progress, progress again with the carrier's name, and the receipt; the ends of the progress, which is the
# message's and its name's as well, and of the receipt.
RECORDS = {"put": 4, "delete": 2}

CONFIG = """
[daemon]
spool_dir = "spool"
runtime_dir = "run"

[metrics]
listen = ""

[smpp]
listen = ["127.0.0.1:0"]
window = {messages}

[accounts.bench]
password_hash = "{password_hash}"
rate_per_s = 0
window = {messages}

[links.carrier]
kind = "smpp"
host = "127.0.0.1"
port = {port}
system_id = "bench"
password_file = "password"
window = {messages}

[[routes]]
links = ["carrier"]
"""


class Price(NamedTuple):
    """Of one message: how often each Python function was called for it, and its octets in the journal."""

    calls: Counter[CodeType]
    octets: float


class End:
    """One end of the benchmark, a process of its own: its own calls are not counted, and shares no code with ours."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, script: str, **options: object) -> End:
        pipes: dict[str, Any] = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, ROOT / "scripts" / script, json.dumps(options | {"messages": MESSAGES}), **pipes
            )
        )

    async def hear(self, word: str) -> dict[str, Any]:
        """The next line with this word."""
        assert self._process.stdout is not None
        async with asyncio.timeout(30):
            while True:
                said: dict[str, Any] = json.loads(await self._process.stdout.readline())
                if word in said:
                    return said

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")

    async def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        await self._process.communicate()


@contextlib.contextmanager
def counted(calls: Counter[CodeType]) -> Iterator[None]:
    """Count the calls of Python functions on this thread."""

    def on_event(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            calls[frame.f_code] += 1

    before = sys.getprofile()
    sys.setprofile(on_event)
    try:
        yield
    finally:
        sys.setprofile(before)


async def price(place: Path) -> Price:
    """What each of so many messages costs that come in one window, go by SMS, and get their receipts."""
    # Of ids as far from one as those of a carrier that has run for a while, it is soon known how they are spelt.
    carrier = await End.start(
        "bench_carrier.py", window=MESSAGES, receipt_delay_s=0.0, first_id=0x1000_0000, place=str(place)
    )
    secret = place / "password"
    secret.write_text(PASSWORD, encoding="ascii")
    secret.chmod(0o600)
    words = {
        "messages": MESSAGES,
        "port": (await carrier.hear("port"))["port"],
        "password_hash": hash_password(PASSWORD, random.Random(1)),
    }
    config = place / "gatewayd.toml"
    config.write_text(CONFIG.format(**words), encoding="utf-8")
    worker = Worker(load(config))
    await worker.start()
    port = worker.server.addresses[0][1]
    load_options = {"window": MESSAGES, "rate": 0, "port": port, "password": PASSWORD, "patience_s": 20}
    sender = await End.start("bench_load.py", place=str(place), **load_options)
    try:
        await carrier.hear("bound")
        await sender.hear("bound")
        calls: Counter[CodeType] = Counter()
        octets = worker.journal.octets
        with counted(calls):
            sender.go()
            done = await sender.hear("done")
            octets = worker.journal.octets - octets
        assert (done["received"], done["refused"], done["damaged"]) == (MESSAGES, 0, 0)
    finally:
        await sender.end()
        await worker.drain(1.0)
        await worker.stop()
        await carrier.end()
    return Price(_each(calls), octets / MESSAGES)


def _each(calls: Counter[CodeType]) -> Counter[CodeType]:
    """How often for each message. What is called for many at once is none of it; a few may come after the end."""
    return Counter({code: times for code, count in calls.items() if (times := (count + MESSAGES // 20) // MESSAGES)})


async def test_an_sms_costs_no_more_than_it_did(tmp_path: Path) -> None:
    found = await price(tmp_path)
    records = {name: found.calls[getattr(Journal, name).__code__] for name in RECORDS}
    assert records == RECORDS
    assert found.octets <= OCTETS_MAX
    # A message that comes and goes between two folds is in no table, and nothing of it is looked for there.
    assert found.calls[Database.read_value.__code__] == 0
    told = [f"{times} {code.co_qualname}, {code.co_filename}" for code, times in found.calls.most_common()]
    assert sum(found.calls.values()) <= CALLS_MAX, "\n".join(told)
