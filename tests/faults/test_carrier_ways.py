"""The ways to a carrier, from outside: several hosts, pairs of binds, inward, encrypted; one that is too slow; storms.

The real daemon with several workers between simulated carriers; what it connects, binds and sends is counted there.
"""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gatewayd.simulate.behaviour import Behaviour
from gatewayd.simulate.esme import Esme
from gatewayd.simulate.smsc import Smsc
from gatewayd.simulate.smsc_outbox import Outbox
from protocol.smpp.connection import Limits
from tests.daemon.process import PASSWORD, Daemon, Samples, password_hash, secret_file
from tests.faults.ground import all_final, copies, send_many
from tests.support.authority import Authority

WAIT_S = 20.0


class Scene:
    """One daemon and its carriers, by the names of their links; a link's prefix is its place among them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.carriers: dict[str, Smsc] = {}
        self.esme = Esme("shop", PASSWORD, limits=Limits(window=50))
        self.daemon: Daemon

    def carrier(self, name: str, **behaviour: Any) -> Smsc:
        known: dict[str, Any] = {"redeliver_s": 0.1, "redeliveries_max": 1_000, "message_ids": "hex"}
        made = Smsc(Behaviour(**(known | behaviour)), password=PASSWORD, limits=Limits(window=50))
        self.carriers[name] = made
        return made

    async def open(self, workers: int, **links: Mapping[str, Any]) -> None:
        known = {
            "kind": "smpp",
            "system_id": "example",
            "password_file": secret_file(self.folder / "carrier.password", PASSWORD),
            "window": 20,
            "reconnect_min_s": 0.05,
            "reconnect_max_s": 0.4,
            "response_timeout_s": 2.0,
        }
        tables: dict[str, Any] = {
            "daemon": {"workers": workers, "drain_timeout_s": 5},
            "smpp": {"listen": ["127.0.0.1:0"]},
            "accounts": {"shop": {"password_hash": password_hash(), "rate_per_s": 0}},
            "links": {name: known | dict(link) for name, link in links.items()},
            "routes": [{"links": [name], "prefixes": [f"3361{place}"]} for place, name in enumerate(links)],
        }
        self.daemon = Daemon(self.folder, tables)
        await asyncio.to_thread(self.daemon.start)

    async def bound(self) -> None:
        await self.esme.connect(*self.daemon.smpp[0])

    async def until(self, condition: Callable[[Samples], object]) -> Samples:
        async with asyncio.timeout(WAIT_S):
            while not condition(samples := await asyncio.to_thread(self.daemon.scrape)):
                pass
        return samples

    async def close(self) -> None:
        try:
            if hasattr(self, "daemon"):
                await asyncio.to_thread(self.daemon.stop)
        finally:
            await self.esme.abort()
            for carrier in self.carriers.values():
                await carrier.stop()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path)
    yield made
    await made.close()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def test_every_way_to_a_carrier(scene: Scene) -> None:
    """Pairs of binds at the second host, then at the first; a carrier that comes to us; one that proves who it is."""
    authority = Authority(scene.folder, "ca")
    first, second, inward, safe = (scene.carrier(name) for name in ("first", "second", "inward", "safe"))
    # Two doors of one house: a receipt goes out by any.
    first.outbox = second.outbox = Outbox(
        lambda: [*first.binds(), *second.binds()], second.ledger, second.schedule, 0.1, 1_000
    )
    first_port, second_port = free_port(), await second.start()
    safe_port = await safe.start(tls=authority.server("smsc.carrier.example"))
    own, key = authority.client("example")
    await scene.open(
        2,
        hosts={
            "hosts": [f"127.0.0.1:{first_port}", f"127.0.0.1:{second_port}"],
            "bind": "separate",
            "binds": 2,
            "failover_after": 1,
            "failback_interval_s": 0.3,
        },
        inward={
            "listen": "127.0.0.1:0",
            "listen_networks": ["127.0.0.0/8"],
            "outbind_password_file": secret_file(scene.folder / "knock", "knock"),
            "binds": 2,
        },
        safe={
            "host": "127.0.0.1",
            "port": safe_port,
            "tls": True,
            "tls_ca": str(authority.path),
            "tls_certificate": own,
            "tls_key": key,
            "tls_server_name": "smsc.carrier.example",
        },
    )
    await _it_comes_to_us(scene, inward)
    await second.ledger.wait_for(lambda: len(second.binds()) == 4, WAIT_S)
    await inward.ledger.wait_for(lambda: len(inward.binds()) == 2, WAIT_S)
    await safe.ledger.wait_for(lambda: len(safe.binds()) == 1, WAIT_S)
    await scene.bound()
    submits = [part for place in range(3) for part in send_many(scene.esme, f"3361{place}", 40)]
    await all_final(scene.esme, submits)
    assert [len(list(carrier.ledger.accepted())) for carrier in (second, inward, safe)] == [40, 40, 40]
    await first.start(port=first_port)
    more = send_many(scene.esme, "33610", 100, 1_000)
    await scene.until(lambda samples: samples.value("gatewayd_link_host_binds", host=f"127.0.0.1:{first_port}") == 4)
    more += send_many(scene.esme, "33610", 40, 2_000)
    await all_final(scene.esme, more)
    seen = copies(first, more) + copies(second, more)
    assert set(seen.values()) == {1}, "going back cost no message and sent none twice"
    assert len(first.ledger.submits) >= 40
    await _a_new_authority(scene, authority, safe, safe_port)
    samples = await asyncio.to_thread(scene.daemon.scrape)
    assert samples.value("gatewayd_binds", side="carrier") == samples.value("gatewayd_binds_configured", side="carrier")
    assert samples.value("gatewayd_faults_total", side="carrier", kind="outbind_refused") == 1
    assert (
        samples.value("gatewayd_certificate_expiry_timestamp_seconds", key="links.safe.tls_certificate") > time.time()
    )


async def _it_comes_to_us(scene: Scene, inward: Smsc) -> None:
    """A stranger who does not know the word, then the carrier's two connections."""
    heard = await asyncio.to_thread(scene.daemon.hear, re.compile(r"link inward: listens on port (\d+)"))
    stranger = await inward.dial("127.0.0.1", int(heard[1]), "knack")
    await asyncio.wait_for(stranger.pump.wait_closed(), WAIT_S)
    for _ in range(2):
        await inward.dial("127.0.0.1", int(heard[1]), "knock")


