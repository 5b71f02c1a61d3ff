"""Topics by name, and what several workers have together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.senders.mqtt_topics import Link, Own, Topics, Wanted, level_of, told_of_accounts, told_of_links

TOPICS = Topics("site/gatewayd")
WANTED = Wanted({"carrier": ("smpp", 4), "rcs": ("gsma", 0)}, {"shop": 4, "bank": 2}, 2)


def worker(slot: int, state: str = "up", binds: int = 2, up: bool = True, paused: bool = False) -> Own:
    links = {"carrier": Link(up, binds, paused), "rcs": Link(True), "gone": Link(True)}
    return Own(slot, state, links=links, accounts={"shop": slot + 1})


def test_names() -> None:
    assert TOPICS.news("shop", "mo") == "site/gatewayd/accounts/shop/messages"
    assert TOPICS.results("a/b+#%c d") == "site/gatewayd/accounts/a%2Fb%2B%23%25c d/results"
    assert TOPICS.shared_sends == "$share/gatewayd/site/gatewayd/accounts/+/send"


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=15))
def test_whoever_sends_is_known_by_the_topic(account: str) -> None:
    assert TOPICS.sender_of(f"site/gatewayd/accounts/{level_of(account)}/send") == account


@pytest.mark.parametrize(
    "topic",
    ["x/accounts/a/send", "site/gatewayd/accounts//send", *(f"site/gatewayd/accounts/{t}" for t in ("a/b/send", "a"))],
)
def test_no_other_topic_is_a_message(topic: str) -> None:
    assert TOPICS.sender_of(topic) is None


@pytest.mark.parametrize(
    ("topic", "may"),
    [("results", True), ("results/x/y", True), ("results/+", False), ("resultsx", False), ("receipts", False)],
)
def test_answers_stay_with_the_account(topic: str, may: bool) -> None:
    assert TOPICS.may_answer_at(f"site/gatewayd/accounts/shop/{topic}", "shop") is may
    assert not TOPICS.may_answer_at(f"site/gatewayd/accounts/shop/{topic}", "bank")


@pytest.mark.parametrize(
    ("topic", "told"),
    [("links/carrier", True), ("accounts/shop/binds", True), ("accounts/shop/receipts", False), ("workers/0", False)],
)
def test_what_is_told_of_links_and_binds(topic: str, told: bool) -> None:
    assert TOPICS.is_told(f"site/gatewayd/{topic}") is told


def test_slots() -> None:
    assert TOPICS.slot_of("site/gatewayd/workers/12") == 12
    assert TOPICS.slot_of("site/gatewayd/workers/x") is None
    assert TOPICS.slot_of("gatewayd/workers/1") is None


def test_workers_are_added_up() -> None:
    told = told_of_links([worker(0), worker(1, binds=1)], WANTED)
    assert told["carrier"] == {
        "link": "carrier", "kind": "smpp", "state": "up", "binds": 3, "binds_max": 4, "workers": [0, 1],
    }  # fmt: skip
    assert told["rcs"] == {"link": "rcs", "kind": "gsma", "state": "up", "workers": [0, 1]}
    assert set(told) == {"carrier", "rcs"}
    accounts = told_of_accounts([worker(0), worker(1)], WANTED)
    assert accounts["shop"] == {"account": "shop", "binds": 3, "binds_max": 4, "workers": [0, 1]}
    assert accounts["bank"]["binds"] == 0


def test_those_that_are_gone_count_for_nothing() -> None:
    told = told_of_links([worker(0, "gone"), worker(1, up=False, binds=0)], WANTED)
    assert (told["carrier"]["state"], told["carrier"]["binds"], told["rcs"]["workers"]) == ("down", 0, [1])
    assert told_of_links([worker(0), worker(1, paused=True)], WANTED)["carrier"]["state"] == "paused"
    assert told_of_accounts([worker(0, "stopped")], WANTED)["shop"]["binds"] == 0
