"""The conversations between senders and handsets, for people who look for one.

Shows numbers masked unless they may be shown.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gatewayd.asking.asked import Asked, AskFault, Row
from gatewayd.policy.numbering import handset_of
from gatewayd.runtime.masking import shown_address
from gatewayd.store.kinds import SESSION, Key
from gatewayd.store.records import Session
from gatewayd.store.walking import walk

_decode = msgspec.json.Decoder(Session).decode


async def listed(asked: Asked) -> dict[str, Any]:
    """Open conversations of a handset, of an account, or all."""
    worker = asked.worker
    number, account = handset_of("".join(asked.text("number").split()), 1, 1), asked.text("account")
    if number and not number.isdecimal():
        raise AskFault(f"{number} is no number")
    after = asked.memory.place(str(asked.after)) if asked.after is not None else None
    now = worker.desk.now()

    def row_of(key: Key, text: bytes | str) -> Row | None:
        sender, _, handset = str(key).rpartition("|")
        if number and handset != number:
            return None
        session = _decode(text)
        is_meant = session.due > now and account in ("", session.account)
        return _row(asked, sender, handset, session) if is_meant else None

    rows, upto = await asked.rows(walk(worker.journal, SESSION, after), row_of)
    # A key is a number: where to go on is told by a token instead.
    cursor = {str(worker.slot): asked.memory.mark(str(upto))} if upto is not None else {}
    return {"rows": rows, "limit": asked.limit, "cursor": cursor}


def _row(asked: Asked, sender: str, handset: str, session: Session) -> Row:
    return {
        "id": session.id,
        "account": session.account,
        "sender": shown_address(sender, asked.shown),
        "handset": asked.shown(handset),
        "since": session.opened_at,
        "until": session.due,
        "replies": session.replies,
    }
