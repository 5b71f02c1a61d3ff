"""Long messages on their way to RCS: their parts wait for one another, whatever their order, and become one text.

Parts that go by SMS are not joined: they pass as they came. Nothing is lost by waiting: each part is in the store, and
a message that stays incomplete goes part by part over the route's SMS link.
"""

from __future__ import annotations

from gatewayd.flow.desk import Desk
from gatewayd.message import Message
from gatewayd.policy import journey as steps
from gatewayd.policy.journey import Stage
from gatewayd.policy.user_data import without_concat
from gatewayd.store.spool import Journey

_Key = tuple[str, str, str, int, int]


class Joiner:
    """The long messages that are not complete yet."""

    def __init__(self, desk: Desk, incomplete_max: int) -> None:
        self._desk = desk
        self._incomplete_max = incomplete_max
        self._groups: dict[_Key, dict[int, int]] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def add(self, journey: Journey) -> None:
        """One more part, durable already."""
        assert journey.message.concat is not None  # only parts are given here
        key, (_, total, sequence) = _key(journey.message), journey.message.concat
        if key not in self._groups and len(self._groups) >= self._incomplete_max:
            self._release([journey], "too_many_incomplete")
            return
        if sequence in self._groups.get(key, ()):
            # The sender uses this reference again: what is left of the older message will not become complete.
            self._release(self._pop(key), "reference_reused")
        group = self._groups.setdefault(key, {})
        group[sequence] = journey.progress.id
        if len(group) == total:
            self._join(self._pop(key))

    def on_due(self, journey: Journey) -> None:
        """A part has waited long enough for the others."""
        key = _key(journey.message)
        if journey.progress.id in self._groups.get(key, {}).values():
            self._release(self._pop(key), "incomplete")
        else:
            self._release([journey], "incomplete")

    def _pop(self, key: _Key) -> list[Journey]:
        group = self._groups.pop(key)
        return self._desk.spool.journeys([group[sequence] for sequence in sorted(group)])

    def _join(self, parts: list[Journey]) -> None:
        """One text; the first part stands for all of them from here on."""
        head = parts[0]
        kinds = {(part.message.encoding, without_concat(part.message.udh)) for part in parts}
        if len(kinds) > 1 or len(parts) != head.message.concat[1]:  # type: ignore[index]
            self._release(parts, "mixed_encodings")
            return
        ids = tuple(part.progress.id for part in parts)
        for part in parts[1:]:
            part.progress.stage = Stage.MEMBER
            part.progress.member_of = head.progress.id
            part.progress.due = 0.0
            self._desk.spool.save(part)
        head.progress.parts = ids
        head.progress.payload = b"".join(part.message.payload for part in parts)
        self._desk.apply(head, steps.enqueue(head.progress, head.message.expires_at))

    def _release(self, parts: list[Journey], reason: str) -> None:
        for part in parts:
            expires_at = part.message.expires_at
            self._desk.apply(part, steps.skip_rcs(part.progress, self._desk.channels, reason, expires_at))


def _key(message: Message) -> _Key:
    assert message.concat is not None
    reference, total, _ = message.concat
    return message.account, message.source, message.destination, reference, total
