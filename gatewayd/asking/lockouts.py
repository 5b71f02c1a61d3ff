"""Who is locked out for binding wrongly, and how to let them try again. All workers share what they know of it."""

from __future__ import annotations

from typing import Any

from gatewayd.asking.asked import Asked


def listed(asked: Asked) -> dict[str, Any]:
    """By account and address, either of which may be missing: every worker gives the same."""
    lockout = asked.worker.doors.lockout
    rows = lockout.listed() if lockout is not None else ()
    return {"locked": {f"{row['account']} {row['address']}": row for row in rows}}


def unlock(asked: Asked) -> dict[str, int]:
    """Forget what was wrong, of an account, of an address, of both together or of all."""
    lockout = asked.worker.doors.lockout
    return {"changed": lockout.unlock(asked.text("account"), asked.text("address")) if lockout is not None else 0}
