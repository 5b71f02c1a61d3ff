"""Posts events to one endpoint over HTTP, signed, and says what it made of each. Follows no redirect, reads no answer.

Knows nothing of retries, order or other endpoints: gatewayd.senders.courier does.
"""

from __future__ import annotations

import base64
import email.utils
import math
import time
from collections.abc import Callable, Sequence
from typing import Final

import aiohttp

from gatewayd.config import schema
from gatewayd.senders.gates import Verdict
from gatewayd.senders.web_client import WebClient, read_short
from gatewayd.senders.webhook_payload import body, event_id, signature
from gatewayd.store.records import Delivery

ANSWER_SIZE_MAX: Final = 16_384
PAUSE_MIN_S: Final = 1.0

# Of the 4xx these say "later" (RFC 9110, 8470, 6585); 410 is the endpoint's own end; all else speaks of the event.
_LATER: Final = frozenset({408, 409, 425, 429})
_GONE: Final = 410


class WebhookPoster:
    """One endpoint's HTTP session."""

    batch_max = 1

    def __init__(
        self, settings: schema.Endpoint, secrets: Sequence[str], clock: Callable[[], float] = time.time
    ) -> None:
        """``secrets`` as Standard Webhooks writes them. Raises OSError when ``tls_ca`` cannot be read."""
        self.concurrency = settings.concurrency
        self._url = settings.url
        self._secrets = [base64.b64decode(secret.removeprefix("whsec_")) for secret in secrets]
        self._clock = clock
        self._client = WebClient(
            timeout_s=settings.timeout_s,
            allow_private=settings.allow_private,
            headers={"Content-Type": "application/json"},
            tls_ca=settings.tls_ca,
        )

    async def post(self, batch: Sequence[Delivery]) -> list[Verdict]:
        """Each as a request of its own."""
        return [await self._post(delivery) for delivery in batch]

    async def close(self) -> None:
        """Let what is on its way come to its end, and hang up."""
        await self._client.close()

    async def _post(self, delivery: Delivery) -> Verdict:
        content, webhook_id, timestamp = body(delivery), event_id(delivery), int(self._clock())
        headers = {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._secrets, webhook_id, timestamp, content),
        }
        return await self._client.request("POST", self._url, self._judge, data=content, headers=headers)

    async def _judge(self, answer: aiohttp.ClientResponse) -> Verdict:
        await read_short(answer, ANSWER_SIZE_MAX)
        return verdict_of(answer.status, answer.headers.get("Retry-After", ""), self._clock())


def verdict_of(status: int, retry_after: str, now: float) -> Verdict:
    """What an HTTP status means for an event."""
    reason = str(status)
    if 200 <= status < 300:
        return Verdict("taken", reason)
    if status == _GONE:
        return Verdict("gone", reason)
    if status in (429, 503):
        return Verdict("later", reason, pause_of(retry_after, now))
    if 400 <= status < 500 and status not in _LATER:
        return Verdict("refused", reason)
    return Verdict("later", reason)


def pause_of(retry_after: str, now: float) -> float:
    """Seconds by a Retry-After (RFC 9110 section 10.2.3), 0 when there is none that could be meant."""
    text = retry_after.strip()
    try:
        seconds = float(text) if text.isdigit() else email.utils.parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError):
        return 0.0
    return max(seconds, PAUSE_MIN_S) if math.isfinite(seconds) else 0.0
