"""What a message's sender is told from on the way, where it asked for that: a carrier has it, it goes another way, the
carrier says something new (SMPP 3.4 section 5.2.17, intermediate notification).

Only over SMPP: other sinks have no word for it. What is told later never overtakes what was told before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gatewayd.flow.owing import SMPP, sinks_of
from gatewayd.message import NO_NETWORK_ERROR, State
from gatewayd.policy.receipt_wishes import INTERMEDIATE, NOTICES_MAX, wants_notices
from gatewayd.store.spool import Journey

if TYPE_CHECKING:
    from gatewayd.flow.desk import Desk


def on_sent(desk: Desk, journey: Journey) -> None:
    """A platform has a message. Of an SMSC that is what submit_sm_resp says, and no news."""
    # Of parts that travel as one text another than the first may have asked.
    if journey.message.registered_delivery & INTERMEDIATE or journey.progress.parts:
        tell(desk, journey)


def tell(
    desk: Desk,
    journey: Journey,
    state: State = State.ENROUTE,
    error: str = "000",
    at: float = 0.0,
    network_error: int = NO_NETWORK_ERROR,
) -> None:
    """Owe a notice of a message, and of the parts that travel in it, to whoever asked for such."""
    progress = journey.progress
    journeys = [journey]
    if progress.parts:
        journeys += desk.spool.journeys([part for part in progress.parts if part != progress.id])
    for each in journeys:
        message, told = each.message, each.progress
        if not wants_notices(message.registered_delivery) or told.notices >= NOTICES_MAX:
            continue
        if SMPP not in sinks_of(desk.accounts.get(message.account), "receipt"):
            continue
        notice = msgspec.structs.replace(
            desk.receipt_of(message, state, error, at), follows=told.notice, network_error=network_error
        )
        told.notice, told.notices = notice.id, told.notices + 1
        desk.owe_one(notice)
        desk.spool.save(each)
