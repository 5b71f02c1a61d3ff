"""Each open question gets its own answer, or none: from the worker that was asked, and from nobody else."""

from __future__ import annotations

import asyncio

from gatewayd.flow import parcels
from gatewayd.flow.replies import Replies
from gatewayd.runtime.tasks import spawn

LONG_S = 1_000.0


def nobody(peer: int, parcel: parcels.Parcel) -> None:
    """It is lost."""


async def test_the_worker_that_was_asked_answers_and_no_other() -> None:
    replies = Replies()
    sent: list[tuple[int, parcels.Parcel]] = []
    question = parcels.Snapshot(7)
    asking = spawn(replies.ask(lambda *said: sent.append(said), 1, question, LONG_S), name="asking")
    await asyncio.sleep(0)
    assert sent == [(1, question)]
    replies.hear(2, 7, b"another's")
    replies.hear(1, 8, b"to nothing")
    replies.peer_down(2)
    replies.hear(1, 7, b"this")
    replies.hear(1, 7, b"twice")
    replies.peer_down(1)
    assert await asking == b"this"
    replies.hear(1, 7, b"late")


async def test_one_that_is_gone_or_says_nothing_in_time_answers_nothing() -> None:
    replies = Replies()
    asking = spawn(replies.ask(nobody, 1, parcels.Ask(1, "what", b"{}"), LONG_S), name="asking")
    await asyncio.sleep(0)
    replies.peer_down(1)
    assert await asking is None
    assert await replies.ask(nobody, 1, parcels.Ask(2, "what", b"{}"), 0.0) is None


async def test_an_answer_may_come_before_anybody_waits() -> None:
    replies = Replies()
    assert await replies.ask(
        lambda peer, parcel: replies.hear(peer, 3, b"at once"), 1, parcels.Snapshot(3), LONG_S
    ) == (b"at once")
