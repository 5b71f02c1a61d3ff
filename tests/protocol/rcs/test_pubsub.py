"""Twin of protocol.rcs.pubsub."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.rcs.errors import RcsFault
from protocol.rcs.pubsub import Envelope, unwrap


def test_what_is_inside_an_envelope() -> None:
    assert unwrap(b'{"message":{"data":"eyJhIjoxfQ==","messageId":"1"},"subscription":"s"}') == Envelope(b'{"a":1}')


def test_a_platform_that_asks_who_we_are() -> None:
    assert unwrap(b'{"clientToken":"t","secret":"s"}') == Envelope(client_token="t", secret="s")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "not_json"),
        (b"[]", "bad_shape"),
        (b"{}", "bad_shape"),
        (b'{"clientToken":"t"}', "bad_shape"),
        (b'{"message":{"data":"%%%"}}', "bad_shape"),
        ('{"message":{"data":"é"}}'.encode(), "bad_shape"),
    ],
)
def test_what_is_no_envelope(body: bytes, kind: str) -> None:
    with pytest.raises(RcsFault, match=kind):
        unwrap(body)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=100))
def test_no_body_is_a_surprise(body: bytes) -> None:
    with pytest.raises(RcsFault):
        unwrap(body)
