"""Parts of a long message that its sender cut, where the account wants one receipt for all of them: the worst end.

A part whose end is known stays in the store and waits for the others; all that is known is in its record, so a restart
loses nothing. Knows no carrier and no wire format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gatewayd.message import Message
from gatewayd.policy.progress import End, Stage
from gatewayd.policy.receipt_wishes import wants_final, worst
from gatewayd.store.records import Delivery
from gatewayd.store.spool import Journey

if TYPE_CHECKING:
    from gatewayd.flow.desk import Desk

GATHERED_MAX: Final = 100_000
_HOUR_S: Final = 3_600.0

LongMessage = tuple[str, str, str, int, int]
"""Account, source, destination, reference and number of parts: what the parts of one message have in common."""


class Gathering:
    """The long messages of which some parts have ended and others not."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._groups: dict[LongMessage, dict[int, int]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def takes(self, message: Message) -> bool:
        """Whether a part that has ended waits for the others. Where too many wait already, each is told by itself."""
        account = self._desk.accounts.get(message.account)
        return account is not None and account.receipt_parts == "worst" and self._count < GATHERED_MAX

    def hold(self, journey: Journey, end: End) -> Delivery | None:
        """A part has its end. Returns the receipt of all, if this was the last of them and one is owed."""
        desk, progress = self._desk, journey.progress
        account = desk.accounts[journey.message.account]
        progress.stage, progress.queue, progress.end = Stage.ENDED, "", end
        progress.due = desk.now() + account.receipt_parts_wait_h * _HOUR_S
        desk.spool.save(journey)
        desk.spool.cool(progress.id)
        return self.add(journey)

    def add(self, journey: Journey) -> Delivery | None:
        """One more, in the store already."""
        message = journey.message
        assert message.concat is not None  # only parts are given here
        _, total, sequence = message.concat
        key = long_message_of(message)
        group = self._groups.get(key)
        if group is not None and sequence in group:
            # It came again under another id, or its reference was used again: what is known is told.
            self._tell(key)
            group = None
        if group is None:
            group = self._groups[key] = {}
        group[sequence] = journey.progress.id
        self._count += 1
        return self._tell(key) if len(group) == total else None

    def on_due(self, journey: Journey) -> None:
        """It has waited long enough: the others never came, or nobody knows what became of them."""
        key = long_message_of(journey.message)
        if journey.progress.id in self._groups.get(key, {}).values():
            self._tell(key)
        elif self._desk.spool.journey(journey.progress.id) is not None:  # else it was told with the others just now
            self._tell_of([journey])

    def _tell(self, key: LongMessage) -> Delivery | None:
        group = self._groups.pop(key)
        self._count -= len(group)
        return self._tell_of(self._desk.spool.journeys([group[sequence] for sequence in sorted(group)]))

    def _tell_of(self, parts: list[Journey]) -> Delivery | None:
        """One receipt, under the id of the first part, if any of them asked for it."""
        desk, ends = self._desk, [part.progress.end for part in parts if part.progress.end is not None]
        for part in parts:
            desk.spool.finish(part)
        for part in parts[1:]:  # the first one's is that of all
            if part.progress.end is not None:
                desk.note_end(part.message.id, part.progress.end)
        if not ends:
            return None
        end = ends[worst(end.state for end in ends)]
        first = parts[0].message
        if any(wants_final(part.message.registered_delivery, end.state) for part in parts):
            return desk.owe_end(first, end)
        desk.note_end(first.id, end)
        return None


def long_message_of(part: Message) -> LongMessage:
    """Which long message a part is of."""
    assert part.concat is not None  # only parts are given here
    reference, total, _ = part.concat
    return part.account, part.source, part.destination, reference, total
