"""The gateway to look at and to try: the real daemon between a simulated application, SMS carrier and RCS platform.

Sends a few different messages through a real SMPP bind, and shows for each what was expected and what the application,
the platform and the carrier saw. Then everything stays up for a client of your own, until Ctrl-C.

Exit codes: 0 every journey ended as expected; 1 one did not, or a process ended by itself; 2 nothing could be started.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop
from rich.console import Console
from run_journeys import JOURNEYS, PATIENCE_S, RCS_RULES, SMS_RULES, THROTTLE, Ending, Journey, look_again, travel
from run_report import console, show_ending, show_invitation, show_start, show_sum
from run_stage import Stage, StageFault

EXIT_GOOD, EXIT_DIFFERENT, EXIT_NOT_STARTED, EXIT_INTERRUPTED = 0, 1, 2, 130


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--once", action="store_true", help="end after the tables instead of staying up")
    parser.add_argument(
        "--port", type=int, default=0, metavar="N", help="where the gateway listens (default 2775, or a free one)"
    )
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path(".run"),
        metavar="DIR",
        help="where its state lies, new each time (default .run)",
    )
    return parser.parse_args(words)


def main(
    words: Sequence[str] | None = None, journeys: Sequence[Journey] = JOURNEYS, patience_s: float = PATIENCE_S
) -> int:
    """Run it; returns the exit code."""
    options = parsed(words)
    try:
        return uvloop.run(_perform(options, journeys, patience_s))
    except StageFault as fault:
        print(f"scripts/run: {fault}", file=sys.stderr)
        return EXIT_NOT_STARTED
    except asyncio.CancelledError:
        print("\nscripts/run: stopped before the end", file=sys.stderr)
        return EXIT_INTERRUPTED


async def _perform(options: argparse.Namespace, journeys: Sequence[Journey], patience_s: float) -> int:
    task = asyncio.current_task()
    assert task is not None  # this is one
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    shown = console()
    stage = Stage(options.dir, options.port, RCS_RULES, (THROTTLE, *SMS_RULES))
    async with stage:
        show_start(shown, stage)
        endings = await _travel_all(shown, stage, journeys, patience_s)
        verdict = EXIT_GOOD if all(ending.is_as_expected for ending in endings) else EXIT_DIFFERENT
        if options.once:
            return verdict
        # What is sent from here on must not come to our own bind, nor find the carrier's patience used up.
        await stage.esme.unbind()
        stage.smsc.script.tell(THROTTLE)
        show_invitation(shown, stage)
        return verdict if await _stay(stage, task) else EXIT_DIFFERENT


async def _travel_all(shown: Console, stage: Stage, journeys: Sequence[Journey], patience_s: float) -> Sequence[Ending]:
    """Every journey in turn; and once all are over, whether something came twice."""
    endings = []
    for number, journey in enumerate(journeys, 1):
        endings.append(await travel(journey, stage, patience_s))
        show_ending(shown, number, endings[-1])
    for at, ending in enumerate(endings):
        later = await look_again(ending, stage)
        if later.seen != ending.seen:
            shown.print("Seen later, after the other journeys:")
            show_ending(shown, at + 1, later)
            endings[at] = later
    show_sum(shown, endings)
    return endings


async def _stay(stage: Stage, task: asyncio.Task[int]) -> bool:
    """Until Ctrl-C (True), or until somebody ends who should not (False)."""
    try:
        ended = await stage.wait_for_an_end()
    except asyncio.CancelledError:
        task.uncancel()
        return True
    print(f"scripts/run: {ended.name} ended by itself:\n{ended.last_words()}", file=sys.stderr)
    return False


if __name__ == "__main__":
    sys.exit(main())
