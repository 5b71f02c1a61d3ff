"""What became of a message or of a number's messages, and how a number is masked in the log.

Holds no logic of its own, and imports the parts that do late.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatewayd.cli.conventions import DEFAULT_CONFIG, DENIED, FAILED, AsJson, Config, Reveal, load_config, refuse

if TYPE_CHECKING:
    from gatewayd.config.schema import Config as Settings
    from gatewayd.tracing.timeline import Story


def trace(
    what: Annotated[str, typer.Argument(help="A message's id, as its application was given it, or a number.")],
    config: Config = DEFAULT_CONFIG,
    last: Annotated[int, typer.Option("--last", "-n", min=1, max=1_000, help="Of a number: how many messages.")] = 10,
    as_json: AsJson = False,
    reveal: Reveal = False,
) -> None:
    """Tell what became of a message, step by step, or list the latest messages of a number, each with its end.

    It is read from the files in daemon.spool_dir, of all workers and whether the daemon runs or not: run it as the
    daemon's user or as root. What is finished is found for history.keep_h. Numbers are masked as in the log. --reveal
    shows them whole, and texts where history.text_h keeps them, if log.reveal in the configuration allows it.

    Exit codes: 0 found; 1 nothing is known of it (any more); 2 the command line or the configuration is wrong; 4 whole
    numbers are not for you, or the files are not yours to read.
    """
    import os
    import sqlite3
    import time

    from gatewayd.runtime.masking import Masker, read_key
    from gatewayd.tracing.search import Archive, id_of

    settings = load_config(config).config
    if reveal and not settings.log.reveal:
        refuse("log.reveal is false in the configuration: numbers stay masked", DENIED)
    folder = Path(settings.daemon.spool_dir)
    if reveal and folder.exists() and os.geteuid() not in (0, folder.stat().st_uid):
        refuse("whole numbers are shown to root and the daemon's own user", DENIED)
    show = str if reveal else Masker(read_key(folder))
    archive = Archive(folder, with_texts=reveal and settings.history.text_h > 0)
    message_id = id_of(what, time.time())
    try:
        if message_id is None:
            stories = [story for story in archive.stories(archive.latest(what, last)) if story.is_known]
        else:
            (first,) = archive.stories([message_id])
            ids = archive.siblings(first)
            stories = [first] if ids == [message_id] else archive.stories(ids)
    except (PermissionError, sqlite3.OperationalError) as error:
        refuse(f"{folder}: {error}; run it as the daemon's user", DENIED)
    if not any(story.is_known for story in stories):
        refuse("nothing is known of it: it never came, or the history does not go back so far", FAILED)
    _print(stories, show, _texts(stories, settings, reveal), message_id is None, as_json)


def _texts(stories: list[Story], settings: Settings, reveal: bool) -> list[str | None]:
    from gatewayd.senders.plain_text import text_of

    is_wanted = reveal and settings.history.text_h > 0
    return [text_of(story.message) if is_wanted else None for story in stories]


def _print(
    stories: list[Story], show: Callable[[str], str], texts: list[str | None], is_list: bool, as_json: bool
) -> None:
    from gatewayd.cli.calls import print_json
    from gatewayd.cli.tables import console
    from gatewayd.tracing import view, words

    if as_json:
        print_json([words.plain(story, show, text) for story, text in zip(stories, texts, strict=True)])
    else:
        console().print(view.listing(stories, show) if is_list else view.timeline(stories, show, texts))


def mask(
    number: Annotated[str, typer.Argument(help="A number: +33612345678 or 33612345678.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Print a number as the log and all commands of this daemon show it, to search the log for it.

    The hash behind # is the same for the same number, and tells nothing to those who have not the daemon's key. Run it
    as the daemon's user.

    Exit codes: 0 it is on stdout; 2 the configuration is wrong, or the key cannot be read.
    """
    from gatewayd.runtime.masking import KEY_FILE, Masker, read_key

    folder = Path(load_config(config).config.daemon.spool_dir)
    key = read_key(folder)
    if not key:
        refuse(f"{folder / KEY_FILE} cannot be read: the daemon makes it at its first start, for its own user")
    typer.echo(Masker(key)(number))
