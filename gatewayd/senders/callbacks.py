"""Calls the addresses that messages of one account brought with them, as the product did that its application knows.

Knows nothing of retries or order: gatewayd.senders.courier does. An address that the account may not name any more is
not called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from gatewayd.config import schema
from gatewayd.config.callback_urls import climbs, is_allowed
from gatewayd.senders import jasmin_callback, kannel_callback
from gatewayd.senders.gates import Verdict
from gatewayd.senders.web_client import WebClient, read_short
from gatewayd.store.records import Delivery

CONCURRENCY: Final = 8
TIMEOUT_S: Final = 30.0
ANSWER_SIZE_MAX: Final = 16_384
# What may pass by itself. All else says something of this one address, and others of the account go on.
_LATER: Final = frozenset({408, 425, 429})


class CallbackPoster:
    """The session of one account."""

    concurrency = CONCURRENCY
    batch_max = 1

    def __init__(self, settings: schema.Account) -> None:
        self._urls = settings.dlr_urls
        self._client = WebClient(
            timeout_s=TIMEOUT_S,
            allow_private=settings.dlr_allow_private,
            headers={"Accept": "text/plain"},
            limit=CONCURRENCY,
        )

    async def post(self, batch: Sequence[Delivery]) -> list[Verdict]:
        """Each as a request of its own."""
        return [await self._call(delivery) for delivery in batch]

    async def close(self) -> None:
        """Let what is on its way come to its end, and hang up."""
        await self._client.close()

    async def _call(self, delivery: Delivery) -> Verdict:
        call = delivery.facts.call if delivery.facts is not None else None
        if call is None or not is_allowed(call.callback.url, self._urls):
            return Verdict("refused", "not_allowed")
        if call.callback.product == "kannel":
            address = kannel_callback.address(delivery, call)
            if climbs(address):
                return Verdict("refused", "not_allowed")
            return await self._client.request("GET", _url(address), _of_kannel)
        fields, address = jasmin_callback.fields(delivery, call), jasmin_callback.address(call)
        if call.callback.method == "POST":
            return await self._client.request("POST", _url(address), _of_jasmin, data=fields)
        mark = "&" if "?" in address else "?"
        return await self._client.request("GET", _url(f"{address}{mark}{urlencode(fields)}"), _of_jasmin)


def _url(text: str) -> URL:
    """As it was written: whoever wrote it knows what it means."""
    return URL(text, encoded=True)


def verdict_of(status: int) -> Verdict:
    """What an HTTP status means for one call. Four refusals make a dead letter."""
    reason = str(status)
    if 200 <= status < 300:
        return Verdict("taken", reason)
    return Verdict("later" if status >= 500 or status in _LATER else "refused", reason)


async def _of_kannel(answer: aiohttp.ClientResponse) -> Verdict:
    await read_short(answer, ANSWER_SIZE_MAX)
    return verdict_of(answer.status)


async def _of_jasmin(answer: aiohttp.ClientResponse) -> Verdict:
    said = await read_short(answer, ANSWER_SIZE_MAX)
    if answer.status >= 400:
        return verdict_of(answer.status)
    is_acknowledged = said.strip() == jasmin_callback.ACKNOWLEDGED
    return Verdict("taken", str(answer.status)) if is_acknowledged else Verdict("refused", "not_acknowledged")
