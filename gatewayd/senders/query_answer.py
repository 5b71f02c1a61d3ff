"""What query_sm is answered with: one state for all messages of a name (SMPP 3.4 sections 4.8.2 and 5.2.28).

Asks nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gatewayd.message import State
from gatewayd.policy.answers import Fate, NamedFate
from gatewayd.senders.receipt_form import STATE_NUMBERS
from protocol.smpp.constants import VERSION_5_0, MessageState, Status
from protocol.smpp.pdu import QuerySm, QuerySmResp
from protocol.smpp.times import format_absolute

_OCTET_MAX: Final = 0xFF


def query_answer(pdu: QuerySm, found: Sequence[NamedFate], version: int) -> QuerySmResp:
    """The answer. Of several messages it tells the one that is least far: under way, then not delivered."""
    fate = min((each.fate for each in found), key=_distance)
    state = STATE_NUMBERS[fate.state]
    if fate.stage == "scheduled" and version >= VERSION_5_0:
        state = MessageState.SCHEDULED
    done_at = max(each.fate.done_at for each in found) if fate.state.is_final else 0.0
    return QuerySmResp(
        sequence=pdu.sequence,
        message_id=pdu.message_id,
        final_date=format_absolute(done_at) if done_at else "",
        message_state=state,
        error_code=error_octet(fate.error),
    )


def _distance(fate: Fate) -> int:
    if not fate.state.is_final:
        return 0
    return 2 if fate.state is State.DELIVRD else 1


def error_octet(error: str) -> int:
    """error_code has one octet (3.4 section 5.2.31): a command_status, or a carrier's decimal code, where it fits."""
    status = Status.__members__.get(error)
    number = int(status) if status is not None else int(error) if error.isascii() and error.isdigit() else 0
    return number if number <= _OCTET_MAX else 0
