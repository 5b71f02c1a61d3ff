"""Who can be reached over which RCS link: first the agent's state at the operator, then what is known of the handset.

What a platform said is kept durably with an age; a message that waits for an answer is handed back to its queue. Where
platforms are asked in bulk, nobody waits: whoever is not known is noted down, and asked about with others by night.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

from gatewayd.carriers.link import Capability as Answer
from gatewayd.carriers.link import Link
from gatewayd.config import schema
from gatewayd.flow.desk import Desk
from gatewayd.message import Message
from gatewayd.policy import journey as steps
from gatewayd.policy import qualification
from gatewayd.policy.journey import Stage
from gatewayd.policy.numbering import handset_of
from gatewayd.policy.operators import UNKNOWN, Enrolment
from gatewayd.store.kinds import CAPABILITY, WANTED
from gatewayd.store.records import Capability, Wanted
from gatewayd.store.spool import Journey

ASK_TIMEOUT_S = 30.0
PURGE_LIMIT = 2_000
REFUSED_KEEP_H = 24.0
"""A refusal while sending may be the platform's mistake about all handsets: it is not believed for months."""

RESERVE_S = 6 * 3_600.0
"""Handsets that were handed out to be asked about are handed out again after this, if no answer came."""

_HOUR_S = 3_600.0
_ASSUMED = Capability(capable=True, reason="assumed", at=0.0, due=0.0)
_UNTRIED = Capability(capable=True, reason="untried", at=0.0, due=0.0)
_UNTESTED = Capability(capable=False, reason="untested", at=0.0, due=0.0)


class Numbers(Protocol):
    """What is known of operators (gatewayd.store.numbers)."""

    def operator_of(self, handset: str) -> str:
        """Who serves a canonical number; nothing when nobody knows."""

    def refresh(self) -> None:
        """Look whether there is something new to know."""


