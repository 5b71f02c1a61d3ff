"""Events of a file become the records of their rule set, whatever the order of the lines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gatewayd.billing import rule_files
from gatewayd.billing.replay import ReplayFault, replay

GOOGLE, ORANGE, TIME2CHAT = (rule_files.find(name) for name in ("google_std", "orange_fr", "time2chat"))


def event(kind: str, t: object, name: str, **facts: Any) -> str:
    return json.dumps({"t": t, "agent": "bot", "user": "336", "kind": kind, "id": name, **facts})


def short(lines: list[str], rules: Any = GOOGLE) -> list[tuple[Any, ...]]:
    return [(row["class"], row["start"], row["end"], row["message_ids"]) for row in replay(lines, rules)]


def test_hours_go_in_and_hours_come_out() -> None:
    lines = [event("mt", 0, "M1", text="x"), event("mo", 2.5, "U"), "", event("mt", 3, "M2")]
    assert short(lines) == [("a2p_conversation", 2.5, 26.5, ["M1", "M2"])]
    assert short(lines[::-1]) == short(lines)


def test_dates_go_in_and_dates_come_out() -> None:
    lines = [event("mt", "2026-03-01T12:00:00Z", "M1"), event("mo", "2026-03-01T14:00:00.250+01:00", "U")]
    start = "2026-03-01T13:00:00.250Z"
    assert short(lines) == [("a2p_conversation", start, "2026-03-02T13:00:00.250Z", ["M1"])]
    assert short(lines[:1]) == [("single_message", "2026-03-01T12:00:00.000Z", None, ["M1"])]


def test_delivered_later_or_never() -> None:
    lines = [
        event("mt", 0, "M1", delivered_at=None),
        event("mo", 1, "U"),
        event("mt", 1.5, "M2", delivered_at=2),
    ]
    assert short(lines) == [("p2a_conversation", 2, 26, ["M2"])]
    assert short(lines, ORANGE) == [("conversation", 1, 25, ["M1", "M2"])]


@pytest.mark.parametrize(
    ("facts", "basic"),
    [
        ({"text": "x" * 160}, True),
        ({"text": "x" * 161}, False),
        ({"text": "é" * 100}, False),
        ({"text": "x", "suggestions": [{}]}, False),
        ({"text": "x", "media": "a.png"}, False),
        ({}, False),
        ({"class": "basic"}, True),
        ({"class": "single_message", "text": "x"}, False),
    ],
)
def test_basic_or_single(facts: dict[str, Any], basic: bool) -> None:
    assert short([event("mt", 0, "M1", **facts)])[0][0] == ("basic_message" if basic else "single_message")


def test_pairs_are_apart_and_credits_are_counted() -> None:
    other = json.dumps({"t": 1, "agent": "bot", "user": "337", "kind": "MT", "segments": 3, "account": "shop"})
    rows = list(replay([event("mt", 2, "M1"), other], TIME2CHAT))
    assert [(row["user"], row["message_ids"], row["credits"], row["account"]) for row in rows] == [
        ("337", ["line-2"], 6.0, "shop"),
        ("336", ["M1"], 2.0, ""),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2: "),
        ("[]", "line 2: it is no JSON object"),
        ('{"t": 1}', "kind is None; write mt or mo"),
        ('{"kind": "mt"}', "t, the time, is missing"),
        ('{"kind": "mt", "t": true}', "True is no time"),
        ('{"kind": "mt", "t": "soon"}', "'soon' is no date or time"),
        ('{"kind": "mt", "t": "2026-01-01"}', "some times are hours and some are dates"),
        ('{"kind": "mt", "t": 1, "class": "rich"}', "class is 'rich'; write basic or single"),
        ('{"kind": "mt", "t": 1, "segments": 0}', "segments is 0"),
    ],
)
def test_a_line_that_cannot_be_used(line: str, words: str) -> None:
    with pytest.raises(ReplayFault, match=words.replace("(", r"\(")):
        list(replay([event("mt", 0, "M1"), line], GOOGLE))
