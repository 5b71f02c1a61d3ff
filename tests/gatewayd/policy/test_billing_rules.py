"""Which version of a rule set is in force, and what its limits say at the very moment."""

from __future__ import annotations

import datetime

import pytest

from gatewayd.policy.billing_rules import RuleBook, RuleSet

DAY_MS = 86_400_000


def version(name: str, valid_from: str, valid_until: str = "") -> RuleSet:
    until = datetime.date.fromisoformat(valid_until) if valid_until else None
    return RuleSet(version=name, valid_from=datetime.date.fromisoformat(valid_from), valid_until=until)


def test_the_version_is_the_last_that_had_begun() -> None:
    book = RuleBook("x", [version("new", "1970-01-11"), version("old", "1970-01-03", "1970-01-11")])
    begins_ms = 10 * DAY_MS
    assert book.at(begins_ms - 1).version == "old"
    assert book.at(begins_ms).version == "new"
    assert book.at(0).version == "old", "before the first there is only the first"
    assert book.at(10_000 * DAY_MS).version == "new"


def test_rules_that_ran_out_are_called_so() -> None:
    book = RuleBook("x", [version("1", "2025-01-01", "2026-01-01")])
    assert not book.is_expired(datetime.date(2025, 12, 31))
    assert book.is_expired(datetime.date(2026, 1, 1))
    assert not RuleBook("x", [version("1", "2025-01-01")]).is_expired(datetime.date(2099, 1, 1))


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ([], "no version"),
        ([("1", "2025-01-01", "2025-03-01"), ("2", "2025-02-01", "")], "1 and 2 hold at the same time"),
        ([("1", "2025-01-01", ""), ("2", "2025-01-01", "")], "hold at the same time"),
        ([("1", "2025-01-01", "2025-01-01")], "ends before it begins"),
        ([("1", "2025-01-01", ""), ("1", "2025-02-01", "")], "same name"),
    ],
)
def test_versions_that_do_not_follow_one_another(versions: list[tuple[str, str, str]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RuleBook("x", [version(*facts) for facts in versions])


def test_the_limits_are_switches() -> None:
    at_once = datetime.date(2025, 1, 1)
    usual = RuleSet(version="1", valid_from=at_once)
    other = RuleSet(version="1", valid_from=at_once, reply_at_limit_counts=False, session_holds_at_end=True)
    assert (usual.is_over(10, 10), usual.is_over(10, 11)) == (False, True)
    assert (other.is_over(10, 9), other.is_over(10, 10)) == (False, True)
    assert (usual.holds(5, 10, 5), usual.holds(5, 10, 10), usual.holds(5, 10, 4)) == (True, False, False)
    assert (other.holds(5, 10, 10), other.holds(5, 10, 11)) == (True, False)


def test_what_counts_as_a_text() -> None:
    rules = RuleSet(version="1", valid_from=datetime.date(2025, 1, 1), count_action_tap=False, count_stop=False)
    assert rules.counts(is_tap=False, is_stop=False)
    assert not rules.counts(is_tap=True, is_stop=False)
    assert not rules.counts(is_tap=False, is_stop=True)
