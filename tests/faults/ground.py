"""What the fault tests stand on: the real daemon, two simulated carriers, applications, and what is true of them all.

Carriers and applications live on the test's loop, so that their ledgers can be read and waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gatewayd.simulate.behaviour import Behaviour
from gatewayd.simulate.esme import Esme
from gatewayd.simulate.esme_ledger import Submitted
from gatewayd.simulate.smsc import Smsc
from protocol.smpp.connection import Limits
from tests.daemon.process import PASSWORD, ROOT, Daemon, Samples, Tables, merged, password_hash, secret_file

NORTH, SOUTH = "33601", "33602"
WAIT_S = 30.0
CHAOS_TIMEOUT_S = 150
_READY = re.compile(r"= worker (\d+) is ready \(process (\d+)\)")


class Ground:
    """One daemon between two carriers: numbers that begin with NORTH go to ``north``, with SOUTH to ``south``."""

    def __init__(self, folder: Path, tables: Tables) -> None:
        self._folder = folder
        self._tables = tables
        self.north = carrier("north")
        self.south = carrier("south")
        self._esmes: list[Esme] = []
        self.daemon: Daemon

    async def open(self) -> None:
        """Start everybody, the daemon last."""
        links = {"north": await self.north.start(), "south": await self.south.start()}
        self.daemon = Daemon(self._folder, merged(_tables(self._folder, links), self._tables))
        await self.start()

    async def start(self) -> None:
        """Start the daemon, again perhaps, and wait until both carriers have a bind."""
        await asyncio.to_thread(self.daemon.start)
        for smsc in (self.north, self.south):
            await self.bound(smsc)

    async def bound(self, smsc: Smsc) -> None:
        """Wait until a carrier has a bind of ours."""
        await smsc.ledger.wait_for(lambda: bool(smsc.binds()), WAIT_S)

    async def close(self) -> None:
        """End everybody, the daemon first."""
        try:
            if hasattr(self, "daemon"):
                await asyncio.to_thread(self.daemon.stop)
        finally:
            for esme in self._esmes:
                await esme.abort()
            await self.north.stop()
            await self.south.stop()

    async def esme(self, account: str = "shop", window: int = 50) -> Esme:
        """An application that is bound."""
        esme = Esme(account, PASSWORD, limits=Limits(window=window))
        self._esmes.append(esme)
        await esme.connect(*self.daemon.smpp[0])
        return esme

    def workers(self) -> dict[int, int]:
        """The process of each worker, as the log told last."""
        return {int(found[1]): int(found[2]) for found in map(_READY.search, self.daemon.log.splitlines()) if found}

    def memory_mb(self) -> float:
        """What all workers have resident."""
        return sum(_status(pid, "VmRSS") for pid in self.workers().values()) / 1024

    async def samples(self) -> Samples:
        """The daemon's metrics now."""
        return await asyncio.to_thread(self.daemon.scrape)

    async def until_samples(self, condition: Callable[[Samples], object], timeout_s: float = WAIT_S) -> Samples:
        """The first scrape in which ``condition`` holds."""
        async with asyncio.timeout(timeout_s):
            while not condition(samples := await self.samples()):
                pass
        return samples


@contextlib.asynccontextmanager
async def ground_of(folder: Path, tables: Tables | None = None) -> AsyncIterator[Ground]:
    """A ground that is closed in any case."""
    ground = Ground(folder, tables or {})
    try:
        await ground.open()
        yield ground
    finally:
        await ground.close()


def carrier(name: str) -> Smsc:
    """A carrier that does not give up on a receipt."""
    behaviour = Behaviour(redeliver_s=0.1, redeliveries_max=1_000_000, message_ids="hex")
    return Smsc(behaviour, system_id=name, password=PASSWORD, limits=Limits(window=50))


def _tables(folder: Path, ports: Mapping[str, int]) -> dict[str, Any]:
    account = {"password_hash": password_hash(), "rate_per_s": 0}
    link = {
        "kind": "smpp",
        "host": "127.0.0.1",
        "system_id": "example",
        "password_file": secret_file(folder / "carrier.password", PASSWORD),
        "window": 20,
        "reconnect_min_s": 0.05,
        "reconnect_max_s": 0.4,
        "bind_refused_wait_s": 0.05,
        "response_timeout_s": 1.0,
        "throttle_pause_s": 0.1,
        "retry_max": 1_000,
    }
    return {
        "daemon": {"drain_timeout_s": 5, "log_level": "info"},
        "smpp": {"listen": ["127.0.0.1:0"]},
        "accounts": {"shop": account, "bank": account, "rude": account | {"rate_per_s": 100}},
        "links": {name: link | {"port": port} for name, port in ports.items()},
        "routes": [{"links": ["north"], "prefixes": [NORTH]}, {"links": ["south"], "prefixes": [SOUTH]}],
    }


def send_many(esme: Esme, prefix: str, count: int, first: int = 0) -> list[Submitted]:
    """One message to each of so many handsets of a prefix."""
    numbers = range(first, first + count)
    return [part for number in numbers for part in esme.send("shop", f"{prefix}{number:06d}", "does this arrive?")]


async def all_final(esme: Esme, submits: Sequence[Submitted], timeout_s: float = WAIT_S) -> None:
    """Wait until every one of these submits was taken and has its one final receipt, and hold the receipts to it."""
    await esme.wait_for(lambda: all(submit.status is not None for submit in submits), timeout_s)
    assert [submit.status for submit in submits if submit.status] == []
    ids = {submit.message_id for submit in submits}
    assert len(ids) == len(submits)
    await esme.wait_for(lambda: ids <= {receipt.message_id for receipt in esme.ledger.receipts}, timeout_s)
    ours = [receipt for receipt in esme.ledger.receipts if receipt.message_id in ids]
    assert [receipt.state for receipt in ours] == ["DELIVRD"] * len(ids), "each one once"
    assert [receipt.faults for receipt in ours if receipt.faults] == []


def copies(smsc: Smsc, submits: Sequence[Submitted]) -> Counter[str]:
    """How often each of these messages was taken by a carrier."""
    wanted = {submit.pdu.destination_addr for submit in submits}
    taken = Counter(submit.pdu.destination_addr for submit in smsc.ledger.submits if submit.message_id)
    return Counter({handset: taken[handset] for handset in wanted})


def percentile(values: Sequence[float], share: int) -> float:
    """The value below which ``share`` per cent of the values lie."""
    return sorted(values)[min(len(values) - 1, len(values) * share // 100)]


async def ping(esme: Esme, prefix: str, count: int, first: int) -> list[float]:
    """Send one message after the other; the seconds that each waited for its answer."""
    waits = []
    for number in range(first, first + count):
        began = time.perf_counter()
        (submitted,) = send_many(esme, prefix, 1, number)
        await esme.wait_for(lambda: submitted.status is not None, WAIT_S)  # noqa: B023  it is awaited here
        assert submitted.status == 0
        waits.append(time.perf_counter() - began)
    return waits


def processor_s(pid: int) -> float:
    """What a process has cost so far (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def chaos(folder: Path, *words: str) -> dict[str, Any]:
    """The figures of scripts/chaos, which must call them good."""
    command: list[str | Path] = [ROOT / "scripts" / "chaos", "--json", "--dir", folder, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CHAOS_TIMEOUT_S)
    assert done.returncode == 0, f"{done.stderr}\n{done.stdout}"
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _status(pid: int, word: str) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{word}:"):
                return int(line.split()[1])
    return 0
