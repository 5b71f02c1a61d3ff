"""The command that tells what a text becomes as SMS. Holds no logic of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gatewayd.cli.calls import print_json
from gatewayd.cli.conventions import DEFAULT_CONFIG, AsJson, Config, counted, load_config, refuse

if TYPE_CHECKING:
    from gatewayd.carriers.text_preview import Preview
    from gatewayd.carriers.wording import Manner
    from gatewayd.config import schema


def text_command(
    text: Annotated[str, typer.Argument(help="The text; - is standard input.")] = "-",
    link: Annotated[str, typer.Option(help="As this link of the configuration is given it.")] = "",
    account: Annotated[str, typer.Option(help="As this account's: what it allows to be changed counts too.")] = "",
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """See what a text becomes as SMS: its alphabet, its segments, and which letters force UCS2.

    Segments are counted as the handset counts them. Without --link and --account nothing is read but the text, and the
    link is one of the plainest: GSM alphabet, no national languages, parts with a reference of 8 bits. Nothing is sent,
    and no gateway need run.

    Example: `gatewayd text "Rendez-vous à l’hôtel" --link carrier`

    Exit codes: 0 told; 2 there is no such link or account, or the configuration is wrong.
    """
    import msgspec

    from gatewayd.carriers.template_preview import message_of
    from gatewayd.carriers.text_preview import preview

    words = sys.stdin.read().removesuffix("\n") if text == "-" else text
    words = words.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    settings = load_config(config).config if link or account else None
    message = message_of(account, "", words)
    if account and settings is not None:
        if account not in settings.accounts:
            refuse(f"there is no account {account} in the configuration")
        level = settings.accounts[account].transliterate
        message = msgspec.structs.replace(message, transliterate="" if level == "off" else level)
    found = preview(message, words, _manner(link, settings))
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        _show(found)


def _manner(link: str, settings: schema.Config | None) -> Manner:
    from gatewayd.carriers.wording import Manner, manner_of

    if not link or settings is None:
        return Manner()
    if link not in settings.links:
        refuse(f"there is no link {link} in the configuration; it has: {', '.join(settings.links)}")
    if settings.links[link].kind != "smpp":
        refuse(f"{link} is no SMS link: RCS takes any text as it is, in one message")
    return manner_of(settings.links[link])


def _show(found: Preview) -> None:
    alphabet = {"gsm": "GSM", "ucs2": "UCS2"}.get(found.alphabet, found.alphabet)
    tables = f" with the {', '.join(found.tables)}" if found.tables else ""
    typer.echo(f"{counted(len(found.segments), 'segment')}, {alphabet}{tables} (data_coding {found.data_coding})")
    for number, segment in enumerate(found.segments, 1):
        typer.echo(f"{number}: {segment.units} of {segment.room} {found.units}: {segment.text}")
    if found.changed:
        typer.echo(f"changed: {found.changed}")
    for letter in found.missing:
        times = f", {letter.count} times, first" if letter.count > 1 else ","
        typer.echo(f"not in the GSM alphabet: {letter.letter} {letter.name}{times} at {letter.position}")
    for hint in found.hints:
        typer.echo(hint)