class Reach:
    """The agents' states, the capability cache and its open questions, for the handsets of this home."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._asked: dict[tuple[str, str], list[int]] = {}
        self._wondering: dict[tuple[str, str], list[asyncio.Future[Answer]]] = {}
        self._enrolments: dict[str, tuple[schema.Link, Enrolment]] = {}
        self.numbers: Numbers | None = None

    # -- agents and operators -----------------------------------------------------------------------------------------

    def refusal(self, link: str, handset: str) -> str:
        """Why this link's agent may not be used for a handset, in one word; nothing when it may."""
        settings = self._desk.settings[link]
        if not settings.operators:
            return ""
        known = self._enrolments.get(link)
        if known is None or known[0] is not settings:
            tests = frozenset(number.removeprefix("+") for number in settings.test_numbers)
            known = settings, Enrolment(settings.operators, settings.operators_otherwise, tests)
            self._enrolments[link] = known
        return known[1].refusal(self._operator_of(handset), handset)

    def _operator_of(self, handset: str) -> str:
        return self.numbers.operator_of(handset) if self.numbers is not None else UNKNOWN

    # -- what is known ------------------------------------------------------------------------------------------------

    def of(self, link: str, handset: str) -> Capability | None:
        """What is known, or None when the platform must be asked before anything is sent."""
        settings = self._desk.settings[link]
        known = self.known(link, handset)
        if known is not None:
            return known
        if settings.capability == "assume":
            return _ASSUMED
        if settings.capability == "query":
            return None
        self._want_new(link, handset, settings)
        return _UNTRIED if settings.capability_unknown == "try" else _UNTESTED

    def known(self, link: str, handset: str) -> Capability | None:
        """What was learned of a handset and still holds. Where all are assumed capable, only a guard learns."""
        if self._desk.settings[link].capability == "assume" and not self._desk.guards.watches(link):
            return None
        known: Capability | None = self._desk.spool.journal.get(CAPABILITY, f"{link}|{handset}")
        return known if known is not None and known.due > self._desk.now() else None

    def is_known(self, known: Capability | None) -> bool:
        """Whether somebody said so; None is what the platform just said of this very message."""
        return known is not _ASSUMED and known is not _UNTRIED

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

    def is_asking(self, link: str, handset: str) -> bool:
        """Whether a question about it is under way."""
        return (link, handset) in self._asked

    def wonder(self, link: Link, handset: str) -> asyncio.Future[Answer]:
        """The answer to a question that no message waits for; put if none is under way."""
        wondering = asyncio.get_running_loop().create_future()
        self._wondering.setdefault((link.name, handset), []).append(wondering)
        if not self.is_asking(link.name, handset):
            self._asked[link.name, handset] = []
            link.check_capability(handset)
        return wondering

    def on_capability(self, link: Link, answer: Answer) -> None:
        """The answer: remember it when it is one, and let those who waited go on."""
        desk = self._desk
        word = "unknown" if answer.capable is None else "yes" if answer.capable else "no"
        desk.metrics.capability_answers.labels(link.name, "query", word).value += 1
        if answer.capable is not None:
            self._remember(link.name, answer.handset, answer.capable, answer.reason)
        for wondering in self._wondering.pop((link.name, answer.handset), ()):
            if not wondering.done():
                wondering.set_result(answer)
        for message_id in self._asked.pop((link.name, answer.handset), ()):
            journey = desk.journey(message_id)
            if journey is None:
                continue
            desk.spool.note(message_id, "capability_answered", link=link.name, answer=word, reason=answer.reason)
            was_queued = journey.progress.queue
            progress, expires_at = journey.progress, journey.message.expires_at
            if answer.throttled is None:
                step = steps.on_capability(progress, answer.capable, answer.reason, expires_at)
            else:
                step = steps.on_question_throttled(progress, expires_at)
            desk.apply(journey, step, was_queued)

    def on_unreachable(self, link: str, message: Message, error: str) -> None:
        """The platform refused a message because of its handset: the next one need not be refused as well.

        Where all are assumed capable, only a guard would rather know.
        """
        settings = self._desk.settings.get(link)
        if settings is None or (settings.capability == "assume" and not self._desk.guards.watches(link)):
            return
        self._desk.metrics.capability_answers.labels(link, "refusal", "no").value += 1
        key = self._learned(link, message, False, error, min(REFUSED_KEEP_H, settings.capability_no_h))
        if settings.capability == "bulk":
            self._desk.spool.journal.put(WANTED, key, Wanted(self._desk.now()))

    def on_reached(self, link: str, message: Message) -> None:
        """A message arrived at a handset that nobody had vouched for."""
        settings = self._desk.settings.get(link)
        if settings is not None:
            self._learned(link, message, True, "delivered", settings.capability_yes_h)

    def _learned(self, link: str, message: Message, capable: bool, reason: str, keep_h: float) -> str:
        """Keep what an attempt taught; returns the key."""
        handset = handset_of(message.destination, message.destination_ton, message.destination_npi)
        now, key = self._desk.now(), f"{link}|{handset}"
        self._desk.spool.journal.put(CAPABILITY, key, Capability(capable, reason, now, now + keep_h * _HOUR_S))
        return key

    def _remember(self, link: str, handset: str, capable: bool, reason: str) -> None:
        settings = self._desk.settings[link]
        now = self._desk.now()
        turn = qualification.next_turn(now, capable, settings.capability_yes_h, settings.capability_no_h)
        is_bulk = settings.capability == "bulk"
        due = turn + qualification.STALE_S if is_bulk else turn
        journal = self._desk.spool.journal
        journal.put(CAPABILITY, f"{link}|{handset}", Capability(capable, reason, now, due))
        if is_bulk:
            journal.put(WANTED, f"{link}|{handset}", Wanted(turn))

    # -- whom to ask about in bulk ------------------------------------------------------------------------------------

    def _want_new(self, link: str, handset: str, settings: schema.Link) -> None:
        """It was never asked about, or so long ago that the answer is worth nothing: once is noted, and no more."""
        if self._desk.spool.journal.get(WANTED, f"{link}|{handset}") is None:
            turn = qualification.first_turn(self._desk.now(), settings.capability_new_h)
            self._desk.spool.journal.put(WANTED, f"{link}|{handset}", Wanted(turn))

    def want(self, link: str, handsets: Collection[str]) -> None:
        """An administrator wants these to be asked about; those whose answers are young enough are left out."""
        settings = self._desk.settings.get(link)
        if settings is None or settings.capability != "bulk":
            return
        now, journal = self._desk.now(), self._desk.spool.journal
        for handset in handsets:
            if self.known(link, handset) is None:
                journal.put(WANTED, f"{link}|{handset}", Wanted(now))

    def due(self, link: str, count: int) -> list[str]:
        """Up to ``count`` handsets whose turn has come. They are the caller's for a while."""
        now, journal = self._desk.now(), self._desk.spool.journal
        found: list[str] = []
        for key, _ in journal.due(WANTED, now):
            of_link, _, handset = key.rpartition("|")
            if of_link == link:
                found.append(handset)
                if len(found) >= count:
                    break
        for handset in found:
            journal.put(WANTED, f"{link}|{handset}", Wanted(now + RESERVE_S))
        return found

    def learn(self, link: str, reachable: Collection[str], others: Collection[str]) -> None:
        """A platform's answer about many."""
        if self._desk.settings.get(link) is None:
            return
        for handsets, capable, word in ((reachable, True, "yes"), (others, False, "no")):
            for handset in handsets:
                self._remember(link, handset, capable, "bulk")
            self._desk.metrics.capability_answers.labels(link, "bulk", word).value += len(handsets)

    def look_ahead(self) -> None:
        """Now and then: take up files of numbers that were replaced, forget whom nobody will ask about."""
        if self.numbers is not None:
            self.numbers.refresh()
        self._purge()

    def _purge(self) -> None:
        """Their links are gone, or asked in another way."""
        journal, settings = self._desk.spool.journal, self._desk.settings
        for count, (key, _) in enumerate(journal.due(WANTED, self._desk.now())):
            link = key.rpartition("|")[0]
            if link not in settings or settings[link].capability != "bulk":
                journal.delete(WANTED, key)
            if count >= PURGE_LIMIT:
                return
