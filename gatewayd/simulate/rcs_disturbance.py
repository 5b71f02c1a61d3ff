"""Events disturbed on demand, on top of what the rules say: lost, repeated, late, held back and let go out of order.

Pure; knows nothing of what an event is or how it is sent.
"""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")

HELD_MAX = 100_000

Order = Literal["kept", "reversed"]


class Wishes(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The next ``lose_next`` events are lost, the next ``repeat_next`` leave twice, all leave ``delay_s`` late.

    While ``hold`` is set none leaves; those held leave when it is cleared, in the order that ``release`` says.
    """

    lose_next: int = 0
    repeat_next: int = 0
    delay_s: float = 0.0
    hold: bool = False
    release: Order = "kept"


class Disturbance(Generic[T]):
    """Between those who make events and the one who sends them."""

    def __init__(self) -> None:
        self.wishes = Wishes()
        self.lost = 0
        self.held: list[T] = []

    def set(self, wishes: Wishes) -> list[T]:
        """Change the wishes; returns what is to leave now because nothing is held any more."""
        self.wishes = wishes
        if wishes.hold:
            return []
        let_go, self.held = self.held, []
        return let_go if wishes.release == "kept" else let_go[::-1]

    def pass_on(self, event: T) -> list[T]:
        """What leaves in place of ``event``: nothing, itself, or itself twice."""
        wishes = self.wishes
        if wishes.lose_next > 0:
            wishes.lose_next -= 1
            self.lost += 1
            return []
        events = [event]
        if wishes.repeat_next > 0:
            wishes.repeat_next -= 1
            events.append(event)
        if not wishes.hold:
            return events
        if len(self.held) >= HELD_MAX:
            self.lost += len(events)
        else:
            self.held.extend(events)
        return []
