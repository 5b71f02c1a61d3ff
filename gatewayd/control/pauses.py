"""Which links people have paused, kept in a file beside the spools: a pause outlives reloads, deaths and restarts.

Whoever pauses a link for a carrier's maintenance does not want a crash to end that. Knows no link.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from gatewayd.control.backup import write_synced
from gatewayd.runtime.syncing import sync_folder

FILE_NAME: Final = "paused.json"


class Pause(msgspec.Struct, frozen=True):
    """Since when (Unix seconds), and who wanted it."""

    since: float
    by: str


class Pauses:
    """The paused links by name."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """``folder`` is where the spools are. A file that cannot be read says nothing: links are not paused then."""
        self._path = folder / FILE_NAME
        self._clock = clock
        self.fault = ""
        self._paused: dict[str, Pause] = {}
        try:
            self._paused = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Pause])
        except FileNotFoundError:
            pass
        except (OSError, msgspec.MsgspecError) as error:
            self.fault = f"{self._path} cannot be read ({error}): no link is paused"

    def names(self) -> list[str]:
        """All that are paused."""
        return sorted(self._paused)

    def of(self, link: str) -> Pause | None:
        """A link's pause, if there is one."""
        return self._paused.get(link)

    def set(self, link: str, by: str, *, paused: bool) -> None:
        """Pause a link, or end its pause; durable when this returns. Raises OSError."""
        changed = {name: pause for name, pause in self._paused.items() if name != link}
        if paused:
            changed[link] = self._paused.get(link) or Pause(self._clock(), by)
        self._write(changed)
        self._paused = changed

    def _write(self, paused: dict[str, Pause]) -> None:
        fresh = self._path.with_suffix(".new")
        write_synced(fresh, msgspec.json.encode(paused))
        fresh.rename(self._path)
        sync_folder(self._path.parent)
