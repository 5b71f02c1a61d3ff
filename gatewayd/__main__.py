"""``python -m gatewayd``: the command line. Knows no command."""

from __future__ import annotations

from gatewayd.cli import main

if __name__ == "__main__":
    main()
