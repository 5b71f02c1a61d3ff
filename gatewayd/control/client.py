"""The command line's end of the control socket: ask, and get the answer or a sentence on why there is none.

Blocks while it waits, as commands may. Knows where the socket is, not what is asked.
"""

from __future__ import annotations

import socket
import tomllib
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from gatewayd.control.listener import SOCKET_NAME, reachable

TIMEOUT_S: Final = 10.0
DEFAULT_FOLDER: Final = Path("/run/gatewayd")

Answer = dict[str, Any]


class NotRunning(Exception):
    """Nobody listens on the socket."""


class Denied(Exception):
    """Somebody does, and does not want to hear us."""


class Refused(Exception):
    """The daemon's word on why it does not do it. ``kind`` as in control.desk.fault."""

    def __init__(self, sentence: str, kind: str) -> None:
        super().__init__(sentence)
        self.kind = kind


def socket_of(config: Path) -> Path:
    """Where a daemon with this configuration listens.

    Only one key of the file is read: whoever may ask the daemon need not be able to read its secrets, nor the file.
    """
    folder = str(DEFAULT_FOLDER)
    try:
        daemon = tomllib.loads(config.read_bytes().decode("utf-8-sig")).get("daemon", {})
        folder = str(daemon.get("runtime_dir", folder)) if isinstance(daemon, dict) else folder
    except (OSError, ValueError):
        pass
    return config.absolute().parent / folder / SOCKET_NAME


class Silent(Refused):
    """It is there and says nothing: it hangs, or is very busy. What was asked may yet be done."""


class Client:
    """One conversation with the daemon."""

    def __init__(self, path: Path, timeout_s: float = TIMEOUT_S) -> None:
        """Connect. Raises NotRunning or Denied."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        try:
            with reachable(path) as near:
                self._socket.connect(near)
        except (FileNotFoundError, ConnectionRefusedError):
            self._socket.close()
            raise NotRunning(f"the daemon is not running: nobody listens on {path}") from None
        except PermissionError:
            self._socket.close()
            raise Denied(
                f"{path} is closed to this user: root, the daemon's user and the group in control.group may ask"
            ) from None
        except OSError as error:
            self._socket.close()
            raise NotRunning(f"{path}: {error.strerror or error}") from None
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()

    def ask(self, what: str, timeout_s: float = TIMEOUT_S, **args: Any) -> Answer:
        """The whole answer, ``{"answer": …, "silent": […]}``. Raises NotRunning, Denied, Refused or Silent."""
        self._socket.settimeout(timeout_s)
        try:
            self._socket.sendall(msgspec.json.encode({"ask": what, "args": args}) + b"\n")
            octets = self._lines.readline()
        except TimeoutError:
            raise Silent(
                f"the daemon did not answer within {timeout_s:g} s: it hangs, or is very busy, see its log", "failed"
            ) from None
        except OSError:  # a refusal may be there all the same
            octets = self._left()
        if not octets:
            raise NotRunning("the daemon hung up: it is ending, or was restarted")
        answer: Answer = msgspec.json.decode(octets, type=dict[str, Any])
        if "refused" in answer:
            raise Denied(str(answer["refused"]))
        if "fault" in answer:
            raise Refused(str(answer["fault"]), str(answer.get("kind", "failed")))
        return answer

    def _left(self) -> bytes:
        try:
            return self._lines.readline()
        except OSError:
            return b""
