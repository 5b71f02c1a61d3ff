"""The sink of an outage that takes webhooks: a receiver in a process of its own, in whatever mood it is told."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import ClassVar

from bench_processes import Actor, end
from bench_receiver import MOODS
from chaos_gateway import Gateway, free_port
from outage_run import Taken, taken_of

START_S = 20.0
SECRET = "whsec_c2VjcmV0LW9mLWFuLW91dGFnZS0wMDAwMDE="

TABLES = """
[endpoints.crm]
url = "http://127.0.0.1:{port}/hooks"
secret_file = "{place}/hooks.secret"
allow_private = true
"""


class WebhookSink:
    """One endpoint."""

    name = "webhook"
    troubles: ClassVar = tuple(mood for mood in MOODS if mood != "well")
    account = 'sinks = ["webhook"]\nendpoint = "crm"\n'

    def __init__(self, place: Path) -> None:
        self._place = place
        self._port = free_port()
        self._trouble = ""
        self._receiver: Actor | None = None

    @property
    def tables(self) -> str:
        """What the daemon's configuration says of it."""
        return TABLES.format(port=self._port, place=self._place)

    async def start(self) -> None:
        """Be well."""
        secret = self._place / "hooks.secret"
        secret.write_text(SECRET, encoding="ascii")
        secret.chmod(0o600)
        self._receiver = Actor("bench_receiver.py", port=self._port, place=str(self._place))

    async def fail(self, trouble: str) -> None:
        """Be in trouble."""
        self._trouble = trouble
        self._tell(trouble)

    async def recover(self, gateway: Gateway) -> None:
        """Be well again. One that had said to be gone for good is tried again after a reload."""
        self._tell("well")
        if self._trouble == "410":
            os.kill(gateway.pid, signal.SIGHUP)

    def count(self) -> int:
        """How many receipts have come by now."""
        assert self._receiver is not None  # started before
        return int(self._receiver.latest().get("receipts", 0))

    async def stop(self) -> list[Taken]:
        """End; what was taken, in its order."""
        if self._receiver is None:
            return []
        await asyncio.to_thread(end, self._receiver.process)
        return taken_of(self._place / "taken")

    def _tell(self, mood: str) -> None:
        assert self._receiver is not None  # started before
        self._receiver.tell(mood)
