"""The supervisor's answers: what is its own, what is asked of workers, who was silent, and what is refused."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatewayd.config import schema
from gatewayd.control.backup import LIST_NAME
from gatewayd.control.desk import ControlDesk, Errand
from gatewayd.control.errands import ErrandFault
from gatewayd.control.listener import Line
from gatewayd.control.pauses import Pauses
from gatewayd.control.peers import Peer
from gatewayd.runtime.trail import masked

ROOT = Peer(12, os.geteuid(), frozenset())
MEMBER = Peer(13, 4_000_000, frozenset({7}))


class Worker:
    def __init__(self, slot: int, answers: dict[str, Any]) -> None:
        self.slot = slot
        self.answers = answers
        self.asked: list[tuple[str, Line]] = []
        self.words: list[tuple[str, Line]] = []

    def leave_word(self, what: str, args: Line) -> None:
        self.words.append((what, args))

    async def ask(self, what: str, args: Line, patience_s: float) -> Line | None:
        self.asked.append((what, args))
        answer = self.answers.get(what)
        return answer if answer is None or "fault" in answer else {"value": answer}


class Daemon:
    def __init__(self, spool_dir: Path, *workers: Worker, reveal: bool = False) -> None:
        self.workers = workers
        link = schema.Link(kind="smpp")
        daemon = schema.Daemon(spool_dir=str(spool_dir))
        self.config = schema.Config(daemon=daemon, log=schema.Log(reveal=reveal), links={"carrier": link})
        self.trouble = ""
        self.is_stopped = False

    def facts(self) -> Line:
        return {"version": "9", "workers": [{"slot": worker.slot} for worker in self.workers]}

    async def reload_now(self) -> str:
        return self.trouble

    def stop(self) -> None:
        self.is_stopped = True


async def echo(question: bytes) -> bytes:
    """An errand whose answer is its question."""
    return question


def desk_of(daemon: Daemon, folder: Path, tell: Errand = echo) -> ControlDesk:
    return ControlDesk(daemon, Pauses(folder), tell)


async def ask(daemon: Daemon, place: Path, what: str, peer: Peer = ROOT, **args: Any) -> Line:
    return await desk_of(daemon, place).answer(peer, {"ask": what, "args": args})


async def test_status_is_ours_and_theirs(tmp_path: Path) -> None:
    status = {"links": {"carrier": {"queue": 2}}, "accepted": 1}
    daemon = Daemon(tmp_path, Worker(0, {"status": status}), Worker(1, {"status": status}), Worker(2, {}))
    answer = await ask(daemon, tmp_path, "status")
    assert answer["silent"] == [2]
    assert answer["answer"]["links"] == {"carrier": {"queue": 4}}
    assert answer["answer"]["version"] == "9"
    assert answer["answer"]["paused"] == {}


async def test_status_is_given_when_no_worker_is_there(tmp_path: Path) -> None:
    answer = await ask(Daemon(tmp_path, Worker(0, {})), tmp_path, "status")
    assert answer["silent"] == [0]
    assert answer["answer"]["links"] == {}
    assert (await ask(Daemon(tmp_path, Worker(0, {})), tmp_path, "queue"))["kind"] == "failed"


async def test_a_fault_of_one_is_the_answer(tmp_path: Path) -> None:
    fault = {"fault": "no such thing", "kind": "unknown"}
    daemon = Daemon(tmp_path, Worker(0, {"kick": {"changed": 1}}), Worker(1, {"kick": fault}))
    assert await ask(daemon, tmp_path, "kick") == fault


async def test_pages_become_one(tmp_path: Path) -> None:
    pages = [{"rows": [{"key": key}], "limit": 1, "upto": key} for key in (5, 3)]
    daemon = Daemon(tmp_path, *(Worker(slot, {"queue": one}) for slot, one in enumerate(pages)))
    assert (await ask(daemon, tmp_path, "queue", limit=1))["answer"] == {"rows": [{"key": 3}], "next": 3}


@pytest.mark.parametrize("request_", [{}, {"ask": 1}, {"what": "status"}])
async def test_what_is_no_question(tmp_path: Path, request_: Line) -> None:
    answer = await desk_of(Daemon(tmp_path, Worker(0, {})), tmp_path).answer(ROOT, request_)
    assert answer["kind"] == "usage"


async def test_a_pause_is_kept_and_told(tmp_path: Path) -> None:
    worker = Worker(0, {"pause": {"changed": 1}, "resume": {"changed": 1}})
    daemon = Daemon(tmp_path, worker)
    assert (await ask(daemon, tmp_path, "pause", link="carrier"))["silent"] == []
    assert worker.asked == [("pause", {"link": "carrier"})]
    assert Pauses(tmp_path).names() == ["carrier"]
    await ask(daemon, tmp_path, "resume", link="carrier")
    assert Pauses(tmp_path).names() == []
    assert (await ask(daemon, tmp_path, "pause", link="no"))["kind"] == "unknown"


async def test_a_pause_that_no_worker_answers_is_remembered_and_left_for_those_that_start(tmp_path: Path) -> None:
    worker = Worker(0, {})
    for what, names in (("pause", ["carrier"]), ("resume", [])):
        assert await ask(Daemon(tmp_path, worker), tmp_path, what, link="carrier") == {"answer": {}, "silent": [0]}
        assert Pauses(tmp_path).names() == names
    assert worker.words == [("pause", {"link": "carrier"}), ("resume", {"link": "carrier"})]


async def test_a_pause_of_a_link_that_is_gone_can_be_ended(tmp_path: Path) -> None:
    Pauses(tmp_path).set("old", "ann", paused=True)
    assert "fault" not in await ask(Daemon(tmp_path, Worker(0, {"resume": {}})), tmp_path, "resume", link="old")


async def test_a_pause_that_cannot_be_kept_is_not_made(tmp_path: Path) -> None:
    worker = Worker(0, {"pause": {}})
    assert (await ask(Daemon(tmp_path, worker), tmp_path / "no", "pause", link="carrier"))["kind"] == "failed"
    assert worker.asked == []


async def test_reload_and_drain(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    assert "fault" not in await ask(daemon, tmp_path, "reload")
    daemon.trouble = "not reloaded, 1 fault: daemon.workers"
    assert await ask(daemon, tmp_path, "reload") == {"fault": daemon.trouble, "kind": "failed"}
    await ask(daemon, tmp_path, "drain")
    assert daemon.is_stopped


async def test_whole_numbers_are_for_few(tmp_path: Path) -> None:
    for daemon, peer, is_shown in (
        (Daemon(tmp_path, Worker(0, {"queue": {}}), reveal=True), ROOT, True),
        (Daemon(tmp_path, Worker(0, {"queue": {}}), reveal=False), ROOT, False),
        (Daemon(tmp_path, Worker(0, {"queue": {}}), reveal=True), MEMBER, False),
    ):
        answer = await ask(daemon, tmp_path, "queue", peer, reveal=True)
        assert ("fault" not in answer) is is_shown


async def test_who_changes_something_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    daemon = Daemon(tmp_path, Worker(0, {"cancel": {}, "queue": {}}))
    await ask(daemon, tmp_path, "queue", account="shop")
    assert caplog.messages == []
    await ask(daemon, tmp_path, "cancel", account="shop", number="33612345678")
    assert [message.partition(" wants ")[2] for message in caplog.messages] == ["cancel account=shop"]


async def test_a_backup_is_one_once_all_copies_are_there(tmp_path: Path) -> None:
    spool_dir, folder = tmp_path / "spool", tmp_path / "backup"
    spool_dir.mkdir()
    (spool_dir / "ratios").write_bytes(b"r")
    copies: dict[str, dict[str, Any]] = {"0": {"file": {"name": "worker-0.spool"}}, "1": {"file": None}}
    worker = Worker(0, {"backup": {}, "backup_state": {"copies": {"0": copies["0"]}}})
    other = Worker(1, {"backup": {}, "backup_state": {"copies": {"1": copies["1"]}}})
    daemon = Daemon(spool_dir, worker, other)
    assert "fault" not in await ask(daemon, spool_dir, "backup", folder=str(folder))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "fault" in await ask(daemon, spool_dir, "backup_end", folder=str(folder))
    copies["1"]["file"] = {"name": "worker-1.spool"}
    answer = (await ask(daemon, spool_dir, "backup_end", folder=str(folder), began_at=5.0))["answer"]
    assert answer["workers"] == 2
    assert answer["beside"] == ["ratios"]
    assert (folder / LIST_NAME).exists()
    assert (folder / "ratios").read_bytes() == b"r"
    assert "not empty" in (await ask(daemon, spool_dir, "backup", folder=str(folder)))["fault"]
    assert "from the root" in (await ask(daemon, spool_dir, "backup", folder="here"))["fault"]
    assert "may write" in (await ask(daemon, spool_dir, "backup", folder=str(tmp_path / "a" / "b")))["fault"]


async def test_a_trace_is_found_by_an_errand_and_no_worker_is_asked(tmp_path: Path) -> None:
    worker = Worker(0, {})
    answer = await ask(Daemon(tmp_path, worker), tmp_path, "trace", subject="33612345678", last=3)
    question = {"folder": str(tmp_path), "subject": "33612345678", "last": 3, "reveal": False, "texts": False}
    question |= {"countries": []}
    assert (msgspec.json.decode(answer["answer"]), answer["silent"], worker.asked) == (question, [], [])


@pytest.mark.parametrize(
    "args", [{}, {"subject": ""}, {"subject": "1" * 65}, {"subject": "1", "last": 0}, {"subject": 1}]
)
async def test_a_trace_of_nothing(tmp_path: Path, args: Line) -> None:
    assert (await ask(Daemon(tmp_path, Worker(0, {})), tmp_path, "trace", **args))["kind"] == "usage"


@pytest.mark.parametrize(
    ("peer", "reveal", "is_shown"), [(ROOT, True, True), (ROOT, False, False), (MEMBER, True, False)]
)
async def test_a_trace_shows_whole_numbers_to_those_who_may_see_them(
    tmp_path: Path, peer: Peer, reveal: bool, is_shown: bool
) -> None:
    daemon = Daemon(tmp_path, Worker(0, {}), reveal=reveal)
    answer = await ask(daemon, tmp_path, "trace", peer, subject="33612345678", reveal=True)
    assert ("fault" not in answer) == is_shown
    assert not is_shown or msgspec.json.decode(answer["answer"])["reveal"] is True


async def test_an_errand_that_fails_is_told(tmp_path: Path) -> None:
    async def fail(question: bytes) -> bytes:
        raise ErrandFault("it was not done within 60 s")

    desk = desk_of(Daemon(tmp_path, Worker(0, {})), tmp_path, fail)
    answer = await desk.answer(ROOT, {"ask": "trace", "args": {"subject": "33612345678"}})
    assert answer == {"fault": "the trace: it was not done within 60 s", "kind": "failed"}


async def test_who_answers_is_said_without_the_workers(tmp_path: Path) -> None:
    assert (await ask(Daemon(tmp_path), tmp_path, "about"))["answer"]["pid"] == os.getpid()
    assert (await ask(Daemon(tmp_path), tmp_path, "mask", number="33612345678"))["answer"] == {
        "masked": masked("33612345678")
    }
