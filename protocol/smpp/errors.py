"""What can be wrong with a PDU or a conversation: our own faults and the peer's.

Knows neither layouts nor states; whoever raises a fault says what it means.

    SmppFault
    ├── LocalFault    we asked for something that the specification forbids; nothing was sent
    └── RemoteFault   the peer sent something that the specification forbids
"""

from __future__ import annotations

from protocol.smpp.constants import Status, command_name, status_name


class SmppFault(Exception):
    """One breach of SMPP 3.4.

    ``kind`` is a short stable word for metrics and logs; ``status`` the command_status to answer with; ``command``
    and ``sequence`` those of the PDU at fault, 0 when unknown; ``detail`` names a field, never a value. ``fatal``
    says that the octets that follow cannot be trusted any more.
    """

    def __init__(
        self,
        kind: str,
        status: int = Status.ESME_RSYSERR,
        *,
        command: int = 0,
        sequence: int = 0,
        detail: str = "",
        fatal: bool = False,
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.status = int(status)
        self.command = command
        self.sequence = sequence
        self.detail = detail
        self.fatal = fatal

    def __str__(self) -> str:
        words = f"{self.kind} in {command_name(self.command)} ({status_name(self.status)})"
        return f"{words}: {self.detail}" if self.detail else words


class LocalFault(SmppFault):
    """We would have broken the rules; nothing was written."""


class RemoteFault(SmppFault):
    """The peer broke the rules."""
