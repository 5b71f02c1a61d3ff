"""What platforms call the files that were uploaded to them, over restarts: the keeper that a link is given.

Knows no platform, and no file but by the hash of its content.
"""

from __future__ import annotations

from gatewayd.carriers.link import KeptFile
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import FILE
from gatewayd.store.records import File


class Files:
    """The ``FileKeeper`` of one link in one worker."""

    def __init__(self, journal: Journal, link: str) -> None:
        self._journal = journal
        self._link = link

    def recall(self, digest: str) -> KeptFile | None:
        """What was kept last."""
        found: File | None = self._journal.get(FILE, self._key(digest))
        if found is None:
            return None
        return KeptFile(
            owner=found.owner,
            ref=found.ref,
            file_id=found.file_id,
            mime_type=found.mime_type,
            size=found.size,
            is_ready=found.is_ready,
            sent_at=found.sent_at,
            until=found.due,
        )

    def keep(self, digest: str, kept: KeptFile) -> None:
        """Remember it. Nobody waits for the disk: what is lost in a crash is uploaded once more."""
        record = File(
            owner=kept.owner,
            ref=kept.ref,
            file_id=kept.file_id,
            mime_type=kept.mime_type,
            size=kept.size,
            is_ready=kept.is_ready,
            sent_at=kept.sent_at,
            due=kept.until,
        )
        self._journal.put(FILE, self._key(digest), record)

    def forget(self, digest: str) -> None:
        """The platform has it no more."""
        self._journal.delete(FILE, self._key(digest))

    def _key(self, digest: str) -> str:
        return f"{self._link}|{digest}"
