"""Keeps one access token fresh: one fetch at a time, ahead of expiry, and again when the platform refuses it.

Knows neither HTTP nor OAuth: how a token is fetched is a function it is given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from gatewayd.carriers.backoff import Backoff
from protocol.rcs.errors import RcsFault
from protocol.rcs.tokens import Token

REFRESH_AHEAD_S = 60.0


class NoTokenError(Exception):
    """There is no token and the last try to fetch one failed; named by a short word."""


class TokenKeeper:
    """The token of one link. ``run`` is its one long-lived task; everybody else asks and complains.

    ``fetch`` raises RcsFault when it fails. ``on_change`` is called after each try with whether a token is held.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Token]],
        clock: Callable[[], float],
        backoff: Backoff,
        on_change: Callable[[bool], None],
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._backoff = backoff
        self._on_change = on_change
        self._value = ""
        self._headers: tuple[tuple[str, str], ...] = ()
        self._expires_at = 0.0
        self._due_at = 0.0
        self._refusals = 0
        self._error = "no_token"
        self._settled = asyncio.Event()
        self._wake = asyncio.Event()

    @property
    def is_held(self) -> bool:
        """Whether a token is there and still lives."""
        return bool(self._value) and self._clock() < self._expires_at

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """What the platform wants beside the token that ``get`` last gave."""
        return self._headers

    @property
    def retry_s(self) -> float:
        """How long until the next try to fetch one."""
        return max(0.0, self._due_at - self._clock())

    async def get(self) -> str:
        """The token, after at most one try to fetch it; raises NoTokenError."""
        if not self.is_held:
            await self._settled.wait()
            if not self.is_held:
                raise NoTokenError(self._error)
        return self._value

    def prove(self) -> None:
        """The platform took the token."""
        if self._refusals:
            self._refusals = 0
            self._backoff.reset()

    def refuse(self, value: str) -> None:
        """The platform refused this token. The first time it is replaced at once.

        A fresh one that is refused as well would only be replaced by a third: that waits, as the token endpoint has
        a quota of its own.
        """
        if value != self._value:
            return
        self._value = ""
        self._refusals += 1
        if self._refusals == 1:
            self._due_at = self._clock()
            self._settled.clear()
        else:
            self._error = "token_refused"
            self._due_at = self._clock() + self._backoff.next_s()
            self._on_change(False)
        self._wake.set()

    def renew(self) -> None:
        """Fetch another one now; the one that is held serves until then."""
        self._due_at = self._clock()
        self._wake.set()

    async def run(self) -> None:
        """Fetch, sleep until the next fetch is due, and so on until cancelled."""
        while True:
            await self._attempt()
            self._settled.set()
            self._on_change(self.is_held)
            await self._until_due()

    async def _attempt(self) -> None:
        try:
            token = await self._fetch()
        except RcsFault as fault:
            self._error = fault.kind
            self._due_at = self._clock() + self._backoff.next_s()
            return
        now = self._clock()
        self._value = token.value
        self._headers = token.headers
        self._expires_at = now + token.lifetime_s
        # A token that lives shorter than the margin is renewed at half its life.
        self._due_at = now + max(token.lifetime_s - REFRESH_AHEAD_S, token.lifetime_s / 2)
        if self._refusals == 0:
            self._backoff.reset()

    async def _until_due(self) -> None:
        while (wait_s := self._due_at - self._clock()) > 0:
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
        # Whoever finds no living token from here on waits for the try that begins now.
        self._settled.clear()
