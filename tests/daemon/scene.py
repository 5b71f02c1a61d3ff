"""The daemon between its neighbours: a carrier and a platform south of it, applications north, a tap on every bind.

Knows no journey: tests tell the neighbours how to behave and look at what they saw.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from gatewayd.simulate import behaviour as sms
from gatewayd.simulate import rcs_behaviour as rcs
from gatewayd.simulate.esme import BindMode, Esme
from gatewayd.simulate.rcs import Options, RcsPlatform
from gatewayd.simulate.smsc import Smsc
from protocol.smpp.connection import Limits
from tests.daemon.process import PASSWORD, Daemon, Samples, Tables, merged, password_hash, secret_file
from tests.daemon.tap import Conversation, Relay

HOOK_TOKEN = "hook-token"
BOT = "bot@example.com"
WAIT_S = 15.0
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Wishes(NamedTuple):
    """What a test wants other than usual: tables of the configuration, keys of the two neighbours' behaviours."""

    tables: Tables = NOTHING
    carrier: Mapping[str, Any] = NOTHING
    platform: Mapping[str, Any] = NOTHING


class Scene:
    """Everything around one daemon. ``esme`` gives applications that are bound; all end with the scene."""

    def __init__(self, folder: Path, kept: list[Conversation], label: str, wishes: Wishes) -> None:
        self.kept = kept
        self._folder = folder
        self._tables = wishes.tables
        carrier = sms.Behaviour(redeliver_s=0.05, redeliveries_max=1_000)
        self.smsc = Smsc(
            msgspec.structs.replace(carrier, **wishes.carrier), system_id="carrier", limits=Limits(window=200)
        )
        own = Options(root="/rcs", client_id="gateway", client_secret="platform")
        self.platform = RcsPlatform(msgspec.structs.replace(own, **wishes.platform))
        self.north = Relay(f"{label} north", kept)
        self.south = Relay(f"{label} south", kept)
        self.esmes: list[Esme] = []
        self._daemon: Daemon | None = None

    @property
    def daemon(self) -> Daemon:
        """The process, once the scene is open."""
        assert self._daemon is not None
        return self._daemon

    async def open(self) -> None:
        """Start everybody, the daemon last."""
        carrier_port = await self.smsc.start()
        platform_port = await self.platform.start()
        self.south.target = ("127.0.0.1", carrier_port)
        await self.south.start()
        await self.north.start()
        tables = _tables(self._folder, self.south.port, f"http://127.0.0.1:{platform_port}")
        self._daemon = Daemon(self._folder, merged(tables, self._tables))
        await self.start()

    async def start(self) -> None:
        """Start the daemon, again perhaps, and lead everybody to its doors."""
        await asyncio.to_thread(self.daemon.start)
        self.north.target = self.daemon.smpp[0]
        host, port = self.daemon.webhooks
        self.platform.set_webhook(f"http://{host}:{port}/rcs/rcs", HOOK_TOKEN)

    async def kill(self) -> None:
        """As a power cut."""
        await asyncio.to_thread(self.daemon.kill)

    async def terminate(self) -> int:
        """As systemd does; gives the exit code."""
        return await asyncio.to_thread(self.daemon.terminate)

    async def close(self) -> None:
        """End everybody, the daemon first; but for applications that answer nothing, for which it would wait."""
        for esme in self.esmes:
            if esme.deliver_status is None:
                await esme.abort()
        try:
            if self._daemon is not None:
                await asyncio.to_thread(self._daemon.stop)
        finally:
            for esme in self.esmes:
                await esme.abort()
            for relay in (self.north, self.south):
                await relay.stop()
            await self.smsc.stop()
            await self.platform.stop()

    def stranger(self, account: str = "shop", mode: BindMode = "transceiver", window: int = 100) -> Esme:
        """An application that is not connected yet."""
        esme = Esme(account, PASSWORD, bind_mode=mode, limits=Limits(window=window))
        self.esmes.append(esme)
        return esme

    async def esme(self, account: str = "shop", mode: BindMode = "transceiver", window: int = 100) -> Esme:
        """An application that is bound."""
        esme = self.stranger(account, mode, window)
        await esme.connect("127.0.0.1", self.north.port)
        return esme

    async def carrier_is_bound(self) -> None:
        """Wait until the carrier has a bind of ours."""
        await self.smsc.ledger.wait_for(lambda: bool(self.smsc.binds()), WAIT_S)

    async def samples(self) -> Samples:
        """The daemon's metrics now."""
        return await asyncio.to_thread(self.daemon.scrape)

    async def until_samples(self, condition: Callable[[Samples], object], timeout_s: float = WAIT_S) -> Samples:
        """The first scrape in which ``condition`` holds."""
        async with asyncio.timeout(timeout_s):
            while True:
                samples = await self.samples()
                if condition(samples):
                    return samples

    async def final(self, esme: Esme, message_id: str) -> str:
        """The state of a message's receipt, once it is there: the only one, and sound."""
        await esme.wait_for(lambda: bool(esme.ledger.receipts_of(message_id)), WAIT_S)
        receipts = esme.ledger.receipts_of(message_id)
        assert [receipt.faults for receipt in receipts] == [()]
        return receipts[0].state

    async def send(self, esme: Esme, destination: str, text: str, source: str = "33700000001", **how: Any) -> str:
        """Submit a text of one part; the id that it was taken under."""
        (submitted,) = esme.send(source, destination, text, **how)
        await esme.wait_for(lambda: submitted.status is not None)
        assert submitted.status == 0
        return submitted.message_id

    def tell_handsets(self, *rules: rcs.Rule) -> None:
        """How handsets take RCS from now on."""
        self.platform.set_behaviour(rcs.behaviour(*rules))


def _tables(folder: Path, carrier_port: int, platform: str) -> dict[str, Any]:
    account = {"password_hash": password_hash(), "rate_per_s": 0}
    return {
        "daemon": {"drain_timeout_s": 10},
        "smpp": {"listen": ["127.0.0.1:0"]},
        "webhooks": {"listen": "127.0.0.1:0"},
        "accounts": {
            "shop": account | {"numbers": ["33700000001"]},
            "bank": account | {"numbers": ["33700000002"]},
        },
        "links": {
            "carrier": {
                "kind": "smpp",
                "host": "127.0.0.1",
                "port": carrier_port,
                "system_id": "example",
                "password_file": secret_file(folder / "carrier.password", PASSWORD),
                "reconnect_min_s": 0.05,
                "bind_refused_wait_s": 0.05,
                "reconnect_max_s": 0.2,
                "throttle_pause_s": 0.1,
            },
            "rcs": {
                "kind": "gsma",
                "server_root": f"{platform}/rcs",
                "bot_id": BOT,
                "token_url": f"{platform}/oauth2/v1/token",
                "client_id": "gateway",
                "client_secret_file": secret_file(folder / "rcs.secret", "platform"),
                "webhook_token_file": secret_file(folder / "rcs.webhook", HOOK_TOKEN),
            },
        },
        "routes": [
            {"links": ["rcs", "carrier"], "prefixes": ["3361"]},
            {"links": ["carrier"]},
        ],
    }


@contextlib.asynccontextmanager
async def scene_of(folder: Path, kept: list[Conversation], label: str, wishes: Wishes) -> AsyncIterator[Scene]:
    """A scene that is closed in any case."""
    scene = Scene(folder, kept, label, wishes)
    try:
        await scene.open()
        yield scene
    finally:
        await scene.close()
