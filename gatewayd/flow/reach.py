"""Whether a handset takes RCS: what is known, who is being asked, and who waits for the answer.

What a platform said is kept durably with an age; a message that waits for an answer is handed back to its queue.
"""

from __future__ import annotations

from gatewayd.carriers.link import Capability as Answer
from gatewayd.carriers.link import Link
from gatewayd.flow.desk import Desk
from gatewayd.policy import journey as steps
from gatewayd.policy.journey import Stage
from gatewayd.store.kinds import CAPABILITY
from gatewayd.store.records import Capability
from gatewayd.store.spool import Journey

ASK_TIMEOUT_S = 30.0
_HOUR_S = 3_600.0
_ASSUMED = Capability(capable=True, reason="assumed", at=0.0, due=0.0)


class Reach:
    """The capability cache and its open questions."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._asked: dict[tuple[str, str], list[int]] = {}

    def of(self, link: str, handset: str) -> Capability | None:
        """What is known, or None when the platform must be asked."""
        if self._desk.settings[link].capability == "assume":
            return _ASSUMED
        known: Capability | None = self._desk.spool.journal.get(CAPABILITY, f"{link}|{handset}")
        return known if known is not None and known.due > self._desk.now() else None

    def ask(self, link: Link, handset: str, journey: Journey) -> None:
        """Put the question once, however many messages wait for its answer."""
        progress = journey.progress
        progress.stage, progress.queue = Stage.CHECKING, ""
        progress.due = self._desk.now() + ASK_TIMEOUT_S
        self._desk.spool.save(journey)
        waiting = self._asked.get((link.name, handset))
        if waiting is not None:
            waiting.append(progress.id)
            return
        self._asked[link.name, handset] = [progress.id]
        link.check_capability(handset)

    def on_capability(self, link: Link, answer: Answer) -> None:
        """The answer: remember it when it is one, and let those who waited go on."""
        desk = self._desk
        if answer.capable is not None:
            self._remember(link.name, answer)
        for message_id in self._asked.pop((link.name, answer.handset), ()):
            journey = desk.journey(message_id)
            if journey is None:
                continue
            was_queued = journey.progress.queue
            step = steps.on_capability(journey.progress, answer.capable, answer.reason, journey.message.expires_at)
            desk.apply(journey, step, was_queued)

    def _remember(self, link: str, answer: Answer) -> None:
        settings = self._desk.settings[link]
        now = self._desk.now()
        keep_h = settings.capability_yes_h if answer.capable else settings.capability_no_h
        kept = Capability(capable=bool(answer.capable), reason=answer.reason, at=now, due=now + keep_h * _HOUR_S)
        self._desk.spool.journal.put(CAPABILITY, f"{link}|{answer.handset}", kept)
