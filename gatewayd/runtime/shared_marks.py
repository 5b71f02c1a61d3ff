"""Who was wrong of late, for all workers of one machine: a mapped file of fixed size, in which the least gives way.

Knows how marks are found and kept, not what they mean: that is asked of the function that the caller brings. A mark is
found by an account's name and an address, either of which may be missing. ``now`` is Unix seconds.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Final, NamedTuple

from gatewayd.runtime.shared_table import SharedTable

WAYS: Final = 8
"""So many marks share a place, and a lock."""

_MARK = struct.Struct("<16s16sq3d")  # account, address, count, since, until, last changed
_NO_ADDRESS: Final = bytes(16)


class Key(NamedTuple):
    """Whose mark: an account's name of at most 16 octets, and the 16 octets of an address, empty for any."""

    account: str
    address: bytes

    def octets(self) -> tuple[bytes, bytes]:
        """As it stands in the file."""
        return self.account.encode(errors="replace")[:16].ljust(16, b"\0"), self.address or _NO_ADDRESS


class Known(NamedTuple):
    """What is known: how often, since when, until when."""

    times: int = 0
    since: float = 0.0
    until: float = 0.0


NOTHING: Final = Known()


class SharedMarks(SharedTable):
    """The open file. A slot of it is a place of several marks."""

    MAGIC, VERSION, SLOT_SIZE = b"gwmarks\0", 1, _MARK.size * WAYS
    IS_OF_ONE_BOOT = False

    def look(self, key: Key) -> Known:
        """What is known of one."""
        account, address = key.octets()
        with self.locked(place := self._place(account, address)):
            for at in self._ways(place):
                found = _MARK.unpack_from(self.memory, at)
                if found[0] == account and found[1] == address:
                    return Known(*found[2:5])
        return NOTHING

    def change(self, key: Key, now: float, decide: Callable[[Known], Known]) -> Known:
        """Put what ``decide`` makes of it in its place. Where all ways are taken, the one that matters least goes."""
        account, address = key.octets()
        with self.locked(place := self._place(account, address)):
            chosen, least, known = -1, (2, 0, 0.0), NOTHING
            for at in self._ways(place):
                found = _MARK.unpack_from(self.memory, at)
                if found[0] == account and found[1] == address:
                    chosen, known = at, Known(*found[2:5])
                    break
                # One that is in force goes last; else the one that was seldom wrong, and long ago.
                weight = (0, 0, 0.0) if not found[5] else (int(found[4] > now), found[2], found[5])
                if weight < least:
                    chosen, least = at, weight
            known = decide(known)
            _MARK.pack_into(self.memory, chosen, account, address, *known, now)
            return known

    def forget(self, account: str | None = None, address: bytes | None = None) -> int:
        """Forget all marks of an account, of an address, or (with neither) all; how many those were."""
        wanted_account = None if account is None else Key(account, b"").octets()[0]
        count = 0
        for place in self._offsets():
            with self.locked(place):
                for at in self._ways(place):
                    found = _MARK.unpack_from(self.memory, at)
                    is_meant = wanted_account in (None, found[0]) and address in (None, found[1])
                    if found[5] and is_meant:
                        self.memory[at : at + _MARK.size] = bytes(_MARK.size)
                        count += 1
        return count

    def all(self) -> Iterator[tuple[Key, Known]]:
        """Everything that is known, as it is at this moment."""
        for place in self._offsets():
            for at in self._ways(place):
                account, address, *known, changed = _MARK.unpack_from(self.memory, at)
                if changed:
                    name = account.rstrip(b"\0").decode(errors="replace")
                    yield Key(name, b"" if address == _NO_ADDRESS else address), Known(*known)

    def _place(self, account: bytes, address: bytes) -> int:
        number = int.from_bytes(blake2b(account + address, digest_size=4).digest(), "little")
        places = self._offsets()
        return places[number % len(places)]

    def _ways(self, place: int) -> range:
        return range(place, place + self.SLOT_SIZE, _MARK.size)
