"""Whose an inbound text is, and how a session is told in two octets."""

from __future__ import annotations

import pytest

from gatewayd.policy.correlation import Owner, owner_of, session_info

NOW = 1_000.0


@pytest.mark.parametrize(
    ("session", "due", "number", "owner"),
    [
        ("shop", NOW + 0.1, None, Owner("shop", "session")),
        ("shop", NOW + 0.1, "bank", Owner("shop", "session")),
        ("shop", NOW, "bank", Owner("bank", "number")),
        ("shop", NOW, None, None),
        (None, 0.0, "bank", Owner("bank", "number")),
        (None, NOW + 0.1, "bank", Owner("bank", "number")),
        (None, 0.0, None, None),
    ],
)
def test_owner(session: str | None, due: float, number: str | None, owner: Owner | None) -> None:
    assert owner_of(session, due, number, NOW) == owner


@pytest.mark.parametrize(
    ("replies", "number", "octets"),
    [(0, 0, b"\x00\x00"), (1, 7, b"\x07\x02"), (127, 255, b"\xff\xfe"), (128, 256, b"\x00\x00"), (130, 1, b"\x01\x04")],
)
def test_session_info(replies: int, number: int, octets: bytes) -> None:
    """SMPP 3.4 5.3.2.43: the session's number, then the reply's in bits 7 to 1; bit 0, the end, is never set."""
    assert session_info(replies, number) == octets
