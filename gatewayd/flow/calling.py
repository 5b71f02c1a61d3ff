"""News of messages that brought an address of their own for it: owed there, and not to the account's sinks.

Knows neither HTTP nor the products whose way of calling is kept up for applications that came from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from gatewayd.message import Message, State
from gatewayd.policy.callbacks import ACCEPTED, Call, callback_of, event_of, is_asked
from gatewayd.policy.journey import Progress
from gatewayd.store.records import Facts
from gatewayd.store.spool import Journey

if TYPE_CHECKING:
    from gatewayd.flow.desk import Desk

CALLBACK: Final = "callback"
"""The sink of such deliveries."""


def on_accepted(desk: Desk, journey: Journey, link: str, carrier_id: str) -> None:
    """A link took a message, or a segment of it. The first time is news."""
    message = journey.message
    callback = callback_of(message.tlvs)
    if callback is not None and is_asked(callback, ACCEPTED) and _is_first(journey.progress):
        _owe(desk, message, State.ACCEPTD, "000", 0.0, Call(callback, ACCEPTED, link, carrier_id))


def on_end(desk: Desk, message: Message, progress: Progress, state: State, error: str, at: float) -> bool:
    """A message has its fate. False when it has no callback: then its end is its account's sinks' to know."""
    callback = callback_of(message.tlvs)
    if callback is None:
        return False
    carrier_id = next((each.carrier_id for each in progress.segments if each.carrier_id), "") or progress.rcs_id
    event = event_of(state, bool(carrier_id))
    if is_asked(callback, event):
        link = progress.link if progress.segments or not progress.rcs_link else progress.rcs_link
        _owe(desk, message, state, error, at, Call(callback, event, link, carrier_id))
    else:
        desk.spool.note(message.id, "ended", state=state.value, error=error)
    return True


def _is_first(progress: Progress) -> bool:
    if progress.segments:
        taken = sum(each.is_taken and each.state is not State.UNDELIV for each in progress.segments)
        return taken == 1 and not progress.rcs_id
    return True


def _owe(desk: Desk, message: Message, state: State, error: str, at: float, call: Call) -> None:
    receipt = desk.receipt_of(message, state, error, at)
    desk.owe_one(msgspec.structs.replace(receipt, sink=CALLBACK, facts=Facts(concat=message.concat, call=call)))
