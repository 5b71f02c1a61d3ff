"""What every test of the daemon stands on: a scene, and tshark's opinion of all that passed on its binds."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.process import Tables
from tests.daemon.scene import Scene, Wishes, scene_of
from tests.daemon.tap import Conversation, judge

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
