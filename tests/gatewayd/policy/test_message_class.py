"""Lengths that are weighed agree with those that are decoded; the words for STOP are known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.message import Encoding
from gatewayd.policy import message_class
from protocol.smpp import text

GSM = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./09:;<=>?¡AZÄÖÑÜ§¿azäöñüà^{}\\[~]|€"


@pytest.mark.parametrize("character", GSM)
def test_each_gsm_character(character: str) -> None:
    assert message_class.utf8_length(text.encode(character, Encoding.GSM), Encoding.GSM) == len(character.encode())


@pytest.mark.parametrize("encoding", [Encoding.GSM, Encoding.UCS2])
@given(words=st.text(alphabet=GSM))
def test_texts(encoding: Encoding, words: str) -> None:
    assert message_class.utf8_length(text.encode(words, encoding), encoding) == len(words.encode())


def test_other_encodings() -> None:
    assert message_class.utf8_length("é!".encode("latin-1"), Encoding.LATIN1) == 3
    assert message_class.utf8_length(b"ab", Encoding.ASCII) == 2
    assert message_class.utf8_length(bytes(7), Encoding.BINARY) == 7
    assert message_class.utf8_length("🙂".encode("utf-16-be"), Encoding.UCS2) == 4


@pytest.mark.parametrize("words", ["STOP", " stop ", "Stop!", "arret"])
def test_a_stop(words: str) -> None:
    assert message_class.is_stop(words.encode(), Encoding.GSM)
    assert message_class.is_stop(words.encode("utf-16-be"), Encoding.UCS2)


def test_a_stop_in_an_indian_table_has_its_letters_behind_escapes() -> None:
    assert message_class.is_stop(text.encode("STOP", Encoding.GSM, (6, 6)), Encoding.GSM)


@pytest.mark.parametrize("words", ["", "don't stop", "STOPS", "yes"])
def test_no_stop(words: str) -> None:
    assert not message_class.is_stop(words.encode(), Encoding.GSM)
