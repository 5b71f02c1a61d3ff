"""A whole gateway in this process, between a simulated carrier and applications over real sockets."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from gatewayd.config.load import load
from gatewayd.config.passwords import hash_password
from gatewayd.simulate.behaviour import Behaviour
from gatewayd.simulate.esme import BindMode, Esme
from gatewayd.simulate.smsc import Smsc
from gatewayd.worker import Worker
from protocol.smpp.connection import Limits

HANDSET, SENDER = "33612345678", "33700000001"
_HASH = hash_password("secret", random.Random(1))


class Gateway:
    """``keys`` are lines for the account shop, ``link`` for the carrier."""

    def __init__(
        self, folder: Path, keys: str = "", link: str = "", carrier: Behaviour | None = None, rate_per_s: int = 0
    ) -> None:
        self._folder, self._keys, self._link, self._rate_per_s = folder, keys, link, rate_per_s
        self.smsc = Smsc(carrier or Behaviour(redeliver_s=0.05), system_id="carrier")
        self.esmes: list[Esme] = []
        self.worker: Worker

    async def open(self) -> None:
        port = await self.smsc.start()
        secret = self._folder / "secret"
        secret.write_text("secret", encoding="ascii")
        secret.chmod(0o600)
        path = self._folder / "gatewayd.toml"
        path.write_text(
            f"""
            [daemon]
            spool_dir = "spool"
            runtime_dir = "run"
            [metrics]
            listen = ""
            [smpp]
            listen = ["127.0.0.1:0"]
            [accounts.shop]
            password_hash = "{_HASH}"
            rate_per_s = {self._rate_per_s}
            numbers = ["{SENDER}"]
            {self._keys}
            [accounts.bank]
            password_hash = "{_HASH}"
            rate_per_s = 0
            results_h = 1
            [links.carrier]
            kind = "smpp"
            host = "127.0.0.1"
            port = {port}
            system_id = "example"
            password_file = "secret"
            {self._link}
            [[routes]]
            links = ["carrier"]
            prefixes = ["336"]
            """,
            encoding="utf-8",
        )
        self.worker = Worker(load(path))
        await self.worker.start()
        await self.smsc.ledger.wait_for(lambda: bool(self.smsc.binds()), 10)

    async def close(self) -> None:
        for esme in self.esmes:
            await esme.abort()
        await self.worker.drain(1.0)
        await self.worker.stop()
        await self.smsc.stop()

    async def esme(self, account: str = "shop", mode: BindMode = "transceiver", **how: Any) -> Esme:
        esme = Esme(account, "secret", bind_mode=mode, limits=Limits(window=300), **how)
        self.esmes.append(esme)
        await esme.connect(*self.worker.server.addresses[0])
        return esme

    async def hold(self) -> None:
        """Let nothing go to the carrier from now on."""
        self.worker.dispatcher.pause("carrier", paused=True)

    def let_go(self) -> None:
        self.worker.dispatcher.pause("carrier", paused=False)

    def counted(self, command: str, status: str, account: str = "shop") -> int:
        return self.worker.metrics.requests.labels(account, command, status).value
