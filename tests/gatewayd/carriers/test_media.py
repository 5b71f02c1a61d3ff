"""Local files are hashed once while they stay as they are, and read in pieces that are what was hashed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from gatewayd.carriers import media as module
from gatewayd.carriers.media import CHUNK, Media, Seen, pieces


def seen(octets: bytes) -> Seen:
    return Seen(hashlib.sha256(octets).hexdigest(), len(octets))


async def test_a_file_is_hashed_anew_when_it_looks_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[object] = []
    original = hashlib.file_digest

    def digest(file: Any, name: Any) -> Any:
        hashed.append(name)
        return original(file, name)

    monkeypatch.setattr(hashlib, "file_digest", digest)
    media, path = Media(), tmp_path / "a.png"
    path.write_bytes(b"one")
    media.learn(str(tmp_path), {"a.png": "image/png"})
    assert [await media.look("a.png") for _ in range(2)] == [seen(b"one")] * 2
    assert len(hashed) == 1
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert await media.look("a.png") == seen(b"two")
    media.learn(str(tmp_path), {})
    assert await media.look("a.png") == seen(b"two")
    assert len(hashed) == 3
    with pytest.raises(FileNotFoundError):
        await media.look("b.png")


def test_listeners_hear_of_what_is_wanted() -> None:
    media = Media()
    heard: list[int] = []

    def listener() -> None:
        heard.append(len(media.wanted))

    media.subscribe(listener)
    media.learn("", {"a": "image/png"})
    media.unsubscribe(listener)
    media.unsubscribe(listener)
    media.learn("", {})
    assert heard == [1]


@pytest.mark.parametrize("size", [1, CHUNK, 3 * CHUNK + 5])
async def test_pieces_are_the_whole(tmp_path: Path, size: int) -> None:
    octets = os.urandom(size)
    (tmp_path / "a").write_bytes(octets)
    with (tmp_path / "a").open("rb") as file:
        for _ in range(2):
            made = [piece async for piece in pieces(file, seen(octets).digest, b"<", b">")]
            assert b"".join(made) == b"<" + octets + b">"
            assert max(map(len, made)) <= CHUNK + 1
        bare = [piece async for piece in pieces(file, seen(octets).digest, b"", b"")]
        assert bare[0] == octets[:CHUNK]


async def test_a_file_that_changes_while_it_is_read_never_comes_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * (2 * module.CHUNK))
    made: list[bytes] = []
    with (tmp_path / "a").open("rb") as file:
        whole = pieces(file, seen(b"y" * (2 * CHUNK)).digest, b"<", b">")
        made += [await anext(whole), await anext(whole)]
        with pytest.raises(OSError, match="changed"):
            await anext(whole)
    assert sum(map(len, made)) < 2 * CHUNK + 2
