"""What is noted of a message, and what is not worth a word."""

from __future__ import annotations

from typing import Any

import pytest

from gatewayd.carriers.link import Result
from gatewayd.flow import notes
from gatewayd.message import Accepted, Deferred, Outcome, Receipt, Refused, State, Unknown
from gatewayd.store.records import Capability


class Paper:
    """In the place of the spool."""

    def __init__(self) -> None:
        self.notes: list[tuple[int, str, dict[str, Any]]] = []

    def note(self, about: int, word: str, **facts: Any) -> None:
        self.notes.append((about, word, facts))


@pytest.mark.parametrize(
    ("outcome", "note"),
    [
        (Accepted("a"), None),
        (Accepted("a", changed="’ to '"), ("transliterated", {"letters": "’ to '"})),
        (Deferred("no_credit", 0.0), None),
        (Refused("ESME_RINVDSTADR"), ("refused", {"error": "ESME_RINVDSTADR"})),
        (Deferred("link_down", 1.0), ("deferred", {"error": "link_down", "retry_s": 1.0})),
        (
            Deferred("ESME_RTHROTTLED", 2.0, pauses=True),
            ("deferred", {"error": "ESME_RTHROTTLED", "retry_s": 2.0, "scope": "link"}),
        ),
        (Deferred("429", 9.0, scope="user"), ("deferred", {"error": "429", "retry_s": 9.0, "scope": "user"})),
        (Unknown("timeout"), ("unknown", {"error": "timeout"})),
        (Unknown("timeout", "m1"), ("unknown", {"error": "timeout", "carrier_id": "m1"})),
    ],
)
def test_results(outcome: Outcome, note: tuple[str, dict[str, Any]] | None) -> None:
    paper = Paper()
    notes.of_result(paper, "carrier", Result(17, 0, outcome, 0.1))  # type: ignore[arg-type]
    assert paper.notes == ([(17, note[0], {"link": "carrier", **note[1]})] if note else [])


def test_segments_have_numbers() -> None:
    paper = Paper()
    notes.of_result(paper, "carrier", Result(17, 2, Refused("x"), 0.1))  # type: ignore[arg-type]
    assert paper.notes[0][2]["segment"] == 2


def test_short_waits_are_not_worth_a_word() -> None:
    paper = Paper()
    for wait_s in (0.02, 1.0, 1.5):
        notes.of_wait(paper, "carrier", wait_s)  # type: ignore[arg-type]
    assert paper.notes == [(0, "wait", {"link": "carrier", "wait_s": 1.5})]


def test_what_was_known_of_a_handset() -> None:
    paper = Paper()
    notes.of_capability(paper, "rcs", 17, None)  # type: ignore[arg-type]
    notes.of_capability(paper, "rcs", 17, Capability(True, "assumed", 0.0, 0.0))  # type: ignore[arg-type]
    notes.of_capability(paper, "rcs", 17, Capability(False, "http_404", 5.0, 9.0))  # type: ignore[arg-type]
    facts = {"link": "rcs", "answer": "no", "reason": "http_404", "asked_at": 5.0}
    assert paper.notes == [(17, "capability_known", facts)]


def test_late_receipts() -> None:
    paper = Paper()
    notes.of_late_receipt(paper, "rcs", 17, Receipt("a", State.DELIVRD, displayed=True))  # type: ignore[arg-type]
    notes.of_late_receipt(paper, "rcs", 17, Receipt("a", State.DELIVRD))  # type: ignore[arg-type]
    assert [word for _, word, _ in paper.notes] == ["displayed", "late_receipt"]
