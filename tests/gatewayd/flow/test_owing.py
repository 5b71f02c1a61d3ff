"""To whom a delivery is owed: one copy for each sink that wants it, none to others."""

from __future__ import annotations

from itertools import count
from typing import Any

from gatewayd.config import schema
from gatewayd.flow.owing import copies, sinks_of, tells_sessions
from gatewayd.message import Channel
from gatewayd.store.records import Delivery, Facts

BOTH = schema.Account(sinks=("smpp", "webhook"))
FACTS = Facts(Channel.RCS)


def owed(kind: Any = "receipt") -> Delivery:
    return Delivery(1, "shop", kind, 1, 1, "33600000001", 5, 0, "SHOP", 1.0, 2.0)


def made(account: schema.Account, kind: str = "receipt") -> list[tuple[int, str, Facts | None]]:
    return [(each.id, each.sink, each.facts) for each in copies(owed(kind), account, FACTS, count(10).__next__)]


def test_each_sink_gets_its_own_and_smpp_is_the_one_without_a_name() -> None:
    assert made(schema.Account()) == [(1, "", None)]
    assert made(BOTH) == [(1, "", None), (10, "webhook", FACTS)]
    assert made(schema.Account(sinks=("webhook",))) == [(1, "webhook", FACTS)]


def test_sessions_are_told_by_webhooks_alone() -> None:
    assert made(BOTH, "session") == [(1, "webhook", FACTS)]
    assert made(schema.Account(), "session") == []
    assert (tells_sessions([schema.Account()]), tells_sessions([schema.Account(), BOTH])) == (False, True)


def test_what_an_account_does_not_want_is_not_owed() -> None:
    some = schema.Account(sinks=("smpp", "webhook"), events=("receipt",))
    assert made(some, "mo") == [(1, "", None)]
    assert made(some, "session") == []
    assert made(schema.Account(sinks=())) == []


def test_an_account_that_is_gone_may_come_back() -> None:
    assert list(sinks_of(None, "receipt")) == ["smpp"]
    assert list(sinks_of(None, "session")) == []
