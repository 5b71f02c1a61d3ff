"""What became of a message or of a number's messages, and how a number is masked in the log.

Holds no logic of its own: a daemon that runs is asked, else the files are read, and what comes of it looks the same.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewayd.cli.calls import FAULT_CODES, LONG_S, print_json
from gatewayd.cli.conventions import (
    DEFAULT_CONFIG,
    DENIED,
    FAILED,
    AsJson,
    Config,
    Reveal,
    Socket,
    load_config,
    refuse,
)

if TYPE_CHECKING:
    from gatewayd.tracing.telling import Told

# Whoever does not say who he is in this time does not answer at all.
GREETING_S = 3.0
_SPACING = re.compile(r"[\s.()-]")


def trace(
    what: Annotated[str, typer.Argument(help="A message's id, as its application was given it, or a number.")],
    last: Annotated[int, typer.Option("--last", "-n", min=1, max=1_000, help="Of a number: how many messages.")] = 10,
    reveal: Reveal = False,
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Tell what became of a message, step by step, or list the latest messages of a number, each with its end.

    A number may be written with its country code, or as it is dialled in the country of one of the accounts.

    A daemon that runs is asked, by whoever may ask it. Where none runs, or it does not answer, the files in
    daemon.spool_dir are read, for which one must be root or the daemon's user. What is finished is found for
    history.keep_h. Numbers are masked as in the log. --reveal shows them whole, and texts where history.text_h keeps
    them, if log.reveal in the configuration allows it.

    Example: `gatewayd trace +33612345678 --last 3`

    Exit codes: 0 found; 1 nothing is known of it (any more); 2 the command line or the configuration is wrong; 4 you
    may not ask the daemon, whole numbers are not for you, or the files are not yours to read.
    """
    import time

    from gatewayd.tracing.search import id_of

    if id_of(what, time.time()) is None and not _SPACING.sub("", what.removeprefix("+")).isdecimal():
        refuse(f"{what!r} is neither a message's id, as in submit_sm_resp, nor a number")
    told = _asked(config, socket, subject=what, last=last, reveal=reveal) or _read(config, what, last, reveal)
    if told.fault:
        refuse(told.fault, FAILED)
    if not told.stories:
        refuse("nothing is known of it: it never came, or the history does not go back so far", FAILED)
    _print(told, as_json=as_json)


def _asked(config: Path, socket: Path | None, **args: Any) -> Told | None:
    """What the daemon tells; None when there is none that answers."""
    import msgspec

    from gatewayd.tracing.telling import Told

    answer = _answer(config, socket, "trace", **args)
    return msgspec.convert(answer, type=Told) if answer is not None else None


def _answer(config: Path, socket: Path | None, what: str, **args: Any) -> dict[str, Any] | None:
    """The daemon's answer; None when it does not run, or hangs: then there are files that tell the same."""
    from gatewayd.control.client import Client, Denied, NotRunning, Refused, socket_of

    try:
        with Client(socket or socket_of(config), GREETING_S) as client:
            try:
                client.ask("about", timeout_s=GREETING_S)
            except Refused as silence:  # or one of an older version, which does not know the question
                typer.echo(f"gatewayd: {silence}: its files are read instead", err=True)
                return None
            answer: dict[str, Any] = client.ask(what, timeout_s=2 * LONG_S, **args)["answer"]
            return answer
    except NotRunning:
        return None
    except Denied as error:
        refuse(str(error), DENIED)
    except Refused as error:
        refuse(str(error), FAULT_CODES.get(error.kind, FAILED))


def _read(config: Path, what: str, last: int, reveal: bool) -> Told:
    """What the files tell."""
    import os

    from gatewayd.tracing.telling import Question, tell

    settings = load_config(config).config
    folder = Path(settings.daemon.spool_dir)
    if reveal and not settings.log.reveal:
        refuse("log.reveal is false in the configuration: numbers stay masked", DENIED)
    if reveal and folder.exists() and os.geteuid() not in (0, folder.stat().st_uid):
        refuse("whole numbers are shown to root and the daemon's own user", DENIED)
    shows_texts = reveal and settings.history.text_h > 0
    told = tell(Question(str(folder), what, last, reveal, texts=shows_texts, countries=settings.countries))
    if told.is_denied:
        refuse(f"{told.fault}; run it as the daemon's user", DENIED)
    return told


def _print(told: Told, *, as_json: bool) -> None:
    from gatewayd.cli.tables import console
    from gatewayd.tracing import view, words

    if as_json:
        print_json([words.plain(story) for story in told.stories])
    else:
        console().print(view.listing(told.stories) if told.is_list else view.timeline(told.stories))


def mask(
    number: Annotated[str, typer.Argument(help="A number: +33612345678 or 33612345678.")],
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Print a number as the log and all commands of this daemon show it, to search the log for it.

    The hash behind # is the same for the same number, and tells nothing to those who have not the daemon's key. Where
    no daemon runs that could be asked, run it as the daemon's user.

    Example: `gatewayd mask +33612345678`

    Exit codes: 0 it is on stdout; 2 the configuration is wrong, or the key cannot be read; 4 you may not ask the
    daemon.
    """
    answer = _answer(config, socket, "mask", number=number)
    masked = answer["masked"] if answer is not None else _masked(load_config(config).config.daemon.spool_dir, number)
    if as_json:
        print_json({"masked": masked})
    else:
        typer.echo(masked)


def _masked(folder: str, number: str) -> str:
    from gatewayd.runtime.masking import KEY_FILE, Masker, read_key

    key = read_key(Path(folder))
    if not key:
        refuse(f"{Path(folder) / KEY_FILE} cannot be read: the daemon makes it at its first start, for its own user")
    return Masker(key)(number)
