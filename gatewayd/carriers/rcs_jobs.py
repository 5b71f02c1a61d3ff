"""What a sender of an RCS link can be asked to do, and the notices to flow, gathered once per loop turn.

Knows nothing of HTTP or of any platform.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from gatewayd.carriers.link import Capability, Link, LinkListener, Report, Result, Revocation
from gatewayd.carriers.rcs_http import Flight
from gatewayd.message import Message


class Send(msgspec.Struct, gc=False):
    """One message, and when it was taken (monotonic seconds); ``files`` are the digests of ours in what was sent."""

    message: Message
    expires_at: float
    flight: Flight
    taken_at: float
    files: tuple[str, ...] = ()


class Revoke(msgspec.Struct, gc=False):
    """One message to take back."""

    message_id: int
    carrier_id: str
    flight: Flight


class Check(msgspec.Struct, gc=False):
    """One handset to ask about."""

    handset: str
    flight: Flight


Job = Send | Revoke | Check


class Notices:
    """What the listener has yet to hear. It is told at the end of the loop turn, never from inside a call of its own.

    Each kind goes in the order it came; all results of a turn go as one list, as do all reports.
    """

    def __init__(self, link: Link, listener: LinkListener) -> None:
        self._link = link
        self._listener = listener
        self._results: list[Result] = []
        self._reports: list[Report] = []
        self._revocations: list[Revocation] = []
        self._capabilities: list[Capability] = []
        self._is_ready = False
        self._is_due = False

    def result(self, result: Result) -> None:
        """One segment's outcome."""
        self._results.append(result)
        self._schedule()

    def reports(self, reports: Sequence[Report]) -> None:
        """Receipts and MOs."""
        self._reports.extend(reports)
        self._schedule()

    def revocation(self, revocation: Revocation) -> None:
        """The end of a revoke."""
        self._revocations.append(revocation)
        self._schedule()

    def capability(self, capability: Capability) -> None:
        """The end of a capability check."""
        self._capabilities.append(capability)
        self._schedule()

    def ready(self) -> None:
        """Capacity came back."""
        self._is_ready = True
        self._schedule()

    async def flushed(self) -> None:
        """Return when everything noted so far was told."""
        # Callbacks run in the order in which they were asked for, so ours is behind us when we resume.
        await asyncio.sleep(0)

    def _schedule(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        # Everything is taken out before anybody is told: a listener that raises loses its own notice only.
        self._is_due = False
        results, self._results = self._results, []
        reports, self._reports = self._reports, []
        revocations, self._revocations = self._revocations, []
        capabilities, self._capabilities = self._capabilities, []
        is_ready, self._is_ready = self._is_ready, False
        if results:
            self._listener.on_results(self._link, results)
        if reports:
            self._listener.on_reports(self._link, reports)
        for revocation in revocations:
            self._listener.on_revoked(self._link, revocation)
        for capability in capabilities:
            self._listener.on_capability(self._link, capability)
        if is_ready:
            self._listener.on_ready(self._link)
