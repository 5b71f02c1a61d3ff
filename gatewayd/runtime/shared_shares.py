"""A share that all workers of one machine use of something: a number and a moment, in a slot of the limits.

Knows neither what is shared nor how a share changes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.runtime.shared_table import NAME_SIZE

_STATE: Final = struct.Struct("<dd")

Change = Callable[[float, float], tuple[float, float] | None]


class Share:
    """One of them; both numbers are 0 as long as nobody has changed it."""

    __slots__ = ("_begin", "_offset", "_table", "name")

    def __init__(self, table: SharedLimits, name: str) -> None:
        """Raises SlotsExhausted, or ValueError for a bad name."""
        self.name = name
        self._table = table
        self._begin = table.find(name)
        self._offset = self._begin + NAME_SIZE

    def read(self) -> tuple[float, float]:
        """The share and its moment, as they were last written whole or in part: a reader takes no lock."""
        share, at = _STATE.unpack_from(self._table.memory, self._offset)
        return share, at

    def change(self, change: Change) -> bool:
        """Let ``change`` say what follows from what is there, while nobody else changes it; whether anything did."""
        with self._table.locked(self._begin):
            found = change(*_STATE.unpack_from(self._table.memory, self._offset))
            if found is not None:
                _STATE.pack_into(self._table.memory, self._offset, *found)
        return found is not None
