"""TLVs as the configuration names them."""

from __future__ import annotations

import pytest

from gatewayd.config.tlv_names import TAGS, is_tag, is_tags, tag_of
from protocol.smpp import tlvs
from protocol.smpp.tlvs import ranges_of


def test_the_names_are_those_of_the_table() -> None:
    assert TAGS == tlvs.TAGS
    for word in (*TAGS, "0x1400", "0x01e", "0xFFFF"):
        assert tag_of(word) == tlvs.tag_of(word)


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
