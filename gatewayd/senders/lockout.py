"""Who may try to bind: whoever was wrong too often is not listened to for a while, in all workers.

An address is locked out of one account, of all accounts, or an account is closed to addresses that it never bound from.
A bind that stands is never touched, and an owner is not locked out by what strangers do elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from gatewayd.policy.lockout import Mark, Terms, failed, wait_s
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.networks import address_of
from gatewayd.runtime.shared_marks import NOTHING, Key, Known, SharedMarks

log = logging.getLogger(__name__)

PROVEN_S: Final = 30 * 86_400.0
"""For so long an address from which an account has bound is known as one of its owner's."""
_PROVEN_AGAIN_S: Final = 3_600.0
_V6_SITE: Final = 64
"""Whoever has one IPv6 address has as many as this prefix leaves; they are one."""


class Lockout:
    """Counts what was wrong, and remembers from where accounts have bound."""

    def __init__(
        self, terms: Terms, marks: SharedMarks, proven: SharedMarks, metrics: Metrics, clock: Callable[[], float]
    ) -> None:
        """``clock`` tells Unix seconds."""
        self._terms, self._shared = terms, terms.shared()
        self._marks = marks
        self._proven = proven
        self._metrics = metrics
        self._clock = clock
        self._turns: dict[bytes, tuple[asyncio.Lock, int]] = {}

    def refuses(self, account: str, address: str) -> bool:
        """Whether this account, or a name that is none (empty), may not be tried from an address now."""
        site, now = _site(address), self._clock()
        if not site:
            return False
        if account and wait_s(Mark(*self._marks.look(Key(account, site))), now, self._terms):
            return True
        if account and self._is_proven(account, site, now):
            return False
        shared = [Key("", site), Key(account, b"")] if account else [Key("", site)]
        return any(wait_s(Mark(*self._marks.look(key)), now, self._shared) for key in shared)

    def failed(self, account: str, address: str, *, is_admitted: bool) -> None:
        """It was tried and was wrong. ``is_admitted``: from where the account may bind at all.

        From elsewhere nobody could have bound, so it is nothing against the account.
        """
        site, now = _site(address), self._clock()
        if not site:
            return
        if account:
            self._note("bind", Key(account, site), now, self._terms)
            if self._is_proven(account, site, now):
                return
            if is_admitted:
                self._note("account", Key(account, b""), now, self._shared)
        self._note("address", Key("", site), now, self._shared)

    def succeeded(self, account: str, address: str) -> None:
        """It has bound: what was wrong before was a slip, and the address is its owner's."""
        site, now = _site(address), self._clock()
        if not site:
            return
        if self._marks.look(key := Key(account, site)) != NOTHING:
            self._marks.change(key, now, lambda known: NOTHING)
        if self._proven.look(key).until < now + PROVEN_S - _PROVEN_AGAIN_S:
            self._proven.change(key, now, lambda known: Known(1, now, now + PROVEN_S))

    @contextlib.asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        """One password of an address is looked at at a time: else a thousand are tried before the first is counted."""
        site = _site(address)
        lock, waiting = self._turns.get(site, (None, 0))
        lock = lock or asyncio.Lock()
        self._turns[site] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._turns.pop(site)
            if waiting > 1:
                self._turns[site] = lock, waiting - 1

    # -- for people -----------------------------------------------------------------------------------------------

    def listed(self) -> Iterator[dict[str, Any]]:
        """Who is locked out now."""
        now = self._clock()
        for key, known in self._marks.all():
            left = wait_s(Mark(*known), now, self._terms)
            if left:
                yield {"account": key.account, "address": _text(key.address), "left_s": left}

    def unlock(self, account: str = "", address: str = "") -> int:
        """Forget what was wrong: of an account, of an address, or of both together; how many marks those were."""
        if account and address:
            was = self._marks.look(key := Key(account, _site(address)))
            if was != NOTHING:
                self._marks.change(key, self._clock(), lambda known: NOTHING)
            return int(was != NOTHING)
        return self._marks.forget(account or None, _site(address) if address else None)

    def close(self) -> None:
        """Unmap the files."""
        self._marks.close()
        self._proven.close()

    # -- counting -------------------------------------------------------------------------------------------------

    def _is_proven(self, account: str, site: bytes, now: float) -> bool:
        return self._proven.look(Key(account, site)).until > now

    def _note(self, scope: str, key: Key, now: float, terms: Terms) -> None:
        known = self._marks.change(key, now, lambda known: Known(*failed(Mark(*known), now, terms)))
        if known.until == now + terms.lockout_s:
            self._metrics.lockouts.labels(scope).value += 1
            log.warning(
                "= locked out for %g s: %s was wrong %d times; account=%s peer=%s",
                terms.lockout_s, scope, terms.failures, key.account, _text(key.address),
            )  # fmt: skip


def _site(address: str) -> bytes:
    """The octets by which an address is known; of IPv6 those of its site."""
    peer = address_of(address)
    if peer is None:
        return b""
    if isinstance(peer, ipaddress.IPv4Address):
        return ipaddress.IPv6Address(f"::ffff:{peer}").packed
    return peer.packed[: _V6_SITE // 8] + bytes(16 - _V6_SITE // 8)


def _text(site: bytes) -> str:
    """The same for people."""
    if not site:
        return ""
    address = ipaddress.IPv6Address(site)
    return str(address.ipv4_mapped) if address.ipv4_mapped is not None else f"{address}/{_V6_SITE}"
