"""Letters that come near: what is changed, what never is, and what is said of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.carriers.transliteration import FULL, OFF, TYPOGRAPHIC, fitted, stronger
from protocol.smpp.text import encode


@pytest.mark.parametrize(
    ("text", "level", "alphabet", "expected"),
    [
        ("Don’t “wait” – now…", TYPOGRAPHIC, "gsm", 'Don\'t "wait" - now...'),
        ("5\u00a0€\u202f!", TYPOGRAPHIC, "gsm", "5 € !"),
        ("a\u200bb\ufeff", TYPOGRAPHIC, "gsm", "ab"),
        ("cafe\u0301", TYPOGRAPHIC, "gsm", "café"),  # composed, it is in the alphabet
        ("fenêtre", TYPOGRAPHIC, "gsm", None),
        ("fenêtre ça œuvre", FULL, "gsm", "fenetre ca oeuvre"),
        ("Łódź Đuro", FULL, "gsm", "Lodz Duro"),
        ("Привет", FULL, "gsm", "Privet"),
        ("Żółć – é@£", FULL, "gsm", "Zolc - é@£"),  # what the alphabet has is not touched
        ("½ ™", FULL, "gsm", None),  # a picture of letters
        ("hi 😀", FULL, "gsm", None),
        ("l’été", TYPOGRAPHIC, "latin1", "l'été"),
        ("«été»", FULL, "latin1", "«été»"),
        ("«été»", TYPOGRAPHIC, "gsm", '"été"'),
        ("été", FULL, "ascii", "ete"),
        ("", FULL, "gsm", ""),
        ("Don’t", OFF, "gsm", None),
    ],
)
def test_texts(text: str, level: str, alphabet: str, expected: str | None) -> None:
    near = fitted(text, alphabet, level)
    assert (near[0] if near is not None else None) == expected


def test_what_was_changed_is_told_without_the_words() -> None:
    near = fitted("l’été, l’hiver…\u00a0", "gsm", TYPOGRAPHIC)
    assert near is not None
    assert near[1] == "’ to ' (2), … to ..., U+00A0 to U+0020"
    many = fitted("".join(map(chr, range(0x430, 0x450))), "gsm", FULL)
    assert many is not None
    assert many[1].endswith(", 12 more")
    assert fitted("plain", "gsm", FULL) == ("plain", "")


def test_the_stronger_of_two() -> None:
    assert stronger("", "off") == OFF
    assert stronger("typographic", "") == TYPOGRAPHIC
    assert stronger("typographic", "full") == FULL


@given(st.text(max_size=40), st.sampled_from([TYPOGRAPHIC, FULL]), st.sampled_from(["gsm", "latin1", "ascii"]))
@settings(max_examples=100, deadline=None)
def test_what_is_given_back_can_be_written(text: str, level: str, alphabet: str) -> None:
    near = fitted(text, alphabet, level)
    if near is not None:
        encode(near[0], alphabet)
