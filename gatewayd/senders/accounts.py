"""One application's account as the server sees it: its password, networks, rights, rate and standing binds.

Decides whether a stranger may bind and whether a bound one may send now; keeps no connection's octets.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gatewayd.config import schema
from gatewayd.config.passwords import hash_password, verify_password
from gatewayd.policy.numbering import matches
from gatewayd.runtime.networks import Networks
from gatewayd.runtime.seats import Seats
from gatewayd.runtime.shared_budgets import SharedBudgets
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.senders.address_rules import rules_of
from gatewayd.senders.allowance import Allowance
from protocol.smpp.constants import Status

if TYPE_CHECKING:
    from gatewayd.senders.esme_connection import EsmeConnection

_KNOWN_MAX = 10_000
_SENDERS_MAX = 10_000


class Account:
    """One account, alive."""

    def __init__(
        self,
        name: str,
        settings: schema.Account,
        password_hash: str,
        limits: SharedLimits,
        seats: Seats | None = None,
        budgets: SharedBudgets | None = None,
    ) -> None:
        """``seats`` counts the account's binds over all workers; without it, those of this one count."""
        self.name = name
        self.binds: dict[EsmeConnection, int] = {}
        self._limits, self._budgets = limits, budgets
        self._seats = seats
        self.change(settings, password_hash)

    def change(self, settings: schema.Account, password_hash: str) -> None:
        """Other settings from now on; binds that stand stay."""
        self.settings = settings
        self.password_hash = password_hash
        self._networks = Networks(settings.networks)
        self.tls_names = frozenset(settings.tls_names)
        self.allowance = Allowance(self.name, settings, self._limits, self._budgets)
        self.address_rules = rules_of(settings)
        self._any_sender = "*" in settings.senders
        self._sender_known: dict[str, bool] = {}
        if self._seats is not None:
            self._seats.resize(settings.binds_max)
        for bind in self.binds:
            bind.learn()

    def admits(self, address: str) -> bool:
        """Whether this account may bind from an IP address; without configured networks, from anywhere."""
        return not self._networks or self._networks.holds(address)

    def seat(self, connection: EsmeConnection) -> bool:
        """One bind more; False when the account has as many as it may."""
        if len(self.binds) >= self.settings.binds_max:
            return False
        number = self._seats.take() if self._seats is not None else 0
        if number is None:
            return False
        self.binds[connection] = number
        return True

    def unseat(self, connection: EsmeConnection) -> None:
        """One bind less."""
        number = self.binds.pop(connection, None)
        if number is not None and self._seats is not None:
            self._seats.give_back(number)

    def take(self, wanted: int) -> int:
        """How many of ``wanted`` messages its limits let through now."""
        return self.allowance.take(wanted)

    def give_back(self, unused: int) -> None:
        """So many were refused for what they are."""
        self.allowance.give_back(unused)

    def room(self) -> tuple[int, float]:
        """How many messages its limits would let through now, and in how many seconds another one; -1 without any."""
        return self.allowance.room()

    def may_send_as(self, sender: str) -> bool:
        """Whether a source address is one of this account's."""
        if self._any_sender:
            return True
        known = self._sender_known.get(sender)
        if known is None:
            known = any(matches(pattern, sender) for pattern in self.settings.senders)
            if len(self._sender_known) < _SENDERS_MAX:
                self._sender_known[sender] = known
        return known


class Gatekeeper:
    """Checks binds. A password is hashed in a thread, and only once as long as it stays right."""

    def __init__(self, accounts: Mapping[str, Account]) -> None:
        self._accounts = accounts
        self._known: dict[bytes, str] = {}
        self._key = secrets.token_bytes(32)
        # An unknown name costs as much time as a wrong password.
        self._decoy = hash_password(secrets.token_hex(8), secrets.SystemRandom())

    async def check(
        self, system_id: str, password: str, address: str, *, is_called: bool = False
    ) -> tuple[Account | None, Status]:
        """The account, or the status that refuses the bind (SMPP 3.4 section 5.1.3).

        From where it may not bind, no password is looked at: else one could be guessed from anywhere. ``is_called``: we
        have connected to it, so its address is no question.
        """
        asked = self._accounts.get(system_id)
        if asked is not None and not (is_called or asked.admits(address)):
            return None, Status.ESME_RBINDFAIL
        account = await self.recognised(system_id, password)
        if account is None:
            is_there = asked is not None and self._accounts.get(system_id) is asked
            return None, Status.ESME_RINVPASWD if is_there else Status.ESME_RINVSYSID
        if len(account.binds) >= account.settings.binds_max:
            return None, Status.ESME_RALYBND
        return account, Status.ESME_ROK

    def remembered(self, name: str, password: str) -> Account | None:
        """The account, if the password is known to be its own already."""
        account = self._accounts.get(name)
        if account is None or self._known.get(self._mark(name, password, account.password_hash)) != name:
            return None
        return account

    async def recognised(self, name: str, password: str) -> Account | None:
        """The account, if the password is its own, and was not taken out of the configuration meanwhile."""
        account = self._accounts.get(name)
        stored = account.password_hash if account is not None else self._decoy
        is_right = await self._is_right(name, password, stored)
        return account if is_right and self._accounts.get(name) is account else None

    def _mark(self, name: str, password: str, stored: str) -> bytes:
        text = f"{name}\0{password}\0{stored}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, text, hashlib.sha256).digest()

    async def _is_right(self, system_id: str, password: str, stored: str) -> bool:
        """A bind storm after a restart must not cost fifty milliseconds of hashing a bind."""
        mark = self._mark(system_id, password, stored)
        if self._known.get(mark) == system_id:
            return True
        is_right = await asyncio.get_running_loop().run_in_executor(None, verify_password, password, stored)
        if is_right and len(self._known) < _KNOWN_MAX:
            self._known[mark] = system_id
        return is_right
