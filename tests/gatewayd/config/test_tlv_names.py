"""TLVs as the configuration names them."""

from __future__ import annotations

import pytest

from gatewayd.config.tlv_names import NAMES, is_tag, is_tags
from protocol.smpp.tlvs import TAGS, ranges_of


def test_the_names_are_those_of_the_table() -> None:
    assert set(TAGS) == NAMES


@pytest.mark.parametrize(
    "word",
    [
        "all",
        "source_port",
        "0x1400",
        "0x1400-0x14FF",
        "0x14FF-0x1400",
        "1400",
        "",
        "sourceport",
        "0x10000",
        "0x1-",
        "-",
    ],
)
def test_what_is_taken_can_be_read(word: str) -> None:
    try:
        ranges_of((word,))
    except ValueError:
        assert not is_tags(word)
    else:
        assert is_tags(word)
        assert is_tag(word) == (word != "all" and "-" not in word)
