"""The daemon with the interface of another product, and an application that came from there."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from tests.daemon.conftest import Stage
from tests.daemon.process import merged
from tests.daemon.scene import WAIT_S, Scene
from tests.support.products import Application

HANDSET = "33620000001"

Opened = Callable[..., Awaitable[tuple[Scene, Application]]]


@contextlib.asynccontextmanager
async def moved_from(product: str, stage: Stage, *pages: str, said: str = "") -> AsyncIterator[Opened]:
    """Opens a scene, ``await opened(workers, tables, carrier={…})``, and the application, whose pages may be called;
    ``said`` is what they answer."""
    application = Application(said)
    await application.start()

    async def opened(workers: int = 1, more: Any = None, **neighbours: Any) -> tuple[Scene, Application]:
        urls = [f"http://127.0.0.1:{application.port}/{page}" for page in pages]
        own = {
            "daemon": {"workers": workers},
            "http": {"listen": ["127.0.0.1:0"], "compatible": [product]},
            "accounts": {"shop": {"dlr_urls": urls, "dlr_allow_private": True}},
        }
        scene = await stage(merged(own, more or {}), **neighbours)
        await scene.carrier_is_bound()
        host, port = scene.daemon.http[0]
        application.base = f"http://{host}:{port}"
        return scene, application

    try:
        yield opened
    finally:
        await application.stop()


async def seen(scene: Scene, number: str = HANDSET, count: int = 1) -> Any:
    """The last PDU that the carrier got for a number, when it has ``count`` of them."""
    await scene.smsc.ledger.wait_for(lambda: len(scene.smsc.ledger.to(number)) >= count, WAIT_S)
    return scene.smsc.ledger.to(number)[-1].pdu
