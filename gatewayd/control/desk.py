"""What the supervisor answers on the control socket: what it knows itself, and for the rest it asks its workers.

Holds no message and knows none: a question that is not its own goes to every worker, and the answers become one.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

import gatewayd
from gatewayd.config import schema
from gatewayd.control import backup, merging
from gatewayd.control.errands import ErrandFault
from gatewayd.control.listener import Line
from gatewayd.control.pauses import Pauses
from gatewayd.control.peers import Peer
from gatewayd.runtime.trail import masked

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 2.0
"""A worker that says nothing for so long is called silent, and the others' answers are shown."""

# What changes something is told to the log, with who wanted it.
CHANGES: Final = frozenset(
    (
        *("reload", "drain", "pause", "resume", "reconnect", "kick", "hold", "release", "cancel", "requeue"),
        *("replay", "drop", "revive", "backup", "unlock"),
    )
)
_NEVER_LOGGED: Final = frozenset({"number", "text", "reveal"})
LAST_MAX: Final = 1_000
_SUBJECT_MAX: Final = 64


Errand = Callable[[bytes], Awaitable[bytes]]


class Worker(Protocol):
    """A worker's slot, as ``runtime.keeper.Keeper`` is."""

    slot: int

    async def ask(self, what: str, args: Line, patience_s: float) -> Line | None:
        """Put a question; None when there is no answer."""

    def leave_word(self, what: str, args: Line) -> None:
        """Have it done by one that is just starting, too, once it is ready."""


class Daemon(Protocol):
    """The supervisor, as this desk sees it."""

    @property
    def workers(self) -> Sequence[Worker]:
        """All slots."""

    @property
    def config(self) -> schema.Config:
        """The configuration in force."""

    def facts(self) -> Line:
        """What it knows of itself and of its workers."""

    async def reload_now(self) -> str:
        """Read the configuration again; what is wrong with it, or nothing."""

    def stop(self) -> None:
        """Drain and end."""


