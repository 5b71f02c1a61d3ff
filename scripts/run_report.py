"""What scripts/run shows people: a table for each journey, the sum of them, and how to bind a client of one's own."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text
from run_journeys import (
    ANSWERING,
    DELIVERED,
    OUT_OF_REACH,
    REFUSED,
    SENDER,
    SWITCHED_OFF,
    THROTTLED,
    WITHOUT_RCS,
    Ending,
    is_met,
    shortened,
)
from run_stage import ACCOUNT, HOST, PASSWORD, SMPP_PORT, Stage

NARROWEST, IN_A_FILE = 72, 120
WHO = {
    "answers": "answer",
    "platform": "RCS platform",
    "carrier": "SMS carrier",
    "receipts": "receipts",
    "replies": "replies",
}
GOOD, BAD = Text("✓", style="green"), Text("✗", style="bold red")
HANDSETS = (
    (DELIVERED, "takes RCS (so does every number that is not in this table)"),
    (WITHOUT_RCS, "has no RCS: SMS"),
    (OUT_OF_REACH, "is not reached over RCS: revoked after 2 s, then SMS"),
    (ANSWERING, "replies"),
    (REFUSED, "is refused by the carrier: UNDELIV"),
    (SWITCHED_OFF, "is switched off: UNDELIV with the carrier's error 027"),
    (THROTTLED, "makes the carrier ask to slow down, twice; then SMS"),
)


def console() -> Console:
    """Standard output, as wide as the terminal; wide enough for a table when there is none."""
    shown = Console(highlight=False)
    if not shown.is_terminal:
        shown.width = IN_A_FILE
    shown.width = max(shown.width, NARROWEST)
    return shown


def show_ending(shown: Console, number: int, ending: Ending) -> None:
    """The table of one journey."""
    journey = ending.journey
    parts = f"{ending.parts} parts" if ending.parts > 1 else "1 part"
    table = Table(title=f"{number}. {journey.title}", title_justify="left", title_style="bold", expand=True)
    table.add_column("", width=max(map(len, WHO.values())))
    for heading, ratio in (("expected", 2), ("seen", 5)):
        table.add_column(heading, ratio=ratio, overflow="fold")
    table.add_column("", width=1)
    what = Text(f"“{shortened(journey.text, 40)}” from {SENDER} to {journey.handset}, {parts}")
    table.add_row("sent", "", what, "")
    for name, who in WHO.items():
        expected: tuple[str, ...] = getattr(journey.fate, name)
        seen = ending.seen[name]
        if expected or seen:
            details = "\n".join(sight.detail for sight in seen) or "nothing"
            mark = _mark(is_met(journey.fate, ending.seen, name))
            table.add_row(who, Text("\n".join(expected) or "nothing"), Text(details), mark)
    table.add_row("time taken", "", f"{ending.took_s:.2f} s", _mark(ending.is_as_expected))
    shown.print(table)
    shown.print()


def _mark(is_good: bool) -> Text:
    return GOOD if is_good else BAD


def show_sum(shown: Console, endings: Sequence[Ending]) -> None:
    """One line for all journeys."""
    good = sum(ending.is_as_expected for ending in endings)
    mark = _mark(good == len(endings))
    shown.print(Text.assemble(mark, f" {good} of {len(endings)} journeys ended as expected."))


def show_start(shown: Console, stage: Stage) -> None:
    """Who is there."""
    ports = stage.ports
    shown.print(f"gatewayd is up on {HOST}:{ports.smpp}, its state is in {stage.place}.")
    if ports.smpp != SMPP_PORT:
        shown.print(
            f"[yellow]Not on SMPP's own port {SMPP_PORT}[/yellow]: that one is taken, or another was asked for."
        )
    others = f"an SMS carrier on {HOST}:{ports.carrier}, an RCS platform on {HOST}:{ports.platform}"
    shown.print(f"Beside it: {others}, both simulated.\n")


def show_invitation(shown: Console, stage: Stage) -> None:
    """How to bind a client of one's own."""
    ports, place = stage.ports, stage.place
    shown.print("\n[bold]Everything stays up until Ctrl-C.[/bold] Bind a client of your own:\n")
    facts = Table.grid(padding=(0, 3))
    for name, value in (
        ("host, port", f"{HOST}  {ports.smpp}  (SMPP 3.4, no TLS)"),
        ("system_id, password", f"{ACCOUNT}  {PASSWORD}"),
        ("bind as", "transceiver, or transmitter and receiver; four binds at most"),
        ("sender", "anything; data_coding 0 is the GSM alphabet, 8 is UCS2"),
        ("metrics", f"http://{HOST}:{ports.metrics}/metrics"),
        ("what it does", f"tail -f {place}/daemon.log"),
        ("its configuration", f"{stage.config}"),
    ):
        facts.add_row(f"  {name}", Text(value))
    shown.print(facts)
    handsets = Table("handset", "what happens", title_justify="left")
    for number, words in HANDSETS:
        handsets.add_row(number, words)
    shown.print()
    shown.print(handsets)
    _show_commands(shown, stage)


def _show_commands(shown: Console, stage: Stage) -> None:
    ports = stage.ports
    shown.print("\nOr, in another terminal, without a client:\n")
    for line in (
        f".venv/bin/gatewayd simulate esme --connect {HOST}:{ports.smpp} --system-id {ACCOUNT} \\",
        f"    --password-file {stage.place}/{ACCOUNT}.password --to {OUT_OF_REACH} --text Hello",
        f'curl -d \'{{"contact": "+{DELIVERED}", "text": "a reply", "bot": "demo@bot.example"}}\' \\',
        f"    http://{HOST}:{ports.platform}/control/mo",
        f"curl http://{HOST}:{ports.platform}/control/ledger",
    ):
        shown.print(Text(f"  {line}"), soft_wrap=True)
    shown.print('\nGoogle\'s platform (gatewayd simulate rbm) as well: README.md, "Try it without a carrier".')
