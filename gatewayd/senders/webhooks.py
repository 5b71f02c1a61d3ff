"""Posts events to one endpoint over HTTP, signed, and says what it made of each. Follows no redirect, reads no answer.

Knows nothing of retries, order or other endpoints: gatewayd.senders.courier does.
"""

from __future__ import annotations

import asyncio
import base64
import email.utils
import math
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import aiohttp

from gatewayd.config import schema
from gatewayd.config.addresses import is_public
from gatewayd.senders.gates import Verdict
from gatewayd.senders.webhook_payload import body, event_id, signature
from gatewayd.store.records import Delivery

CONNECT_TIMEOUT_MAX_S: Final = 10.0
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
        self._allow_private = settings.allow_private
        self._refused = 0
        self._flying = 0
        self._landed = asyncio.Event()
        self._timeout_s = settings.timeout_s
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                ssl=ssl.create_default_context(cafile=settings.tls_ca) if settings.tls_ca else True,
                socket_factory=self._socket,
            ),
            timeout=aiohttp.ClientTimeout(
                total=settings.timeout_s, sock_connect=min(settings.timeout_s, CONNECT_TIMEOUT_MAX_S)
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "User-Agent": "gatewayd", "Content-Type": "application/json"},
            auto_decompress=False,
        )

    async def post(self, batch: Sequence[Delivery]) -> list[Verdict]:
        """Each as a request of its own."""
        return [await self._post(delivery) for delivery in batch]

    async def close(self) -> None:
        """Let what is on its way come to its end, and hang up."""
        try:
            async with asyncio.timeout(self._timeout_s):
                while self._flying:
                    self._landed.clear()
                    await self._landed.wait()
        except TimeoutError:
            pass
        finally:
            await self._session.close()

    async def _post(self, delivery: Delivery) -> Verdict:
        content, webhook_id, timestamp = body(delivery), event_id(delivery), int(self._clock())
        headers = {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._secrets, webhook_id, timestamp, content),
        }
        refused = self._refused
        self._flying += 1
        try:
            async with self._session.post(self._url, data=content, headers=headers, allow_redirects=False) as answer:
                verdict = verdict_of(answer.status, answer.headers.get("Retry-After", ""), self._clock())
                await _pass_over(answer)
                return verdict
        except TimeoutError:
            return Verdict("later", "timeout")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if self._refused > refused:
                return Verdict("later", "private_address")
            is_tls = isinstance(error, aiohttp.ClientSSLError)
            return Verdict("later", "tls" if is_tls else "unreachable" if _never_left(error) else "reset")
        finally:
            self._flying -= 1
            self._landed.set()

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        """For the address that is connected to, whatever name it was found by: no later answer of a name server can
        lead elsewhere."""
        family, kind, number, _, address = info
        if not self._allow_private and not is_public(address[0]):
            self._refused += 1
            raise OSError("not on the public internet")
        return socket.socket(family, kind, number)


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


async def _pass_over(answer: aiohttp.ClientResponse) -> None:
    """Read a short answer to its end, so that the connection can serve again; what is longer ends it."""
    size = 0
    try:
        async for chunk in answer.content.iter_any():
            size += len(chunk)
            if size > ANSWER_SIZE_MAX:
                answer.close()
                return
    except (aiohttp.ClientError, OSError, TimeoutError):
        answer.close()  # what it thinks of the event was said already


def _never_left(error: Exception) -> bool:
    return isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL)
