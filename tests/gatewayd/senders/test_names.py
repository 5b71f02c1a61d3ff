"""Names of messages in hexadecimal and decimal: unique, reversible, and never taken for one another."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.senders.names import decimal_text, ids_of, message_id_text
from gatewayd.tracing.search import id_of

YEAR_2026, YEAR_2090 = 1_767_225_600_000, 3_786_912_000_000
IDS = st.integers(YEAR_2026 << 18, YEAR_2090 << 18)


@given(IDS)
@settings(max_examples=200, deadline=None)
def test_each_is_read_back_whatever_the_account_is_told_now(message_id: int) -> None:
    for name in (message_id_text(message_id), decimal_text(message_id)):
        assert ids_of(name, 0) == (name, (message_id,))
        assert ids_of(f" 00{name.upper()} ", 0) == (name, (message_id,))
        assert id_of(name) == message_id


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "x", "1" * 21, "12345678901234567f", "１２３４５６７８９０１２３４５６７"),
        *("f" * 16, "7" + "f" * 15, "9" * 20, str(2**63)),  # numbers that the store has no room for
    ],
)
def test_what_is_no_name(text: str) -> None:
    assert ids_of(text, 0) == ("", ())
