"""What every test of the daemon stands on: a scene, and tshark's opinion of all that passed on its binds."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.mqtt_scene import TOPICS
from tests.daemon.process import Tables
from tests.daemon.scene import Scene, Wishes, scene_of
from tests.daemon.tap import Conversation, judge
from tests.support.mosquitto import Application, Mosquitto

Stage = Callable[..., Awaitable[Scene]]


@pytest.fixture(scope="module")
def tapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Conversation]]:
    """Every conversation of a module; all of them must please tshark in the end."""
    conversations: list[Conversation] = []
    yield conversations
    if conversations:
        opinion = judge(conversations, tmp_path_factory.mktemp("tap") / "tap.pcap")
        assert opinion.complaints == []
        assert opinion.commands.total() > 0


@pytest.fixture
async def stage(tmp_path: Path, tapped: list[Conversation], request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Opens a scene: ``await stage(tables, carrier={…}, platform={…})``, all of which can be left out."""
    async with contextlib.AsyncExitStack() as stack:

        async def opened(tables: Tables | None = None, **neighbours: Mapping[str, Any]) -> Scene:
            wishes = Wishes(tables or {}, **neighbours)
            return await stack.enter_async_context(scene_of(tmp_path, tapped, request.node.name, wishes))

        yield opened


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """A Mosquitto that lets everybody in."""
    made = Mosquitto(tmp_path / "mosquitto")
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def application(broker: Mosquitto) -> AsyncIterator[Application]:
    """One that hears all that there is to hear over MQTT."""
    made = Application(broker.port, "crm", *TOPICS)
    await made.start()
    yield made
    await made.stop()
