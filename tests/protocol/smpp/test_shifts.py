"""Which tables a text is best written in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.smpp.headers import Shift
from protocol.smpp.shifts import best_shift, identifiers_of
from protocol.smpp.text import decode, encode


def test_languages_have_the_identifiers_of_the_standard() -> None:
    assert identifiers_of(["turkish", "urdu", "turkish"]) == (1, 13)
    assert identifiers_of([]) == ()


@pytest.mark.parametrize(
    ("text", "languages", "shift"),
    [
        ("plain", (1, 3, 6), (0, 0)),
        ("prix 5€", (1,), (0, 0)),
        ("Şişli", (1,), (0, 1)),
        ("ışığın şırıltısı ığdır", (1,), (0, 1)),  # in one segment both ways: no locking shift
        ("ığdır " * 25, (1,), (1, 0)),  # 150 septets, and 225 with escapes
        ("Índice", (2, 3), (0, 2)),
        ("coração", (1, 3), (0, 3)),
        ("नमस्ते दुनिया", (6,), (6, 0)),
        ("नमस्ते INDIA १२३", (6,), (6, 6)),
        ("नमस्ते", (4,), None),
        ("Şişli", (), None),
        ("😀", tuple(range(1, 14)), None),
        ("", (1,), (0, 0)),
    ],
)
def test_best_shift(text: str, languages: tuple[int, ...], shift: Shift | None) -> None:
    assert best_shift(text, languages) == shift


@given(st.text(max_size=40), st.sets(st.integers(1, 13), max_size=3))
@settings(max_examples=60, deadline=None)
def test_what_is_chosen_carries_the_text(text: str, languages: set[int]) -> None:
    shift = best_shift(text, sorted(languages))
    if shift is not None:
        assert decode(encode(text, "gsm", shift), "gsm", shift=shift) == text
