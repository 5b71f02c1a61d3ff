"""What ``links.*.statuses`` may say."""

from __future__ import annotations

import pytest

from gatewayd.config.carrier_statuses import STATUSES, WORDS, Action, Span, action_of, defaults, span_of, spans_of


@pytest.mark.parametrize("word", WORDS)
def test_a_word_alone(word: str) -> None:
    assert action_of(word) == Action(word)  # type: ignore[arg-type]


def test_a_retry_may_say_when() -> None:
    assert action_of("retry 0.5") == Action("retry", 0.5)


@pytest.mark.parametrize("text", ["", "retry 0", "retry -1", "retry 86401", "pause 3", "Retry", "retry  5", "retry 5s"])
def test_anything_else_is_nothing(text: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        action_of(text)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("ESME_RTHROTTLED", (0x58, 0x58)),
        ("ESME_RINVTLVSTREAM", (0xC0, 0xC0)),
        ("0x0000040B", (0x40B, 0x40B)),
        ("0x400-0x4ff", (0x400, 0x4FF)),
        ("0xFFFFFFFF", (0xFFFFFFFF, 0xFFFFFFFF)),
    ],
)
def test_a_key_names_statuses(text: str, span: tuple[int, int]) -> None:
    assert span_of(text) == span


@pytest.mark.parametrize("text", ["ESME_ROK", "0x0", "1035", "0x4FF-0x400", "0x1FFFFFFFF", "0x400-", "ESME_RTHROTTELD"])
def test_a_key_that_names_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        span_of(text)


def test_the_narrowest_comes_first() -> None:
    spans = spans_of({"0x400-0x4FF": "retry", "0x40B": "next", "0x400-0x40F": "fail"})
    assert [(span.first, span.last) for span in spans] == [(0x40B, 0x40B), (0x400, 0x40F), (0x400, 0x4FF)]
    assert spans[0] == Span(0x40B, 0x40B, Action("next"))


def test_no_status_is_there_twice() -> None:
    assert len(list(defaults())) == len({status.number for status in STATUSES}) == len({s.name for s in STATUSES})
