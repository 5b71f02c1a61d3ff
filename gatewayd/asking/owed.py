"""What applications are owed and have not taken: shown, offered again at once, or dropped for good.

What a drop does to an outbox, the outbox says. What is owed to other sinks than SMPP can be shown and offered, and is
dropped by time alone.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gatewayd.asking.asked import SLICE, Asked, AskFault, Row
from gatewayd.senders.names import message_id_text
from gatewayd.store.kinds import DELIVERY, Key
from gatewayd.store.records import Delivery
from gatewayd.store.walking import walk

_decode = msgspec.json.Decoder(Delivery).decode


async def listed(asked: Asked) -> dict[str, Any]:
    """Rows of deliveries, the oldest first."""

    def row_of(key: Key, text: bytes | str) -> Row | None:
        delivery = _decode(text)
        return _row(asked, delivery) if _is_meant(asked, delivery) else None

    rows, upto = await asked.rows(walk(asked.worker.journal, DELIVERY, asked.after), row_of)
    return {"rows": rows, "limit": asked.limit, "upto": upto}


def _row(asked: Asked, delivery: Delivery) -> Row:
    box = asked.worker.outbox.box(delivery.account)
    waits = box is not None and delivery.id in box.postponed
    return {
        "key": delivery.id,
        "id": message_id_text(delivery.id),
        "account": delivery.account,
        "sink": delivery.sink or "smpp",
        "kind": delivery.kind,
        "message": message_id_text(delivery.message_id) if delivery.message_id else "",
        "handset": asked.shown(delivery.source),
        "state": str(delivery.state) if delivery.kind == "receipt" else "",
        "age_s": round(asked.worker.desk.now() - delivery.created_at, 1),
        "attempts": delivery.attempts,
        "is_postponed": waits,
        "due": delivery.due,
        "worker": asked.worker.slot,
    }


def _is_meant(asked: Asked, delivery: Delivery) -> bool:
    age_s = asked.worker.desk.now() - delivery.created_at
    return (
        asked.text("account") in ("", delivery.account)
        and asked.text("kind") in ("", delivery.kind)
        and asked.text("id") in ("", message_id_text(delivery.id))
        and age_s >= asked.number("older_s")
    )


def replay(asked: Asked) -> dict[str, int]:
    """Offer at once what an application refused for now."""
    account = _account(asked)
    return {"offered": asked.worker.outbox.replay(account) + asked.worker.posting.offer_now(account)}


async def drop(asked: Asked) -> dict[str, Any]:
    """Forget deliveries of one account; durable when this returns."""
    account = _account(asked)
    chosen: set[int] = set()
    upto = None
    for count, (key, text) in enumerate(walk(asked.worker.journal, DELIVERY, asked.after), 1):
        delivery = _decode(text)
        if delivery.account == account and not delivery.sink and _is_meant(asked, delivery):
            chosen.add(delivery.id)
        if count % SLICE == 0:
            if asked.is_out_of_time:
                upto = key
                break
            await asked.breathe()
    count = asked.worker.outbox.drop(account, chosen)
    await asked.worker.journal.durable()
    return {"changed": count, "cursor": {str(asked.worker.slot): upto} if upto is not None else {}}


def _account(asked: Asked) -> str:
    """The account that is meant: one of the configuration, or one that is gone and still owed something."""
    account = asked.text("account")
    if not account:
        raise AskFault("name an account")
    if account not in asked.worker.config.accounts and asked.worker.outbox.box(account) is None:
        raise AskFault(f"there is no account {account}", "unknown")
    return account
