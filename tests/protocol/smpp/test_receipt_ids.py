"""One message, many spellings of its id."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.smpp.receipt_ids import LEARNT, MODES, canonical_key, id_keys

GUID = "6F9619FF-8B86-D011-B42D-00CF4FC964FF"


@pytest.mark.parametrize(
    ("mode", "response_id", "receipt_id"),
    [
        ("exact", "00Ab", "00Ab"),
        ("case", "00Ab", "00aB"),
        ("hex_to_decimal", "0000000A", "10"),
        ("hex_to_decimal", "ff", "0000000255"),
        ("hex_to_decimal", "not-a-number", "not-a-number"),
        ("hex_to_decimal", "00", "0"),
        ("decimal_to_hex", "0000000010", "A"),
        ("decimal_to_hex", "255", "00FF"),
        ("decimal_to_hex", "x-255", "x-255"),
        ("auto", "0123456789", "0123456789"),
        ("auto", "0123456789", "123456789"),
        ("auto", "123456789", "0123456789"),
        ("auto", "0000000A", "10"),
        ("auto", "0000000A", "a"),
        ("auto", "0000000a", "0000000A"),
        ("auto", "10", "A"),
        ("auto", "305419896", "12345678"),
        ("auto", "12345678", "305419896"),
        ("auto", "0", "000"),
        ("auto", "000", "0"),
        ("auto", GUID, GUID.lower()),
        ("auto", GUID.lower(), GUID),
        ("auto", "msg_AbC", "msg_AbC"),
    ],
)
def test_the_receipt_finds_its_message(mode: str, response_id: str, receipt_id: str) -> None:
    assert canonical_key(response_id, mode) in id_keys(receipt_id, mode)


@pytest.mark.parametrize(
    ("mode", "response_id", "receipt_id"),
    [
        ("exact", "Ab", "ab"),
        ("exact", "0", "00"),
        ("case", "0a", "a"),
        ("auto", "msg_AbC", "msg_ABC"),
        ("hex_to_decimal", "10", "10"),
    ],
)
def test_what_must_not_match(mode: str, response_id: str, receipt_id: str) -> None:
    assert canonical_key(response_id, mode) not in id_keys(receipt_id, mode)


def test_auto_asks_in_order_and_never_twice() -> None:
    assert id_keys("00FF", "auto") == ("ff", "00FF", "00ff", "255")
    assert id_keys("10", "auto") == ("10", "16", "a")
    assert id_keys("000", "auto") == ("0", "000")
    assert id_keys(GUID, "auto") == (GUID.lower(), GUID)
    assert id_keys("", "auto") == ()


@given(st.text(min_size=1, max_size=40), st.sampled_from(MODES))
@settings(max_examples=100, deadline=None)
def test_no_key_is_empty_and_the_same_spelling_always_matches_where_it_may(text: str, mode: str) -> None:
    keys = id_keys(text, mode)
    assert keys
    assert all(keys)
    assert canonical_key(text, mode)
    if mode in ("auto", "exact", "case"):
        assert canonical_key(text, mode) in keys


def every_spelling(carrier_id: str) -> tuple[str, ...]:
    """What ``auto`` looks for, whatever the id looks like: as it is kept, as it came, and read the other ways."""
    is_hex, is_decimal = (carrier_id.strip(digits) == "" for digits in (string.hexdigits, string.digits))
    keys = [canonical_key(carrier_id, "auto"), carrier_id]
    if is_hex and not is_decimal:
        keys += [carrier_id.lower(), str(int(carrier_id, 16))]
    elif is_decimal:
        keys += [str(int(carrier_id, 16)), f"{int(carrier_id):x}"]
    else:
        keys.append(carrier_id.lower())
    return tuple(dict.fromkeys(keys))


@given(st.text("0123456789", min_size=1, max_size=32) | st.text("0019afAF", min_size=1, max_size=32) | st.text("0xgé"))
@settings(max_examples=200, deadline=None)
def test_the_short_ways_look_for_the_same_as_the_long_one(carrier_id: str) -> None:
    assert id_keys(carrier_id, "auto") == (every_spelling(carrier_id) if carrier_id else ())
    assert not carrier_id or id_keys(carrier_id, "auto")[0] == canonical_key(carrier_id, "auto")
    for learnt in LEARNT.values():
        assert set(id_keys(carrier_id, learnt)) == set(id_keys(carrier_id, "auto"))
