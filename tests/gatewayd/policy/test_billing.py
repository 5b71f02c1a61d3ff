"""The engine of billing: the vectors of the rule sets, and that no order of arrival makes a difference."""

from __future__ import annotations

import datetime
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.billing import rule_files
from gatewayd.policy import billing
from gatewayd.policy.billing import Event, Pair, Record
from gatewayd.policy.billing_rules import Classes, RuleBook, RuleSet

HOUR_MS = 3_600_000
SETTLE_MS = 300_000
START_MS = 1_790_000_000_000
NAMES = rule_files.names()
BOOKS = {name: rule_files.find(name) for name in NAMES}

A2P, P2A, PAID, FREE, SINGLE = (
    "a2p_conversation",
    "p2a_conversation",
    "conversation",
    "free_conversation",
    "single_message",
)
Short = tuple[str, float, float, str]


def event(words: str, **facts: Any) -> Event:
    """``M1@2.5``: a message to the handset after 2.5 hours; U is a text from it."""
    name, _, hours = words.partition("@")
    return Event(round(float(hours) * HOUR_MS), "mt" if name[0] == "M" else "mo", name, **facts)


def records_of(book: RuleBook, line: str) -> list[Record]:
    pair = Pair(book.name)
    for words in line.split():
        billing.note(pair, event(words))
    return billing.finish(pair, book)


def short(records: list[Record]) -> list[Short]:
    """Class, start, end, messages; in the order of their start."""
    rows = [(r.name, r.start_ms / HOUR_MS, r.end_ms / HOUR_MS, " ".join(r.message_ids)) for r in records]
    return sorted(rows, key=lambda row: row[1])


VECTORS: list[tuple[str, str, dict[str, list[Short]]]] = [
    ("V1", "M1@0", {"*": [(SINGLE, 0, 0, "M1")]}),
    (
        "V2",
        "M1@0 U1@2 M2@3 U2@20 M3@25 M4@27",
        {
            "*": [(A2P, 2, 26, "M1 M2 M3"), (SINGLE, 27, 0, "M4")],
            "orange_fr": [(PAID, 2, 26, "M1 M2 M3"), (SINGLE, 27, 0, "M4")],
        },
    ),
    (
        "V3",
        "M1@0 M2@1 U@2 M3@5",
        {
            "*": [(SINGLE, 0, 0, "M1"), (A2P, 2, 26, "M2 M3")],
            "orange_fr": [(SINGLE, 0, 0, "M1"), (PAID, 2, 26, "M2 M3")],
        },
    ),
    (
        "V4",
        "M1@0 U@25 M2@30",
        {
            "google_std": [(SINGLE, 0, 0, "M1"), (P2A, 30, 54, "M2")],
            "infobip": [(SINGLE, 0, 0, "M1"), (P2A, 25, 49, "M2")],
            "orange_fr": [(SINGLE, 0, 0, "M1"), (FREE, 25, 49, "M2")],
        },
    ),
    (
        "V5",
        "U1@0 U2@10 M1@12 M2@35",
        {
            "google_std": [(P2A, 12, 36, "M1 M2")],
            "infobip": [(P2A, 10, 34, "M1"), (SINGLE, 35, 0, "M2")],
            "orange_fr": [(FREE, 10, 34, "M1"), (SINGLE, 35, 0, "M2")],
        },
    ),
    ("V6", "U@0", {"*": []}),
    (
        "V7",
        "M1@0 U1@2 U2@27 M2@28",
        {
            "google_std": [(A2P, 2, 26, "M1"), (P2A, 28, 52, "M2")],
            "infobip": [(A2P, 2, 26, "M1"), (P2A, 27, 51, "M2")],
            "orange_fr": [(PAID, 2, 26, "M1"), (FREE, 27, 51, "M2")],
        },
    ),
    ("V9", "M1@0 U@24", {"*": [(A2P, 24, 48, "M1")], "orange_fr": [(PAID, 24, 48, "M1")]}),
    ("V10", "M1@0 U@24.00027778", {"*": [(SINGLE, 0, 0, "M1")]}),
]


