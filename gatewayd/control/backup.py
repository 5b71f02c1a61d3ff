"""A backup as a folder: the spools that workers copied, what lies beside them, and a list that says what is whole.

Knows names and files; spools are copied by their workers, and put back by the command line while no daemon runs.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from gatewayd.runtime.syncing import sync_folder

LIST_NAME: Final = "backup.json"
BESIDE: Final = ("workers", "ratios", "paused.json", "mask.key")
"""Files of the spool folder that belong to the whole daemon: small, and copied as they are."""

_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600


class BackupFault(Exception):
    """A backup cannot be made or used, in a sentence for people."""


class Contents(msgspec.Struct, frozen=True):
    """What a backup holds. ``spools`` are as store.copying tells them; ``began_at`` is Unix seconds."""

    version: str
    began_at: float
    workers: int
    spools: list[dict[str, Any]]
    beside: list[str]


def prepare(folder: Path) -> None:
    """Make the folder, closed to others; one that is there must be empty. Raises BackupFault."""
    if not folder.is_absolute():
        raise BackupFault("name the folder from the root: the daemon has another working directory than you")
    try:
        folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        if any(folder.iterdir()):
            raise BackupFault(f"{folder} is not empty: a backup never writes over another")
    except OSError as error:
        remedy = "choose a place where the daemon's user may write, such as below daemon.spool_dir"
        raise BackupFault(f"{folder}: {error.strerror}; {remedy}") from error


def finish(folder: Path, spool_dir: Path, version: str, began_at: float, spools: list[dict[str, Any]]) -> Contents:
    """Copy what lies beside the spools, and write the list: only with it a backup is one. Raises BackupFault."""
    try:
        beside = [name for name in BESIDE if _copy_beside(spool_dir / name, folder / name)]
        contents = Contents(version, began_at or time.time(), len(spools), spools, beside)
        write_synced(folder / LIST_NAME, msgspec.json.format(msgspec.json.encode(contents)))
    except OSError as error:
        raise BackupFault(f"{folder}: {error.strerror}") from error
    return contents


def read(folder: Path) -> Contents:
    """What a backup says that it holds. Raises BackupFault."""
    try:
        return msgspec.json.decode((folder / LIST_NAME).read_bytes(), type=Contents)
    except FileNotFoundError:
        raise BackupFault(f"{folder} holds no {LIST_NAME}: it is no backup, or one that was not finished") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise BackupFault(f"{folder / LIST_NAME}: {error}") from error


def _copy_beside(source: Path, target: Path) -> bool:
    if not source.is_file():
        return False
    write_synced(target, source.read_bytes())
    return True


def write_synced(path: Path, content: bytes) -> None:
    """A file that is on disk, with its name, when this returns. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def copy_synced(source: Path, target: Path) -> None:
    """A whole file, copied and on disk when this returns. Raises OSError."""
    with source.open("rb") as reading, target.open("xb") as writing:
        target.chmod(_FILE_MODE)
        shutil.copyfileobj(reading, writing, 1024 * 1024)
        writing.flush()
        os.fsync(writing.fileno())