class ControlDesk:
    """All questions. ``answer`` is what the listener calls."""

    def __init__(self, daemon: Daemon, pauses: Pauses, tell: Errand, patience_s: float = PATIENCE_S) -> None:
        """``tell`` finds what the files of the spool folder tell of a message; it may raise ErrandFault."""
        self._daemon = daemon
        self._pauses = pauses
        self._tell = tell
        self._patience_s = patience_s
        self._own: dict[str, Callable[[Peer, Line], Awaitable[Line]]] = {
            "about": self._about,
            "status": self._status,
            "trace": self._trace,
            "mask": self._mask,
            "reload": self._reload,
            "drain": self._drain,
            "pause": self._pause,
            "resume": self._pause,
            "backup": self._backup,
            "backup_end": self._backup_end,
        }

    async def answer(self, peer: Peer, request: Line) -> Line:
        """The answer to a request ``{"ask": name, "args": {…}}``: ``{"answer": …}`` or ``{"fault": sentence, …}``."""
        match request:
            case {"ask": str(what), "args": dict(args)}:
                pass
            case {"ask": str(what)}:
                args = {}
            case _:
                return fault('ask like this: {"ask": "status", "args": {}}', "usage")
        if args.get("reveal") and not self._may_reveal(peer):
            words = "numbers are shown whole to root and the daemon's own user, where [log] reveal is true"
            return fault(words, "denied")
        if what in CHANGES:
            words = " ".join(f"{key}={value}" for key, value in args.items() if key not in _NEVER_LOGGED)
            logger.info("= control: %s (process %d) wants %s %s", peer.user, peer.pid, what, words[:200])
        return await self._own.get(what, self._spread)(peer, request | {"ask": what, "args": args})

    def _may_reveal(self, peer: Peer) -> bool:
        return peer.uid in (0, os.geteuid()) and self._daemon.config.log.reveal

    # -- our own --------------------------------------------------------------------------------------------------

    async def _about(self, peer: Peer, request: Line) -> Line:
        """Said at once, whatever the workers do: who asks first whether anybody is awake need not wait for long."""
        return {"answer": {"version": gatewayd.__version__, "pid": os.getpid()}, "silent": []}

    async def _trace(self, peer: Peer, request: Line) -> Line:
        """A process of its own looks into the files: workers are not even asked, and may be away."""
        args, config = request["args"], self._daemon.config
        subject, last, reveal = args.get("subject"), args.get("last", 1), args.get("reveal") is True
        if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT_MAX:
            return fault("name a message or a number", "usage")
        if not isinstance(last, int) or not 0 < last <= LAST_MAX:
            return fault(f"last is a number from 1 to {LAST_MAX}", "usage")
        question = {
            "folder": config.daemon.spool_dir,
            "subject": subject,
            "last": last,
            "reveal": reveal,
            "texts": reveal and config.history.text_h > 0,
            "countries": config.countries,
        }
        try:
            answer = await self._tell(msgspec.json.encode(question))
        except ErrandFault as error:
            return fault(f"the trace: {error}", "failed")
        return {"answer": msgspec.Raw(answer), "silent": []}

    async def _mask(self, peer: Peer, request: Line) -> Line:
        return {"answer": {"masked": masked(str(request["args"].get("number", ""))[:_SUBJECT_MAX])}, "silent": []}

    async def _status(self, peer: Peer, request: Line) -> Line:
        """Workers may all be away: what we know ourselves is shown in any case."""
        spread = await self._spread(peer, request)
        answer = self._daemon.facts() | {"paused": {name: self._paused(name) for name in self._pauses.names()}}
        if "fault" in spread:
            return {"answer": answer | {"links": {}, "accounts": {}}, "silent": [w.slot for w in self._daemon.workers]}
        return spread | {"answer": spread["answer"] | answer}

    def _paused(self, name: str) -> Line:
        pause = self._pauses.of(name)
        return {"since": pause.since, "by": pause.by} if pause is not None else {}

    async def _reload(self, peer: Peer, request: Line) -> Line:
        trouble = await self._daemon.reload_now()
        return fault(trouble, "failed") if trouble else {"answer": {}, "silent": []}

    async def _drain(self, peer: Peer, request: Line) -> Line:
        self._daemon.stop()
        return {"answer": {}, "silent": []}

    async def _pause(self, peer: Peer, request: Line) -> Line:
        """Kept here, so that a worker that is started anew hears of it in its orders."""
        name, paused = str(request["args"].get("link", "")), request["ask"] == "pause"
        is_known = name in self._daemon.config.links or (not paused and self._pauses.of(name) is not None)
        if not is_known:
            return fault(f"there is no link {name}", "unknown")
        try:
            await asyncio.to_thread(self._pauses.set, name, peer.user, paused=paused)
        except OSError as error:
            return fault(f"the pause could not be written down: {error}", "failed")
        for worker in self._daemon.workers:  # one that starts had its orders, perhaps, and cannot be asked yet
            worker.leave_word(request["ask"], request["args"])
        spread = await self._spread(peer, request)
        is_heard = "fault" not in spread or spread["kind"] != "failed"
        return spread if is_heard else {"answer": {}, "silent": [worker.slot for worker in self._daemon.workers]}

    async def _backup(self, peer: Peer, request: Line) -> Line:
        """The folder is made here; then each worker copies its spool into it, and says with backup_state how far."""
        try:
            await asyncio.to_thread(backup.prepare, Path(str(request["args"].get("folder", ""))))
        except backup.BackupFault as error:
            return fault(str(error), "failed")
        return await self._spread(peer, request)

    async def _backup_end(self, peer: Peer, request: Line) -> Line:
        """All spools are there: write down what the backup holds."""
        args, spool_dir = request["args"], Path(self._daemon.config.daemon.spool_dir)
        state = await self._spread(peer, {"ask": "backup_state", "args": {"folder": args.get("folder")}})
        copies = state.get("answer", {}).get("copies", {})
        spools = [copy["file"] for _, copy in sorted(copies.items()) if copy.get("file")]
        if state.get("silent") or len(spools) != len(self._daemon.workers):
            return state if "fault" in state else fault("not every worker has made its copy", "failed")
        try:
            contents = await asyncio.to_thread(
                backup.finish, Path(str(args["folder"])), spool_dir, gatewayd.__version__, args.get("began_at"), spools
            )
        except backup.BackupFault as error:
            return fault(str(error), "failed")
        return {"answer": msgspec.to_builtins(contents), "silent": []}

    # -- the workers' ---------------------------------------------------------------------------------------------

    async def _spread(self, peer: Peer, request: Line) -> Line:
        """Ask every worker at once; the answers of those that give one are merged."""
        what, args, workers = request["ask"], request["args"], self._daemon.workers
        answers = await asyncio.gather(*(worker.ask(what, args, self._patience_s) for worker in workers))
        silent = [worker.slot for worker, answer in zip(workers, answers, strict=True) if answer is None]
        heard = [answer for answer in answers if answer is not None]
        if not heard:
            return fault("no worker answers; gatewayd status tells more", "failed")
        for answer in heard:
            if "fault" in answer:
                return fault(str(answer["fault"]), str(answer.get("kind", "failed")))
        answer = merging.merged([answer.get("value") for answer in heard])
        if isinstance(answer, dict) and "rows" in answer:
            answer = merging.page(answer, [one["value"] for one in heard])
        return {"answer": answer, "silent": silent}


def fault(sentence: str, kind: str) -> Line:
    """Why there is no answer. ``kind``: usage, unknown (no such thing), denied, failed."""
    return {"fault": sentence, "kind": kind}
