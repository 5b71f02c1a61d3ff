"""The control socket: a Unix socket on which JSON objects, one a line, are asked and answered in turn.

Knows who may ask and how long a line may be, not what is asked. Bounded: connections, octets of a request, idleness.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from gatewayd.control.peers import Doorkeeper, GroupFault, Peer, peer_of
from gatewayd.runtime.tasks import spawn

logger = logging.getLogger(__name__)

SOCKET_NAME: Final = "control.sock"
REQUEST_SIZE_MAX: Final = 64 * 1024
CONNECTIONS_MAX: Final = 32
IDLE_S: Final = 120.0
_BACKLOG: Final = 64
_PATH_MAX: Final = 107
_MODE: Final = 0o660
_DIR_SEARCHABLE: Final = 0o010

Line = dict[str, Any]
Answerer = Callable[[Peer, Line], Awaitable[Line]]


class ControlFault(Exception):
    """The control socket cannot be had, in a sentence for people."""


class ControlListener:
    """The socket. ``refused`` counts those who may not ask, ``asked`` the requests."""

    def __init__(self, folder: Path, group: str, answer: Answerer) -> None:
        """``answer`` gets who asks and the request. Raises ControlFault for a group that is not there."""
        self.path = folder / SOCKET_NAME
        self.refused = 0
        self.asked = 0
        try:
            self._doorkeeper = Doorkeeper(group)
        except GroupFault as fault:
            raise ControlFault(str(fault)) from None
        self._answer = answer
        self._idle_s = IDLE_S
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Raises ControlFault."""
        try:
            listening = self._open()
            self._server = await asyncio.start_unix_server(self._connected, sock=listening, limit=REQUEST_SIZE_MAX)
        except OSError as error:
            raise ControlFault(f"cannot listen on {self.path}: {error.strerror or error}") from error

    def _open(self) -> socket.socket:
        """Open to nobody else at any moment: the mode is there before the first can connect."""
        self.path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            before = os.umask(0o777)
            try:
                with reachable(self.path) as near:
                    listening.bind(near)
            finally:
                os.umask(before)
            gid = self._doorkeeper.gid
            if gid >= 0 and self.path.stat().st_gid != gid:
                os.chown(self.path, -1, gid)
            self.path.chmod(_MODE)
            listening.listen(_BACKLOG)
            listening.setblocking(False)
        except OSError:
            listening.close()
            raise
        self._warn_of_a_closed_folder(gid)
        return listening

    def _warn_of_a_closed_folder(self, gid: int) -> None:
        folder = self.path.parent.stat()
        is_open = folder.st_mode & 0o001 or (folder.st_gid == gid and folder.st_mode & _DIR_SEARCHABLE)
        if gid >= 0 and not is_open:
            words = (self._doorkeeper.group, self.path.parent)
            logger.warning("the group %s cannot reach the control socket: it may not enter %s", *words)

    async def stop(self) -> None:
        """Listen no more, and end what is connected."""
        if self._server is None:
            return
        self._server.close()
        self.path.unlink(missing_ok=True)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._server = None

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = spawn(self._converse(reader, writer), name="control connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            peer = peer_of(writer.get_extra_info("socket"))
            refusal = self._doorkeeper.refusal(peer)
            if not refusal and len(self._tasks) > CONNECTIONS_MAX:
                refusal = f"{CONNECTIONS_MAX} others are connected: try again later"
            if refusal:
                self.refused += 1
                logger.warning("= control: refused process %d of %s", peer.pid, peer.user)
                _write(writer, {"refused": refusal})
            else:
                await self._serve(peer, reader, writer)
        except (OSError, TimeoutError, ValueError):  # gone, silent for long, or a line beyond the limit
            pass
        finally:
            writer.close()

    async def _serve(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(self._idle_s):
                octets = await reader.readline()
            if not octets.endswith(b"\n"):
                return
            self.asked += 1
            try:
                request = msgspec.json.decode(octets, type=Line)
            except msgspec.DecodeError:
                _write(writer, {"fault": "this is no JSON object", "kind": "usage"})
                continue
            _write(writer, await self._answer(peer, request))
            await writer.drain()


@contextlib.contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name for a socket's path that fits into its 108 octets (unix(7)), however deep its folder lies."""
    if len(os.fsencode(path)) <= _PATH_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _write(writer: asyncio.StreamWriter, line: Line) -> None:
    if not writer.is_closing():
        writer.write(msgspec.json.encode(line) + b"\n")
