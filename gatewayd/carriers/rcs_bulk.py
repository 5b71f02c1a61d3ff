"""Asks one RCS platform about many handsets at once, under the token of a link that is there for messages.

Decides nothing: when to ask, about whom, and what to do with the answer is flow's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import assert_never

from gatewayd.carriers.link import Batch
from gatewayd.carriers.rcs_http import Answer, NoAnswerError, NotSentError
from gatewayd.carriers.rcs_token import NoTokenError
from protocol.rcs import bulk
from protocol.rcs.exchange import Request

Exchange = Callable[[Request], Awaitable[Answer]]
"""One request under the link's token; raises NoTokenError, NotSentError or NoAnswerError."""


class BulkCaller:
    """The ``BatchAsker`` of a link."""

    def __init__(self, exchange: Exchange, api: str, bot_id: str, size_max: int) -> None:
        """``api`` is a word of ``protocol.rcs.bulk.APIS``."""
        self._exchange = exchange
        self._api = bulk.APIS[api]
        self._bot_id = bot_id
        self.size_min = self._api.size_min
        self.size_max = min(size_max, self._api.size_max)

    async def ask_many(self, handsets: Sequence[str]) -> Batch:
        """Put the question."""
        return await self._call(bulk.ask_request(self._api, self._bot_id, handsets), bulk.read_ask_response)

    async def fetch_many(self, request_id: str) -> Batch:
        """Ask for the result of an order."""
        return await self._call(bulk.fetch_request(self._api, self._bot_id, request_id), bulk.read_fetch_response)

    async def _call(
        self, request: Request, read: Callable[[bulk.BulkApi, int, bytes, str | None], bulk.BulkAnswer]
    ) -> Batch:
        try:
            answer = await self._exchange(request)
        except (NoTokenError, NotSentError, NoAnswerError) as error:
            return Batch("later", error=str(error))  # a question may be put twice
        return _batch_of(read(self._api, answer.status, answer.body, answer.retry_after))


def _batch_of(answer: bulk.BulkAnswer) -> Batch:
    match answer:
        case bulk.Found(contacts):
            return Batch("answered", reachable=contacts)
        case bulk.Ordered(request_id):
            return Batch("ordered", request_id=request_id)
        case bulk.Running(retry_s):
            return Batch("running", retry_s=retry_s)
        case bulk.Closed(error):
            return Batch("closed", error=error)
        case bulk.Lost(error):
            return Batch("lost", error=error)
        case bulk.Later(error, retry_s, throttled):
            return Batch("later", error=error, retry_s=retry_s, pauses=throttled)
        case bulk.NotAnswered(error, too_few):
            return Batch("too_few" if too_few else "refused", error=error)
        case _:
            assert_never(answer)
