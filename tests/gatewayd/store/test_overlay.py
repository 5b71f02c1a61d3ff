"""The newest of each key is found, whatever holds it, and a fold gets all of it."""

from __future__ import annotations

import msgspec

from gatewayd.store.kinds import SENT
from gatewayd.store.overlay import GONE_PER_ENTRY, Overlay
from gatewayd.store.records import Sent


def record(key: str, number: int) -> bytes:
    return msgspec.json.encode(("sent", key, Sent(number)))


def found(overlay: Overlay, key: str) -> int | bytes | None:
    text = overlay.find(key)
    return msgspec.json.decode(text, type=Sent).message_id if text else text


def test_the_newest_is_found() -> None:
    overlay = Overlay(SENT)
    overlay.folding = {"a": record("a", 1), "b": record("b", 1), "c": record("c", 1), "d": None}
    overlay.changed = {"b": record("b", 2), "c": None}
    overlay.fresh = {"d": record("d", 3), "e": Sent(3)}
    assert [found(overlay, key) for key in "abcdef"] == [1, 2, b"", 3, 3, None]


def test_a_fold_gets_the_newest_of_each_and_what_was_only_implied_with_its_record() -> None:
    overlay = Overlay(SENT)
    overlay.changed = {"a": None, "b": record("b", 2)}
    overlay.fresh = {"a": record("a", 3), "c": Sent(3)}
    frozen = {"a": record("a", 3), "b": record("b", 2), "c": record("c", 3)}
    assert overlay.freeze() == frozen
    assert (overlay.changed, overlay.fresh, overlay.folding) == ({}, {}, frozen)
    overlay.changed["b"] = None
    assert [found(overlay, key) for key in "abc"] == [3, b"", 3]
    assert overlay.hot() == frozen | {"b": None}


def test_what_is_gone_weighs_little_however_often_it_goes_and_comes_back() -> None:
    overlay = Overlay(SENT)
    overlay.fresh = {"new": Sent(1)}
    keys = [f"{number}" for number in range(GONE_PER_ENTRY)]
    for key in keys:
        overlay.change(key, record(key, 1))
    assert overlay.weight == 1 + GONE_PER_ENTRY
    for key in keys * 3:
        overlay.change(key, None)
    assert overlay.weight == 1 + 1
    for _ in range(3):
        overlay.change("0", record("0", 2))
        overlay.change("0", None)
        overlay.change("0", record("0", 2))
    assert overlay.weight == 1 + 1, "seven are gone, and one came back"
    overlay.freeze()
    assert overlay.weight == 0