@pytest.mark.parametrize("rules", ["google_std", "infobip", "orange_fr"])
@pytest.mark.parametrize(("line", "expected"), [row[1:] for row in VECTORS], ids=[row[0] for row in VECTORS])
def test_vector(line: str, expected: dict[str, list[Short]], rules: str) -> None:
    assert short(records_of(BOOKS[rules], line)) == expected.get(rules, expected.get("*"))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [("google_std", (P2A, 2, 26, "M2")), ("infobip", (P2A, 1, 25, "M2")), ("orange_fr", (PAID, 1, 25, "M1 M2"))],
)
def test_vector_8_a_message_that_is_never_delivered(rules: str, expected: Short) -> None:
    book = BOOKS[rules]
    pair = Pair(rules)
    if book.versions[0].bill_on == "sent":
        billing.note(pair, event("M1@0"))
    else:
        billing.expect(pair, event("M1@0"))
    billing.note(pair, event("U@1"))
    billing.expect(pair, event("M2@1.9"))
    assert billing.delivered(pair, "M2", 2 * HOUR_MS)
    assert short(billing.finish(pair, book)) == [expected]


@pytest.mark.parametrize(
    ("text", "is_plain", "basic"),
    [("x" * 160, True, True), ("x" * 161, True, False), ("é" * 100, True, False), ("x" * 20, False, False)],
)
def test_vector_11_basic_or_single(text: str, is_plain: bool, basic: bool) -> None:
    assert billing.is_basic(text, is_plain=is_plain) == basic
    for rules in ("google_std", "infobip", "orange_fr"):
        pair = Pair(rules)
        billing.note(pair, event("M1@0", is_basic=basic))
        (record,) = billing.finish(pair, BOOKS[rules])
        assert record.name == ("basic_message" if basic and rules != "orange_fr" else SINGLE)


def test_36_hours() -> None:
    line = "U@0 M1@30 M2@35.9 M3@36"
    assert short(records_of(BOOKS["orange_fr_36h"], line)) == [(FREE, 0, 36, "M1 M2"), (SINGLE, 36, 0, "M3")]


def test_on_long_numbers_either_side_begins_and_each_sms_costs() -> None:
    pair, book = Pair("time2chat"), BOOKS["time2chat"]
    for words, segments in (("M1@0", 3), ("U1@1", 1), ("M2@23.9", 1), ("U2@24", 1), ("M3@30", 2), ("U3@100", 1)):
        billing.note(pair, event(words, segments=segments))
    records = billing.finish(pair, book)
    assert short(records) == [("session", 0, 24, "M1 M2"), ("session", 24, 48, "M3"), ("session", 100, 124, "")]
    assert [(record.credits, record.segments, record.mo_count) for record in records] == [
        (8, 4, 1),
        (4, 2, 1),
        (0, 0, 1),
    ]


def test_who_pays() -> None:
    """The account of the message that was answered, or of the first answer; free classes are marked."""
    pair = Pair("orange_fr")
    for words, account in (("M1@0", "shop"), ("U1@1", ""), ("M2@2", "bank"), ("U2@30", ""), ("M3@31", "bank")):
        billing.note(pair, event(words, account=account, link="orange"))
    paid, free = billing.finish(pair, BOOKS["orange_fr"])
    assert (paid.account, paid.link, paid.is_free, paid.mt_count, paid.mo_count) == ("shop", "orange", False, 2, 1)
    assert (free.account, free.is_free, free.version) == ("bank", True, "2021-10")


# -- switches ---------------------------------------------------------------------------------------------------------


def book_of(**switches: Any) -> RuleBook:
    return RuleBook("x", [RuleSet(version="1", valid_from=datetime.date(1970, 1, 1), **switches)])


def test_all_unanswered_messages_may_belong_to_the_conversation() -> None:
    line = "M0@0 M1@10 M2@20 U@25 M3@26"
    assert short(records_of(book_of(absorb="all"), line)) == [(SINGLE, 0, 0, "M0"), (A2P, 25, 49, "M1 M2 M3")]


def test_a_text_that_nobody_answers_may_be_charged() -> None:
    charged = book_of(mo_alone="charged")
    names = [(record.name, record.message_ids, record.mo_count) for record in records_of(charged, "U1@0 U2@1")]
    assert names == [("p2a_single_message", ("U1",), 1), ("p2a_single_message", ("U2",), 1)]


