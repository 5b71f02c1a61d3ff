"""Billing records between the store and their files: each written once, whatever crashes come between.

A record is put into the store together with the change that made it final. Once that is durable it is appended to its
file, inserted into the table where there is one, and only then forgotten here. After a crash the files say what they
have already, and the table takes no id twice.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import msgspec

from gatewayd.billing.record_files import RecordFiles
from gatewayd.billing.record_table import RecordTable
from gatewayd.policy.billing import Record
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import CDR
from gatewayd.store.records import Cdr

log = logging.getLogger(__name__)

BATCH_MAX: Final = 5_000
RETRY_S: Final = 10.0


class CdrOutbox:
    """The records of one worker that are not in their file, and in the table, yet."""

    def __init__(self, journal: Journal, files: RecordFiles, slot: int, table: RecordTable | None = None) -> None:
        """Take up what the last run left. Raises OSError when the files cannot be read."""
        self._journal = journal
        self._files = files
        self._table = table
        self._slot = slot
        self._loop = asyncio.get_running_loop()
        self._mark: Cdr | None = None
        self._ready: list[Cdr] = []
        self._fresh = 0
        self._writing: asyncio.Future[None] | None = None
        self._again_at = 0.0
        self._is_failing = False
        for _, cdr in journal.scan(CDR):
            if not cdr.is_written:
                self._ready.append(cdr)
            elif cdr.origin == slot:
                self._mark = cdr
        known = [cdr.sequence for cdr in (*self._ready, self._mark) if cdr is not None and cdr.origin == slot]
        self._sequence = max(known, default=0)
        # A folder that is there may know more than a spool that was begun anew.
        self._sequence = max(self._sequence, files.last_sequence(slot), self._last_in_table())

    def _last_in_table(self) -> int:
        if self._table is None:
            return 0
        try:
            return self._table.last_sequence(self._slot)
        except OSError as error:  # no reason not to carry messages; what is to be written waits
            log.error("= the table of billing records cannot be read: %s", error)
            return 0

    @property
    def unwritten(self) -> int:
        """Records that are not in their file yet."""
        return self._fresh + len(self._ready)

    def add(self, agent: str, user: str, record: Record) -> None:
        """A record that is final, in the same group as the change that made it so."""
        self._sequence += 1
        cdr = Cdr(self._slot, self._sequence, agent, user, record)
        self._fresh += 1
        self._journal.put(CDR, cdr.key, cdr, new=True)
        self._journal.then(self._durable, cdr)

    def _durable(self, cdrs: list[Any]) -> None:
        self._fresh -= len(cdrs)
        self._ready += cdrs

    def tick(self) -> None:
        """Write what there is to write, in a thread of its own; called several times a second."""
        if self._ready and self._writing is None and self._loop.time() >= self._again_at:
            self._ready.sort(key=lambda cdr: cdr.key)
            batch = self._ready[:BATCH_MAX]
            self._writing = self._loop.run_in_executor(None, self._write, batch)
            self._writing.add_done_callback(lambda done: self._written(batch, done))

    def _write(self, batch: list[Cdr]) -> None:
        """In a thread of its own."""
        self._files.append(batch)
        if self._table is not None:
            self._table.append(batch)

    def _written(self, batch: list[Cdr], done: asyncio.Future[None]) -> None:
        self._writing = None
        if done.cancelled():
            return
        failure = done.exception()
        if failure is not None:
            self._again_at = self._loop.time() + RETRY_S
            if not self._is_failing:
                log.error("= billing records cannot be written: %s; they wait in the store", failure)
            self._is_failing = True
            return
        if self._is_failing:
            log.warning("= billing records are written again")
            self._is_failing = False
        del self._ready[: len(batch)]
        for cdr in batch:
            self._forget(cdr)

    def _forget(self, cdr: Cdr) -> None:
        """It is in its file. The last one of ours stays as a mark: from it the next sequence number is known."""
        is_last = cdr.origin == self._slot and (self._mark is None or cdr.sequence > self._mark.sequence)
        if not is_last:
            self._journal.delete(CDR, cdr.key)
            return
        if self._mark is not None:
            self._journal.delete(CDR, self._mark.key)
        self._mark = msgspec.structs.replace(cdr, is_written=True)
        self._journal.put(CDR, cdr.key, self._mark)

    async def close(self) -> None:
        """Write what is durable, once; the rest is written at the next start."""
        while not self._is_failing and (self._ready or self._writing is not None):
            self._again_at = 0.0
            self.tick()
            if self._writing is not None:
                await asyncio.wait([self._writing])
                await asyncio.sleep(0)  # for the callback
        if self._table is not None:
            if self._writing is not None:  # it is failing, and must not lose its connection meanwhile
                await asyncio.wait([self._writing])
            await self._loop.run_in_executor(None, self._table.close)
