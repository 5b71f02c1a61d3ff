"""A process that takes seats as it is told, a word a line, and says which: ``take GROUP COUNT``, ``give GROUP NUMBER``.

Run with the file and the slot as arguments.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gatewayd.runtime.seats import SeatFile


def main() -> None:
    """Until its input ends."""
    file = SeatFile(Path(sys.argv[1]), int(sys.argv[2]))
    say("ready")
    for line in sys.stdin:
        word, name, number = line.split()
        if word == "take":
            say(str(file.group(name, int(number)).take()))
        else:
            file.group(name, 1_024).give_back(int(number))
            say("given")


def say(word: str) -> None:
    """To whoever started this."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
