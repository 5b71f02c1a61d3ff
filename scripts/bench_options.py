"""The command line of the benchmark, as a record that every scenario reads.

Knows what may be asked for, and nothing of how it is measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

RELAY_MESSAGES: Final = 50_000
"""What a run without the name of a scenario sends."""


class Options(msgspec.Struct, kw_only=True):
    """What is asked for. 0, where it is the default, leaves the choice to the scenario."""

    scenarios: list[str] = []
    lists: bool = False
    quick: bool = False
    messages: int = 0
    seconds: float = 0.0
    rate: float = 0.0
    window: int = 1_000
    receipt_delay: float = 0.2
    within: float = 0.0
    patience: float = 20.0
    dir: Path = Path("/var/tmp")
    workers: int = 1
    binds: int = 1
    esmes: int = 0
    share: float = 50.0
    full_rate: float = 0.0
    rcs: bool = False
    senders: int = 64
    webhook_connections: int = 16
    webhook_gather: float = 0.0
    http: bool = False
    front: str = "smpp"
    batch: int = 1
    http_connections: int = 64
    receipts: str = "smpp"
    no_history: bool = False
    direct: bool = False
    json: bool = False
    compare: Path | None = None
    figures: Path | None = None
    tolerance: float = 0.0
    # What scenarios set, and nobody can ask for.
    shape: str = "short"
    load_binds: int = 1
    is_scattered: bool = False

    @property
    def is_plain(self) -> bool:
        """SMPP on both sides, receipts over the bind."""
        return not self.rcs and not self.http and self.front == "smpp" and self.receipts == "smpp"

    def count(self, full: int, quick: int) -> int:
        """How many messages: as asked for, or the scenario's own size, or that of a check."""
        return self.messages or (quick if self.quick else full)

    def span_s(self, full: float, quick: float) -> float:
        """For how long, alike."""
        return self.seconds or (quick if self.quick else full)


def parsed(description: str, names: Sequence[str], argv: Sequence[str] | None = None) -> Options:
    """The command line, checked; without a scenario it is one relay of ``RELAY_MESSAGES``."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="of the table above, or all (default: relay)")
    _add_sizes(parser)
    _add_results(parser)
    _add_ways(parser)
    options = Options(**vars(parser.parse_args(argv)))
    _complete(parser, options, names)
    return options


def _add_sizes(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("how much").add_argument
    add("--quick", action="store_true", help="small sizes: whether it works, no figures to tell others")
    add(
        "--messages",
        type=int,
        default=0,
        metavar="N",
        help=f"how many (default: the scenario's; {RELAY_MESSAGES:,} without a name)",
    )
    add("--seconds", type=float, default=0.0, metavar="S", help="for S seconds in place of N messages")
    add("--rate", type=float, default=0.0, metavar="R", help="relay: submit R a second; fairness: the link's pace")
    add("--window", type=int, default=1_000, metavar="N", help="unanswered at most (default 1,000)")
    add("--receipt-delay", type=float, default=0.2, metavar="S", help="the carrier's, in seconds (default 0.2)")
    add("--within", type=float, default=0.0, metavar="S", help="late: receipts come within S seconds (default 60)")
    add("--share", type=float, default=50.0, metavar="P", help="latency: P %% of the full rate, too (default 50)")
    add("--full-rate", type=float, default=0.0, metavar="R", help="latency: which is R a second (default: measured)")
    add("--workers", type=int, default=1, metavar="N", help="the daemon's workers (default 1)")
    add("--binds", type=int, default=1, metavar="N", help="binds to the carrier (default 1)")
    add("--esmes", type=int, default=0, metavar="N", help="binds, memory: idle ESMEs (default: the scenario's)")


def _add_results(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("figures").add_argument
    add("--list", dest="lists", action="store_true", help="the scenarios, what they measure and how long they take")
    add(
        "--json",
        action="store_true",
        help="print JSON in place of tables: an array of objects (one object for relay without its name)",
    )
    add("--compare", type=Path, metavar="OLD.json", help="old figures, new ones and their ratio")
    add("--figures", type=Path, metavar="NEW.json", help="take these for the new ones, and measure nothing")
    add("--tolerance", type=float, default=0.0, metavar="P", help="P %% for all figures (default: by kind, as told)")
    add("--patience", type=float, default=20.0, metavar="S", help="give up when nothing moves for S s (default 20)")
    add(
        "--dir",
        type=Path,
        default=Path("/var/tmp"),
        metavar="DIR",
        help="where the spool lies (default /var/tmp); a real disk is fair",
    )


def _add_ways(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("other ways in and out, for relay").add_argument
    add("--rcs", action="store_true", help="over RCS: a platform in place of the carrier")
    add("--senders", type=int, default=64, metavar="N", help="RCS: requests unanswered at most (default 64)")
    add("--webhook-connections", type=int, default=16, metavar="N", help="RCS: the platform's to us (default 16)")
    add(
        "--webhook-gather",
        type=float,
        default=0.0,
        metavar="S",
        help="RCS: webhooks leave in bunches, every S seconds (default 0: each when it is due)",
    )
    add("--http", action="store_true", help="compare SMPP and HTTP, one way after the other")
    add("--front", choices=("smpp", "http"), default="smpp", help="who takes them (default smpp)")
    add("--batch", type=int, default=1, metavar="N", help="HTTP: messages a call (default 1)")
    add("--http-connections", type=int, default=64, metavar="N", help="HTTP: kept, for single calls (default 64)")
    add("--receipts", choices=("smpp", "webhook", "none"), default="", help="how they come (default smpp; HTTP: none)")
    add("--no-history", action="store_true", help="keep no history (history.keep_h = 0)")
    add("--direct", action="store_true", help="without the daemon: the ceiling of the tools themselves")


def _complete(parser: argparse.ArgumentParser, options: Options, names: Sequence[str]) -> None:
    """What depends on other options, and what does not go together."""
    unknown = [name for name in options.scenarios if name not in (*names, "all")]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are all, {', '.join(names)}")
    for field in msgspec.structs.fields(Options):
        value = getattr(options, field.name)
        # Nothing can be measured without a window, a bind or a worker; 0 of the others is the scenario's choice.
        least = 1 if type(field.default) is int and field.default else 0
        if type(value) in (int, float) and not value >= least:
            parser.error(f"--{field.name.replace('_', '-')} {value:g} is too little: {least} or more")
    options.receipts = options.receipts or ("none" if options.front == "http" else "smpp")
    if (options.direct or options.rcs) and (options.http or options.front == "http" or options.receipts != "smpp"):
        parser.error("--direct and --rcs are for SMPP")
    if options.front == "http" and (options.receipts == "smpp" or options.rate):
        parser.error("over HTTP there are neither receipts over a bind nor a pace")
    if options.rcs and options.direct:
        parser.error("--direct is for SMS: the load speaks SMPP, the platform does not")
    if options.seconds and not options.is_plain:
        parser.error("--seconds is for SMPP on both sides; give --messages")
    if options.seconds and options.messages and options.scenarios not in (["fairness"], ["binds"]):
        parser.error("either --messages or --seconds")
    is_changed = options.direct or options.no_history or not options.is_plain
    if is_changed and any(name != "relay" for name in options.scenarios):
        parser.error("other ways in and out are for relay")
    if options.http and options.scenarios:
        parser.error("--http is a comparison of its own, without a scenario's name")