async def _a_new_authority(scene: Scene, authority: Authority, safe: Smsc, port: int) -> None:
    """The carrier has a certificate of another authority: it is believed after SIGHUP, not before."""
    await safe.stop()
    other = Authority(scene.folder, "other")
    fresh = scene.carrier("safe")
    await fresh.start(port=port, tls=other.server("smsc.carrier.example", clients=authority.path))
    heard = re.compile(r"link safe bind 1: no connection to \S+, TLS: ")
    await asyncio.to_thread(scene.daemon.hear, heard)
    assert not fresh.binds()
    authority.path.write_bytes(other.path.read_bytes())
    scene.daemon.tell(signal.SIGHUP)
    await fresh.ledger.wait_for(lambda: bool(fresh.binds()), WAIT_S)


async def test_a_carrier_that_is_too_slow_for_us(scene: Scene) -> None:
    """It takes 60 a second and is sent 400: all arrive, in order, although nothing may be tried again."""
    slow = scene.carrier("slow", rate_per_s=60.0)
    port = await slow.start()
    await scene.open(
        2,
        slow={
            "host": "127.0.0.1",
            "port": port,
            "binds": 2,
            "rate_per_s": 400.0,
            "retry_max": 0,
            "throttle_pause_s": 0.2,
        },
    )
    await scene.bound()
    handsets = [f"3361000{number:04d}" for number in range(20)]
    submits = [part for turn in range(12) for handset in handsets for part in scene.esme.send("s", handset, f"{turn}")]
    await all_final(scene.esme, submits)
    taken = defaultdict(list)
    for submit in slow.ledger.accepted():
        taken[submit.pdu.destination_addr].append(int(submit.pdu.short_message))
    assert set(taken) == set(handsets)
    assert all(turns == sorted(turns) for turns in taken.values())
    assert sum(map(len, taken.values())) == len(submits)
    assert slow.ledger.counts["refused"] < len(submits) / 2, "it learned from it"
    samples = await asyncio.to_thread(scene.daemon.scrape)
    assert samples.value("gatewayd_limiter_halvings_total", limit="slow") >= 2
    assert samples.value("gatewayd_link_pace_ratio", link="slow") < 1
    assert samples.value("gatewayd_link_rate_per_second", link="slow") < 400


@pytest.mark.parametrize("workers", [2, pytest.param(4, marks=pytest.mark.long)])
async def test_no_carrier_is_stormed_whatever_it_does(scene: Scene, workers: int) -> None:
    """A hundred binds over several workers, and a carrier that hangs up on each, one that never answers, one that
    refuses the password, one without a name: each sees ten connections a second at most."""
    closing = scene.carrier("closing", bind_answer="close")
    silent = scene.carrier("silent", bind_answer="silent")
    refusing = scene.carrier("refusing", bind_status="ESME_RINVPASWD")
    ports = [await carrier.start() for carrier in (closing, silent, refusing)]
    began = time.monotonic()
    many = {"host": "127.0.0.1", "binds": 100, "bind_timeout_s": 0.3}
    await scene.open(
        workers,
        closing=many | {"port": ports[0]},
        silent=many | {"port": ports[1]},
        refusing=many | {"port": ports[2]},
        nameless=many | {"host": "no-such-host.invalid", "port": 2775},
    )
    for carrier in (closing, silent):
        await carrier.ledger.wait_for(lambda one=carrier: one.ledger.counts["connections"] >= 25, WAIT_S)  # type: ignore[misc]
    elapsed_s = time.monotonic() - began
    for carrier in (closing, silent):
        assert carrier.ledger.counts["connections"] <= 10 * elapsed_s + 10
    # One asks, and who was on the way already; then the link rests.
    assert 1 <= refusing.ledger.counts["connections"] <= 4
    samples = await asyncio.to_thread(scene.daemon.scrape)
    assert samples.value("gatewayd_limiter_paused_seconds", limit="connects:refusing") > 5
    assert samples.value("gatewayd_faults_total", side="carrier", kind="connect_failed") <= 10 * elapsed_s + 10
