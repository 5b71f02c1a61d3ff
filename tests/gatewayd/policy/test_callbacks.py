"""What the sender of one message asked to be told, and what of it has come."""

from __future__ import annotations

import pytest

from gatewayd.message import TAG_CALLBACK, State
from gatewayd.policy.callbacks import (
    ACCEPTED,
    BUFFERED,
    DELIVERED,
    FAILED,
    REFUSED,
    Callback,
    callback_of,
    encode,
    event_of,
    is_asked,
    read,
)

CALLBACK = Callback("kannel", "http://app.example/?d=%d", 31)


def test_it_travels_in_a_tlv() -> None:
    assert read(encode(CALLBACK)) == CALLBACK
    assert callback_of([(0x0204, b"\0\1"), (TAG_CALLBACK, encode(CALLBACK))]) == CALLBACK
    assert callback_of([(0x0204, b"\0\1")]) is None
    for broken in (b"", b"{", b'{"product":"other","url":"","mask":1}', b"\xff"):
        assert read(broken) is None


@pytest.mark.parametrize(
    ("state", "was_accepted", "event"),
    [
        (State.DELIVRD, True, DELIVERED),
        (State.UNDELIV, True, FAILED),
        (State.EXPIRED, True, FAILED),
        (State.UNDELIV, False, REFUSED),
        (State.EXPIRED, False, REFUSED),
        (State.DELETED, False, REFUSED),
    ],
)
def test_what_no_carrier_took_was_refused(state: State, was_accepted: bool, event: int) -> None:
    assert event_of(state, was_accepted) == event


@pytest.mark.parametrize(
    ("mask", "asked"),
    [
        (0, set()),
        (1, {DELIVERED}),
        (2, {FAILED, REFUSED}),
        (3, {DELIVERED, FAILED, REFUSED}),
        (16, {REFUSED}),
        (24, {ACCEPTED, REFUSED}),
        (31, {DELIVERED, FAILED, BUFFERED, ACCEPTED, REFUSED}),
    ],
)
def test_who_asks_for_failures_hears_of_refusals(mask: int, asked: set[int]) -> None:
    callback = Callback("kannel", "http://app.example/", mask)
    assert {event for event in (1, 2, 4, 8, 16) if is_asked(callback, event)} == asked
