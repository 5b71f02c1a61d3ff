"""Answers cross between workers as JSON, and come out as they went in."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gatewayd.message import Channel, State
from gatewayd.policy.answers import Cancelling, Fate, Known, Talk

ANSWERS: list[Any] = [
    Fate(7, "SHOP", "33612345678", State.ENROUTE, 1.0, stage="sent", channel=Channel.RCS, link="bot", sent_at=2.0),
    Fate(2**62, "SHOP", "33612345678", State.UNDELIV, 1.0, error="042", done_at=3.0, is_cancelled=True),
    Cancelling("under_way"),
    Talk("1f", "SHOP", 1.0, 2.0, 7, replies=2, bot="shop-bot"),
    Known("bot", None, "not_asked"),
    Known("bot", True, "told", 1.0, 2.0),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
def test_it_comes_back_as_it_was(answer: Any) -> None:
    assert msgspec.json.decode(msgspec.json.encode(answer), type=type(answer)) == answer
