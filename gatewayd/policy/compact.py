"""A line of message ids in eight octets each, where a list of integers takes forty: a backlog may have ten million.

Knows nothing of what the ids name.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Collection, Container, Iterator

CHUNK = 1_024


class CompactLine:
    """First in, first out, and a way back to the front. Ids are integers of 64 bits."""

    __slots__ = ("_back", "_chunks", "_front", "size")

    def __init__(self) -> None:
        self._front: deque[int] = deque()
        self._chunks: deque[array[int]] = deque()
        self._back: array[int] = array("q")
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def append(self, item: int) -> None:
        """Add at the end."""
        self.extend((item,))

    def extend(self, items: Collection[int]) -> None:
        """Add several at the end, in order."""
        back = self._back
        back.extend(items)
        self.size += len(items)
        if len(back) >= CHUNK:
            self._chunks.append(back)
            self._back = array("q")

    def appendleft(self, item: int) -> None:
        """Put back at the front."""
        self._front.appendleft(item)
        self.size += 1

    def popleft(self) -> int:
        """Take the first. Raises IndexError when there is none."""
        try:
            item = self._front.popleft()
        except IndexError:  # once for a chunk
            self._refill()
            item = self._front.popleft()
        self.size -= 1
        return item

    def __getitem__(self, place: int) -> int:
        """Look at the first, and no further: ``place`` is 0. Raises IndexError when there is none."""
        if not self._front:
            self._refill()
        return self._front[place]

    def __iter__(self) -> Iterator[int]:
        """All of them, first to last; the line must not change meanwhile."""
        yield from self._front
        for chunk in self._chunks:
            yield from chunk
        yield from self._back

    def discard(self, gone: Container[int]) -> list[int]:
        """Take these out, wherever they are; those that were there."""
        kept, found = CompactLine(), []
        for item in self:
            if item in gone:
                found.append(item)
            else:
                kept.append(item)
        if found:
            self._front, self._chunks, self._back, self.size = kept._front, kept._chunks, kept._back, kept.size
        return found

    def _refill(self) -> None:
        if self._chunks:
            self._front.extend(self._chunks.popleft())
        else:
            self._front.extend(self._back)
            self._back = array("q")
