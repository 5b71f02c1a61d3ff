"""``gatewayd top``: what goes through the daemon, live, until a key ends it.

The numbers are ``cli.rates``'; here they are laid out for the terminal as it is, and keys are heard.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gatewayd.cli.calls import daemon
from gatewayd.cli.conventions import DEFAULT_CONFIG, AsJson, Config, Socket, refuse
from gatewayd.cli.rates import Rates, share, sparkline
from gatewayd.cli.status import headline, state_of
from gatewayd.cli.tables import Column, age, amount, console, table

if TYPE_CHECKING:
    from rich.console import Group

LINKS: Final = (
    Column("link", "name"),
    Column("state", "state"),
    Column("out/s", "sent", is_number=True),
    Column("refused", "refused", is_number=True),
    Column("later/s", "deferred", is_number=True, is_spare=True),
    Column("fallback/s", "fallbacks", is_number=True, is_spare=True),
    Column("window", "window", is_number=True),
    Column("queue", "queue", is_number=True),
    Column("oldest", "oldest", is_number=True),
)
ACCOUNTS: Final = (
    Column("account", "name"),
    Column("binds", "binds", is_number=True),
    Column("in/s", "submitted", is_number=True),
    Column("throttled/s", "throttled", is_number=True, is_spare=True),
    Column("refused", "refused", is_number=True),
    Column("delivered/s", "delivered", is_number=True),
    Column("failed", "undelivered", is_number=True),
    Column("owed", "owed", is_number=True),
)
SORTS: Final = ("traffic", "waiting", "trouble", "name")
# The headline, two sparklines, two headings, the empty line between, and the line of keys.
_FRAME_LINES: Final = 7


def top(
    interval_s: Annotated[float, typer.Option("--interval", min=0.2, max=60, help="Seconds between two looks.")] = 1.0,
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Watch the traffic live: messages a second in and out, the last minute, links and accounts.

    Keys: s sorts by the next of traffic, waiting, trouble and name; q ends. --json prints one object a line for each
    look, and ends when it is interrupted or its reader goes.

    Example: `gatewayd top --interval 2`

    Exit codes: 0 ended by a key; 2 there is no terminal (use --json); 3 the daemon is not running, has ended, or does
    not answer; 4 this user may not ask.
    """
    if not as_json and not (sys.stdin.isatty() and sys.stdout.isatty()):
        refuse("there is no terminal here: use --json, or gatewayd status")
    with daemon(config, socket) as client, contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        rates = Rates()
        if as_json:
            while True:
                answer = client.ask("status")
                rates.take(answer["answer"], time.monotonic(), answer["silent"])
                print(json.dumps(plain(rates, answer)), flush=True)
                time_over(interval_s)
        _watch(client, rates, interval_s)


def _watch(client: Any, rates: Rates, interval_s: float) -> None:
    from rich.live import Live

    out, sort = console(), 0
    with keys() as pressed, Live(console=out, screen=True, auto_refresh=False) as live:
        facts = client.ask("status")
        rates.take(facts["answer"], time.monotonic(), facts["silent"])
        due = time.monotonic() + interval_s
        while True:
            live.update(screen(rates, facts, SORTS[sort], out.width, out.height), refresh=True)
            key = pressed(max(0.0, due - time.monotonic()))
            if key in ("q", "Q", "\x03", "\x04"):
                return
            if key == "s":
                sort = (sort + 1) % len(SORTS)
            if time.monotonic() >= due:
                facts = client.ask("status")
                rates.take(facts["answer"], time.monotonic(), facts["silent"])
                due = time.monotonic() + interval_s


@contextlib.contextmanager
def keys() -> Iterator[Any]:
    """Hear single keys: gives a function that waits so many seconds for one, and returns it, or nothing."""
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)

        def pressed(timeout_s: float) -> str:
            ready, _, _ = select.select([descriptor], [], [], timeout_s)
            return os.read(descriptor, 1).decode("ascii", "replace") if ready else ""

        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def time_over(seconds: float) -> None:
    """Wait."""
    from threading import Event

    Event().wait(seconds)


