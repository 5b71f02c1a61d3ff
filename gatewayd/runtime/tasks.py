"""Named, owned background tasks: the only place in the project that creates one.

Knows nothing of what the tasks do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

# The loop itself keeps only weak references: without this set a running task may be collected.
_running: set[asyncio.Task[Any]] = set()


def spawn(coro: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """Start ``coro`` on the running loop, keep it alive, and log its exception, if any, exactly once."""
    task = asyncio.create_task(coro, name=name)
    _running.add(task)
    task.add_done_callback(_finished)
    return task


async def cancel_all() -> None:
    """Cancel every task of the running loop that ``spawn`` started, except the caller's own, until none is left.

    A task that starts another one while it is being cancelled does not escape.
    """
    caller = asyncio.current_task()
    while others := [task for task in _unfinished() if task is not caller]:
        for task in others:
            task.cancel()
        await asyncio.wait(others)


def running() -> list[str]:
    """The names of the running loop's tasks that have not ended, for people who ask what the process is doing."""
    return sorted(task.get_name() for task in _unfinished())


def _unfinished() -> list[asyncio.Task[Any]]:
    loop = asyncio.get_running_loop()
    return [task for task in _running if task.get_loop() is loop and not task.done()]


def _finished(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if task.cancelled():
        return
    # Asking for the exception also tells asyncio that somebody cared, so it is not reported a second time.
    failure = task.exception()
    if failure is not None:
        logger.error("task %s failed", task.get_name(), exc_info=failure)
