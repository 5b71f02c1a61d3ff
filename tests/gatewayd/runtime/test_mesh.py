"""Meshes of two to four workers over real Unix sockets: batches in order, deaths and returns, bounds, and strangers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec
import pytest
import uvloop

from gatewayd.runtime import mesh as meshes
from gatewayd.runtime.mesh import FRAME_ITEMS_MAX, FRAME_MAX, WAITING_MAX, Mesh
from tests.support.watch import Watch


class Note(msgspec.Struct, array_like=True):
    """What travels."""

    number: int
    text: str = ""


class Worker:
    """One mesh, and what it was told."""

    def __init__(self, folder: Path, slot: int, count: int, watch: Watch) -> None:
        self.batches: list[tuple[int, list[int]]] = []
        self.story: list[str] = []
        self.fails_on = -1
        self._watch = watch
        self.mesh = Mesh(slot, count, folder, Note, on_items=self._on_items, on_up=self._on_up, on_down=self._on_down)

    def numbers(self, peer: int) -> list[int]:
        return [number for sender, batch in self.batches if sender == peer for number in batch]

    def send(self, peer: int, *numbers: int, text: str = "") -> None:
        for number in numbers:
            self.mesh.send(peer, Note(number, text))

    def _on_items(self, peer: int, items: Sequence[Note]) -> None:
        self.batches.append((peer, [note.number for note in items]))
        self._watch.ring()
        if self.fails_on in self.batches[-1][1]:
            raise RuntimeError("this one hurts")

    def _on_up(self, peer: int) -> None:
        self.story.append(f"{peer} up")
        self._watch.ring()

    def _on_down(self, peer: int) -> None:
        self.story.append(f"{peer} down")
        self._watch.ring()


class Town:
    """Several workers on one loop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.watch = Watch()
        self.workers: dict[int, Worker] = {}
        self.count = 0

    async def start(self, count: int) -> list[Worker]:
        self.count = count
        workers = [await self.join(slot) for slot in range(count)]
        await self.until_whole()
        return workers

    async def join(self, slot: int) -> Worker:
        worker = self.workers[slot] = Worker(self.folder, slot, self.count, self.watch)
        await worker.mesh.start()
        return worker

    async def leave(self, slot: int) -> None:
        await self.workers.pop(slot).mesh.stop()

    async def until(self, condition: Callable[[], object]) -> None:
        await self.watch.until(condition)

    async def until_whole(self) -> None:
        await self.until(
            lambda: all(
                worker.mesh.is_up(peer)
                for slot, worker in self.workers.items()
                for peer in self.workers
                if peer != slot
            )
        )

    async def stop(self) -> None:
        for slot in list(self.workers):
            await self.leave(slot)


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    started = Town(tmp_path)
    yield started
    await started.stop()


async def test_one_turns_items_travel_in_one_batch_and_all_in_order(town: Town) -> None:
    one, two = await town.start(2)
    one.send(1, 1, 2, 3)
    await asyncio.sleep(0)
    one.send(1, 4)
    two.send(0, 9)
    await town.until(lambda: len(two.numbers(0)) == 4 and one.numbers(1) == [9])
    assert two.batches == [(0, [1, 2, 3]), (0, [4])]


@pytest.mark.parametrize("count", [2, 3, 4])
async def test_everybody_hears_everybody(town: Town, count: int) -> None:
    workers = await town.start(count)
    for slot, worker in enumerate(workers):
        for peer in worker.mesh.peers:
            worker.send(peer, *range(slot * 10, slot * 10 + 10))
    await town.until(
        lambda: all(
            worker.numbers(peer) == list(range(peer * 10, peer * 10 + 10))
            for worker in workers
            for peer in worker.mesh.peers
        )
    )


def test_the_same_over_uvloop(tmp_path: Path) -> None:
    async def live() -> None:
        town = Town(tmp_path)
        try:
            await test_one_turns_items_travel_in_one_batch_and_all_in_order(town)
            await town.leave(1)
            await town.until(lambda: town.workers[0].story[-1:] == ["1 down"])
            town.workers[0].send(1, *range(100))
            again = await town.join(1)
            await town.until(lambda: again.numbers(0) == list(range(100)))
        finally:
            await town.stop()

    uvloop.run(live())


