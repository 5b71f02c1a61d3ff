"""``gatewayd reload`` and ``gatewayd drain``: what signals do, with an answer.

What they mean is the supervisor's.
"""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from gatewayd.cli.calls import LONG_S, daemon, print_json
from gatewayd.cli.conventions import DEFAULT_CONFIG, FAILED, AsJson, Config, Socket

POLL_S = 0.2


def reload(config: Config = DEFAULT_CONFIG, socket: Socket = None, as_json: AsJson = False) -> None:
    """Have the daemon read its configuration again, and wait until all workers have taken it up.

    A faulty one changes nothing. The file that is read is the one that the daemon was started with.

    Example: `gatewayd reload`

    Exit codes: 0 it is in force; 1 it is not, or not wholly, and stderr says why; 3 the daemon is not running, or does
    not answer; 4 this user may not ask.
    """
    with daemon(config, socket) as client:
        client.ask("reload", timeout_s=2 * LONG_S)
    if as_json:
        print_json({"reloaded": True})
    else:
        typer.echo("reloaded")


def drain(
    wait_s: Annotated[float, typer.Option("--timeout", min=0, help="How many seconds to wait for its end.")] = 60.0,
    config: Config = DEFAULT_CONFIG,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Have the daemon take nothing new, wait for answers under way, and end, as SIGTERM does; wait until it has.

    Under systemd, `systemctl stop gatewayd` is the better way: it knows that the daemon is meant to be away.

    Example: `gatewayd drain --timeout 120`

    Exit codes: 0 it has ended; 1 it still runs; 3 it is not running, or does not answer; 4 this user may not ask.
    """
    with daemon(config, socket) as client:
        client.ask("drain")
    has_ended = _has_ended(config, socket, time.monotonic() + wait_s)
    if as_json:
        print_json({"ended": has_ended})
    else:
        typer.echo("ended" if has_ended else f"still draining after {wait_s:g} s")
    if not has_ended:
        raise typer.Exit(FAILED)


def _has_ended(config: Path, socket: Path | None, until: float) -> bool:
    from gatewayd.control.client import Client, Denied, NotRunning, socket_of

    between = Event()
    while time.monotonic() < until:
        try:
            Client(socket or socket_of(config)).close()
        except (NotRunning, Denied):
            return True
        between.wait(POLL_S)
    return False
