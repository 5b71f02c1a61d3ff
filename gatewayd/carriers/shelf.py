"""What is there of local files at one platform: on its way, usable until a moment, or not to be had.

Uploads nothing; ``uploader`` does, and changes what stands here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

from gatewayd.carriers.backoff import Backoff
from gatewayd.carriers.link import KeptFile
from protocol.rcs.errors import ContentFault
from protocol.rcs.files import LocalFile, Place


class MediaPendingError(Exception):
    """A file of the content is on its way to the platform: the message can go in a moment."""


class Item:
    """One file at the platform, by its content.

    ``usable`` may be sent, ``coming`` was uploaded and is not ready yet; both at once when it is renewed. ``error``
    says why it is not to be had for now. ``due_at`` is when something must be done for it (monotonic seconds).
    """

    __slots__ = (
        "backoff",
        "coming",
        "coming_since",
        "doubted_at",
        "due_at",
        "error",
        "failures",
        "file",
        "is_doubted",
        "polls",
        "usable",
    )

    def __init__(self, file: LocalFile, backoff: Backoff, due_at: float) -> None:
        self.file = file
        self.usable: KeptFile | None = None
        self.coming: KeptFile | None = None
        self.coming_since = 0.0
        self.is_doubted = False
        self.doubted_at = -math.inf
        self.error = ""
        self.failures = 0
        self.backoff = backoff
        self.polls = backoff
        self.due_at = due_at


class Shelf:
    """All files of one link; ``is_known`` once the files were looked at."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._items: dict[str, Item] = {}
        self._names: Mapping[str, str] = {}
        self.is_known = False

    def learn(self, names: Mapping[str, str]) -> None:
        """From now on these are the digests of the files, by name; what is under none of them is forgotten."""
        self._names = names
        contents = set(names.values())
        self._items = {digest: item for digest, item in self._items.items() if digest in contents}

    def item(self, digest: str) -> Item | None:
        """The one with this content, if it is looked after."""
        return self._items.get(digest)

    def put(self, item: Item) -> None:
        """Look after it from now on."""
        self._items[item.file.digest] = item

    def items_of(self, digests: Iterable[str]) -> Iterator[Item]:
        """Those that are looked after."""
        return (self._items[digest] for digest in digests if digest in self._items)

    def item_with(self, file_id: str) -> Item | None:
        """The one that the platform knows by an id."""
        for item in self._items.values():
            if any(kept is not None and kept.file_id == file_id for kept in (item.coming, item.usable)):
                return item
        return None

    def due(self, now: float) -> list[Item]:
        """Those for which something must be done by now."""
        return [item for item in self._items.values() if item.due_at <= now]

    def next_due(self) -> float:
        """When the next one is."""
        return min((item.due_at for item in self._items.values()), default=math.inf)

    def find(self, wanted: Iterable[str], used: list[str], name: str) -> Place:
        """What stands for a file in messages; its digest joins ``used``.

        Raises MediaPendingError while it is on its way, ContentFault when it is not to be had.
        """
        digest = self._names.get(name)
        if digest is None:
            if name in wanted and not self.is_known:
                raise MediaPendingError(name)
            raise ContentFault("not_uploaded", f"file:{name}", "cannot be read, or no template names it")
        item = self._items[digest]
        usable = item.usable
        if usable is not None and not item.is_doubted and usable.until > self._wall():
            used.append(digest)
            return Place(usable.ref, usable.mime_type, usable.size)
        if item.error:
            raise ContentFault("not_uploaded", f"file:{name}", f"the platform does not have it ({item.error})")
        raise MediaPendingError(name)
