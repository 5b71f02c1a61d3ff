"""The first rule that matches decides, for every message the same, with its reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.policy import routing
from gatewayd.policy.routing import Decision, RouteTable, Rule

TABLE = RouteTable(
    [
        Rule(("fast",), accounts=("bank",), classes=("otp",), on_unknown="prefer_duplicate"),
        Rule(("rcs", "sms"), senders=("PROMO*", "Shop"), prefixes=("336", "+337*")),
        Rule(("mobile",), accounts=("shop",), prefixes=("33", "336")),
        Rule(("island",), prefixes=("336920",)),
        Rule(("world",), accounts=("bank", "shop"), on_unknown="prefer_silence"),
    ]
)


@pytest.mark.parametrize(
    ("account", "sender", "handset", "traffic_class", "links", "reason"),
    [
        ("bank", "Bank", "33612345678", "otp", ("fast",), "rule 1: account bank, class otp"),
        ("bank", "Bank", "33612345678", "", ("world",), "rule 5: account bank"),
        ("bank", "Shop", "33612345678", "", ("rcs", "sms"), "rule 2: sender Shop, prefix 336"),
        ("x", "PROMO3", "33712345678", "otp", ("rcs", "sms"), "rule 2: sender PROMO*, prefix 337"),
        ("shop", "Shopping", "33612345678", "", ("mobile",), "rule 3: account shop, prefix 336"),
        ("shop", "Shopping", "33112345678", "", ("mobile",), "rule 3: account shop, prefix 33"),
        ("x", "X", "33692012345", "", ("island",), "rule 4: prefix 336920"),
        ("shop", "X", "4915112345678", "", ("world",), "rule 5: account shop"),
        ("shop", "X", "33", "", ("mobile",), "rule 3: account shop, prefix 33"),
        ("shop", "X", "3", "", ("world",), "rule 5: account shop"),
    ],
)
def test_first_match(
    account: str, sender: str, handset: str, traffic_class: str, links: tuple[str, ...], reason: str
) -> None:
    for _ in range(2):  # worked out, then remembered
        decision = TABLE.decide(account, sender, handset, traffic_class)
        assert decision is not None
        assert (decision.links, decision.reason) == (links, reason)


def test_on_unknown_is_the_rules_own() -> None:
    assert RouteTable([Rule(("a",))]).decide("x", "x", "1") == Decision(("a",), "rule 1: any", None)
    decision = TABLE.decide("bank", "x", "44")
    assert decision is not None
    assert decision.on_unknown == "prefer_silence"


def test_no_rule_matches() -> None:
    assert TABLE.decide("stranger", "X", "44123") is None
    assert TABLE.decide("stranger", "X", "44123") is None
    assert RouteTable([]).decide("a", "b", "c") is None


def test_handsets_take_no_memory() -> None:
    table = RouteTable([Rule(("a",), prefixes=("33",)), Rule(("b",))])
    for number in range(1000):
        table.decide("shop", f"sender {number}", f"336{number:08}")
        table.decide("shop", f"sender {number}", f"44{number:08}")
    assert len(table._remembered) == 2


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "_REMEMBERED_MAX", 10)
    table = RouteTable([Rule(("a",), senders=("x*",))])
    for number in range(100):
        table.decide("shop", f"x{number}", "1")
        assert len(table._remembered) <= 10


words = st.sampled_from(["a", "b", "ab", "a*", "*"])
digits = st.text("12", max_size=4)
rules = st.builds(
    Rule,
    links=st.tuples(st.sampled_from(["one", "two"])),
    accounts=st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple),
    senders=st.lists(words, max_size=2).map(tuple),
    prefixes=st.lists(st.text("12", min_size=1, max_size=3), max_size=3).map(tuple),
    classes=st.lists(st.sampled_from(["", "otp"]), max_size=1).map(tuple),
)


def slow_decide(table: list[Rule], account: str, sender: str, handset: str, traffic_class: str) -> int | None:
    """The rule's number, by the definition."""
    for number, rule in enumerate(table, 1):
        if (
            (not rule.accounts or account in rule.accounts)
            and (
                not rule.senders
                or any(sender.startswith(p[:-1]) if p.endswith("*") else sender == p for p in rule.senders)
            )
            and (not rule.prefixes or any(handset.startswith(prefix) for prefix in rule.prefixes))
            and (not rule.classes or traffic_class in rule.classes)
        ):
            return number
    return None


@given(
    st.lists(rules, max_size=5),
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.text("ab", max_size=2), digits, st.sampled_from(["", "otp"]))
    ),
)
@settings(max_examples=150, deadline=None)
def test_against_the_definition(table: list[Rule], questions: list[tuple[str, str, str, str]]) -> None:
    compiled = RouteTable(table)
    for question in questions:
        number = slow_decide(table, *question)
        decision = compiled.decide(*question)
        if number is None:
            assert decision is None
        else:
            assert decision is not None
            assert decision.links == table[number - 1].links
            assert decision.reason.startswith(f"rule {number}: ")
