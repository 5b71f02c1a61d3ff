"""One worker's process: takes its orders, lets its heart beat, does what the supervisor says, and ends with it.

Knows how a worker is ordered about; what it is made of is ``gatewayd.worker``'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from pathlib import Path

import uvloop

from gatewayd.asking.desk import AskingDesk
from gatewayd.billing import rule_files
from gatewayd.config import handover, schema
from gatewayd.runtime.control import Line, WorkerChannel
from gatewayd.runtime.masking import made_key
from gatewayd.runtime.tasks import spawn
from gatewayd.runtime.trail import configure_logging
from gatewayd.store.database import StoreFault
from gatewayd.worker import Place, Worker

EXIT_OK, EXIT_FAILED = 0, 1
BEAT_S = 1.0

# The store's writer thread must get the interpreter soon after each fsync, although the loop is busy.
SWITCH_INTERVAL_S = 0.0005
# Messages are records without cycles: collecting more often finds nothing and costs much.
GC_THRESHOLDS = (50_000, 20, 50)


def run_worker(control: int) -> int:
    """Be one of the supervisor's processes; returns the exit code."""
    return uvloop.run(_serve(control))


async def _serve(control: int) -> int:
    channel = await WorkerChannel.open(control)
    loaded = handover.unpack(channel.orders["loaded"])
    _prepare_process(loaded.config, channel.orders)
    try:
        worker = Worker(loaded, _place(channel.orders))
        for name in channel.orders.get("paused", ()):
            worker.dispatcher.pause(name, paused=True)
        await worker.start()
    except (StoreFault, OSError, rule_files.RulesFault) as error:
        channel.send({"fatal": str(error)})
        channel.close()
        return EXIT_FAILED
    except Exception as error:  # a fault of ours: told as well, so that a start does not go round in circles unseen
        channel.send({"fatal": f"{type(error).__name__}: {error}"})
        raise
    channel.send({"ready": worker.beat()})
    spawn(_beat(worker, channel), name="heartbeat")
    asking, reloading = AskingDesk(worker), spawn(asyncio.sleep(0), name="nothing to reload")
    async for line in channel:
        if "news" in line:
            worker.measuring.news.take(line["news"])
        if "ask" in line:
            asking.ask(line, channel)
        if "reload" in line:
            await asyncio.wait([reloading])
            # Beside the loop: links that are exchanged take seconds, and questions are answered meanwhile.
            reloading = spawn(_reload(worker, channel, line), name="reloading")
        if "drain" in line:
            await asyncio.wait([reloading])
            await worker.drain(line["drain"])
            await worker.stop()  # the heart goes on to beat until everything is written down
            channel.close()
            return EXIT_OK
    # The supervisor is gone, and another one may want our spool: what is not durable was not acknowledged.
    os._exit(EXIT_FAILED)


async def _reload(worker: Worker, channel: WorkerChannel, line: Line) -> None:
    try:
        channel.send({"reloaded": await worker.reload(handover.unpack(line["loaded"]))})
    except Exception as error:
        channel.send({"reloaded": [f"{type(error).__name__}: {error}"]})
        raise


async def _beat(worker: Worker, channel: WorkerChannel) -> None:
    while True:
        await asyncio.sleep(BEAT_S)
        channel.send({"beat": worker.beat()})


def _prepare_process(config: schema.Config, orders: Line) -> None:
    """What is set once in a process. Signals are the supervisor's: it drains us when it is time."""
    daemon, worker = config.daemon, orders["slot"] if orders["count"] > 1 else None
    configure_logging(daemon.log_level, form=daemon.log_format, key=made_key(Path(daemon.spool_dir)), worker=worker)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(*GC_THRESHOLDS)
    _yield_to_others(orders["count"])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _yield_to_others(workers: int) -> None:
    """Workers that are more than the processors would interrupt one another a thousand times a second, and each find
    the processor's caches full of what the other needs. As batch they take turns of the scheduler's length."""
    with contextlib.suppress(OSError):  # a sandbox may forbid it
        if workers > len(os.sched_getaffinity(0)):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _place(orders: Line) -> Place:
    sockets = {
        kind: [socket.socket(fileno=descriptor) for descriptor in descriptors]
        for kind, descriptors in orders["sockets"].items()
    }
    return Place(orders["slot"], orders["count"], sockets)
