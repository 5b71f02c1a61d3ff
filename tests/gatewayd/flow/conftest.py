"""The stage of flow's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

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
