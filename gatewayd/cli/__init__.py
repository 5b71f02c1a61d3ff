"""The command line: which commands there are, and what they are called.

Holds no command itself; each group has a module of its own.
"""

from __future__ import annotations

import typer

from gatewayd.cli import billing, daemon, links, numbers, simulate, status, templates, trace

app = typer.Typer(
    name="gatewayd",
    help="A gateway between SMPP applications and the RCS and SMS carriers.",
    no_args_is_help=True,
    rich_markup_mode="markdown",  # joins the lines of a paragraph
    pretty_exceptions_enable=False,  # a log wants a plain traceback, and no values in it
)

# In the order in which help shows them.
app.command("run")(daemon.run)
app.command("worker", hidden=True)(daemon.worker_command)
app.command("status")(status.status)
app.add_typer(links.app, name="links")
app.command("check-config")(daemon.check_config)
app.command("hash-password")(daemon.hash_password_command)
app.command("mask")(trace.mask)
app.command("version")(daemon.version)
app.add_typer(simulate.app, name="simulate")
app.add_typer(numbers.app, name="numbers")
app.add_typer(billing.app, name="billing")
app.add_typer(templates.app, name="template")


def main() -> None:
    """The entry point of the console script."""
    app()
