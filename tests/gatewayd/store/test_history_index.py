"""An index finds the lines of a name among many, and is believed only as far as it is whole."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.store.history_index import Found, block_of, find

LINES = [(b"17", b"33612345678"), (b"18",), (), (b"17", b"19")]


def index() -> tuple[bytes, list[tuple[int, int]]]:
    blocks, places, offset = b"", [], 0
    for number, names in enumerate(LINES):
        blocks += block_of(offset, 100 + number, names)
        places.append((offset, 100 + number))
        offset += 100 + number
    return blocks, places


def test_lines_are_found_by_name() -> None:
    blocks, places = index()
    assert find(blocks, [b"17"]) == Found([places[0], places[3]], 406)
    assert find(blocks, [b"18", b"33612345678"]) == Found([places[0], places[1]], 406)
    assert find(blocks, [b"20"]) == Found([], 406)
    assert find(b"", [b"17"]) == Found([], 0)


def test_ids_are_found_as_names_are() -> None:
    """Whether they were told as such or as text, as by older versions."""
    first, second = 470743835774026496, 470743835774026497
    blocks = block_of(0, 100, [b"33612345678"], [first, second]) + block_of(100, 50, [b"%d" % second])
    assert find(blocks, [b"%d" % first]).lines == [(0, 100)]
    assert find(blocks, [b"%d" % second]).lines == [(0, 100), (100, 50)]
    assert find(blocks, [b"33612345678"]).lines == [(0, 100)]
    assert find(blocks, [b"+33612345678", b"somebody"]).lines == []
    assert find(blocks, [b"0"]) == Found([], 150)


@given(st.integers(0, 200))
@settings(max_examples=100, deadline=None)
def test_an_index_that_was_cut_short_is_believed_to_its_last_whole_block(cut: int) -> None:
    blocks, places = index()
    found = find(blocks[:cut], [b"17"])
    assert found.end in {0, *(offset + length for offset, length in places)}
    assert found.lines == [place for place in (places[0], places[3]) if sum(place) <= found.end]


@given(st.binary(max_size=80))
@settings(max_examples=100, deadline=None)
def test_octets_of_any_kind_surprise_nobody(octets: bytes) -> None:
    find(octets, [b"17"])


def test_zeros_behind_the_end_are_no_lines() -> None:
    blocks, _ = index()
    assert find(blocks + bytes(64), [b"17"]).end == 406


def test_a_hash_across_two_others_is_none() -> None:
    """Octets that look like the hash, but at no step of four."""
    blocks, _ = index()
    hashed = block_of(0, 1, [b"20"])[-4:]
    crooked = block_of(0, 1, [b"a", b"b"])[:-8] + b"\0" + hashed + bytes(3)
    assert find(crooked, [b"20"]).lines == []
    assert find(blocks, [b"20"]).lines == []
