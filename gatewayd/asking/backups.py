"""A backup of this worker's spool while it works: begun by one question, followed by others.

How a spool is copied is the store's; here it is done once at a time, in a thread, and told how far it is.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from gatewayd.asking.asked import Asked, AskFault
from gatewayd.runtime.tasks import spawn
from gatewayd.store.copying import CopyFault, copy_spool


class Copying:
    """The copy that this worker makes now, or made last."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.done = 0
        self.total = 0
        self.fault = ""
        self.file: dict[str, Any] | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether it goes on."""
        return not self.fault and self.file is None

    async def run(self, source: Path, target: Path) -> None:
        """Copy, in a thread."""
        try:
            copied = await asyncio.to_thread(copy_spool, source, target, self._progress)
        except CopyFault as fault:
            self.fault = str(fault)
        else:
            self.file = msgspec.to_builtins(copied)

    def _progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total


async def begin(asked: Asked) -> dict[str, Any]:
    """Copy this worker's spool into a folder, which is made by the supervisor."""
    slot, folder = asked.worker.slot, Path(asked.text("folder"))
    if not folder.is_absolute():
        raise AskFault("the folder must be named from the root")
    before = asked.memory.copying
    if before is not None and before.is_under_way:
        raise AskFault(f"a backup into {before.folder} is under way", "failed")
    await asked.worker.journal.durable()
    spool = asked.worker.journal.path
    copying = asked.memory.copying = Copying(str(folder))
    spawn(copying.run(spool, folder / spool.name), name="backup")
    return {"began": {str(slot): True}}


def state(asked: Asked) -> dict[str, Any]:
    """How far the copy into a folder is."""
    copying = asked.memory.copying
    if copying is None or copying.folder != asked.text("folder"):
        return {"copies": {str(asked.worker.slot): {"fault": "the worker was started anew meanwhile"}}}
    answer = {"done": copying.done, "total": copying.total, "fault": copying.fault, "file": copying.file}
    return {"copies": {str(asked.worker.slot): answer}}