@pytest.mark.parametrize("dead", [0, 1])
async def test_a_death_is_heard_and_what_is_sent_meanwhile_waits(town: Town, dead: int) -> None:
    workers = await town.start(2)
    other = workers[1 - dead]
    await town.leave(dead)
    await town.until(lambda: other.story[-1:] == [f"{dead} down"])
    assert not other.mesh.is_up(dead)
    other.send(dead, 1, 2, 3)
    again = await town.join(dead)
    other.send(dead, 4)
    await town.until(lambda: again.numbers(1 - dead) == [1, 2, 3, 4])
    assert other.story == [f"{dead} up", f"{dead} down", f"{dead} up"]


async def test_a_death_does_not_disturb_the_others(town: Town) -> None:
    one, _, three = await town.start(3)
    await town.leave(1)
    one.send(2, 1)
    await town.until(lambda: three.numbers(0) == [1] and "1 down" in one.story and "1 down" in three.story)
    assert "0 down" not in three.story


async def test_what_waits_can_be_taken_back(town: Town) -> None:
    one, _ = await town.start(2)
    await town.leave(1)
    await town.until(lambda: not one.mesh.is_up(1))
    one.send(1, 1, 2)
    assert [note.number for note in one.mesh.drop_waiting(1)] == [1, 2]
    again = await town.join(1)
    one.send(1, 3)
    await town.until(lambda: again.numbers(0) == [3])


async def test_so_many_may_wait_for_one_that_is_away(town: Town) -> None:
    one, *_ = await town.start(3)
    await town.leave(1)
    await town.until(lambda: not one.mesh.is_up(1))
    one.send(1, *range(WAITING_MAX - 1))
    assert not one.mesh.is_clogged(1)
    one.send(1, WAITING_MAX - 1)
    assert one.mesh.is_clogged(1)
    assert not one.mesh.is_clogged(2)
    again = await town.join(1)
    await town.until(lambda: again.numbers(0) == list(range(WAITING_MAX)))
    assert max(len(batch) for _, batch in again.batches) <= FRAME_ITEMS_MAX
    assert not one.mesh.is_clogged(1)


async def test_one_that_does_not_read_is_not_written_to_and_misses_nothing(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meshes, "UNSENT_MAX", 100_000)
    one, two = await town.start(2)
    ears = two.mesh._connections[0].transport
    mouth = one.mesh._connections[1].transport
    assert ears is not None
    assert mouth is not None
    ears.pause_reading()
    sent = 0
    async with asyncio.timeout(5):
        while not one.mesh.is_clogged(1):
            one.send(1, sent, text="x" * 1_000)
            sent += 1
            await asyncio.sleep(0)
    unsent = mouth.get_write_buffer_size()
    for _ in range(5):
        one.send(1, *range(sent, sent + 1_000), text="x" * 1_000)
        sent += 1_000
        await asyncio.sleep(0)
    assert mouth.get_write_buffer_size() == unsent, "what is not written is known not to have arrived"
    ears.resume_reading()
    await town.until(lambda: len(two.numbers(0)) == sent)
    assert two.numbers(0) == list(range(sent))
    assert not one.mesh.is_clogged(1)


async def test_what_was_not_written_when_a_peer_dies_still_waits(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meshes, "UNSENT_MAX", 10_000)
    one, two = await town.start(2)
    ears = two.mesh._connections[0].transport
    assert ears is not None
    ears.pause_reading()
    async with asyncio.timeout(5):
        while not one.mesh.is_clogged(1):
            one.send(1, 0, text="x" * 10_000)
            await asyncio.sleep(0)
    one.send(1, 1, 2, 3)
    await asyncio.sleep(0)
    ears.abort()
    await town.until(lambda: "1 down" in one.story)
    assert [note.number for note in one.mesh.drop_waiting(1)][-3:] == [1, 2, 3]


async def test_large_batches_arrive_whole(town: Town) -> None:
    one, two = await town.start(2)
    one.send(1, *range(3_000), text="é" * 2_000)
    await town.until(lambda: two.numbers(0) == list(range(3_000)))


async def test_what_is_said_last_is_still_heard(town: Town) -> None:
    one, two = await town.start(2)
    one.send(1, 1, 2)
    await town.leave(0)
    await town.until(lambda: two.story[-1:] == ["0 down"])
    assert two.numbers(0) == [1, 2]


