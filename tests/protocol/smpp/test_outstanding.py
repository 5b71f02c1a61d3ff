"""Requests that wait, in the order of sending."""

from __future__ import annotations

from protocol.smpp.constants import Command
from protocol.smpp.outstanding import Outstanding

ANSWER = Command.SUBMIT_SM_RESP


def three(timeout_s: float = 30.0) -> Outstanding:
    waiting = Outstanding(timeout_s)
    for number in (1, 2, 3):
        waiting[number] = (f"c{number}", float(number), ANSWER)
    return waiting


def test_an_answer_takes_its_request_once() -> None:
    waiting = three()
    assert waiting.take(2, ANSWER) == ("c2", 2.0, ANSWER)
    assert waiting.take(2, ANSWER) is None
    assert len(waiting) == 2
    assert 2 not in waiting
    assert 3 in waiting


def test_an_answer_of_another_kind_takes_nothing() -> None:
    waiting = three()
    assert waiting.take(1, Command.DELIVER_SM_RESP) is None
    assert waiting.take(1, Command.GENERIC_NACK) is not None


def test_they_expire_in_order() -> None:
    waiting = three()
    assert waiting.deadline() == 31.0
    assert waiting.expire(30.9) == []
    assert waiting.expire(32.0) == ["c1", "c2"]
    assert waiting.deadline() == 33.0
    assert waiting.expire(99.0) == ["c3"]
    assert waiting.deadline() is None


def test_without_a_timeout_they_wait_for_ever() -> None:
    assert three(0.0).deadline() is None


def test_all_are_given_back_at_the_end() -> None:
    waiting = three()
    assert waiting.drain() == ["c1", "c2", "c3"]
    assert len(waiting) == 0
