"""The price of the store alone: the changes of a plain message's life, with history and without, in CPU a message.

Knows the store and nothing of the network. Runs both ways in turn, and tells the best of each: others use the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import uvloop

from gatewayd.message import Encoding, Message, State
from gatewayd.policy.journey import Progress, Segment, Stage
from gatewayd.store.history import History
from gatewayd.store.journal import Journal
from gatewayd.store.records import Delivery
from gatewayd.store.spool import Journey, Spool

GROUP = 200
DAY_S = 86_400.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    best = {False: float("inf"), True: float("inf")}
    for _ in range(asked.rounds):
        for keeps in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                cpu_s = uvloop.run(measure(Path(folder), asked.messages, keeps))
            best[keeps] = min(best[keeps], cpu_s / asked.messages * 1e6)
    print(f"without history {best[False]:.2f} us, with history {best[True]:.2f} us")
    print(f"history costs   {best[True] - best[False]:.2f} us of CPU a message")


async def measure(folder: Path, messages: int, keeps: bool) -> float:
    """CPU seconds of this process for so many messages, the last fold included."""
    history = History(folder / "history", keep_s=3 * DAY_S) if keeps else None
    spool = Spool(Journal(folder / "a.spool", history=history))
    began = time.process_time()
    before: list[Journey] = []
    sent: list[Journey] = []
    owed: list[int] = []
    for start in range(0, messages, GROUP):
        settled, owed = owed, [finish(spool, journey) for journey in sent]
        for delivery_id in settled:
            spool.settle_delivery(delivery_id)
        for journey in before:
            send(spool, journey)
        before, sent = [accept(spool, start + number) for number in range(GROUP)], before
        done = asyncio.get_running_loop().create_future()
        spool.journal.then(lambda items: items[0].set_result(None), done)
        await done
    await spool.journal.close(timeout_s=60.0)
    return time.process_time() - began


def accept(spool: Spool, number: int) -> Journey:
    """A message and its progress."""
    message = Message(
        id=spool.new_id(),
        account="shop",
        source_ton=5,
        source_npi=0,
        source="SHOP",
        destination_ton=1,
        destination_npi=1,
        destination=f"336{number:08}",
        payload=b"Your code is 123456. Tell it to nobody.",
        encoding=Encoding.GSM,
        accepted_at=time.time(),
        registered_delivery=1,
    )
    return spool.accept(message, Progress(message.id, "shop", Stage.QUEUED, ("carrier",), queue="carrier"))


def send(spool: Spool, journey: Journey) -> None:
    """The carrier took it and named it."""
    progress = journey.progress
    carrier_id = f"{progress.id:x}"[-10:]
    progress.stage, progress.queue = Stage.SENT, ""
    progress.segments = [Segment(carrier_id=carrier_id, is_taken=True)]
    progress.sent_at = time.time()
    progress.due = progress.sent_at + 3 * DAY_S
    spool.name("carrier", carrier_id, progress.id, 0, progress.sent_at, is_told=True)
    spool.save(journey)


def finish(spool: Spool, journey: Journey) -> int:
    """Its receipt came, and is owed to the application."""
    message, now = journey.message, time.time()
    spool.forget_name("carrier", journey.progress.segments[0].carrier_id)
    spool.finish(journey)
    receipt = Delivery(
        id=spool.new_id(),
        account="shop",
        kind="receipt",
        source_ton=1,
        source_npi=1,
        source=message.destination,
        destination_ton=5,
        destination_npi=0,
        destination=message.source,
        created_at=now,
        due=now + 3 * DAY_S,
        message_id=message.id,
        state=State.DELIVRD,
        submitted_at=message.accepted_at,
        done_at=now,
    )
    spool.owe(receipt)
    return receipt.id


if __name__ == "__main__":
    main()
