"""Who calls the interfaces that know names and passwords: the accounts' own, those of their binds.

A password is hashed in a thread, few at a time, and once as long as it stays right (``accounts.Gatekeeper``). It may be
short, so who guesses is stopped early, before it is looked at.
"""

from __future__ import annotations

import asyncio
from typing import Final

from gatewayd.senders.accounts import Account, Gatekeeper
from gatewayd.senders.failures import Failures

AT_ONCE: Final = 2
WAITING_MAX: Final = 64


class NotNow(Exception):
    """Too many passwords are looked at, or this caller was wrong too often. ``is_guessing`` says which."""

    def __init__(self, *, is_guessing: bool) -> None:
        super().__init__()
        self.is_guessing = is_guessing


class Passwords:
    """Knows accounts by their passwords."""

    def __init__(self, gatekeeper: Gatekeeper, failures: Failures) -> None:
        self._gatekeeper = gatekeeper
        self._failures = failures
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def admit(self, name: str, password: str, peer: str) -> Account | None:
        """The account, if the password is its own and it may call from this address. Raises NotNow.

        Who was wrong is stopped by address and name: others behind the same address go on.
        """
        who = f"{peer} {name[:64]}"
        if self._failures.wait_s(who):
            raise NotNow(is_guessing=True)
        # Who is known need not wait behind those who guess.
        account = self._gatekeeper.remembered(name, password) or await self._looked_at(name, password, who)
        if account is None or not account.admits(peer):
            self._failures.note(who)
            return None
        return account

    async def _looked_at(self, name: str, password: str, who: str) -> Account | None:
        if self._waiting >= WAITING_MAX:
            raise NotNow(is_guessing=False)
        self._waiting += 1
        try:
            async with self._turns:
                if self._failures.wait_s(who):  # others asked for the same meanwhile
                    raise NotNow(is_guessing=True)
                return await self._gatekeeper.recognised(name, password)
        finally:
            self._waiting -= 1
