"""What systemd is told, sd_notify(3), in datagrams of our own. Silent where nobody listens.

Knows nothing of workers: it is given sentences and moments.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import MutableMapping

logger = logging.getLogger(__name__)

_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Speaks to the service manager that started us, if one did."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        """``address`` as in NOTIFY_SOCKET: a path, or a name that begins with @. ``watchdog_s`` 0 is no watchdog."""
        self.watchdog_s = watchdog_s
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket: socket.socket | None = None
        self._status = ""
        self._is_heard = True

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> Notifier:
        """What systemd.exec(5) says. The variables are taken out: they are for this process, not for its children."""
        address, limit_us, pid = (environment.pop(name, "") for name in _VARIABLES)
        is_ours = limit_us.isdecimal() and pid in ("", str(os.getpid()))
        return cls(address, int(limit_us) / 1e6 if is_ours else 0.0)

    def starting(self, patience_s: float) -> None:
        """Not ready yet, for a reason: the start may take ``patience_s`` from now, whatever TimeoutStartSec= says."""
        self._say(f"EXTEND_TIMEOUT_USEC={int(patience_s * 1e6)}")

    def ready(self) -> None:
        """Started, or done with reloading."""
        self._say("READY=1")

    def reloading(self) -> None:
        """Busy with a new configuration, until ``ready``."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, patience_s: float) -> None:
        """On the way out, which may take as long as ``patience_s``, whatever the unit's TimeoutStopSec= says."""
        self._say(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={int(patience_s * 1e6)}")

    def alive(self) -> None:
        """Not stuck: due more often than every ``watchdog_s`` seconds."""
        self._say("WATCHDOG=1")

    def status(self, sentence: str) -> None:
        """One line for ``systemctl status``; said only when it changed."""
        sentence = " ".join(sentence.split())
        if sentence != self._status:
            self._status = sentence
            self._say(f"STATUS={sentence}")

    def close(self) -> None:
        """No more will be said."""
        self._address = ""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _say(self, words: str) -> None:
        if not self._address:
            return
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.sendto(words.encode(), self._address)
            self._is_heard = True
        except OSError as error:
            # A manager that is busy or being replaced must not take the daemon with it; the next word comes soon.
            if self._is_heard:
                logger.warning("systemd could not be told %s: %s", words.partition("=")[0], error)
            self._is_heard = False
