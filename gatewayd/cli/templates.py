"""The commands about templates: check them, and see what they make of a text.

Holds no logic of its own, and imports the parts that do late.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gatewayd.cli.calls import print_json
from gatewayd.cli.conventions import DEFAULT_CONFIG, REFUSED, AsJson, Config, load_config, refuse

if TYPE_CHECKING:
    from gatewayd.carriers.template_preview import Body
    from gatewayd.carriers.templates import Rendering, Template
    from gatewayd.config.load import Loaded
    from gatewayd.message import Message

NOTHING: Final = 1

app = typer.Typer(help="Templates that make cards and buttons of plain texts.", no_args_is_help=True)


@app.command("check")
def check_command(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Check all templates of rcs.templates_dir, and list them in the order in which they are tried.

    Every fault is printed on stderr, one a line, with its file, its key and what to do.

    Example: `gatewayd template check`

    Exit codes: 0 all are sound; 2 one is not, or the configuration is wrong.
    """
    found = _templates_of(load_config(config))
    if as_json:
        print_json({"templates": [{"name": each.name, "description": each.description} for each in found]})
        return
    for template in found:
        what = "stays plain" if template.plain else str((template.content or {"type": "chips"})["type"])
        typer.echo(f"{template.name}: {what}" + (f" ({template.description})" if template.description else ""))
    typer.echo(f"{len(found)} templates: good")


@app.command("try")
def try_command(
    text: Annotated[str, typer.Argument(help="The text of a message; - is standard input.")] = "-",
    config: Config = DEFAULT_CONFIG,
    account: Annotated[str, typer.Option(help="The account that sends it.")] = "",
    sender: Annotated[str, typer.Option(help="The sender address.")] = "",
    service_type: Annotated[str, typer.Option(help="The service_type of its submit_sm.")] = "",
    tlv: Annotated[list[str] | None, typer.Option(help="A TLV, TAG=VALUE; may be given several times.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what each platform would be sent.")] = False,
) -> None:
    """See what templates make of a text: which match and why others do not, a picture, and the SMS text.

    Nothing is sent, and no gateway need run. What a link's platform cannot take goes as plain text over that link,
    and is named here.

    Example: `gatewayd template try 'Your code is 4711' --account shop`

    Exit codes: 0 it becomes more than its text; 1 it stays a text; 2 a template, the configuration or a TLV is wrong.
    """
    from gatewayd.carriers.template_preview import bodies_of, message_of, places_of, sms_of
    from gatewayd.carriers.templates import render

    loaded = load_config(config)
    found = _templates_of(loaded)
    words = sys.stdin.read().removesuffix("\n") if text == "-" else text
    message = message_of(account, sender, words, service_type, map(_tlv, tlv or ()))
    rendering = render(found, message, words)
    bodies = bodies_of(rendering.content, loaded.config.links, places_of(found, loaded.media))
    if as_json:
        sms = sms_of(message)
        tree = {
            "templates": [{"name": name, "refusal": refusal} for name, refusal in rendering.story],
            "error": rendering.error,
            "platforms": {body.link: body.tree if not body.problem else {"problem": body.problem} for body in bodies},
            "sms": {"text": sms.text, "alphabet": sms.alphabet, "segments": sms.segments},
        }
        print_json(tree)
    else:
        _show(rendering, bodies, message)
    if rendering.is_plain:
        raise typer.Exit(NOTHING)


def _show(rendering: Rendering, bodies: list[Body], message: Message) -> None:
    from rich.console import Console

    from gatewayd.carriers.content_picture import picture_of
    from gatewayd.carriers.template_preview import sms_of

    for name, refusal in rendering.story:
        typer.echo(f"{name}: {'no, ' + refusal if refusal else 'matches'}")
    if rendering.error:
        typer.echo(f"no content: {rendering.error}")
    Console(highlight=False).print(picture_of(rendering.content, message.source or "RCS"))
    for body in bodies:
        typer.echo(f"links.{body.link} ({body.platform}): {f'plain text, {body.problem}' if body.problem else 'fits'}")
    sms = sms_of(message)
    count = f"{sms.segments} segment" + ("s" if sms.segments != 1 else "")
    typer.echo(f"SMS ({count}, {sms.alphabet}): {sms.text}")


def _tlv(text: str) -> tuple[int, bytes]:
    tag, _, value = text.partition("=")
    try:
        return int(tag, 0), bytes.fromhex(value[2:]) if value.startswith("0x") else value.encode()
    except ValueError:
        refuse(f"{text} is no TLV; write 0x1400=parcel or 0x1400=0x01ff")


def _templates_of(loaded: Loaded) -> tuple[Template, ...]:
    from gatewayd.carriers.template_rules import read_all

    if not loaded.config.rcs.templates_dir:
        refuse("rcs.templates_dir is empty in the configuration: name a folder of templates")
    found, faults = read_all(loaded.templates, frozenset(loaded.config.accounts), loaded.media)
    for fault in faults:
        typer.echo(str(fault), err=True)
    if faults:
        raise typer.Exit(REFUSED)
    return found
