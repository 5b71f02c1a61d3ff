"""What an account is owed, and where: one delivery for each sink that its configuration names for such news.

Each copy is a record of its own, so that a sink that is away or slow holds up no other. Knows no sink's way of working.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from gatewayd.config import schema
from gatewayd.store.records import Delivery, Facts

SMPP: Final = "smpp"
SMPP_ALONE: Final = (SMPP,)
TTL_OF_NOBODY_H: Final = 72.0
_HOUR_S: Final = 3_600.0


def due_of(account: schema.Account | None, now: float) -> float:
    """Until when what an account is owed from now on is kept for it."""
    return now + (account.outbox_ttl_h if account is not None else TTL_OF_NOBODY_H) * _HOUR_S


def sinks_of(account: schema.Account | None, kind: str) -> Sequence[str]:
    """The sinks of an account for a kind of delivery. One that is no longer configured is owed over SMPP, and may come
    back. A deliver_sm cannot tell of a session, and SMPP applications ask for their receipts message by message."""
    if account is None:
        return SMPP_ALONE if kind != "session" else ()
    return [sink for sink in account.sinks if _takes(account, sink, kind)]


def _takes(account: schema.Account, sink: str, kind: str) -> bool:
    return kind != "session" if sink == SMPP else kind in account.events


def tells_sessions(accounts: Iterable[schema.Account]) -> bool:
    """Whether any of them wants to hear of sessions."""
    return any(sinks_of(account, "session") for account in accounts)


def copies(
    delivery: Delivery, account: schema.Account, facts: Facts | None, new_id: Callable[[], int]
) -> Iterator[Delivery]:
    """One delivery for each sink; SMPP's keeps the id, by which another may follow it, else the first one's.

    ``facts`` are for those that can tell them.
    """
    delivery_id = delivery.id
    for sink in sorted(sinks_of(account, delivery.kind), key=lambda sink: sink != SMPP):
        if sink == SMPP:
            yield msgspec.structs.replace(delivery, id=delivery_id)
        else:
            yield msgspec.structs.replace(delivery, id=delivery_id, sink=sink, facts=facts)
        delivery_id = new_id()
