"""What stub workers and the supervisor say in a test: their datagrams, and waiting for one of them."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path
from typing import Any

from tests.support.watch import Watch

STUB = Path(__file__).with_name("stub_worker.py")


class Diary:
    """Two sockets: stub workers write to one, the supervisor notifies the other, as it would systemd."""

    def __init__(self, folder: Path) -> None:
        self.notes: list[dict[str, Any]] = []
        self.notices: list[str] = []
        self.watch = Watch()
        self.manager_path = str(folder / "manager")
        self._diary_path = str(folder / "diary")
        self._diary = self._listen(self._diary_path)
        self._manager = self._listen(self.manager_path)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._diary, self._read_note)
        loop.add_reader(self._manager, self._read_notice)

    def command(self, manner: str = "good") -> tuple[str, ...]:
        """How to start a stub worker of this manner."""
        return (sys.executable, "-E", "-S", str(STUB), manner, self._diary_path)

    def of(self, what: str) -> list[dict[str, Any]]:
        """The notes of one kind."""
        return [note for note in self.notes if note["what"] == what]

    async def noted(self, what: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for so many notes of this kind."""
        await self.watch.until(lambda: len(self.of(what)) >= count, 10)
        return self.of(what)

    async def notified(self, word: str, count: int = 1) -> str:
        """Wait until so many notices hold the word; returns the last of them."""
        await self.watch.until(lambda: sum(word in notice for notice in self.notices) >= count, 10)
        return [notice for notice in self.notices if word in notice][-1]

    def close(self) -> None:
        """Forget it all."""
        for end in (self._diary, self._manager):
            asyncio.get_running_loop().remove_reader(end)
            end.close()

    @staticmethod
    def _listen(path: str) -> socket.socket:
        end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        end.bind(path)
        return end

    def _read_note(self) -> None:
        self.notes.append(json.loads(self._diary.recv(1_000_000)))
        self.watch.ring()

    def _read_notice(self) -> None:
        self.notices.append(self._manager.recv(65_536).decode())
        self.watch.ring()
