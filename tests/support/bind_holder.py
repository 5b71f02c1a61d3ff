"""A process that holds its part of a link's binds, as a worker does, from a line on its input until it is killed.

Run with the file of seats, the port of the carrier, the number of binds, its slot and the number of workers.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from gatewayd.carriers.link import Link
from gatewayd.carriers.seat_keeper import SeatKeeper
from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.config import schema
from gatewayd.runtime.seats import SeatFile


class Deaf:
    """Hears nothing: no message is sent here."""

    def on_ready(self, link: Link) -> None:
        """A bind stands."""


async def main() -> None:
    """For ever."""
    port, binds, slot, workers = map(int, sys.argv[2:6])
    settings = schema.Link(kind="smpp", host="127.0.0.1", port=port, system_id="us", binds=binds, reconnect_min_s=0.01)
    link = SmppLink("carrier", settings, "secret", Deaf())  # type: ignore[arg-type]  # a part of a listener
    seats = SeatFile(Path(sys.argv[1]), slot).group("link:carrier", binds)
    keeper = SeatKeeper(link, seats, slot, workers, lambda: range(workers), grace_s=0.0)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    await keeper.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
