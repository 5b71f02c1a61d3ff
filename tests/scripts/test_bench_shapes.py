"""What the benchmark's messages look like: the carrier gets back what the sender made, and sees what is not so."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("_scripts")


def seen_of(shape: Any, body: bytes) -> tuple[bytes, int, bytes]:
    """Handset, esm_class and text, as the carrier reads them."""
    from bench_wire import SUBMIT_SM, fields_of, pdu, short_message_of

    octets = pdu(SUBMIT_SM, 1, body)
    _, handset, middle = fields_of(octets, 0)
    return handset, octets[middle], short_message_of(octets, middle)


@pytest.mark.parametrize("is_scattered", [False, True])
@pytest.mark.parametrize("name", ["short", "parted"])
def test_what_is_sent_is_known_again(name: str, is_scattered: bool) -> None:
    from bench_shapes import SHAPES

    sender, carrier = SHAPES[name](is_scattered=is_scattered, first=0), SHAPES[name](is_scattered=is_scattered)
    for at in (0, 1, 2, 3, 77, 123_456):
        assert carrier.taken(*seen_of(sender, sender.body_of(at))) == (at, True)


def test_later_senders_go_on_where_the_first_one_stopped() -> None:
    from bench_shapes import Short

    second = Short(first=500)
    handset, esm_class, text = seen_of(second, second.body_of(7))
    assert Short().taken(handset, esm_class, text) == (507, True)
    assert second.told_of(handset, b"") == 7


def test_scattered_handsets_come_once_each() -> None:
    from bench_shapes import Short

    shape = Short(is_scattered=True)
    handsets = [shape.handset_of(at) for at in range(2_000)]
    assert len({*handsets}) == 2_000
    assert {len(handset) for handset in handsets} == {11}
    assert [shape.number_of(handset) for handset in handsets] == [*range(2_000)]


def test_a_mixed_up_text_is_seen() -> None:
    from bench_shapes import Short
    from bench_wire import text_of

    assert Short().taken(b"33600000001", 0, text_of(b"33600000002")) == (1, False)


def test_damaged_parts_are_seen() -> None:
    from bench_shapes import Parted, long_text_of

    shape, handset = Parted(), b"33600000004"
    text = long_text_of(handset)
    head, second = b"\x05\x00\x03\x01\x03\x02", text[153:306]
    assert shape.taken(handset, 0x40, head + second) == (13, True)
    assert shape.taken(handset, 0x40, b"\x06\x08\x04\x00\x01\x03\x02" + text[152:304]) == (13, True)
    for damaged in (second[:-1], second[:-1] + b"!", text[152:305], b""):
        assert shape.taken(handset, 0x40, head + damaged)[1] is False
    assert shape.taken(handset, 0x40, b"\x05\x00\x03\x01\x04\x02" + second)[1] is False  # of four parts
    assert shape.taken(handset, 0x40, b"\x05\x00\x03\x01\x03\x09" + second)[1] is False  # the ninth
    assert shape.taken(handset, 0x00, second) == (12, False)
    assert shape.taken(handset, 0x40, b"") == (12, False)


def test_receipts_of_parts_are_told_apart_by_their_ids() -> None:
    from bench_shapes import Parted

    shape = Parted()
    for at, message_id in enumerate((b"a", b"b", b"c", b"d")):
        shape.named(at, message_id)
    assert shape.told_of(shape.handset_of(0), b"b") == 1
    assert shape.told_of(shape.handset_of(0), b"d") == -1  # another handset's
    assert shape.told_of(shape.handset_of(0), b"b") == -1  # again
    assert shape.told_of(shape.handset_of(0), b"x") == -1
