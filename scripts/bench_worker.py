"""One worker without its supervisor, for the benchmark: valgrind does not know how one process waits for another.

Takes the path of its configuration as its argument, and works until it is terminated.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from pathlib import Path

import uvloop

from gatewayd.config.load import load
from gatewayd.serving import GC_THRESHOLDS, SWITCH_INTERVAL_S
from gatewayd.worker import Worker

DRAIN_S = 1.0


async def serve(config: Path) -> None:
    """Be the worker."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(*GC_THRESHOLDS)
    terminated = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
    worker = Worker(load(config))
    await worker.start()
    await terminated.wait()
    await worker.drain(DRAIN_S)
    await worker.stop()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
