"""Long messages on their way to RCS: their parts wait for one another, whatever their order, and become one text.

Parts that go by SMS are not joined: they pass as they came. Nothing is lost by waiting: each part is in the store, and
a message that stays incomplete goes part by part over the route's SMS link. A part that comes again, octet for octet,
while others are missing is the same part: it shares the message's fate. So does one that comes again after the message
has gone, and stays alone.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gatewayd.flow.desk import Desk
from gatewayd.flow.gathering import LongMessage, long_message_of
from gatewayd.flow.gone import Gone, GoneMessages
from gatewayd.policy import journey as steps
from gatewayd.policy.journey import Stage
from gatewayd.policy.user_data import without_concat
from gatewayd.store.spool import Journey

_COPIES_MAX: Final = 255


class _Group(msgspec.Struct, gc=False):
    """The parts of one message by their places, and the parts that came again while the message was incomplete."""

    places: dict[int, int] = {}
    copies: list[int] = []

    def ids(self) -> list[int]:
        return [*(self.places[sequence] for sequence in sorted(self.places)), *self.copies]


class Joiner:
    """The long messages that are not complete yet."""

    def __init__(self, desk: Desk, incomplete_max: int) -> None:
        self._desk = desk
        self._incomplete_max = incomplete_max
        self._groups: dict[LongMessage, _Group] = {}
        self._gone = GoneMessages(desk.now)
        desk.on_joined_end = self._gone.ended

    def __len__(self) -> int:
        return len(self._groups)

    def add(self, journey: Journey) -> None:
        """One more part, durable already."""
        assert journey.message.concat is not None  # only parts are given here
        key, (_, total, sequence) = long_message_of(journey.message), journey.message.concat
        group = self._groups.get(key)
        if group is None and len(self._groups) >= self._incomplete_max:
            self._release([journey], "too_many_incomplete")
            return
        if group is not None and sequence in group.places:
            if len(group.copies) < _COPIES_MAX and self._is_copy(journey, group.places[sequence]):
                group.copies.append(journey.progress.id)
                return
            # The sender uses this reference again: what is left of the older message will not become complete.
            self._release(self._pop(key), "reference_reused")
            group = None
        if group is None:
            group = self._groups[key] = _Group()
        group.places[sequence] = journey.progress.id
        if len(group.places) == total:
            self._join(self._pop(key), total)

    def on_due(self, journey: Journey) -> None:
        """A part has waited long enough for the others."""
        key = long_message_of(journey.message)
        group = self._groups.get(key)
        if self._desk.spool.journey(journey.progress.id) is None:
            return  # it had its end with the others just now
        is_known = group is not None and journey.progress.id in group.ids()
        parts = self._pop(key) if is_known else [journey]
        gone = self._gone.repeated_by(parts)
        if gone is None or not self._shares(gone, parts):
            self._release(parts, "incomplete")

    def _shares(self, gone: Gone, parts: list[Journey]) -> bool:
        """Let parts that came again have the fate of their message, whether that is known yet or not."""
        desk = self._desk
        head = None if gone.end is not None else desk.journey(gone.head)
        if gone.end is None and head is None:
            return False
        for part in parts:
            desk.spool.note(part.progress.id, "came_again", message=f"{gone.head:x}")
            if head is None and gone.end is not None:
                desk.end_as(part, gone.end)
            elif head is not None:
                self._include(part, head)
        if head is not None:
            head.progress.parts += tuple(part.progress.id for part in parts)
            desk.spool.save(head)
        return True

    def _include(self, part: Journey, head: Journey) -> None:
        """It travels in another one from here on."""
        part.progress.stage = Stage.MEMBER
        part.progress.member_of = head.progress.id
        part.progress.due = 0.0
        self._desk.spool.save(part)

    def _is_copy(self, journey: Journey, known: int) -> bool:
        """Whether an application that heard no answer sent the same part again."""
        return any(
            (part.message.payload, part.message.udh, part.message.encoding)
            == (journey.message.payload, journey.message.udh, journey.message.encoding)
            for part in self._desk.spool.journeys([known])
        )

    def _pop(self, key: LongMessage) -> list[Journey]:
        return self._desk.spool.journeys(self._groups.pop(key).ids())

    def _join(self, parts: list[Journey], total: int) -> None:
        """One text; the first part stands for all of them from here on, and for the copies."""
        head, places = parts[0], parts[:total]
        kinds = {(part.message.encoding, without_concat(part.message.udh)) for part in parts}
        found = [part.message.concat[2] for part in places if part.message.concat is not None]
        if len(kinds) > 1 or found != list(range(1, total + 1)):  # a person may have taken one away
            self._release(parts, "mixed_encodings")
            return
        for part in parts[1:]:
            self._include(part, head)
        self._gone.add(places)
        head.progress.parts = tuple(part.progress.id for part in parts)
        head.progress.payload = b"".join(part.message.payload for part in places)
        self._desk.apply(head, steps.enqueue(head.progress, head.message.expires_at))

    def _release(self, parts: list[Journey], reason: str) -> None:
        for part in parts:
            expires_at = part.message.expires_at
            self._desk.apply(part, steps.skip_rcs(part.progress, self._desk.channels, reason, expires_at))