def test_an_answer_at_the_limit_may_be_late() -> None:
    assert short(records_of(book_of(reply_at_limit_counts=False), "M1@0 U@24")) == [(SINGLE, 0, 0, "M1")]


def test_a_conversation_may_hold_at_its_end() -> None:
    assert short(records_of(book_of(session_holds_at_end=True), "M1@0 U@1 M2@25")) == [(A2P, 1, 25, "M1 M2")]


def test_a_conversation_goes_on_under_the_version_it_began_with() -> None:
    day = datetime.date(1970, 1, 2)
    old = RuleSet(version="old", valid_from=datetime.date(1970, 1, 1), valid_until=day, session_h=48)
    new = RuleSet(version="new", valid_from=day, session_h=1, classes=Classes(single="other"))
    records = records_of(RuleBook("x", [old, new]), "M1@0 U@23 M2@60 M3@72")
    assert short(records) == [(A2P, 23, 71, "M1 M2"), ("other", 72, 0, "M3")]
    assert [record.version for record in records] == ["old", "new"]


# -- time -------------------------------------------------------------------------------------------------------------


def test_a_record_is_final_only_after_the_settling_delay() -> None:
    pair, book = Pair("google_std"), BOOKS["google_std"]
    billing.note(pair, event("M1@0"))
    limit_ms = 24 * HOUR_MS + SETTLE_MS
    assert billing.settle(pair, book, limit_ms) == []
    assert pair.due * 1000 == limit_ms + 1
    assert short(billing.settle(pair, book, limit_ms + 1)) == [(SINGLE, 0, 0, "M1")]
    assert pair.is_empty
    assert pair.due == 0


def test_an_answer_that_comes_late_still_makes_a_conversation() -> None:
    pair, book = Pair("google_std"), BOOKS["google_std"]
    billing.note(pair, event("M1@0"))
    billing.settle(pair, book, 24 * HOUR_MS + SETTLE_MS)
    billing.note(pair, event("U@24"))
    assert billing.settle(pair, book, 24 * HOUR_MS + SETTLE_MS) == []
    assert billing.opened(pair.open_as)[:2] == (24 * HOUR_MS, 48 * HOUR_MS)
    assert short(billing.finish(pair, book)) == [(A2P, 24, 48, "M1")]


def test_later_than_late_is_taken_at_its_own_time() -> None:
    """An hour of webhooks held back by the platform: nothing that is settled speaks against them."""
    pair, book = Pair("google_std"), BOOKS["google_std"]
    billing.note(pair, event("M1@0"))
    billing.settle(pair, book, 4 * HOUR_MS)
    billing.note(pair, event("U@2"))
    billing.settle(pair, book, 4 * HOUR_MS)
    billing.note(pair, event("M2@1.5"))
    billing.note(pair, event("U2@1.9"))
    records = billing.settle(pair, book, 5 * HOUR_MS) + billing.finish(pair, book)
    assert short(records) == [(SINGLE, 1.5, 0, "M2"), (A2P, 2, 26, "M1")]


def test_what_is_open_is_known_before_it_is_settled() -> None:
    pair, book = Pair("google_std"), BOOKS["google_std"]
    billing.note(pair, event("M1@0"))
    billing.settle(pair, book, 0)
    assert pair.open_as == ""
    billing.note(pair, event("U@1", link="bot"))
    billing.settle(pair, book, HOUR_MS)
    assert billing.opened(pair.open_as) == (HOUR_MS, 25 * HOUR_MS, "")
    assert pair.active is None, "looking ahead changes nothing"
    billing.settle(pair, book, 26 * HOUR_MS)
    assert pair.open_as == ""


def test_the_same_event_twice_counts_once() -> None:
    pair, book = Pair("google_std"), BOOKS["google_std"]
    assert billing.note(pair, event("M1@1"))
    assert not billing.note(pair, event("M1@2"))
    assert billing.note(pair, event("M1@0.5")), "the earlier of two times holds"
    billing.settle(pair, book, 10 * HOUR_MS)
    assert not billing.note(pair, event("M1@3"))
    billing.note(pair, event("U@3"))
    billing.settle(pair, book, 10 * HOUR_MS)
    assert not billing.note(pair, event("M1@4"))
    assert short(billing.finish(pair, book)) == [(A2P, 3, 27, "M1")]


