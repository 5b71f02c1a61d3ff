"""Words in an application's own alphabet: 0 where that has them all, else UCS2, never another one that has no code."""

from __future__ import annotations

import pytest

from gatewayd.senders.own_alphabet import coded
from protocol.smpp.text import TextFault


@pytest.mark.parametrize(
    ("words", "default", "data_coding", "octets"),
    [
        ("Être", "latin1", 0, b"\xcatre"),
        ("Être", "gsm", 8, "Être".encode("utf-16-be")),
        ("10 €", "latin1", 8, "10 €".encode("utf-16-be")),  # GSM has it, and no number beside another default
        ("10 €", "gsm", 0, b"10 \x1be"),
        ("10 €", "utf8", 0, "10 €".encode()),
        ("Ё", "ucs2", 0, b"\x04\x01"),
    ],
)
def test_words(words: str, default: str, data_coding: int, octets: bytes) -> None:
    assert coded(words, default) == (data_coding, octets)


@pytest.mark.parametrize("default", ["gsm", "latin1", "ascii", "utf8", "ucs2"])
def test_half_a_character_is_no_text(default: str) -> None:
    with pytest.raises(TextFault):
        coded("\ud83d", default)
