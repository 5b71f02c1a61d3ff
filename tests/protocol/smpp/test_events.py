"""Events are plain values."""

from __future__ import annotations

import dataclasses
import typing

import msgspec
import pytest

from protocol.smpp import events
from protocol.smpp.events import Closed, Unanswered
from protocol.smpp.records import Pdu


def test_they_compare_by_value() -> None:
    assert Unanswered("x", "lost") == Unanswered("x", "lost", 0)
    assert Closed("eof") != Closed("timeout")


@pytest.mark.parametrize("event", [one for one in typing.get_args(events.Event) if one is not Pdu])
def test_they_cannot_be_changed(event: type[msgspec.Struct]) -> None:
    assert event.__struct_config__.frozen
    assert not dataclasses.is_dataclass(event)