def screen(rates: Rates, answer: dict[str, Any], sort: str, width: int, height: int) -> Group:
    """All of it, in as many lines as there are: what does not fit is said to be there."""
    from rich.console import Group
    from rich.text import Text

    facts = answer["answer"]
    links = sorted(link_rows(rates, facts), key=lambda row: _order(row, sort))
    accounts = sorted(account_rows(rates, facts), key=lambda row: _order(row, sort))
    room = max(2, height - _FRAME_LINES - bool(answer["silent"]))
    for_links = min(len(links), max(room // 2, room - len(accounts)))
    for_accounts = max(1, room - for_links)
    note = Text(f"s sort (by {sort})  q quit", style="dim")
    left = len(links) - for_links + max(0, len(accounts) - for_accounts)
    if left:
        note.append(f"  {left} more do not fit")
    parts: list[Any] = [headline(facts)]
    if answer["silent"]:
        parts.append(Text(f"no answer from worker {', '.join(map(str, answer['silent']))}", style="red"))
    parts += [
        _line("in ", rates.incoming, width),
        _line("out", rates.outgoing, width),
        table(LINKS, links[:for_links], width),
        "",
        table(ACCOUNTS, accounts[:for_accounts], width),
        note,
    ]
    return Group(*parts)


def _line(title: str, values: Any, width: int) -> Any:
    from rich.text import Text

    latest = f"{values[-1]:>9,.1f}/s " if values else f"{'':>12}"
    line = Text(f"{title}{latest}", no_wrap=True, overflow="crop")
    return line.append(sparkline(values, min(60, max(0, width - len(title) - 14))), style="cyan")


def link_rows(rates: Rates, facts: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each link."""
    rows = []
    for name, link in facts["links"].items():
        rate = rates.links.get(name, {})
        rows.append(
            {
                "name": name,
                "state": state_of(link, facts["paused"].get(name)),
                "sent": _rate(rate.get("sent")),
                "refused": _percent(share(rate.get("refused", 0.0), rate.get("sent", 0.0))),
                "deferred": _rate(rate.get("deferred")),
                "fallbacks": _rate(rate.get("fallbacks")),
                "window": f"{link['window_used']}/{link['window']}",
                "queue": amount(link["queue"]),
                "oldest": age(link["queue_age_s"]),
                "order": (rate.get("sent", 0.0), link["queue"], rate.get("refused", 0.0) + (not link["binds_up"])),
            }
        )
    return rows


def account_rows(rates: Rates, facts: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each account."""
    rows = []
    for name, account in facts["accounts"].items():
        rate = rates.accounts.get(name, {})
        refused = rate.get("refused", 0.0) + rate.get("throttled", 0.0)
        rows.append(
            {
                "name": name,
                "binds": f"{account['binds_up']}/{account['binds_max']}",
                "submitted": _rate(rate.get("submitted")),
                "throttled": _rate(rate.get("throttled")),
                "refused": _percent(share(rate.get("refused", 0.0), rate.get("submitted", 0.0))),
                "delivered": _rate(rate.get("delivered")),
                "undelivered": _percent(share(rate.get("undelivered", 0.0), rate.get("delivered", 0.0))),
                "owed": amount(account["depth"]),
                "order": (rate.get("submitted", 0.0), account["depth"], refused + rate.get("undelivered", 0.0)),
            }
        )
    return rows


def _order(row: dict[str, Any], sort: str) -> tuple[float, str]:
    """What comes first, and by name where that is equal."""
    place = SORTS.index(sort)
    return (0.0 if sort == "name" else -float(row["order"][place])), row["name"]


def _rate(value: float | None) -> str:
    return f"{value:,.1f}" if value else ""


def _percent(value: float | None) -> str:
    return f"{100 * value:.1f} %" if value else ""


def plain(rates: Rates, answer: dict[str, Any]) -> dict[str, Any]:
    """One look, for programs."""
    return {
        "in_per_s": rates.incoming[-1] if rates.incoming else None,
        "out_per_s": rates.outgoing[-1] if rates.outgoing else None,
        "accounts": rates.accounts,
        "links": rates.links,
        "silent": answer["silent"],
    }
