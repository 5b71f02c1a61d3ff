"""Receipts that nobody could read are kept in a small file of their owner's, and it stays small."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from gatewayd.carriers import unparsed
from gatewayd.carriers.unparsed import UnparsedReceipts, forget, kept
from protocol.smpp.pdu import DeliverSm, build

PDU = DeliverSm(sequence=7, esm_class=4, source_addr="33612345678", short_message=b"what is this")


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_they_are_kept_whole_in_order_and_for_the_owner_alone(tmp_path: Path) -> None:
    clock = Clock()
    one, two = UnparsedReceipts(tmp_path, 0, clock), UnparsedReceipts(tmp_path, 1, clock)
    one.keep("carrier", PDU)
    clock.now += 1
    two.keep("backup", PDU)
    clock.now += 1
    one.keep("carrier", PDU)
    found = list(kept(tmp_path))
    assert [(entry.link, entry.at) for entry in found] == [("carrier", 1000.0), ("backup", 1001.0), ("carrier", 1002.0)]
    assert bytes.fromhex(found[0].pdu) == build(PDU)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert forget(tmp_path) == 3
    assert list(tmp_path.iterdir()) == []


def test_neither_a_flood_nor_a_year_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unparsed, "SIZE_MAX", 2_000)
    clock = Clock()
    receipts = UnparsedReceipts(tmp_path, 0, clock)
    for _ in range(1_000):
        receipts.keep("carrier", PDU)
    assert len(list(kept(tmp_path))) <= unparsed.PER_S_MAX
    for _ in range(200):
        clock.now += 1
        receipts.keep("carrier", PDU)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2 * 2_300
    assert max(entry.at for entry in kept(tmp_path)) == clock.now


def test_the_log_says_so_now_and_then_without_a_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    receipts = UnparsedReceipts(tmp_path, 0, clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            receipts.keep("carrier", PDU)
        clock.now += 601
        receipts.keep("carrier", PDU)
    assert caplog.messages == ["link carrier: a receipt cannot be read; see it with: gatewayd receipts unparsed"] * 2


def test_a_disk_that_refuses_and_half_a_line_harm_nobody(tmp_path: Path) -> None:
    UnparsedReceipts(tmp_path / "gone", 0).keep("carrier", PDU)
    UnparsedReceipts(tmp_path, 0).keep("carrier", PDU)
    with (tmp_path / "worker-0.unparsed").open("ab") as file:
        file.write(b'{"at": 12')
    assert len(list(kept(tmp_path))) == 1
