"""What a figure must be read with: the machine, the interpreter, the disk, the load before, and the commit.

Knows nothing of what is measured.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import subprocess
import sys
import sysconfig
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent


def machine(place: Path) -> dict[str, Any]:
    """The facts, taken before a run; ``place`` is where the spool will lie."""
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "python_build": _python_build(),
        "protocol_build": _protocol_build(),
        "spool": _filesystem_of(place),
        "load_average": round(os.getloadavg()[0], 2),
        "commit": _git("rev-parse", "--short=12", "HEAD") or "unknown",
        "tree_is_clean": not _git("status", "--porcelain", "--untracked-files=no"),
    }


def caption_of(facts: dict[str, Any]) -> str:
    """All of it, for people."""
    return f"{machine_of(facts)}; {run_of(facts)}"


def machine_of(facts: dict[str, Any]) -> str:
    """What stays as it is from run to run."""
    return (
        "{cpu}, {cores} cores, Linux {kernel}, Python {python} ({python_build}), protocol {protocol_build},"
        " spool on {spool}"
    ).format_map(defaultdict(lambda: "unknown", facts))


def run_of(facts: dict[str, Any]) -> str:
    """When it was, of which state of the tree, and how busy the machine was before."""
    changed = "" if facts.get("tree_is_clean", True) else " with changes"
    known = defaultdict(lambda: "unknown", facts, changed=changed)
    return "{date}, commit {commit}{changed}, load before {load_average}".format_map(known)


def _cpu() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _python_build() -> str:
    """How the interpreter was compiled: with profiles (PGO) and at link time (LTO) it is a third faster.

    Debian and its like do both, and do not write it down. Whether it compiles as it runs (its JIT) belongs to it.
    """
    words = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    made = [name for name, word in (("PGO", "--enable-optimizations"), ("LTO", "--with-lto")) if word in words]
    if sys.base_prefix == "/usr":
        made = ["the distribution's"]
    jit: Any = getattr(sys, "_jit", None)  # since 3.14
    with_jit = ["JIT"] if jit is not None and jit.is_enabled() else []
    return ", ".join([platform.python_compiler(), *(made or ["no PGO, no LTO"]), *with_jit])


def _protocol_build() -> str:
    """Whether the wire format runs from its source or compiled."""
    found = importlib.util.find_spec("protocol.smpp.pdu")
    return "compiled" if found is not None and str(found.origin).endswith(".so") else "pure"


def _filesystem_of(place: Path) -> str:
    best = ("", "")
    with contextlib.suppress(OSError):
        for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
            mount, kind = line.split()[1:3]
            if place.is_relative_to(mount) and len(mount) >= len(best[0]):
                best = (mount, kind)
    return best[1]


def _git(*words: str) -> str:
    """What git says of this tree; nothing where there is no git, or no repository."""
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
