"""``gatewayd billing``: reports, replays and comparisons with an invoice, at the command line.

Holds no logic of its own, and imports the parts that do late. Touches no running daemon: it reads record files.
"""

from __future__ import annotations

import csv
import datetime
import json
import sys
import zoneinfo
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gatewayd.cli.calls import print_json
from gatewayd.cli.conventions import DEFAULT_CONFIG, refuse

if TYPE_CHECKING:
    from gatewayd.billing.record_files import Line

DIFFERS: Final = 1

app = typer.Typer(
    help="What operators will charge: reports, replays, and comparisons with an invoice.", no_args_is_help=True
)

Config = Annotated[Path, typer.Option("--config", "-c", help="The configuration file; it says where the records are.")]
Records = Annotated[
    Path | None, typer.Option("--records", help="The folder of the records, instead of reading a configuration.")
]
From = Annotated[str, typer.Option("--from", help="Only what began from this date (or date and time, UTC) on.")]
To = Annotated[str, typer.Option("--to", help="Only what began before this date (or date and time, UTC).")]


@app.command()
def report(
    config: Config = DEFAULT_CONFIG,
    records: Records = None,
    begin: From = "",
    end: To = "",
    by: Annotated[
        str, typer.Option(help="How to group: account, agent, class, link, user, rules, version, day, month.")
    ] = "account,agent,class",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list of objects.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values with a header.")] = False,
) -> None:
    """Count the records: how many conversations and messages, and how much of them is free.

    Example: `gatewayd billing report --from 2026-11-01 --by account`

    Exit codes: 0 the report is on stdout; 2 the command line, the configuration or a file cannot be used.
    """
    from gatewayd.billing import report as reports

    if as_json and as_csv:
        refuse("choose --json or --csv")
    try:
        keys = reports.keys_of(by)
        rows = reports.counted(_lines(config, records, begin, end), keys)
    except (ValueError, OSError) as error:
        refuse(str(error))
    columns = [*keys, *reports.SUMS]
    if as_json:
        print_json(rows)
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([columns, *([row[name] for name in columns] for row in rows)])
    else:
        _print_table(columns, rows, len(keys))


@app.command()
def replay(
    events: Annotated[Path, typer.Argument(help="Events, one JSON object a line; - is stdin.")],
    rules: Annotated[str, typer.Option("--rules", help="The rule set: its name, or the path of its file (.toml).")],
    rules_dir: Annotated[Path | None, typer.Option(help="A folder of rule sets of your own.")] = None,
) -> None:
    """Show what a rule set makes of events: one JSON record a line, as if time had gone on until all were final.

    Example: `gatewayd billing replay events.json --rules google_std`

    Exit codes: 0 all records are on stdout; 2 a line, the rule set or the command line cannot be used.
    """
    from gatewayd.billing import replay as replays
    from gatewayd.billing import rule_files

    try:
        book = rule_files.read(Path(rules)) if rules.endswith(".toml") else rule_files.find(rules, rules_dir)
        text = sys.stdin.read() if str(events) == "-" else events.read_text(encoding="utf-8-sig")
        rows = list(replays.replay(text.splitlines(), book))
    except (ValueError, OSError) as error:
        refuse(str(error))
    for row in rows:
        typer.echo(json.dumps(row, ensure_ascii=False))


@app.command()
def reconcile(
    invoice: Annotated[Path, typer.Argument(help="The operator's invoice, CSV with a header.")],
    config: Config = DEFAULT_CONFIG,
    records: Records = None,
    begin: From = "",
    end: To = "",
    tolerance_s: Annotated[float, typer.Option(min=0, help="How far apart two times of one fact may be.")] = 300.0,
    zone: Annotated[str, typer.Option(help="The time zone of times and days that name none.")] = "UTC",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object: the summary and the differences.")] = False,
) -> None:
    """Compare an invoice with the records, and list what differs, a line each, with a summary at the end.

    An invoice with a column for users is compared line by line, another one by its totals (class, agent, day). The
    columns and their names are in docs/billing.md.

    Example: `gatewayd billing reconcile invoice.csv --from 2026-11-01 --to 2026-12-01`

    Exit codes: 0 all agrees; 1 there are differences; 2 the invoice, the records or the command line cannot be used.
    """
    import msgspec

    from gatewayd.billing import invoice as invoices
    from gatewayd.billing import reconcile as comparing

    try:
        where = zoneinfo.ZoneInfo(zone)
        charged = invoices.read(invoice.read_bytes().decode("utf-8-sig"), where)
        found = comparing.reconcile(charged, _lines(config, records, begin, end), tolerance_s, where)
    except zoneinfo.ZoneInfoNotFoundError:
        refuse(f"there is no time zone {zone!r}")
    except (ValueError, OSError) as error:
        refuse(f"{invoice}: {error}" if isinstance(error, invoices.InvoiceFault) else str(error))
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        for difference in found.differences:
            place = f"line {difference.line}" if difference.line else "records"
            typer.echo(f"{place}: {difference.text}")
        typer.echo(
            f"{found.invoiced} invoiced, {found.recorded} recorded as payable, {found.agreeing} agree, "
            f"{len(found.differences)} differences"
        )
    if found.differences:
        raise typer.Exit(DIFFERS)


def _lines(config: Path, records: Path | None, begin: str, end: str) -> Iterable[Line]:
    """The records of a period. Raises ValueError or OSError."""
    from gatewayd.billing import moments, record_files
    from gatewayd.billing import report as reports

    folder = records if records is not None else _folder(config)
    if not folder.is_dir():
        raise ValueError(f"{folder}: there are no records; see billing.records_dir")
    limits: list[datetime.datetime | None] = [moments.parse(text) if text else None for text in (begin, end)]
    return reports.within(record_files.read_lines(folder), *limits)


def _folder(config: Path) -> Path:
    from gatewayd.config.faults import ConfigFaults
    from gatewayd.config.load import load

    try:
        return Path(load(config).config.billing.records_dir)
    except ConfigFaults as refusal:
        raise ValueError(f"{refusal.faults[0]} (or name the folder of the records: --records)") from None


def _print_table(columns: Sequence[str], rows: Sequence[dict[str, Any]], keys: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_footer=len(rows) > 1)
    for place, name in enumerate(columns):
        is_key = place < keys
        total = "total" if place == 0 else "" if is_key else _shown(sum(row[name] for row in rows))
        table.add_column(name, footer=total, justify="left" if is_key else "right", overflow="fold")
    for row in rows:
        table.add_row(*(_shown(row[name]) for name in columns))
    Console(soft_wrap=not sys.stdout.isatty()).print(table)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
