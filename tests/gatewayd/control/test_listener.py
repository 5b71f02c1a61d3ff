"""Who may ask gets answers, who may not a sentence, and nobody more than the socket's bounds allow."""

from __future__ import annotations

import asyncio
import grp
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatewayd.control import listener as module
from gatewayd.control.listener import ControlFault, ControlListener, Line, reachable
from gatewayd.control.peers import Doorkeeper, GroupFault, Peer, peer_of
from gatewayd.runtime.tasks import cancel_all

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
STRANGER = """
import json, os, socket, sys
os.setgroups(json.loads(sys.argv[2])); os.setgid(65534); os.setuid(65534)
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
try: s.sendall(b'{"ask":"x"}\\n')
except BrokenPipeError: pass  # refused before it was asked
print(s.makefile().readline())
"""


async def echo(peer: Peer, request: Line) -> Line:
    return {"answer": request, "uid": peer.uid}


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    listeners: list[ControlListener] = []

    async def start(group: str = "", folder: Path = tmp_path) -> ControlListener:
        one = ControlListener(folder, group, echo)
        listeners.append(one)
        await one.start()
        return one

    yield start
    for one in listeners:
        await one.stop()
    await cancel_all()


async def talk(path: Path, *lines: bytes) -> list[Line]:
    """Say lines, hang up the sending side, and hear everything."""
    with reachable(path) as near:
        reader, writer = await asyncio.open_unix_connection(near)
    writer.write(b"".join(lines))
    writer.write_eof()
    octets = await reader.read()
    writer.close()
    return [msgspec.json.decode(line) for line in octets.splitlines()]


async def test_questions_are_answered_in_turn(opened: Callable[..., Any]) -> None:
    listener = await opened()
    answers = await talk(listener.path, b'{"ask":1}\n', b'{"ask":2}\n')
    assert [answer["answer"] for answer in answers] == [{"ask": 1}, {"ask": 2}]
    assert answers[0]["uid"] == os.geteuid()
    assert listener.path.stat().st_mode & 0o777 == 0o660
    assert (listener.asked, listener.refused) == (2, 0)


async def test_what_is_no_object_is_told_so(opened: Callable[..., Any]) -> None:
    listener = await opened()
    answers = await talk(listener.path, b"hello\n", b"[1]\n", b'{"ask":1}\n', b'{"half":')
    assert [sorted(answer) for answer in answers] == [["fault", "kind"], ["fault", "kind"], ["answer", "uid"]]


async def test_a_line_without_end_is_cut(opened: Callable[..., Any]) -> None:
    listener = await opened()
    assert await talk(listener.path, b"x" * 200_000) == []


async def test_only_so_many_at_once(opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECTIONS_MAX", 1)
    listener = await opened()
    first = await asyncio.open_unix_connection(str(listener.path))
    first[1].write(b'{"ask":1}\n')
    await first[0].readline()
    assert await talk(listener.path) == [{"refused": "1 others are connected: try again later"}]
    first[1].close()


async def test_the_socket_goes_with_the_listener(opened: Callable[..., Any]) -> None:
    listener = await opened()
    again = await opened()  # the last one was killed and left its socket behind
    assert await talk(again.path, b'{"ask":1}\n') != []
    await again.stop()
    assert not listener.path.exists()


async def test_a_deep_folder_is_no_obstacle(opened: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True)
    listener = await opened(folder=folder)
    assert len(await talk(listener.path, b'{"ask":1}\n')) == 1


async def test_a_folder_that_is_not_there_is_told(opened: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(ControlFault, match="No such file"):
        await opened(folder=tmp_path / "no")


@ROOT_ONLY
@pytest.mark.parametrize(("groups", "is_let_in"), [([], False), ([1], False), ([1, 2], True)])
async def test_strangers_are_refused_with_a_sentence(
    opened: Callable[..., Any], tmp_path: Path, groups: list[int], is_let_in: bool
) -> None:
    listener = await opened(group=grp.getgrgid(2).gr_name)
    listener.path.parent.chmod(0o755)
    listener.path.chmod(0o666)  # as if the socket's group were a wider one than the configured
    # By its name alone, from its folder: those above may be closed to strangers, as a TMPDIR of one's own is.
    command = [sys.executable, "-c", STRANGER, listener.path.name, str(groups)]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.stderr == ""
    answer = msgspec.json.decode(done.stdout)
    assert ("answer" in answer) is is_let_in
    assert listener.refused == (not is_let_in)
    if not is_let_in:
        assert answer["refused"].startswith("nobody may not ask this daemon: root, its own user and members of")


@ROOT_ONLY
async def test_the_socket_is_the_groups(opened: Callable[..., Any]) -> None:
    listener = await opened(group=grp.getgrgid(2).gr_name)
    assert listener.path.stat().st_gid == 2


def test_a_group_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ControlFault, match=r"control\.group: there is no group nosuchgroup"):
        ControlListener(tmp_path, "nosuchgroup", echo)


def test_who_may_ask() -> None:
    keeper = Doorkeeper("", uid=77)
    assert keeper.refusal(Peer(1, 0, frozenset())) == ""
    assert keeper.refusal(Peer(1, 77, frozenset())) == ""
    assert keeper.refusal(Peer(1, 78, frozenset({0, 77}))).endswith("root, its own user may (control.group)")
    with pytest.raises(GroupFault):
        Doorkeeper("nosuchgroup")


def test_who_is_at_the_other_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer = peer_of(ours)
    assert (peer.pid, peer.uid) == (os.getpid(), os.geteuid())
    assert os.getegid() in peer.gids
    assert set(os.getgroups()) <= peer.gids
    assert Peer(1, 4_000_000, frozenset()).user == "uid 4000000"
