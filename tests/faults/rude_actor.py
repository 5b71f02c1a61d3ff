"""A process for applications that behave badly, so that what they cost is not the test's own time.

Takes host, port, manner and how many there are; writes how many there really are once they have begun, and goes on
until it is killed.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time

import uvloop

from gatewayd.simulate.rude import RudeEsme, idle_connections
from tests.daemon.process import PASSWORD

HANDSET = "33602999999"
APART = 20  # files that are none of the connections
LIFE_S = 60.0


async def be_rude(host: str, port: int, manner: str, count: int) -> None:
    """One process's worth of it."""
    until = time.monotonic() + LIFE_S
    if manner == "holds idle connections":
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        say(len(held := await idle_connections(host, port, min(count, most - APART))))
        await asyncio.to_thread(sys.stdin.read)
        held.clear()
    elif manner == "dies within a PDU":
        say(1)
        while time.monotonic() < until:
            rude = RudeEsme(host, port)
            await rude.bind("rude", PASSWORD)
            await rude.die_within_a_pdu(HANDSET)
    else:
        rudes = [RudeEsme(host, port) for _ in range(count)]
        for rude in rudes:
            assert await rude.bind("rude", PASSWORD) == 0
        say(count)
        how = {
            "never reads": RudeEsme.never_read,
            "reads a byte a second": RudeEsme.read_slowly,
            "floods": RudeEsme.flood,
        }[manner]
        await asyncio.gather(*(how(rude, HANDSET, until) for rude in rudes))


def say(count: int) -> None:
    """To the test."""
    sys.stdout.write(f"{count}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(be_rude(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
