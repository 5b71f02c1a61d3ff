"""Our ids as UUIDs, and back."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.senders.product_ids import id_of, uuid_of


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**64 - 1))
def test_an_id_is_a_random_uuid_for_others_and_itself_for_us(message_id: int) -> None:
    text = uuid_of(message_id)
    assert uuid.UUID(text).version == 4
    assert uuid.UUID(text).variant == uuid.RFC_4122
    assert id_of(text) == id_of(text.upper()) == message_id


@pytest.mark.parametrize("text", ["", "x", str(uuid.UUID(int=0)), str(uuid.uuid5(uuid.NAMESPACE_DNS, "x")), "é" * 36])
def test_what_is_none_of_ours(text: str) -> None:
    assert id_of(text) is None
