"""The scenario ``memory``: an idle daemon, each bound idle ESME, and each message that waits for its receipt.

The carrier keeps back the receipts of all messages but those that warmed the daemon up, until memory and disk have been
looked at; then they come, and each must arrive. What is on disk for a message is written without a hurry: the look
waits for that.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, Final

from bench_following import bar
from bench_options import Options
from bench_processes import Failure, Use
from bench_scene import Scene, accounts, light_hash

MESSAGES, QUICK = 200_000, 1_000
WARM, QUICK_WARM = 20_000, 500
ESMES, QUICK_ESMES = 1_000, 20
LOOK_S: Final = 0.1
SPARE: Final = 10


def run(options: Options, place: Path) -> list[dict[str, Any]]:
    """A row for each: idle, with idle ESMEs, with messages that wait."""
    for name in ("plain", "crowded"):
        (place / name).mkdir()
    with contextlib.ExitStack() as stack:
        scene = Scene(options, place / "plain", stack)
        idle = scene.settle()
        waiting = _waiting(options, scene)
    return [
        {"case": "idle", "rss_idle_mb": round(idle.rss_mb, 1), "pss_idle_mb": round(idle.pss_mb, 1)},
        _bound(options, place / "crowded"),
        waiting,
    ]


def _bound(options: Options, place: Path) -> dict[str, Any]:
    """Idle ESMEs, each with an account."""
    esmes = options.esmes or (QUICK_ESMES if options.quick else ESMES)
    with contextlib.ExitStack() as stack:
        scene = Scene(
            options,
            place,
            stack,
            smpp_keys=f"connections_max = {esmes + SPARE}\n",
            more=accounts(esmes, light_hash()),
        )
        before = scene.settle()
        scene.all_bound(scene.idlers(esmes))
        return {"case": "idle ESMEs", "esmes": esmes, **_grown(before, scene.settle(), esmes, "kb_per_esme", 2**10)}


def _waiting(options: Options, scene: Scene) -> dict[str, Any]:
    """Messages that are with the carrier, and whose receipts are not there yet."""
    messages = options.count(MESSAGES, QUICK)
    warm = QUICK_WARM if options.quick or messages < WARM else WARM
    scene.relay(warm)
    load = scene.load(messages)
    before, spool_before, history_before = scene.settle(), *_disk(scene.place)
    scene.carrier.tell("hold")
    load.go()
    _await_submitted(options, scene, warm + messages)
    after, spool, history = scene.settle(), *_disk(scene.place)
    scene.carrier.tell("release")
    scene.sent_by(load, messages)
    drained, spool_drained, _ = scene.settle(), *_disk(scene.place)
    return {
        "case": "waiting for receipts",
        "messages": messages,
        **_grown(before, after, messages, "bytes_per_message", 1),
        "spool_bytes_per_message": round((spool - spool_before) / messages, 1),
        "history_bytes_per_message": round((history - history_before) / messages, 1),
        "rss_waiting_mb": round(after.rss_mb, 1),
        "rss_drained_mb": round(drained.rss_mb, 1),
        "spool_drained_mb": round(spool_drained / 2**20, 2),
        **scene.wrongs(),
    }


def _grown(before: Use, after: Use, count: int, unit: str, divisor: int) -> dict[str, float]:
    """By how much it grew, for each of so many."""
    return {
        f"rss_{unit}": round((after.rss_mb - before.rss_mb) * 2**20 / divisor / count, 2),
        f"pss_{unit}": round((after.pss_mb - before.pss_mb) * 2**20 / divisor / count, 2),
    }


def _await_submitted(options: Options, scene: Scene, count: int) -> None:
    """Until the carrier has so many messages."""
    seen, moved_at = 0, time.monotonic()
    with bar("at the carrier", count) as show:
        while seen < count:
            time.sleep(LOOK_S)
            now = scene.submitted()
            show(now)
            if now > seen:
                seen, moved_at = now, time.monotonic()
            if time.monotonic() - moved_at > options.patience:
                raise Failure(f"the carrier has {seen:,} of {count:,} messages, and no more come")


def _disk(place: Path) -> tuple[int, int]:
    """Octets of the spool, and of the history beside it."""
    sizes = {False: 0, True: 0}
    for path in (place / "spool").rglob("*"):
        with contextlib.suppress(OSError):  # files come and go
            sizes["history" in path.relative_to(place / "spool").parts[0]] += path.stat().st_blocks * 512
    return sizes[False], sizes[True]
