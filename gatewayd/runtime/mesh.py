"""The mesh: every worker talks to every other over Unix stream sockets, in one batch for each loop turn and peer.

Carries values of one message type; knows nothing of what they mean. What waits for a peer that is away, or does not
read, is bounded: the caller looks at ``is_clogged`` before it gives more. A frame is its length in four octets, then a
msgpack list. A worker first says its slot, in one octet, to the one that it calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from gatewayd.runtime.tasks import spawn
from gatewayd.runtime.turns import TURNS

log = logging.getLogger(__name__)

FRAME_MAX: Final = 64 * 1024 * 1024
# So many of the largest messages still fit a frame.
FRAME_ITEMS_MAX: Final = 1_000
RETRY_S: Final = 0.05
UNSENT_MAX: Final = 8 * 1024 * 1024
WAITING_MAX: Final = 20_000
_STOP_TIMEOUT_S: Final = 1.0


class _Fault(Exception):
    """What a worker would never send."""


class _Peer(asyncio.Protocol):
    """One connection to another worker."""

    def __init__(self, mesh: Mesh, slot: int | None) -> None:
        self._mesh = mesh
        self.slot = slot
        self._buffer = bytearray()
        self.transport: asyncio.Transport | None = None
        self.is_writable = True
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a stream transport, whatever the loop calls it
        transport.set_write_buffer_limits(UNSENT_MAX)  # type: ignore[attr-defined]
        if self.slot is not None:
            transport.write(bytes((self._mesh.slot,)))  # type: ignore[attr-defined]
            self._mesh.joined(self.slot, self)

    def data_received(self, data: bytes) -> None:
        TURNS.brought(self._mesh.loop, len(data))
        self._buffer += data
        try:
            self._take()
        except (_Fault, msgspec.DecodeError) as fault:
            log.warning("mesh: cut a connection that speaks otherwise than a worker: %s", fault)
            self.cut()
        except Exception:  # half of a frame was done: both sides forget this connection, and what it carried is settled
            log.exception("mesh: what worker %s sent could not be dealt with", self.slot)
            self.cut()

    def _take(self) -> None:
        buffer, start = self._buffer, 0
        if self.slot is None:
            self.slot, start = self._mesh.caller(buffer[0]), 1
            self._mesh.joined(self.slot, self)
        while len(buffer) - start >= 4:
            size = int.from_bytes(buffer[start : start + 4], "big")
            if size > FRAME_MAX:
                raise _Fault(f"a frame of {size} octets")
            if len(buffer) - start - 4 < size:
                break
            frame = buffer[start + 4 : start + 4 + size]
            start += 4 + size
            self._mesh.received(self.slot, frame)
        del buffer[:start]

    def cut(self) -> None:
        """End it now; nothing that comes is looked at any more."""
        if self.transport is not None:
            self.transport.abort()

    def write(self, frame: bytes) -> None:
        """One frame."""
        if self.transport is not None:
            self.transport.write(len(frame).to_bytes(4, "big") + frame)

    def pause_writing(self) -> None:
        self.is_writable = False

    def resume_writing(self) -> None:
        self.is_writable = True
        if self.slot is not None:
            self._mesh.resumed(self.slot, self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()
        if self.slot is not None:
            self._mesh.lost(self.slot, self)


class Mesh:
    """This worker's connections to all others.

    ``on_items`` gets (peer, items) of one frame; ``on_up`` and ``on_down`` a peer. After ``on_down`` nothing that was
    sent to that peer and not answered will be answered; what was not written yet still waits.
    """

    def __init__(
        self,
        slot: int,
        count: int,
        folder: Path,
        item_type: Any,
        *,
        on_items: Callable[[int, Sequence[Any]], None],
        on_up: Callable[[int], None],
        on_down: Callable[[int], None],
    ) -> None:
        self.slot = slot
        self.peers = tuple(peer for peer in range(count) if peer != slot)
        self._folder = folder
        self._on_items = on_items
        self._on_up = on_up
        self._on_down = on_down
        self._encode = msgspec.msgpack.Encoder().encode
        self._decoder = msgspec.msgpack.Decoder(list[item_type])
        self._connections: dict[int, _Peer] = {}
        self._waiting: dict[int, list[Any]] = {peer: [] for peer in self.peers}
        self._is_flush_asked = False
        self.loop = asyncio.get_running_loop()
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False

    async def start(self) -> None:
        """Listen for the workers above, and keep connecting to those below. Raises OSError."""
        path = self._path(self.slot)
        path.unlink(missing_ok=True)
        try:
            self._server = await self.loop.create_unix_server(lambda: _Peer(self, None), str(path))
        except OSError as error:
            if error.errno is None:  # the loop's own word for a path of more than 107 octets
                raise OSError(f"{path}: {error}; choose a shorter daemon.runtime_dir") from error
            raise
        path.chmod(0o600)
        self._tasks = [spawn(self._keep(peer), name=f"mesh {peer}") for peer in self.peers if peer < self.slot]

    async def stop(self) -> None:
        """Say what is still to be said, and close everything."""
        self._flush()
        self._is_stopping = True
        for task in self._tasks:
            task.cancel()
        if self._server is not None:
            self._server.close()
            self._path(self.slot).unlink(missing_ok=True)
        connections = list(self._connections.values())
        for connection in connections:
            if connection.transport is not None:
                connection.transport.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                for connection in connections:
                    await connection.ended.wait()
        for connection in connections:
            connection.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def is_up(self, peer: int) -> bool:
        """Whether the peer is connected."""
        return peer in self._connections

    def is_clogged(self, peer: int) -> bool:
        """Whether the peer has as much as it may have from us: wait until it reads."""
        connection = self._connections.get(peer)
        if connection is not None and not connection.is_writable:
            return True
        return len(self._waiting[peer]) >= WAITING_MAX

    def send(self, peer: int, item: Any) -> None:
        """Gather an item; it goes with all others of this loop turn. It waits while the peer is away."""
        self._waiting[peer].append(item)
        if not self._is_flush_asked:
            self._is_flush_asked = True
            self.loop.call_soon(self._flush)

    def drop_waiting(self, peer: int) -> list[Any]:
        """Take back what waits for a peer."""
        waiting, self._waiting[peer] = self._waiting[peer], []
        return waiting

    def _flush(self) -> None:
        self._is_flush_asked = False
        for peer, connection in self._connections.items():
            self._flush_to(peer, connection)

    def _flush_to(self, peer: int, connection: _Peer) -> None:
        """Write what waits, as long as the peer reads: what was not written is known not to have arrived."""
        items = self._waiting[peer]
        written = 0
        while written < len(items) and connection.is_writable:
            connection.write(self._encode(items[written : written + FRAME_ITEMS_MAX]))
            written += FRAME_ITEMS_MAX
        if written:
            del items[:written]

    # -- what connections tell --------------------------------------------------------------------------------------

    def caller(self, slot: int) -> int:
        """The slot that a caller names: only workers above call."""
        if slot not in self._waiting or slot < self.slot:
            raise _Fault(f"a call from worker {slot}")
        return slot

    def received(self, peer: int, frame: bytes | bytearray) -> None:
        """A frame came."""
        self._on_items(peer, self._decoder.decode(frame))

    def resumed(self, peer: int, connection: _Peer) -> None:
        """A peer that had fallen behind reads again."""
        if self._connections.get(peer) is connection:
            self._flush_to(peer, connection)

    def joined(self, peer: int, connection: _Peer) -> None:
        """A peer is there, perhaps a new one in place of one whose end was not noticed yet."""
        old = self._connections.get(peer)
        if old is not None:
            self._forget(peer, old)
        self._connections[peer] = connection
        self._on_up(peer)
        self._flush_to(peer, connection)

    def lost(self, peer: int, connection: _Peer) -> None:
        """A connection ended."""
        if self._connections.get(peer) is connection:
            self._forget(peer, connection)

    def _forget(self, peer: int, connection: _Peer) -> None:
        del self._connections[peer]
        connection.cut()
        if not self._is_stopping:
            self._on_down(peer)

    async def _keep(self, peer: int) -> None:
        """Stay connected to a worker below: it listens, we call."""
        while True:
            with contextlib.suppress(OSError):
                _, connection = await self.loop.create_unix_connection(lambda: _Peer(self, peer), str(self._path(peer)))
                await connection.ended.wait()
            await asyncio.sleep(RETRY_S)

    def _path(self, slot: int) -> Path:
        return self._folder / f"mesh-{slot}.sock"
