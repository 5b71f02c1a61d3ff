"""Users who show a number that they had hidden, or the reverse: their conversation goes on under both addresses.

The platform tells that the two are one user's. An open conversation under the one is then one under the other as well,
so that a reply finds the application that wrote, from wherever it comes. Each address has a home of its own, which
keeps what it knows. Knows no platform; whose a reply is, is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gatewayd.carriers.link import Link
from gatewayd.flow.aliases import Aliases
from gatewayd.flow.desk import Desk
from gatewayd.message import Linked
from gatewayd.store.records import Session

Tell = Callable[[str, Linked, Session], None]
"""Brings a conversation to the home of the user's other address, which may be this worker."""


class Linking:
    """The two sides of that, in one worker."""

    def __init__(self, desk: Desk, aliases: Aliases) -> None:
        self._desk = desk
        self._aliases = aliases
        self.tell: Tell = self.take

    def on_linked(self, link: Link, linked: Linked) -> None:
        """The platform said so: what is known here of the one address is told to the other."""
        here = self._alias_address(link.name, linked) if linked.to_number else linked.number
        session = self._desk.spool.session(linked.bot_id, here)
        if session is not None:
            self.tell(link.name, linked, session)

    def take(self, link: str, linked: Linked, session: Session) -> None:
        """The other address had this conversation. One of this address's own goes before."""
        here = linked.number if linked.to_number else self._alias_address(link, linked)
        if self._desk.spool.session(linked.bot_id, here) is None:
            self._desk.spool.save_session(linked.bot_id, here, msgspec.structs.replace(session))

    def _alias_address(self, link: str, linked: Linked) -> str:
        return self._aliases.address(link, linked.bot_id, linked.alias)
