"""Answers that other workers owe this one, each under the token of its question.

Knows neither what is asked nor what is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gatewayd.flow import parcels


class Replies:
    """The questions that are open."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[int, asyncio.Future[bytes | None]]] = {}

    async def ask(
        self,
        send: Callable[[int, parcels.Parcel], None],
        peer: int,
        question: parcels.Ask | parcels.Snapshot,
        wait_s: float,
    ) -> bytes | None:
        """What a worker answers; None when it is gone, or says nothing in time."""
        answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._open[question.token] = peer, answer
        send(peer, question)
        try:
            async with asyncio.timeout(wait_s):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._open[question.token]

    def hear(self, peer: int, token: int, content: bytes | None) -> None:
        """Another worker answers. What nobody asked it, or asks it any more, is passed over."""
        asked = self._open.get(token)
        if asked is not None and asked[0] == peer and not asked[1].done():
            asked[1].set_result(content)

    def peer_down(self, peer: int) -> None:
        """It answers nothing more."""
        for asked, answer in self._open.values():
            if asked == peer and not answer.done():
                answer.set_result(None)
