"""The command line: which commands there are, and what they are called.

Holds no command itself; each group has a module of its own.
"""

from __future__ import annotations

import typer

from gatewayd.cli import (
    accounts,
    backups,
    billing,
    binds,
    daemon,
    dead_letters,
    keys,
    links,
    lockouts,
    numbers,
    outbox,
    pdu,
    receipts,
    send,
    simulate,
    status,
    steering,
    talks,
    templates,
    text,
    top,
    trace,
    waiting,
)

app = typer.Typer(
    name="gatewayd",
    help="A gateway between SMPP applications and the RCS and SMS carriers.",
    no_args_is_help=True,
    rich_markup_mode="markdown",  # joins the lines of a paragraph
    pretty_exceptions_enable=False,  # a log wants a plain traceback, and no values in it
)

# In the order in which help shows them.
app.command("run")(daemon.run)
app.command("status")(status.status)
app.command("top")(top.top)
accounts.app.command("key")(keys.make_key_command)
accounts.app.command("locked")(lockouts.locked)
accounts.app.command("unlock")(lockouts.unlock)
app.add_typer(accounts.app, name="accounts")
app.add_typer(binds.app, name="binds")
app.add_typer(links.app, name="links")
app.add_typer(waiting.app, name="queue")
app.add_typer(outbox.app, name="outbox")
outbox.app.add_typer(dead_letters.app, name="dead")
app.command("sessions")(talks.sessions)
app.command("send")(send.send)
app.command("reload")(steering.reload)
app.command("drain")(steering.drain)
app.command("backup")(backups.backup)
app.command("restore")(backups.restore)
app.command("check-config")(daemon.check_config)
app.command("hash-password")(daemon.hash_password_command)
app.command("trace")(trace.trace)
app.command("mask")(trace.mask)
app.command("text")(text.text_command)
app.command("pdu")(pdu.pdu_command)
app.command("version")(daemon.version)
app.add_typer(simulate.app, name="simulate")
app.add_typer(numbers.app, name="numbers")
app.add_typer(billing.app, name="billing")
app.add_typer(templates.app, name="template")
app.add_typer(receipts.app, name="receipts")


def main() -> None:
    """Be the command that the arguments name."""
    app()
