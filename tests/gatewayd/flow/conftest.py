"""The stage of flow's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewayd.runtime.shared_limits import SharedLimits
from tests.gatewayd.flow.scene import Scene


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Callable[..., Scene]]:
    """Sets scenes, and takes them down."""
    scenes: list[Scene] = []

    def set_scene(*route: str, **options: Any) -> Scene:
        scenes.append(Scene(tmp_path, *route, **options))
        return scenes[-1]

    yield set_scene
    for scene in scenes:
        await scene.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SharedLimits]:
    """The file of all workers' limits."""
    opened = SharedLimits.open(tmp_path / "limits")
    yield opened
    opened.close()
