"""What one of a link's places at its carrier consists of: a bind, or a pair of a receiver and a transmitter.

Knows how its seats begin and end together; what goes over them is the link's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gatewayd.carriers.dialled_seat import DialledSeat
from gatewayd.carriers.smpp_seat import Seat


class Berth:
    """Seats that come and go as one."""

    def __init__(self, seats: Sequence[DialledSeat]) -> None:
        self._dialled = seats

    @property
    def seats(self) -> Sequence[Seat]:
        """Its seats as they are now."""
        return self._dialled

    @property
    def away(self) -> Sequence[DialledSeat]:
        """Those whose bind stands at another host than the first."""
        return [seat for seat in self._dialled if seat.is_away]

    def start(self) -> None:
        """Connect, and keep connected."""
        for seat in self._dialled:
            seat.start()

    def drain(self) -> None:
        """Take nothing more; answers may still come."""
        for seat in self._dialled:
            seat.drain()

    async def stop(self) -> None:
        """Unbind, close, and end."""
        await asyncio.gather(*(seat.stop() for seat in self._dialled))
