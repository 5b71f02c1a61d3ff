"""A key of a sender's own: known at once, over a restart and for its time, for one handset and one message."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gatewayd.message import TAG_IDEMPOTENCY, Encoding, Message
from gatewayd.store.journal import Journal
from gatewayd.store.repeats import Known, Repeats, fingerprint_of, key_of


def message(number: int = 7, key: bytes = b"order 1", **facts: Any) -> Message:
    given: dict[str, Any] = {
        "account": "shop",
        "source_ton": 5,
        "source_npi": 0,
        "source": "SHOP",
        "destination_ton": 1,
        "destination_npi": 1,
        "destination": "33612345678",
        "payload": b"hello",
        "encoding": Encoding.GSM,
        "accepted_at": 1.5,
        "tlvs": ((TAG_IDEMPOTENCY, key),) if key else (),
    }
    return Message(id=number, **{**given, **facts})


def test_a_key_is_an_accounts_and_a_handsets() -> None:
    assert key_of(message(key=b"")) == ""
    assert key_of(message()) == key_of(message(8, destination="+33612345678"))
    others = [message(key=b"order 2"), message(account="bank"), message(destination="33612345679")]
    assert len({key_of(message()), *map(key_of, others)}) == 4
    assert key_of(message()).endswith("|33612345678")
    assert "order" not in key_of(message())


def test_what_a_message_says_is_not_when() -> None:
    assert fingerprint_of(message()) == fingerprint_of(message(8, accepted_at=2.0, expires_at=9.0))
    assert fingerprint_of(message()) != fingerprint_of(message(payload=b"other"))
    assert fingerprint_of(message()) != fingerprint_of(message(source="OTHER"))


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_what_was_taken_is_known(tmp_path: Path, is_restarted: bool) -> None:
    now = [100.0]
    journal = Journal(tmp_path / "a.spool", group_wait_s=0.0)
    repeats = Repeats(journal, lambda: now[0], keep_s=50.0)
    first = message()
    key = key_of(first)
    assert repeats.find(key, first) is None
    repeats.remember(key, first)
    assert repeats.find(key, message(8)) == Known(7, is_same=True)
    assert repeats.find(key, message(8, payload=b"other")) == Known(7, is_same=False)
    if is_restarted:
        await journal.close()
        await asyncio.sleep(0)
        journal = Journal(tmp_path / "a.spool", group_wait_s=0.0)
        repeats = Repeats(journal, lambda: now[0])
        assert repeats.find(key, message(8)) == Known(7, is_same=True)
    now[0] += 50.0
    assert repeats.find(key, first) is None
    await journal.close()
