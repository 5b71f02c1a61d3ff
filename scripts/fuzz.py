"""Runs the targets of ``fuzz_targets`` under atheris, one process each, and tells inputs, coverage and crashes.

Knows nothing of SMPP. The fuzzing itself is this file again with ``--child``: libFuzzer ends its process its own way.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PLACE: Final = ROOT / ".run" / "fuzz"
_STATUS: Final = re.compile(r"#(\d+)\s.*?cov: (\d+) ft: (\d+).*?exec/s: (\d+)")
_CRASHES_MAX: Final = 5


class Tally:
    """What came of one target so far."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.runs = self.coverage = self.features = 0
        self.took_s = 0.0
        self.crashes: list[Path] = []

    def __str__(self) -> str:
        speed = self.runs / self.took_s if self.took_s else 0
        return (
            f"{self.target:9} {self.runs:>11,} inputs {self.took_s:>7.0f} s {speed:>8,.0f}/s"
            f"  {self.coverage:>5} edges {self.features:>6} features  {len(self.crashes)} crashes"
        )


def main() -> int:
    """Fuzz, or replay one file; the exit code is 1 when anything crashed."""
    sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
    args = _arguments()
    if args.child:
        return _fuzz(args.child, args.rest)
    from fuzz_targets import TARGETS

    wanted = args.target or list(TARGETS)
    for name in wanted:
        if name not in TARGETS:
            print(f"there is no target {name}; there are: {', '.join(TARGETS)}", file=sys.stderr)
            return 2
    if args.replay:
        TARGETS[wanted[0]](args.replay.read_bytes())
        print(f"{wanted[0]} takes {args.replay}: no crash")
        return 0
    tallies = [Tally(name) for name in wanted]
    waiting = list(tallies)
    runs = args.runs // len(wanted) if args.runs else 0
    seconds = args.seconds * args.jobs // len(wanted) if args.seconds else 0
    while waiting:
        now, waiting = waiting[: args.jobs], waiting[args.jobs :]
        _run_together(now, runs, seconds, args.corpus)
    print("\n".join(map(str, tallies)))
    print(f"all       {sum(tally.runs for tally in tallies):>11,} inputs")
    found = [(tally.target, crash) for tally in tallies for crash in tally.crashes]
    for target, crash in found:
        print(f"crash: {crash}\n  replay: scripts/fuzz --target {target} --replay {crash}")
    return 1 if found else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz",
        description="Feeds the parsers with octets that coverage leads to. What was interesting is kept, and a later"
        " run goes on from there; a crash is a file, and --replay calls its target with it.",
    )
    parser.add_argument("--target", action="append", help="only this one; may be given several times")
    parser.add_argument("--runs", type=int, default=0, help="inputs in all, shared by the targets")
    parser.add_argument("--seconds", type=int, default=0, help="time in all, shared by the targets (default: 60)")
    parser.add_argument("--jobs", type=int, default=1, help="targets at the same time (default: 1)")
    parser.add_argument(
        "--corpus", type=Path, default=PLACE, help="where inputs and crashes are kept (default: .run/fuzz)"
    )
    parser.add_argument("--replay", type=Path, metavar="FILE", help="give one file to the target and say what happens")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.jobs < 1 or args.runs < 0 or args.seconds < 0:
        parser.error("--jobs must be 1 or more, --runs and --seconds 0 or more")
    if args.replay and len(args.target or ()) != 1:
        parser.error("--replay wants one --target")
    if not args.runs and not args.seconds:
        args.seconds = 60
    return args


def _run_together(tallies: list[Tally], runs: int, seconds: int, place: Path) -> None:
    """Each in a process of its own; one that crashed is started again for what is left of its inputs."""
    going = [(tally, _lives(tally, runs, seconds, place)) for tally in tallies]
    while going:
        going = [(tally, life) for tally, life in going if next(life, None) is not None]


def _lives(tally: Tally, runs: int, seconds: int, place: Path) -> Iterator[bool]:
    corpus, crashes = place / "corpus" / tally.target, place / "crashes" / tally.target
    corpus.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(parents=True, exist_ok=True)
    _plant(tally.target, corpus)
    started = time.monotonic()
    while True:
        before, done_before = set(crashes.iterdir()), tally.runs
        yield from _one_life(tally, runs, seconds - int(tally.took_s), corpus, crashes, done_before)
        tally.took_s = time.monotonic() - started
        new = sorted(set(crashes.iterdir()) - before)
        tally.crashes += new
        is_over = (runs and tally.runs >= runs) or (seconds and tally.took_s >= seconds)
        if not new or is_over or len(tally.crashes) >= _CRASHES_MAX:
            return


def _one_life(tally: Tally, runs: int, seconds: int, corpus: Path, crashes: Path, done: int) -> Iterator[bool]:
    limits = [f"-runs={runs - done}"] if runs else []
    limits += [f"-max_total_time={max(1, seconds)}"] if seconds > 0 else []
    command = [sys.executable, __file__, "--child", tally.target, "--", *limits, "-max_len=400", "-timeout=10"]
    command += [f"-artifact_prefix={crashes}/", "-print_final_stats=1", "-rss_limit_mb=1024", str(corpus)]
    started, took_before = time.monotonic(), tally.took_s
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, errors="replace"
    ) as child:
        assert child.stderr is not None
        told: list[str] = []
        for line in child.stderr:
            tally.took_s = took_before + time.monotonic() - started
            if status := _STATUS.search(line):
                tally.runs, tally.coverage, tally.features = done + int(status[1]), int(status[2]), int(status[3])
                if sys.stderr.isatty():  # a log has no use for a line that is written over
                    print(f"\r{tally}", end="", file=sys.stderr, flush=True)
                yield True
            elif final := re.match(r"stat::number_of_executed_units:\s+(\d+)", line):
                tally.runs = done + int(final[1])
            else:
                told = [*told[-40:], line]
    print("" if sys.stderr.isatty() else tally, file=sys.stderr, flush=True)
    if child.returncode:
        print("".join(told), file=sys.stderr)


def _plant(target: str, corpus: Path) -> None:
    from fuzz_targets import SEEDS

    for number, seed in enumerate(SEEDS[target]):
        (corpus / f"seed-{number}").write_bytes(seed)


def _fuzz(target: str, options: list[str]) -> int:
    """The child: instruments what is imported from here on, and is libFuzzer's."""
    import atheris

    with atheris.instrument_imports(include=["protocol"]):
        from fuzz_targets import TARGETS
    atheris.Setup([sys.argv[0], *options], TARGETS[target])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