@pytest.mark.parametrize(
    "octets",
    [
        b"\x00",  # nobody calls itself
        b"\x09",  # there is no such worker
        b"\x01" + (FRAME_MAX + 1).to_bytes(4, "big"),
        b"\x01" + b"\xff\xff\xff\xff",
        b"\x01" + (3).to_bytes(4, "big") + b"\xc1\xc1\xc1",
        b"\x01" + (4).to_bytes(4, "big") + msgspec.msgpack.encode("abc"),
        b"\x01" + (2).to_bytes(4, "big") + msgspec.msgpack.encode([[]]),
    ],
    ids=["itself", "nobody", "too long", "endless", "garbage", "no list", "no item"],
)
async def test_who_does_not_speak_as_a_worker_is_cut(
    town: Town, octets: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    town.count = 3  # the others have not come yet
    one = await town.join(0)
    reader, writer = await asyncio.open_unix_connection(str(town.folder / "mesh-0.sock"))
    with caplog.at_level(logging.WARNING):
        writer.write(octets)
        async with asyncio.timeout(5):
            await reader.read()
    writer.close()
    await town.until(lambda: not one.mesh.is_up(1))
    assert one.batches == []
    assert "cut a connection" in caplog.text
    true = await town.join(1)
    await town.until_whole()
    true.send(0, 1)
    await town.until(lambda: one.numbers(1) == [1])


async def test_half_a_frame_says_nothing(town: Town) -> None:
    town.count = 2
    one = await town.join(0)
    _, writer = await asyncio.open_unix_connection(str(town.folder / "mesh-0.sock"))
    frame = msgspec.msgpack.encode([Note(1), Note(2)])
    writer.write(b"\x01" + len(frame).to_bytes(4, "big") + frame[:-1])
    await town.until(lambda: one.mesh.is_up(1))
    writer.close()
    await town.until(lambda: one.story == ["1 up", "1 down"])
    assert one.batches == []


async def test_frames_may_come_in_any_pieces(town: Town) -> None:
    town.count = 2
    one = await town.join(0)
    _, writer = await asyncio.open_unix_connection(str(town.folder / "mesh-0.sock"))
    frames = [msgspec.msgpack.encode([Note(n), Note(n + 1)]) for n in (1, 3, 5)]
    octets = b"\x01" + b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)
    for octet in octets:
        writer.write(bytes((octet,)))
        await asyncio.sleep(0)
    await town.until(lambda: one.numbers(1) == [1, 2, 3, 4, 5, 6])
    assert [batch for _, batch in one.batches] == [[1, 2], [3, 4], [5, 6]]
    writer.close()
    await town.until(lambda: not one.mesh.is_up(1))


async def test_an_item_that_cannot_be_dealt_with_ends_the_connection_and_not_the_mesh(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    """Both sides then settle what they had given each other, which a swallowed item would leave hanging for ever."""
    one, two = await town.start(2)
    two.fails_on = 7
    one.send(1, 6, 7, 8)
    await town.until(lambda: "0 down" in two.story and "1 down" in one.story)
    assert "could not be dealt with" in caplog.text
    await town.until_whole()
    one.send(1, 9)
    await town.until(lambda: two.numbers(0)[-1] == 9)


async def test_a_new_connection_takes_the_place_of_one_whose_end_was_not_noticed(town: Town) -> None:
    town.count = 2
    one = await town.join(0)
    path = str(town.folder / "mesh-0.sock")
    _, old = await asyncio.open_unix_connection(path)
    old.write(b"\x01")
    await town.until(lambda: one.story == ["1 up"])
    _, new = await asyncio.open_unix_connection(path)
    new.write(b"\x01")
    await town.until(lambda: one.story == ["1 up", "1 down", "1 up"])
    old.close()
    new.close()
    await town.until(lambda: not one.mesh.is_up(1))
    assert one.story == ["1 up", "1 down", "1 up", "1 down"]


async def test_its_sockets_are_for_nobody_else_and_go_with_it(town: Town) -> None:
    await town.start(2)
    paths = [town.folder / f"mesh-{slot}.sock" for slot in (0, 1)]
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o600, 0o600]
    await town.stop()
    assert not any(path.exists() for path in paths)


async def test_a_folder_too_deep_for_a_socket_is_named(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 25)
    folder.mkdir()
    with pytest.raises(OSError, match=r"mesh-0\.sock: .*; choose a shorter daemon\.runtime_dir"):
        await Town(folder).join(0)
