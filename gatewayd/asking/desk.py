"""Answers what the supervisor asks for people, beside the traffic: never long at a time, and never many at once.

Knows the questions by name alone.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from gatewayd.asking import backups, binds, dead, links, lockouts, owed, state, talks, waiting
from gatewayd.asking.asked import Asked, AskFault, Memory
from gatewayd.runtime.control import Channel, Line
from gatewayd.runtime.tasks import spawn

if TYPE_CHECKING:
    from gatewayd.worker import Worker

log = logging.getLogger(__name__)

UNDER_WAY_MAX: Final = 64

Question = Callable[[Asked], Any | Awaitable[Any]]

QUESTIONS: Final[Mapping[str, Question]] = {
    "status": state.status,
    "binds": binds.listed,
    "kick": binds.kick,
    "locked": lockouts.listed,
    "unlock": lockouts.unlock,
    "pause": links.pause,
    "resume": links.resume,
    "reconnect": links.reconnect,
    "queue": waiting.listed,
    "hold": waiting.hold,
    "release": waiting.release,
    "cancel": waiting.cancel,
    "requeue": waiting.requeue,
    "outbox": owed.listed,
    "replay": owed.replay,
    "drop": owed.drop,
    "dead": dead.listed,
    "revive": dead.replay,
    "sessions": talks.listed,
    "backup": backups.begin,
    "backup_state": backups.state,
}


class AskingDesk:
    """All questions to one worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._memory = Memory()
        self._under_way = 0

    def ask(self, line: Line, channel: Channel) -> None:
        """Answer ``{"ask": n, "what": name, "args": {…}}`` over the channel, in a while."""
        spawn(self._answer(line, channel), name=f"answering {line.get('what')}")

    async def _answer(self, line: Line, channel: Channel) -> None:
        self._under_way += 1
        try:
            answer = await self.answer(str(line.get("what")), line.get("args") or {})
        except Exception as error:
            answer = {"fault": f"a fault of the gateway ({type(error).__name__}), see the log", "kind": "failed"}
            raise
        finally:
            self._under_way -= 1
            channel.send({"answered": line["ask"], **answer})

    async def answer(self, what: str, args: Mapping[str, Any]) -> Line:
        """``{"value": …}``, or ``{"fault": sentence, "kind": …}``."""
        question = QUESTIONS.get(what)
        if question is None:
            return {"fault": f"there is no question {what}", "kind": "usage"}
        if self._under_way > UNDER_WAY_MAX:
            return {"fault": "too much is asked at once", "kind": "failed"}
        try:
            asked = Asked(self._worker, args, self._memory)
            if asked.is_over:
                return {"value": {}}
            answer = question(asked)
            return {"value": await answer if inspect.isawaitable(answer) else answer}
        except AskFault as fault:
            return {"fault": str(fault), "kind": fault.kind}
