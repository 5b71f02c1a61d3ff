"""The binds of applications: which there are, and how to be rid of one.

Shows no password and no text.
"""

from __future__ import annotations

from typing import Any

from gatewayd.asking.asked import Asked, AskFault


def listed(asked: Asked) -> dict[str, Any]:
    """One row a bind, in the order of their making."""
    wanted = asked.text("account")
    worker = asked.worker
    rows = [
        {
            "key": f"{worker.slot:02}-{connection.number:08}",
            "id": f"{worker.slot}-{connection.number}",
            "account": account.name,
            "peer": connection.pump.peername,
            "mode": connection.mode,
            "version": f"{connection.version >> 4}.{connection.version & 0xF}",
            "since": connection.bound_at,
            "window_used": connection.engine.window_used,
            "owed": connection.engine.owed,
            "worker": worker.slot,
        }
        for account in worker.server.accounts.values()
        for connection in account.binds
        if not wanted or account.name == wanted
    ]
    rows.sort(key=lambda row: str(row["key"]))
    rows = [row for row in rows if asked.after is None or str(row["key"]) > str(asked.after)]
    more = len(rows) > asked.limit
    rows = rows[: asked.limit]
    return {"rows": rows, "limit": asked.limit, "upto": rows[-1]["key"] if more else None}


def kick(asked: Asked) -> dict[str, int]:
    """Unbind one bind by its id, or all of an account. An application may bind again at once."""
    account, bind = asked.text("account"), asked.text("bind")
    if not account and not bind:
        raise AskFault("name a bind or an account")
    worker = asked.worker
    chosen = [
        connection
        for one in worker.server.accounts.values()
        for connection in one.binds
        if one.name == account or f"{worker.slot}-{connection.number}" == bind
    ]
    for connection in chosen:
        worker.server.end_bind(connection)
    return {"changed": len(chosen)}
