"""The command `gatewayd`, also as ``python -m gatewayd``: a process of the daemon, or the command line.

The daemon's processes live for months, and what a command line is made of is 14 MB in each of them, and 0.2 s of a
start. So the words that they are started with are recognised before it is imported. All others, and any other spelling
of these, are the command line's, which runs the same functions.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Be what the arguments say; never returns."""
    match sys.argv[1:]:
        case ["worker", "--control", control] if control.isdecimal():
            from gatewayd import serving

            sys.exit(serving.run_worker(int(control)))
        case ["run", *option] if not option or (len(option) == 2 and option[0] in {"--config", "-c"}):
            from gatewayd import starting

            sys.exit(starting.run(Path(option[1]) if option else starting.DEFAULT_CONFIG))
        case _:
            from gatewayd import cli

            cli.main()


if __name__ == "__main__":
    main()
