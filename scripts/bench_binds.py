"""The scenario ``binds``: idle ESMEs beside one that works: memory of each, CPU of binding and of keeping them.

Each has an account and a password of its own. The first bind of an account costs the check of its password (scrypt, on
purpose slow); binds after that are known to the daemon, so that a storm after a cut costs far less.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, Final

from bench_options import Options
from bench_processes import Actor, Use
from bench_scene import Scene, accounts

ESMES, QUICK_ESMES = 1_000, 20
MESSAGES, QUICK = 50_000, 500
KEEP_S, QUICK_KEEP_S = 60.0, 2.5
ENQUIRE_S, QUICK_ENQUIRE_S = 30, 1
SPARE: Final = 10
"""Connections of others."""


def run(options: Options, place: Path) -> list[dict[str, Any]]:
    """A row for the daemon alone with its one ESME, and one with the idle ones beside it."""
    esmes = options.esmes or (QUICK_ESMES if options.quick else ESMES)
    messages = options.count(MESSAGES, QUICK)
    keep_s = options.span_s(KEEP_S, QUICK_KEEP_S)
    enquire_s = QUICK_ENQUIRE_S if options.quick else ENQUIRE_S
    keys = f"connections_max = {esmes + SPARE}\nenquire_interval_s = {enquire_s}\n"
    with contextlib.ExitStack() as stack:
        scene = Scene(options, place, stack, smpp_keys=keys, more=accounts(esmes))
        alone = {"case": "alone", **scene.relay(messages)} | _kept(scene, keep_s)
        idle = scene.settle()
        idlers = scene.idlers(esmes)
        beside: dict[str, Any] = {"case": "beside idle ESMEs", "esmes": esmes}
        storm = _storm(scene, idlers, "bind")
        here = scene.settle()
        keeping = _kept(scene, keep_s)
        enquiries = _count(scene, idlers)["enquiries"]
        idlers.tell("again")
        scene.hear(idlers, "gone")
        rebind = _storm(scene, idlers, "rebind")
        beside |= scene.relay(messages)
        beside |= keeping | storm | rebind
        beside |= {
            "rss_kb_per_esme": round((here.rss_mb - idle.rss_mb) * 1024 / esmes, 2),
            "cut": _count(scene, idlers)["cut"],
            "enquiries": enquiries,
        }
        return [alone, beside | scene.wrongs()]


def _storm(scene: Scene, idlers: Actor, word: str) -> dict[str, Any]:
    """What it costs until all are bound."""
    before = scene.look()
    bound = scene.all_bound(idlers)
    after = scene.look()
    return {
        f"{word}_cpu_ms_per_esme": round((after.processor_s - before.processor_s) * 1e3 / bound, 3),
        f"{word}s_per_s": round(bound / (after.at - before.at), 1),
    }


def _kept(scene: Scene, seconds: float) -> dict[str, Any]:
    """What the daemon uses while nothing happens but enquire_links."""
    before = scene.settle()
    time.sleep(seconds)
    return {"idle_cpu_ms_per_s": _cpu_ms_per_s(before, scene.look())}


def _cpu_ms_per_s(before: Use, after: Use) -> float:
    return round((after.processor_s - before.processor_s) * 1e3 / (after.at - before.at), 2)


def _count(scene: Scene, idlers: Actor) -> dict[str, Any]:
    idlers.tell("count")
    return scene.hear(idlers, "enquiries")
