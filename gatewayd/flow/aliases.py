"""Which alias is behind which pseudonymous address, so that an application's answer finds the user again.

The address is derived from the alias (``policy.aliases``) and kept here with it, in the home of that address: where
messages to it are sent from. Knows no platform.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gatewayd.message import Inbound
from gatewayd.policy.aliases import address_of
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import ALIAS
from gatewayd.store.records import Alias

KEEP_S = 365 * 86_400.0
"""How long after the user's last word an application can still answer."""

_RENEW_S = 86_400.0
_MEETINGS_MAX = 100


def alias_of(journal: Journal, link: str, handset: str) -> str:
    """The alias behind an address, or nothing."""
    known: Alias | None = journal.get(ALIAS, f"{link}|{handset}")
    return known.alias if known is not None else ""


class Aliases:
    """The aliases of one worker."""

    def __init__(self, journal: Journal, now: Callable[[], float]) -> None:
        self._journal = journal
        self._now = now

    def addressed(self, link: str, inbound: Inbound) -> Inbound:
        """The same, from an address that stands for nobody else."""
        return msgspec.structs.replace(inbound, source=self.address(link, inbound.destination, inbound.alias))

    def address(self, link: str, bot_id: str, alias: str) -> str:
        """The address of an alias: one that stands for nobody else."""
        for meeting in range(_MEETINGS_MAX):
            address = address_of(bot_id, alias, meeting)
            if alias_of(self._journal, link, address) in ("", alias):
                return address
        return address_of(bot_id, alias)  # a hundred strangers at addresses of equal chance: not in this world

    def keep(self, link: str, address: str, alias: str) -> None:
        """Remember it, and for how long; written anew once a day at most."""
        due = self._now() + KEEP_S
        known: Alias | None = self._journal.get(ALIAS, f"{link}|{address}")
        if known is None or known.due + _RENEW_S <= due:
            self._journal.put(ALIAS, f"{link}|{address}", Alias(alias=alias, due=due))
