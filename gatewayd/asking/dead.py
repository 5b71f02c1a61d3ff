"""Dead letters: what no endpoint of an application took in its time, shown, and owed again."""

from __future__ import annotations

from typing import Any

import msgspec

from gatewayd.asking.asked import Asked, AskFault, Row
from gatewayd.senders.names import message_id_text
from gatewayd.store.kinds import DEAD_LETTER, Key
from gatewayd.store.records import Delivery, Facts
from gatewayd.store.walking import walk

_decode = msgspec.json.Decoder(Delivery).decode


async def listed(asked: Asked) -> dict[str, Any]:
    """Rows of dead letters, the oldest first."""

    def row_of(key: Key, text: bytes | str) -> Row | None:
        dead = _decode(text)
        return _row(asked, dead) if asked.text("account") in ("", dead.account) else None

    rows, upto = await asked.rows(walk(asked.worker.journal, DEAD_LETTER, asked.after), row_of)
    return {"rows": rows, "limit": asked.limit, "upto": upto}


def _row(asked: Asked, dead: Delivery) -> Row:
    facts = dead.facts or Facts()
    return {
        "key": dead.id,
        "id": message_id_text(dead.id),
        "account": dead.account,
        "sink": dead.sink,
        "kind": dead.kind,
        "message": message_id_text(dead.message_id) if dead.message_id else "",
        "handset": asked.shown(dead.source),
        "reason": facts.dead_because,
        "dead_at": facts.dead_at,
        "attempts": dead.attempts,
        "due": dead.due,
        "worker": asked.worker.slot,
    }


async def replay(asked: Asked) -> dict[str, Any]:
    """Owe an account's dead letters again, all or one; durable when this returns."""
    account, wanted = asked.text("account"), asked.text("id")
    if not account:
        raise AskFault("name an account")
    try:
        ids = [int(wanted, 16)] if wanted else None
    except ValueError:
        raise AskFault(f"{wanted} is no delivery") from None
    changed = 0
    cursor: dict[str, int] = {}
    while revived := asked.worker.posting.replay(account, ids):
        changed += revived
        if asked.is_out_of_time:
            cursor = {str(asked.worker.slot): 0}
            break
        await asked.breathe()
    await asked.worker.journal.durable()
    return {"changed": changed, "cursor": cursor}
