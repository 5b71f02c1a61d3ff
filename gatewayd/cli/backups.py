"""``gatewayd backup`` and ``gatewayd restore``: the spools into a folder while the daemon runs, and back while not.

How a spool is copied and what a backup holds is the daemon's; a restore is done here, as nobody else is there to do it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gatewayd.cli.calls import LONG_S, daemon, mind_silent, print_json
from gatewayd.cli.conventions import (
    DEFAULT_CONFIG,
    FAILED,
    AsJson,
    Config,
    Socket,
    confirm,
    counted,
    load_config,
    refuse,
)
from gatewayd.cli.tables import moment, size

if TYPE_CHECKING:
    from gatewayd.control.backup import Contents
    from gatewayd.control.client import Client

POLL_S: Final = 0.1

Folder = Annotated[Path, typer.Argument(help="The folder of the backup.")]


def backup(folder: Folder, config: Config = DEFAULT_CONFIG, socket: Socket = None, as_json: AsJson = False) -> None:
    """Copy the spools into a folder while the daemon runs: messages, receipts owed, sessions, billing not yet written.

    Each worker's copy is of one moment, checked when it is done, and readable by the daemon's user alone. The folder is
    made by the daemon, where its user may write. Not in it: the configuration and its secrets, the billing record files
    (they are only ever added to: copy them beside), and what is kept for trace.

    Example: `gatewayd backup /var/lib/gatewayd/backup-1126`

    Exit codes: 0 the backup is whole; 1 it is not, and stderr says why; 3 the daemon is not running, or does not
    answer; 4 this user may not ask; 5 a worker did not answer, and there is no backup.
    """
    folder = folder.absolute()
    began_at = time.time()
    with daemon(config, socket) as client:
        mind_silent(client.ask("backup", folder=str(folder), timeout_s=LONG_S))
        with _progress(as_json) as tell:
            fault = _follow(client, folder, tell)
        if fault:
            refuse(f"there is no backup: {fault}", FAILED)
        contents = client.ask("backup_end", folder=str(folder), began_at=began_at, timeout_s=LONG_S)["answer"]
    if as_json:
        print_json(contents | {"folder": str(folder)})
    else:
        octets = sum(spool["octets"] for spool in contents["spools"])
        typer.echo(f"{folder}: {counted(len(contents['spools']), 'spool')}, {size(octets)}")


def _follow(client: Client, folder: Path, tell: Callable[[int, int], None]) -> str:
    """Wait for all copies; what went wrong with one, if anything did."""
    between = Event()
    while True:
        answer = client.ask("backup_state", folder=str(folder))
        copies = answer["answer"]["copies"]
        tell(
            sum(copy.get("done", 0) for copy in copies.values()), sum(copy.get("total", 0) for copy in copies.values())
        )
        faults = [f"worker {slot}: {copy['fault']}" for slot, copy in sorted(copies.items()) if copy["fault"]]
        if faults or answer["silent"]:
            return "; ".join(faults) or f"no answer from worker {answer['silent'][0]}"
        if all(copy["file"] for copy in copies.values()):
            return ""
        between.wait(POLL_S)


@contextlib.contextmanager
def _progress(as_json: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar, where somebody looks."""
    from gatewayd.cli.tables import console

    out = console(to_stderr=True)
    if as_json or not out.is_terminal:
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    with Progress(BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=out, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def restore(
    folder: Folder,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether it is meant.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the spools. The daemon must be stopped.

    What waited when the backup was made waits again: messages that were delivered since go out a second time, and
    billing records may be written twice for conversations that ended since. The spools that are there are kept, in a
    folder replaced-TIME beside them. Run it as root or as the daemon's user.

    Example: `gatewayd restore /var/lib/gatewayd/backup-1126`

    Exit codes: 0 restored; 1 a file cannot be read or written, or the backup is damaged; 2 the daemon runs, this is no
    backup, the configuration is wrong, or you said no: nothing was changed.
    """
    from gatewayd.control.backup import BackupFault, read

    spool_dir = Path(load_config(config).config.daemon.spool_dir)
    try:
        contents = read(folder)
    except BackupFault as fault:
        refuse(str(fault))
    try:
        _check(folder, contents)
        if not yes:
            confirm(f"Put the backup of {moment(contents.began_at)} in the place of the spools in {spool_dir}?")
        spool_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(spool_dir):
            kept = put_back(folder, contents, spool_dir)
    except BackupFault as fault:
        refuse(str(fault), FAILED)
    except OSError as error:
        refuse(f"{error.filename}: {error.strerror}", FAILED)
    if as_json:
        print_json({"spool_dir": str(spool_dir), "kept": str(kept) if kept else None, "spools": contents.spools})
    else:
        typer.echo(f"{spool_dir}: {counted(len(contents.spools), 'spool')} of {moment(contents.began_at)} restored")
        if kept:
            typer.echo(f"what was there before is in {kept}")


def _check(folder: Path, contents: Contents) -> None:
    """Every spool of the list is there, whole, and as it was copied. Raises BackupFault or OSError."""
    from gatewayd.control.backup import BackupFault
    from gatewayd.store.copying import CopyFault, examine
    from gatewayd.store.database import SCHEMA_VERSION

    for spool in contents.spools:
        path = folder / spool["name"]
        try:
            found = examine(path)
        except CopyFault as fault:
            raise BackupFault(str(fault)) from fault
        if found.sha256 != spool["sha256"]:
            raise BackupFault(f"{path} is not the file that was copied: its SHA-256 is another")
        if found.version > SCHEMA_VERSION:
            raise BackupFault(f"{path} is of a newer gatewayd ({contents.version}): restore it with that one")


@contextlib.contextmanager
def locked(spool_dir: Path) -> Iterator[None]:
    """Hold every spool's lock, so that no daemon uses one meanwhile; refuses when one does."""
    with contextlib.ExitStack() as stack:
        for lock in sorted(spool_dir.glob("worker-*.lock")):
            handle = stack.enter_context(lock.open("a"))
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                refuse(f"a daemon is using {spool_dir}: stop it first, with systemctl stop gatewayd or gatewayd drain")
        yield


def put_back(folder: Path, contents: Contents, spool_dir: Path) -> Path | None:
    """The backup's files in their places; where those went that were there, if any were. Raises OSError."""
    from gatewayd.control.backup import BESIDE, copy_synced
    from gatewayd.runtime.syncing import sync_folder

    present = [path for path in sorted(spool_dir.iterdir()) if _is_spool(path.name) or path.name in BESIDE]
    kept = spool_dir / time.strftime("replaced-%Y%m%dT%H%M%S") if present else None
    names = [*(spool["name"] for spool in contents.spools), *contents.beside]
    owner = spool_dir.stat()
    for name in names:  # beside the old ones first: a full disk changes nothing
        fresh = spool_dir / f".restoring-{name}"
        fresh.unlink(missing_ok=True)
        copy_synced(folder / name, fresh)
        if os.geteuid() == 0:
            os.chown(fresh, owner.st_uid, owner.st_gid)
    if kept is not None:
        kept.mkdir(mode=0o700)
        if os.geteuid() == 0:  # the spools in it are the daemon's user's, who must be able to reach them
            os.chown(kept, owner.st_uid, owner.st_gid)
        for path in present:
            path.rename(kept / path.name)
        sync_folder(kept)
    for name in names:
        (spool_dir / f".restoring-{name}").replace(spool_dir / name)
    sync_folder(spool_dir)
    return kept


def _is_spool(name: str) -> bool:
    """Whether a file of the spool folder is of the spools: what is there must not be mixed with what is put back."""
    from gatewayd.store.segments import NAMED

    is_own = name.endswith((".spool", ".spool-wal", ".spool-shm")) or f".spool{NAMED}" in name
    return name.startswith("worker-") and is_own
