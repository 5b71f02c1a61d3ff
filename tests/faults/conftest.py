"""Fixtures of the fault tests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.daemon.process import Tables
from tests.faults.ground import Ground, ground_of

Opener = Callable[..., Awaitable[Ground]]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens a ground: ``await opened(tables)``, which ends with the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def opener(tables: Tables | None = None) -> Ground:
            return await stack.enter_async_context(ground_of(tmp_path, tables))

        yield opener
