"""Billing records of the real daemon: each fact once in the files and once in the table, whatever is killed when."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from gatewayd.billing.record_files import read_lines
from tests.daemon.conftest import Stage

HANDSETS = [f"+3361000{number:04}" for number in range(120)]
ROUNDS = 3
# A record is final at once: nobody waits for an answer, nor for an event that comes late.
RULES = """
[[versions]]
version = "1"
valid_from = 2020-01-01
bill_on = "sent"
reply_window_h = 0.0001
settle_s = 0
"""


def rows_of(folder: Path) -> list[tuple[str, tuple[str, ...]]]:
    if not (folder / "records.sqlite").exists():
        return []
    with closing(sqlite3.connect(folder / "records.sqlite", timeout=10)) as connection:
        found = connection.execute("SELECT id, message_ids FROM record").fetchall()
    return sorted((name, tuple(json.loads(ids))) for name, ids in found)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
async def test_kills_while_records_are_written(stage: Stage, workers: int, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "at_once.toml").write_text(RULES)
    folder = tmp_path / "cdr"
    scene = await stage(
        {
            "daemon": {"workers": workers},
            "billing": {"rules_dir": str(tmp_path / "rules"), "records_dir": str(folder)},
            "links": {"rcs": {"billing": "at_once"}},
        }
    )
    sent: set[str] = set()
    for number in range(ROUNDS):
        esme = await scene.esme()
        for handset in HANDSETS:
            esme.send("33700000001", handset, f"round {number}")
        # All are reported, some are written: the others are on their way to the files and the table.
        await esme.wait_for(lambda esme=esme: len(esme.ledger.receipts) == len(HANDSETS))  # type: ignore[misc]
        sent |= {receipt.message_id for receipt in esme.ledger.receipts}
        before = len(rows_of(folder))
        await scene.until_samples(lambda _, before=before: len(rows_of(folder)) > before + 5)  # type: ignore[misc]
        await scene.kill()
        await scene.start()
    await scene.until_samples(lambda _: {name for _, ids in rows_of(folder) for name in ids} >= sent)
    assert await scene.terminate() == 0
    rows = rows_of(folder)
    assert rows == sorted((line.id, line.message_ids) for line in read_lines(folder))
    assert Counter(name for _, ids in rows for name in ids) == Counter(sent)
    numbers = Counter(name.partition("-")[0] for name, _ in rows)
    assert {name for name, _ in rows} == {
        f"{of}-{place}" for of, last in numbers.items() for place in range(1, last + 1)
    }
