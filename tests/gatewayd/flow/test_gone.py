"""What is remembered of long messages that have gone is bounded, in number and in time."""

from __future__ import annotations

from typing import Any

import pytest

from gatewayd.flow import gone as module
from gatewayd.flow.gone import KEPT_S, GoneMessages
from gatewayd.message import Channel, Encoding, Message, State
from gatewayd.policy.progress import End, Progress, Stage
from gatewayd.store.spool import Journey

END = End(State.DELIVRD, Channel.RCS)


def part(number: int, reference: int = 7, message_id: int = 0, **facts: Any) -> Journey:
    message_id = message_id or reference * 10 + number
    message = Message(
        id=message_id, account="shop", source_ton=5, source_npi=0, source="SHOP", destination_ton=1, destination_npi=1,
        destination="33612345678", encoding=Encoding.GSM, registered_delivery=1, concat=(reference, 2, number),
        accepted_at=1.0, **{"payload": b"%d" % number, "udh": b"", **facts},
    )  # fmt: skip
    return Journey(message, Progress(message_id, "shop", Stage.JOINING, ("bot",)))


def test_parts_are_known_by_what_they_say() -> None:
    gone = GoneMessages(lambda: 100.0)
    gone.add([part(1), part(2)])
    again = part(2, message_id=99)
    assert (known := gone.repeated_by([again])) is not None
    assert (known.head, known.end) == (71, None)
    gone.ended(71, END)
    gone.ended(5, END)
    assert known.end is END
    for other in (part(2, 8), part(2, payload=b"x"), part(2, udh=b"\x00")):
        assert gone.repeated_by([other]) is None


def test_a_reference_that_is_used_again_is_the_later_message() -> None:
    gone = GoneMessages(lambda: 100.0)
    gone.add([part(1), part(2)])
    gone.add([part(1, message_id=500), part(2, message_id=501)])
    assert len(gone) == 1
    gone.ended(71, END)
    assert (known := gone.repeated_by([part(1)])) is not None
    assert (known.head, known.end) == (500, None)


def test_nothing_is_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    gone = GoneMessages(lambda: now[0])
    gone.add([part(1, 1), part(2, 1)])
    now[0] = KEPT_S
    assert gone.repeated_by([part(1, 1)]) is None
    gone.add([part(1, 2), part(2, 2)])
    assert len(gone) == 1
    monkeypatch.setattr(module, "KEPT_MAX", 3)
    for reference in range(3, 10):
        gone.add([part(1, reference), part(2, reference)])
    assert len(gone) == 3
    assert gone.repeated_by([part(1, 9)]) is not None
    assert gone.repeated_by([part(1, 2)]) is None
