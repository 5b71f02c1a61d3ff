"""Questions about a handset that no message waits for: somebody wants to know now whether it takes RCS.

They go to the platforms as those of messages do: within the same quotas, once for all who ask, in bulk where that is
how a platform is asked. Knows nothing of who wants to know, nor of other workers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from gatewayd.flow.desk import Desk
from gatewayd.flow.limits import Limits
from gatewayd.flow.reach import Reach

WAIT_S: Final = 5.0
"""So long somebody waits for an answer, and for the turn of a question."""

UNDER_WAY_MAX: Final = 1_000
LANE: Final = 0
_LOOK_AGAIN_S: Final = 0.05


class Inquiries:
    """Those of this home. ``paused`` are the links over which people let nothing go."""

    def __init__(self, desk: Desk, reach: Reach, limits: Mapping[str, Limits], paused: Collection[str]) -> None:
        self._desk = desk
        self._reach = reach
        self._limits = limits
        self._paused = paused
        self._under_way = 0
        self._loop = asyncio.get_running_loop()

    async def ask(self, links: Iterable[str], handset: str, wait_s: float = WAIT_S) -> dict[str, str]:
        """Ask about a canonical number on these links, where it is not known and can be asked; returns within
        ``wait_s``. What stands in the way of an answer, by link: a word of NOT_YET, or what the platform said
        that is none."""
        names = [link for link in links if self._is_open(link, handset)]
        give_up_at = self._loop.time() + wait_s
        words = await asyncio.gather(*(self._ask(link, handset, give_up_at) for link in names))
        return {link: word for link, word in zip(names, words, strict=True) if word}

    def _is_open(self, link: str, handset: str) -> bool:
        """Whether an answer would be news."""
        settings = self._desk.settings.get(link)
        if settings is None or link not in self._desk.links or settings.capability == "assume":
            return False
        return not self._reach.refusal(link, handset) and self._reach.known(link, handset) is None

    async def _ask(self, link: str, handset: str, give_up_at: float) -> str:
        if self._desk.settings[link].capability == "bulk":
            self._reach.want(link, [handset])
            return "asked_in_bulk"
        if self._under_way >= UNDER_WAY_MAX:
            return "too_many_questions"
        self._under_way += 1
        try:
            return await self._ask_one(link, handset, give_up_at)
        finally:
            self._under_way -= 1

    async def _ask_one(self, link: str, handset: str, give_up_at: float) -> str:
        while not self._reach.is_asking(link, handset):
            word, wait_s = self._turn(link)
            if not word:
                break
            if word == "paused" or self._loop.time() + wait_s > give_up_at:
                return word
            await asyncio.sleep(wait_s)
            if not self._is_open(link, handset):  # a message has asked meanwhile, or the link is gone
                return ""
        answer = self._reach.wonder(self._desk.links[link], handset)
        try:
            async with asyncio.timeout_at(give_up_at):
                said = await answer
        except TimeoutError:
            return "asked"
        return "" if said.capable is not None else said.reason or "no_answer"

    def _turn(self, name: str) -> tuple[str, float]:
        """What stands against a question, and for how long; nothing when it may leave now, and is counted."""
        link, limits = self._desk.links[name], self._limits[name]
        if name in self._paused:
            return "paused", 0.0
        if link.is_up and link.capacity() <= 0:  # one that is down answers so by itself
            return "quota", _LOOK_AGAIN_S
        granted, wait_s = limits.take(1, LANE) if limits.counts("capability") else (1, 0.0)
        if granted and (wait_s := limits.leave("capability")):
            limits.give_back(granted)
        elif granted:
            return "", 0.0
        return "quota", max(wait_s, 0.001)
