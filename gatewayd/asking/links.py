"""What people do to links: let nothing go over one for now, let it go again, connect it anew.

A pause is the supervisor's to remember; here it is obeyed.
"""

from __future__ import annotations

from gatewayd.asking.asked import Asked, AskFault
from gatewayd.runtime.tasks import spawn


def pause(asked: Asked) -> dict[str, int]:
    """Nothing new goes over the link; answers under way, receipts and replies still come."""
    asked.worker.dispatcher.pause(asked.text("link"), paused=True)
    return {"changed": 1}


def resume(asked: Asked) -> dict[str, int]:
    """It goes again."""
    asked.worker.dispatcher.pause(asked.text("link"), paused=False)
    return {"changed": 1}


def reconnect(asked: Asked) -> dict[str, int]:
    """Give up what connects this worker to the carrier, once answers have come, and connect anew."""
    name, worker = asked.text("link"), asked.worker
    if name not in worker.own_links:
        raise AskFault(f"there is no link {name}", "unknown")
    spawn(worker.reconnect(name), name=f"reconnecting {name}")
    return {"changed": 1}
