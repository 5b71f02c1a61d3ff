"""Who is at the other end of the control socket, and whether that one may ask.

Knows credentials as the kernel tells them, and no question.
"""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from typing import Final, NamedTuple

_CREDENTIALS = struct.Struct("3i")
_SO_PEERGROUPS: Final = 59  # socket(7), Linux 4.13; the standard library has no name for it
_GROUPS_MAX: Final = 256  # what the standard library has room for
_NOBODY: Final = -1


class Peer(NamedTuple):
    """A process as it was when it connected."""

    pid: int
    uid: int
    gids: frozenset[int]

    @property
    def user(self) -> str:
        """Its user by name, as far as there is one."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"uid {self.uid}"


class GroupFault(Exception):
    """The group that is configured does not exist."""


def peer_of(connected: socket.socket) -> Peer:
    """The process that connected (SO_PEERCRED), with all its groups (SO_PEERGROUPS). Raises OSError."""
    pid, uid, gid = _CREDENTIALS.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    try:
        octets = connected.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _GROUPS_MAX)
    except OSError:  # a member of more groups: its first one still counts
        octets = b""
    others = struct.unpack(f"{len(octets) // 4}I", octets)
    return Peer(pid, uid, frozenset((gid, *others)))


class Doorkeeper:
    """Lets in root, the daemon's own user, and the members of one group, if one is configured."""

    def __init__(self, group: str, uid: int | None = None) -> None:
        """``uid`` is the daemon's, this process's by default. Raises GroupFault."""
        self.group = group
        self._uid = os.geteuid() if uid is None else uid
        self.gid = _NOBODY
        if group:
            try:
                self.gid = grp.getgrnam(group).gr_gid
            except KeyError:
                raise GroupFault(f"control.group: there is no group {group} here; make it, or leave it out") from None

    def refusal(self, peer: Peer) -> str:
        """Why this one may not ask, in a sentence; empty when it may."""
        if peer.uid in (0, self._uid) or self.gid in peer.gids:
            return ""
        members = f" and members of the group {self.group}" if self.group else ""
        return f"{peer.user} may not ask this daemon: root, its own user{members} may (control.group)"
