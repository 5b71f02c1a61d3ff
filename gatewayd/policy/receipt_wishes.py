"""Which news of a message its sender asked for: the bits of registered_delivery (SMPP 3.4 section 5.2.17, 5.0 section
4.7.21), and of a long message that its sender cut, which of its parts speak for it.

What lies in bits 3 and 2 (acknowledgements of the handset) is asked of the handset, not of us.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gatewayd.message import State

INTERMEDIATE: Final = 0x10
NOTICES_MAX: Final = 20
"""Of one message: a carrier may try for days, and tell of each try."""

_OUTCOME: Final = 0x03
_FINAL, _FAILURE, _SUCCESS = 1, 2, 3  # success alone is 5.0's; reserved in 3.4

_WORST_FIRST: Final = (
    State.UNDELIV,
    State.REJECTD,
    State.EXPIRED,
    State.DELETED,
    State.UNKNOWN,
    State.ACCEPTD,
    State.ENROUTE,
    State.DELIVRD,
)


def wants_final(registered_delivery: int, state: State) -> bool:
    """Whether the end of a message is told to its sender."""
    wanted = registered_delivery & _OUTCOME
    if wanted == _FINAL:
        return True
    return wanted == (_SUCCESS if state is State.DELIVRD else _FAILURE)


def wants_notices(registered_delivery: int) -> bool:
    """Whether what happens on the way is told, too."""
    return bool(registered_delivery & INTERMEDIATE)


def speaks(parts: str, concat: tuple[int, int, int] | None) -> bool:
    """Whether a message may have a receipt of its own. ``concat`` is (reference, total, sequence) of a part, and
    ``parts`` is what the account wants of parts: ``first`` or ``last`` silences all but one."""
    if concat is None or parts in ("each", "worst"):
        return True
    _, total, sequence = concat
    return sequence == (1 if parts == "first" else total)


def worst(states: Iterable[State]) -> int:
    """The index of the worst of several final states: of equals the first."""
    ranks = [_WORST_FIRST.index(state) for state in states]
    return ranks.index(min(ranks))
