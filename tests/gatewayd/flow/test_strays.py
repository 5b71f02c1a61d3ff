"""Receipts that workers ask each other for: matched under any spelling, once, in bounds, and not for ever."""

from __future__ import annotations

from gatewayd.flow.strays import STRAY_TTL_S, Strays
from gatewayd.message import Receipt, State

SENT = Receipt("77", State.ENROUTE)
DONE = Receipt("77", State.DELIVRD)
SPELLED = Receipt("4d", State.DELIVRD, aliases=("77", "077"))


def test_what_a_peer_asked_for_is_found_when_its_name_is_told() -> None:
    strays = Strays()
    strays.hear(1, "carrier", SENT)
    strays.hear(1, "carrier", DONE)
    strays.hear(2, "other", DONE)
    assert strays.named("carrier", "78") == []
    assert strays.named("carrier", "77") == [(1, SENT), (1, DONE)]
    assert strays.named("carrier", "77") == []
    assert strays.named("other", "77") == [(2, DONE)]
    assert len(strays) == 0


def test_any_spelling_will_do_and_the_others_go_with_it() -> None:
    strays = Strays()
    strays.hear(1, "carrier", SPELLED)
    assert strays.named("carrier", "077") == [(1, SPELLED)]
    assert len(strays) == 0


def test_whoever_asks_again_has_asked_once() -> None:
    strays = Strays()
    strays.hear(1, "carrier", DONE)
    strays.hear(1, "carrier", DONE)
    assert strays.named("carrier", "77") == [(1, DONE)]


def test_what_was_claimed_or_named_here_is_asked_for_no_more() -> None:
    strays = Strays()
    strays.ask("carrier", SENT)
    strays.ask("carrier", DONE)
    strays.ask("carrier", Receipt("78", State.DELIVRD))
    strays.claimed("carrier", SENT)
    strays.claimed("carrier", Receipt("99", State.DELIVRD))
    assert [(link, receipt.carrier_id) for link, receipt in strays.ours()] == [("carrier", "77"), ("carrier", "78")]
    strays.named("carrier", "78")
    strays.claimed("carrier", DONE)
    assert list(strays.ours()) == []


def test_the_oldest_make_room() -> None:
    strays = Strays(bound=3)
    for number in range(5):
        strays.hear(1, "carrier", Receipt(f"{number}", State.DELIVRD))
        strays.ask("carrier", Receipt(f"{number}", State.DELIVRD))
    assert len(strays) == 6
    assert strays.named("carrier", "1") == []
    assert len(strays.named("carrier", "2")) == 1


def test_a_name_that_is_used_again_much_later_is_another_one() -> None:
    now = [0.0]
    strays = Strays(clock=lambda: now[0])
    strays.hear(1, "carrier", DONE)
    strays.ask("carrier", DONE)
    now[0] = STRAY_TTL_S - 1
    strays.hear(1, "carrier", Receipt("78", State.DELIVRD))
    assert len(list(strays.ours())) == 1
    now[0] = STRAY_TTL_S + 1
    assert strays.named("carrier", "77") == []
    assert list(strays.ours()) == []
    assert len(strays.named("carrier", "78")) == 1
