"""What became of a message or of a number's messages, and how a number is masked in the log.

Holds no logic of its own, and imports the parts that do late.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gatewayd.cli.conventions import DEFAULT_CONFIG, Config, load_config, refuse


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