def test_what_was_sent_and_never_delivered_is_forgotten_in_the_end() -> None:
    pair, book = Pair("google_std"), BOOKS["google_std"]
    billing.expect(pair, event("M1@0"))
    assert billing.settle(pair, book, HOUR_MS) == []
    assert pair.due * 1000 == billing.AWAIT_MS
    assert billing.settle(pair, book, billing.AWAIT_MS) == []
    assert pair.is_empty
    assert not billing.delivered(pair, "M1", 1)


def test_a_long_conversation_stays_small() -> None:
    pair, book = Pair("google_std"), BOOKS["google_std"]
    billing.note(pair, event("U@0"))
    count = billing.MESSAGE_IDS_MAX + 5
    for number in range(count):
        billing.note(pair, event(f"M{number}@{0.001 + number / 10_000}"))
        billing.settle(pair, book, HOUR_MS)
    (record,) = billing.finish(pair, book)
    assert (len(record.message_ids), record.mt_count) == (billing.MESSAGE_IDS_MAX, count)


def test_at_the_same_time_the_handset_was_first() -> None:
    assert short(records_of(BOOKS["google_std"], "M1@0 M2@2 U@2")) == [(A2P, 2, 26, "M1 M2")]


# -- orders -----------------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["mt", "mo"]),
        st.one_of(st.integers(0, 120), st.sampled_from([24 * 60, 36 * 60, 24 * 60 + 1, 30 * 60])),
        st.booleans(),
    ),
    max_size=12,
)


def events_of(steps: list[tuple[str, int, bool]]) -> list[Event]:
    """Steps of minutes, so that limits are met exactly now and then."""
    at_ms, events = START_MS, []
    for number, (kind, minutes, basic) in enumerate(steps):
        at_ms += minutes * 60_000
        events.append(Event(at_ms, "mt" if kind == "mt" else "mo", f"{kind}{number}", is_basic=basic))
    return events


def played(book: RuleBook, events: list[Event], rng: random.Random) -> list[Record]:
    """Live: each event comes up to the settling delay late, some twice; the clock looks at random and when due.

    The state goes through its stored form at every step.
    """
    arrivals = [(known.at_ms + rng.randint(0, SETTLE_MS), rng.random(), known) for known in events]
    arrivals += [
        (known.at_ms + rng.randint(0, SETTLE_MS), rng.random(), known) for known in events if rng.random() < 0.3
    ]
    pair, records = Pair(book.name), []
    for now_ms, _, known in sorted(arrivals):
        while pair.due and pair.due * 1000 <= now_ms and rng.random() < 0.9:
            before = pair.due
            records += billing.settle(pair, book, round(pair.due * 1000))
            assert pair.due != before, "what is due must make progress"
        if rng.random() < 0.5:
            records += billing.settle(pair, book, now_ms)
        billing.note(pair, known)
        records += billing.settle(pair, book, now_ms)
        pair = msgspec.json.decode(msgspec.json.encode(pair), type=Pair)
    while pair.due:
        records += billing.settle(pair, book, round(pair.due * 1000))
    assert pair.is_empty
    return records


@pytest.mark.parametrize("rules", NAMES)
@given(steps=STEPS, seed=st.integers(0, 1_000_000))
@settings(max_examples=60, deadline=None)
def test_no_order_of_arrival_makes_a_difference(rules: str, steps: list[tuple[str, int, bool]], seed: int) -> None:
    book, events = BOOKS[rules], events_of(steps)
    pair = Pair(rules)
    for known in events:
        billing.note(pair, known)
    replayed = billing.finish(pair, book)
    assert sorted(map(repr, played(book, events, random.Random(seed)))) == sorted(map(repr, replayed))


@given(steps=STEPS)
@settings(max_examples=60, deadline=None)
def test_every_message_is_in_exactly_one_record(steps: list[tuple[str, int, bool]]) -> None:
    events = events_of(steps)
    for book in BOOKS.values():
        pair = Pair(book.name)
        for known in events:
            billing.note(pair, known)
        named = [name for record in billing.finish(pair, book) for name in record.message_ids]
        assert sorted(named) == sorted(known.id for known in events if known.kind == "mt")
