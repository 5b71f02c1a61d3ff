"""Carries one HTTP request to a platform and brings its bounded answer, or says whether it was sent at all.

Knows no platform's paths, bodies or meanings.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar

import aiohttp
import msgspec
from aiohttp.abc import AbstractCookieJar
from aiohttp.connector import Connection
from yarl import URL

from protocol.rcs.errors import RcsFault
from protocol.rcs.exchange import Request
from protocol.rcs.tokens import Grant, Token

CONNECT_TIMEOUT_MAX_S = 10.0
SLOW_LINE_OCTETS_PER_S = 50_000


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What came back. A body that was cut off, or is larger than the bound, is empty."""

    status: int
    body: bytes
    retry_after: str | None = None


class Streamed(msgspec.Struct, frozen=True):
    """A body of ``size`` octets that ``pieces`` gives one by one, anew at each call."""

    size: int
    pieces: Callable[[], AsyncIterator[bytes]]


class NotSentError(Exception):
    """The request never left: the same one may be sent again without a second thought."""


class NoAnswerError(Exception):
    """The request left, at least in part, and no answer came: it may have been obeyed."""


class Flight:
    """Whether one request has left; asked by whoever has to give it up half way."""

    __slots__ = ("is_sent",)

    def __init__(self) -> None:
        self.is_sent = False


_flight: ContextVar[Flight] = ContextVar("flight")


class _Departure(aiohttp.ClientRequest):
    """Tells the flight of the running task that it leaves; aiohttp's own hooks for it cost 12 µs a request."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        # Just before the octets go to the socket: a request is never held for unsent that was not.
        _flight.get().is_sent = True
        return await super().send(conn)


class HttpCaller:
    """One platform's HTTP session: opened once, used by all senders of a link, closed with it."""

    def __init__(self, root: str, timeout_s: float) -> None:
        self._root = root
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s, CONNECT_TIMEOUT_MAX_S))
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session; the loop must be running."""
        self._session = aiohttp.ClientSession(
            # No limit here: the link has a fixed number of senders, and a wait for a connection is not in its plan.
            connector=aiohttp.TCPConnector(limit=0),
            timeout=self._timeout,
            cookie_jar=_no_cookies(),
            request_class=_Departure,
            # An answer of a few octets may unfold to gigabytes; none is worth compressing.
            headers={"Accept-Encoding": "identity", "User-Agent": "gatewayd"},
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Drop every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self, request: Request, authorization: str = "", flight: Flight | None = None, body: Streamed | None = None
    ) -> Answer:
        """Send and wait for the answer; raises NotSentError or NoAnswerError, named by a short word.

        A streamed ``body`` goes in the place of the request's, and is given the time that a slow line takes for it.
        """
        flight = flight or Flight()
        _flight.set(flight)
        if self._session is None:
            raise NotSentError("closed")
        headers = dict(request.headers)
        if authorization:
            headers["Authorization"] = authorization
        if body is not None:
            headers["Content-Length"] = str(body.size)
        try:
            async with self._session.request(
                request.method,
                URL(request.target(self._root), encoded=True),
                headers=headers,
                data=request.body or None if body is None else body.pieces(),
                allow_redirects=False,
                timeout=self._timeout if body is None else self._timeout_of(body),
            ) as response:
                octets = await _bounded_body(response, request.answer_size_max)
                return Answer(response.status, octets, response.headers.get("Retry-After"))
        except TimeoutError as error:
            raise _fault(flight, "timeout" if flight.is_sent else "connect_timeout") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _fault(flight, "reset" if flight.is_sent else "connect_failed") from error

    def _timeout_of(self, body: Streamed) -> aiohttp.ClientTimeout:
        total_s = (self._timeout.total or 0.0) + body.size / SLOW_LINE_OCTETS_PER_S
        return aiohttp.ClientTimeout(total=total_s, sock_connect=self._timeout.sock_connect)

    async def granted(self, grant: Grant) -> Token:
        """Go through the steps of a platform's grant; raises RcsFault."""
        try:
            request = next(grant)
            while True:
                answer = await self.call(request)
                try:
                    request = grant.send((answer.status, answer.body))
                except StopIteration as end:
                    token: Token = end.value
                    return token
        except (NotSentError, NoAnswerError) as error:
            raise RcsFault(f"token_{error}") from error


async def _bounded_body(response: aiohttp.ClientResponse, size_max: int) -> bytes:
    # Once the status is known, a body that goes missing is no reason to forget the status.
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > size_max:
                response.close()
                return b""
            chunks.append(chunk)
    except (aiohttp.ClientError, OSError, TimeoutError):
        return b""
    return b"".join(chunks)


def _fault(flight: Flight, word: str) -> Exception:
    return NoAnswerError(word) if flight.is_sent else NotSentError(word)


def _no_cookies() -> AbstractCookieJar:
    return aiohttp.DummyCookieJar(loop=asyncio.get_running_loop())
