"""History: what the journal tells, kept in files for when the journal forgets it.

Written by the store's writer thread after each commit. It is an aid to people and stops no message: what cannot be
written is counted and missing. Knows groups as octets and never looks into one itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gatewayd.runtime.syncing import sync_folder
from gatewayd.store import history_files
from gatewayd.store.history_files import Stretch
from gatewayd.store.history_index import block_of
from gatewayd.store.history_lines import Kept, Outline, kept, texts_line

log = logging.getLogger(__name__)

STRETCH_OCTETS: Final = 64 * 1024 * 1024
STRETCH_S: Final = 3_600.0
WRITE_OCTETS: Final = 256 * 1024
# Made durable only with a fold or a stretch, it was up to 64 MB at once, and commits waited 20 to 40 ms behind it.
SYNC_OCTETS: Final = 4 * 1024 * 1024
RETRY_S: Final = 5.0
_NOTHING: Final = b"[]"
# A stretch ends in time for its age to be told well enough by its ends.
_STRETCHES_A_LIFE: Final = 4
# Whole numbers are in there.
_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700


class History:
    """One worker's. Used by one thread at a time."""

    def __init__(
        self,
        folder: Path,
        *,
        keep_s: float,
        text_s: float = 0.0,
        stretch_octets: int = STRETCH_OCTETS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``text_s`` 0 keeps no texts."""
        self._folder = folder
        self._keeps_texts = text_s > 0
        self._stretch_octets = stretch_octets
        self._stretch_s = min(STRETCH_S, keep_s / _STRETCHES_A_LIFE, (text_s or keep_s) / _STRETCHES_A_LIFE)
        self._clock = clock
        self._files: _Files | None = None
        self._is_failing = False
        self._try_at = 0.0
        self.lost = 0
        """Groups that could not be kept."""

    def append(self, sequence: int, at: float, row: bytes, outline: Outline | None = None) -> None:
        """Keep a group of the journal, in a file soon; ``sync`` makes it durable."""
        if row == _NOTHING:
            return
        if self._is_failing and self._clock() < self._try_at:
            self.lost += 1
            return
        try:
            self._append(sequence, at, row, outline)
        except OSError as error:
            self._fail(error)
        except Exception:  # a defect of ours must not keep whoever calls from what comes next
            self.lost += 1
            log.exception("a group could not be kept")

    def sync(self) -> None:
        """What was appended is durable when this returns."""
        if self._files is None:
            return
        try:
            self._files.sync()
        except OSError as error:
            self._fail(error)
            return
        if self._is_failing:
            self._is_failing = False
            log.warning("= history is written again")

    def close(self) -> None:
        """Write what waits, and end the files."""
        if self._files is None:
            return
        try:
            self._files.flush()
        except OSError as error:
            self._fail(error)
            return
        self._files.close()
        self._files = None

    def _append(self, sequence: int, at: float, row: bytes, outline: Outline | None) -> None:
        group = kept(sequence, at, row, outline, with_texts=self._keeps_texts)
        now = self._clock()
        if self._files is not None and (
            now - self._files.opened_at >= self._stretch_s or self._files.octets >= self._stretch_octets
        ):
            self._files.sync()
            self.close()
        if self._files is None:
            self._files = _Files(self._folder, at, now)
        self._files.write(group, texts_line(sequence, at, group.texts) if group.texts else b"")

    def _fail(self, error: OSError) -> None:
        """The next one begins new files: nobody knows where the old ones end."""
        self.lost += max(1, self._files.waiting if self._files is not None else 0)
        self._try_at = self._clock() + RETRY_S
        if not self._is_failing:
            self._is_failing = True
            log.error("= history cannot be written: %s; it has a gap until it can", error)
        files, self._files = self._files, None
        if files is not None:
            with contextlib.suppress(OSError):
                files.close()


class _Files:
    """The open files of one stretch. What is written waits for more: where few messages come, a call for each group
    would cost more than the group."""

    def __init__(self, folder: Path, at: float, now: float) -> None:
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        self.opened_at = now
        self.octets = 0
        self._folder = folder
        self._lines: list[bytes] = []
        self._blocks: list[bytes] = []
        self._text_lines: list[bytes] = []
        self._written = self._synced = 0
        self._texts = -1
        stretch = self._stretch = _free(folder, at)
        self._groups = _opened(stretch.groups)
        try:
            self._index = _opened(stretch.index)
        except OSError:
            os.close(self._groups)
            raise
        self._is_new = True

    @property
    def waiting(self) -> int:
        """Groups that are in no file yet."""
        return len(self._blocks)

    def write(self, group: Kept, texts: bytes) -> None:
        """One group, and the line of its texts, if it has any."""
        length = group.length
        self._lines += group.parts
        self._blocks.append(block_of(self.octets, length, group.names, group.ids))
        if texts:
            self._text_lines.append(texts)
        self.octets += length
        if self.octets - self._synced >= SYNC_OCTETS:
            self.sync()
        elif self.octets - self._written >= WRITE_OCTETS:
            self.flush()

    def flush(self) -> None:
        """Write what waits. A crash may leave a part of it, which readers pass over."""
        if not self._blocks:
            return
        _write(self._groups, self._lines)
        _write(self._index, self._blocks)
        if self._text_lines:
            if self._texts < 0:
                self._texts = _opened(self._stretch.texts)
                self._is_new = True
            _write(self._texts, self._text_lines)
        self._written = self.octets
        for waiting in (self._lines, self._blocks, self._text_lines):
            waiting.clear()

    def sync(self) -> None:
        """Make groups and texts durable; the index can be done without."""
        self.flush()
        os.fsync(self._groups)
        if self._texts >= 0:
            os.fsync(self._texts)
        self._synced = self.octets
        if self._is_new:
            self._is_new = False
            sync_folder(self._folder)

    def close(self) -> None:
        """No more is written; what holds nothing, because the disk refused its first groups, goes."""
        for descriptor in (self._groups, self._index, self._texts):
            if descriptor >= 0:
                os.close(descriptor)
        if not self._written:
            for path in (self._stretch.index, self._stretch.groups):
                path.unlink(missing_ok=True)


def _free(folder: Path, at: float) -> Stretch:
    """A name that nothing has; after a crash the same moment may come again."""
    stretch = Stretch(folder / history_files.name_of(at), at)
    while stretch.groups.exists():
        at += 0.001
        stretch = Stretch(folder / history_files.name_of(at), at)
    return stretch


def _write(descriptor: int, parts: list[bytes]) -> None:
    octets = b"".join(parts)
    if os.write(descriptor, octets) != len(octets):
        raise OSError("the disk took a part of it only")


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _FILE_MODE)
