"""Journals for tests: opened, waited for, killed, and looked at from outside."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from gatewayd.store.database import SCHEMA_VERSION
from gatewayd.store.history_reader import journal_of
from gatewayd.store.journal import Journal

PATIENCE_S = 20.0


async def durable(journal: Journal) -> None:
    """Wait until all that was put up to now is durable."""
    done = asyncio.get_running_loop().create_future()
    journal.then(lambda items: done.set_result(None), None)
    async with asyncio.timeout(PATIENCE_S):
        await done


def rows_of(path: Path) -> list[list[Any]]:
    """Every record in the journal, as another process reads it."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        found = [records for _, _, records in journal_of(path, connection, [b""])]
    finally:
        connection.close()
    return [record for records in found for record in msgspec.json.decode(records)]


def table_of(path: Path, kind: str) -> dict[Any, Any]:
    """Every row of a table, as another process reads it."""
    connection = sqlite3.connect(path)
    try:
        return {key: msgspec.json.decode(text) for key, text in connection.execute(f"SELECT key, value FROM {kind}")}
    finally:
        connection.close()


def copy_of(path: Path, folder: Path) -> Path:
    """What a crash at this moment would leave; only to be called while the writer does nothing."""
    folder.mkdir(parents=True)
    for file in path.parent.glob(f"{path.name}*"):
        if not file.name.endswith("-shm"):
            shutil.copyfile(file, folder / file.name)
    return folder / path.name


def kill(journal: Journal) -> None:
    """End it as if the process were gone: what was not handed to the disk is lost, nothing is folded."""
    journal._writer.stop()
    journal._database.close()
