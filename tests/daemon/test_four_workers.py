"""The journeys that need several steps of one handset, through four workers that act as one: nobody can tell."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import test_long_messages, test_replies
from tests.daemon.conftest import Stage
from tests.daemon.process import Tables, merged
from tests.daemon.scene import Scene, Wishes, scene_of
from tests.daemon.tap import Conversation

# The same journeys, on another stage.
for _journeys in (test_long_messages, test_replies):
    vars().update({name: journey for name, journey in vars(_journeys).items() if name.startswith("test_")})

pytestmark = [pytest.mark.timeout(180), pytest.mark.long]  # each starts five processes

WORKERS: Tables = {"daemon": {"workers": 4}}


@pytest.fixture
async def stage(tmp_path: Path, tapped: list[Conversation], request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Opens a scene with four workers, whatever else is wished."""
    async with contextlib.AsyncExitStack() as stack:

        async def opened(tables: Tables | None = None, **neighbours: Mapping[str, Any]) -> Scene:
            wishes = Wishes(merged(WORKERS, tables or {}), **neighbours)
            return await stack.enter_async_context(scene_of(tmp_path, tapped, request.node.name, wishes))

        yield opened
