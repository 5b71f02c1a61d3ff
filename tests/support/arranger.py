"""A process that arranges spools for another number of workers, and ends as if killed before a given statement.

Run with the folder, the number of workers, the size of a batch and the number of the statement (0: none).
"""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

from gatewayd.store import database, rehoming

KILLED = 9


def main() -> None:
    """To the end, or to that statement."""
    folder, count, batch, last = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    seen = 0

    def watch(statement: str) -> None:
        nonlocal seen
        if not statement.startswith("SELECT"):
            seen += 1
            if seen == last:
                os._exit(KILLED)

    def connect(path: Path) -> sqlite3.Connection:
        connection = original(path)
        connection.set_trace_callback(watch)
        return connection

    original = database.connect
    vars(rehoming).update(connect=connect, BATCH=batch)
    rehoming.arrange(folder, count)
    sys.stdout.write(f"{seen}\n")


if __name__ == "__main__":
    main()
