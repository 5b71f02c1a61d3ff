"""Where a link of a test keeps what its platform calls its files."""

from __future__ import annotations

from gatewayd.carriers.link import KeptFile


class Keeper(dict[str, KeptFile]):
    """What outlives a restart."""

    def recall(self, digest: str) -> KeptFile | None:
        return self.get(digest)

    def keep(self, digest: str, kept: KeptFile) -> None:
        self[digest] = kept

    def forget(self, digest: str) -> None:
        self.pop(digest, None)
