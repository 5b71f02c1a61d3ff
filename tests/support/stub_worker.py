"""A worker that speaks to its supervisor and does nothing else, in the manner that its first argument says.

Starts in a few milliseconds: it imports nothing of the daemon. What happens to it, it tells as JSON datagrams to the
socket of its second argument, the diary.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from typing import Any

MANNER, DIARY = sys.argv[1:3]
CONTROL = int(sys.argv[sys.argv.index("--control") + 1])
BEAT_S = 0.05


def main() -> int:
    """One life."""
    if MANNER == "mute":
        return 3
    channel = socket.socket(fileno=CONTROL)
    lines = channel.makefile("rwb", buffering=0)
    return Stub(channel, lines, json.loads(lines.readline())).run()


class Stub:
    """What a worker is to its supervisor."""

    def __init__(self, channel: socket.socket, lines: Any, orders: dict[str, Any]) -> None:
        self.channel, self.lines, self.orders = channel, lines, orders
        self.diary = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def run(self) -> int:
        """Until told to end, in this manner."""
        self.note("orders", self.orders)
        self.note("variables", sorted(os.environ))
        self.note("listening", {kind: [self.where(fd) for fd in fds] for kind, fds in self.orders["sockets"].items()})
        if MANNER == "fatal":
            self.say({"fatal": "the spool is on fire"})
            return 1
        if MANNER == "nonsense":
            self.say({"weather": "fine"})
        self.beat()
        self.say({"ready": {}})
        if MANNER == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if MANNER == "deaf":
            self.channel.shutdown(socket.SHUT_RDWR)
            signal.pause()
        while True:
            heard, _, _ = select.select([self.channel], [], [], None if MANNER == "silent" else BEAT_S)
            if not heard:
                self.beat()
                continue
            line = self.lines.readline()
            if not line:
                self.note("end", "the supervisor is gone")
                return 1
            told = json.loads(line)
            self.note("news" if "news" in told else "told", told)
            if "ask" in told and MANNER != "slow":
                self.say({"answered": told["ask"], "value": {"what": told["what"], "args": told["args"]}})
            if "reload" in told and MANNER != "slow":
                self.say({"reloaded": ["the bind is stuck"] if MANNER == "faulty" else []})
            if "drain" in told and MANNER != "stubborn":
                return 5 if MANNER == "sloppy" else 0

    def beat(self) -> None:
        """A sign of life."""
        self.say({"beat": {"binds": 2, "carrier_binds": 1, "messages": 10}})

    def say(self, line: dict[str, Any]) -> None:
        """To the supervisor."""
        self.lines.write(json.dumps(line).encode() + b"\n")

    def note(self, what: str, value: object) -> None:
        """To the test."""
        note = {"what": what, "value": value, "slot": self.orders["slot"], "pid": os.getpid()}
        self.diary.sendto(json.dumps(note).encode(), DIARY)

    @staticmethod
    def where(fd: int) -> list[Any]:
        """The address of an inherited listener."""
        return list(socket.socket(fileno=os.dup(fd)).getsockname())


if __name__ == "__main__":
    sys.exit(main())
