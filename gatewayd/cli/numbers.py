"""The commands about numbers: import who serves them, look one up, have many asked about.

Holds no logic of its own, and imports the parts that do late.
"""

from __future__ import annotations

import contextlib
import datetime
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer

from gatewayd.cli.calls import print_json
from gatewayd.cli.conventions import DEFAULT_CONFIG, FAILED, AsJson, Config, load_config, refuse

app = typer.Typer(help="Who serves a number, and whether it takes RCS.", no_args_is_help=True)


@app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="The portability file; - is standard input.", allow_dash=True)],
    config: Config = DEFAULT_CONFIG,
    update: Annotated[
        bool, typer.Option("--update", help="Keep what is known of other numbers: the file holds changes only.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take in who serves the numbers that changed their operator, into the file that numbers.ported names.

    One number a line: number;operator or number;operator;date. A number is written +33612345678, 33612345678 or, if it
    is French, 0612345678. The newest line of a number counts; one without operator takes the number back to the holder
    of its block; one dated after today is left for later. Lines may come in any order and number, at the same use of
    memory. Running workers take up the new file within half a minute; until it is whole, the old one stays in use.

    Example: `gatewayd numbers import ported.csv --update`

    Exit codes: 0 it is in use; 1 it is, but some lines could not be used; 2 nothing was changed.
    """
    from gatewayd.store.numbers import NumbersFault, import_numbers, names_of

    settings = load_config(config).config.numbers
    if not settings.ported:
        refuse("numbers.ported is empty in the configuration: name the file to make")
    try:
        names = names_of(Path(settings.names) if settings.names else None)
        with _opened(file) as (source, progress):
            today = datetime.datetime.now(datetime.UTC).astimezone().date().toordinal()
            done = import_numbers(
                source, Path(settings.ported), names=names, today=today, update=update, progress=progress
            )
    except (OSError, NumbersFault) as error:
        refuse(str(error))
    if as_json:
        print_json({"file": settings.ported} | msgspec.to_builtins(done))
    else:
        typer.echo(
            f"{settings.ported}: {done.numbers} numbers (of {done.lines} lines, {done.future} dated later, "
            f"{done.unusable} of no use)"
        )
    _say_faults(done.faults, done.unusable)
    if done.unusable:
        raise typer.Exit(FAILED)


@app.command("lookup")
def lookup_command(
    number: Annotated[str, typer.Argument(help="A number: +33612345678, or a French one as it is dialled.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Tell who serves a number, as far as the files know, and by which links with a table of operators it may go.

    Example: `gatewayd numbers lookup +33612345678`

    Exit codes: 0 its operator is known; 1 it is not; 2 this is no number, or a file cannot be used.
    """
    from gatewayd.policy.operators import Enrolment, LineFault, e164_of
    from gatewayd.reaching import book_of

    try:
        handset = e164_of(number)
    except LineFault as fault:
        refuse(str(fault))
    loaded = load_config(config).config
    book = book_of(loaded)
    operator, source = book.explain(handset)
    refusals = {}
    for name, link in loaded.links.items():
        if link.operators:
            tests = frozenset(test.removeprefix("+") for test in link.test_numbers)
            refusals[name] = Enrolment(link.operators, link.operators_otherwise, tests).refusal(operator, handset)
    book.close()
    if as_json:
        print_json({"number": f"+{handset}", "operator": operator, "source": source, "refusals": refusals})
    else:
        typer.echo(f"+{handset}: {operator} ({source})" if operator else f"+{handset}: not known")
        for name, refusal in refusals.items():
            typer.echo(f"links.{name}: {refusal or 'may be used'}")
    if not operator:
        raise typer.Exit(FAILED)


@app.command("qualify")
def qualify_command(
    file: Annotated[Path, typer.Argument(help="A file with one number a line; - is standard input.", allow_dash=True)],
    link: Annotated[str, typer.Option(help="The link whose platform is to be asked.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Have a platform asked about many numbers, in the next hours that it gives for that.

    For a link with capability = "bulk". The list is put into the spool directory, from where the running workers take
    it, and those that start later, too. Numbers whose answers are young enough are not asked about again. What follows
    a number on its line, behind a ; or a , is not looked at.

    Example: `gatewayd numbers qualify list.csv --link orange`

    Exit codes: 0 the list is there; 1 it is, but some lines could not be used; 2 it is not.
    """
    from gatewayd.store.qualify_lists import deliver

    loaded = load_config(config).config
    if link not in loaded.links:
        refuse(f"there is no link {link}")
    if loaded.links[link].capability != "bulk":
        refuse(f'links.{link} is not asked in bulk: it needs capability = "bulk"')
    try:
        with _opened(file) as (source, progress):
            done = deliver(Path(loaded.daemon.spool_dir), link, _texts(source, progress))
    except OSError as error:
        refuse(str(error))
    if as_json:
        print_json({"link": link} | msgspec.to_builtins(done))
    else:
        typer.echo(f"{done.numbers} numbers for links.{link} ({done.unusable} lines of no use)")
    _say_faults(done.faults, done.unusable)
    if done.unusable:
        raise typer.Exit(FAILED)


def _texts(source: BinaryIO, progress: Callable[[int], None]) -> Iterator[str]:
    octets = 0
    for count, line in enumerate(source, 1):
        octets += len(line)
        if count % 10_000 == 0:
            progress(octets)
        yield line.decode(errors="replace")
    progress(octets)


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[tuple[BinaryIO, Callable[[int], None]]]:
    """The file, and whom to tell how much of it was read: a bar, where somebody looks."""
    if str(file) == "-":
        yield sys.stdin.buffer, lambda octets: None
        return
    with file.open("rb") as source:
        if not sys.stderr.isatty():
            yield source, lambda octets: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

        columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=file.stat().st_size or None)
            yield source, lambda octets: bar.update(task, completed=octets)


def _say_faults(faults: tuple[str, ...], count: int) -> None:
    for fault in faults:
        typer.echo(fault, err=True)
    if count > len(faults):
        typer.echo(f"and {count - len(faults)} more", err=True)
