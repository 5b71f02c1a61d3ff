"""registered_delivery to the letter: SMPP 3.4 section 5.2.17 and 5.0 section 4.7.21, typed from the standard."""

from __future__ import annotations

import itertools

import pytest

from gatewayd.message import State
from gatewayd.policy.receipt_wishes import speaks, wants_final, wants_notices, worst

FAILURES = [state for state in State if state.is_final and state is not State.DELIVRD]

# bits 1-0: (on success, on failure)
OUTCOMES = {0b00: (False, False), 0b01: (True, True), 0b10: (False, True), 0b11: (True, False)}


@pytest.mark.parametrize(
    ("outcome", "acknowledgements", "intermediate"), list(itertools.product(OUTCOMES, range(4), (0, 0x10)))
)
def test_every_combination(outcome: int, acknowledgements: int, intermediate: int) -> None:
    octet = outcome | acknowledgements << 2 | intermediate
    success, failure = OUTCOMES[outcome]
    assert wants_final(octet, State.DELIVRD) is success
    assert {wants_final(octet, state) for state in FAILURES} == {failure}
    assert wants_notices(octet) is bool(intermediate)


@pytest.mark.parametrize(("parts", "heard"), [("each", [1, 2, 3]), ("worst", [1, 2, 3]), ("first", [1]), ("last", [3])])
def test_which_parts_speak(parts: str, heard: list[int]) -> None:
    assert [number for number in (1, 2, 3) if speaks(parts, (7, 3, number))] == heard
    assert speaks(parts, None)


def test_the_worst_end_wins_and_of_equals_the_first() -> None:
    assert worst([State.DELIVRD, State.DELIVRD]) == 0
    assert worst([State.DELIVRD, State.UNKNOWN, State.UNKNOWN]) == 1
    assert worst([State.EXPIRED, State.UNDELIV, State.REJECTD]) == 1
    assert worst(State) == list(State).index(State.UNDELIV)
