"""The conversations between senders and handsets, for people who look for one.

Shows numbers masked unless they may be shown.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gatewayd.asking.asked import SLICE, Asked
from gatewayd.policy.numbering import handset_of
from gatewayd.store.kinds import SESSION
from gatewayd.store.records import Session
from gatewayd.store.walking import walk

_decode = msgspec.json.Decoder(Session).decode


async def listed(asked: Asked) -> dict[str, Any]:
    """Open conversations of a handset, of an account, or all."""
    worker = asked.worker
    number, account = handset_of(asked.text("number"), 1, 1), asked.text("account")
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    after = asked.memory.place(str(asked.after)) if asked.after is not None else None
    now = worker.desk.now()
    for count, (key, text) in enumerate(walk(worker.journal, SESSION, after), 1):
        sender, _, handset = str(key).rpartition("|")
        if not number or handset == number:
            session = _decode(text)
            if session.due > now and account in ("", session.account):
                rows.append(_row(asked, sender, handset, session))
        if len(rows) >= asked.limit or (count % SLICE == 0 and asked.is_out_of_time):
            # A key is a number: where to go on is told by a token instead.
            cursor = {str(worker.slot): asked.memory.mark(str(key))}
            break
        if count % SLICE == 0:
            await asked.breathe()
    return {"rows": rows, "limit": asked.limit, "cursor": cursor}


def _row(asked: Asked, sender: str, handset: str, session: Session) -> dict[str, Any]:
    is_number = sender.isdigit() and len(sender) > 6
    return {
        "id": session.id,
        "account": session.account,
        "sender": asked.shown(sender) if is_number else sender,
        "handset": asked.shown(handset),
        "since": session.opened_at,
        "until": session.due,
        "replies": session.replies,
    }
