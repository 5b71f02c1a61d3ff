"""The HTTP interfaces of a worker for applications, put together as configured: keys, calls, questions, listener.

Puts parts together and decides nothing, as the composition root does whose part it is.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from gatewayd.config.load import Loaded
from gatewayd.flow.questions import Questions
from gatewayd.senders.http_keys import Keyring
from gatewayd.senders.http_submit import Submits
from protocol.rcs.limits import Limits

if TYPE_CHECKING:
    from gatewayd.senders.http_door import HttpDoor
    from gatewayd.worker import Worker

_HOUR_S = 3_600.0


class Fronting:
    """The wiring of HTTP in one worker; the door is None where it is off."""

    def __init__(self, worker: Worker, sockets: Mapping[str, Sequence[socket.socket]]) -> None:
        self._worker = worker
        http = worker.config.http
        crossing = worker.community.crossing if worker.community is not None else None
        self.questions = Questions(worker.desk, worker.dispatcher, crossing)
        if crossing is not None:
            crossing.questions = self.questions
        self.keys = Keyring(worker.server.accounts, worker.desk.now)
        self.submits = Submits(worker.submits, worker.metrics, http.request_timeout_s)
        self.door: HttpDoor | None = None
        if sockets.get("http") or sockets.get("http_tls"):
            self.door = self._door(sockets)
            self._open_to_others(self.door)
            worker.desk.results_s = http.results_h * _HOUR_S
        worker.spool.repeats.keep_s = http.idempotency_h * _HOUR_S
        self.configure(worker.loaded)

    def _door(self, sockets: Mapping[str, Sequence[socket.socket]]) -> HttpDoor:
        from gatewayd.senders.http_calls import Calls
        from gatewayd.senders.http_door import HttpDoor

        worker, http = self._worker, self._worker.config.http
        calls = Calls(
            self.submits,
            self.questions,
            worker.enriching.templates.filled,
            worker.desk.now,
            batch_max=http.batch_max,
            body_timeout_s=http.request_timeout_s,
        )
        return HttpDoor(
            http,
            calls,
            self.keys,
            worker.metrics,
            self._complaints,
            plain=sockets.get("http", ()),
            encrypted=sockets.get("http_tls", ()),
            tls=worker.doors.tls.listeners.get("http"),
        )

    def _open_to_others(self, door: HttpDoor) -> None:
        """The interfaces of other products, for applications that came from there."""
        worker, http = self._worker, self._worker.config.http
        if not http.compatible:
            return
        from gatewayd.senders.failures import Failures
        from gatewayd.senders.http_passwords import Passwords
        from gatewayd.senders.jasmin_http import Jasmin
        from gatewayd.senders.kannel_http import Kannel
        from gatewayd.senders.product_http import Desk

        passwords = Passwords(worker.server.gatekeeper, Failures(worker.desk.now))
        desk = Desk(
            passwords,
            self.submits,
            worker.desk.now,
            is_draining=lambda: door.is_draining,
            is_waiting=self._is_waiting,
            count_fault=self._count_fault,
            receivers_max=http.batch_max,
            body_timeout_s=http.request_timeout_s,
        )
        if "kannel" in http.compatible:
            door.add_routes(Kannel(desk, tells_queued=http.kannel_queued).routes())
        if "jasmin" in http.compatible:
            door.add_routes(Jasmin(desk).routes())

    def configure(self, loaded: Loaded) -> None:
        """By this configuration from now on."""
        self.keys.learn(loaded)
        self._worker.submits.content_limits = limits_of(loaded)

    async def start(self) -> None:
        """Open the door. Raises OSError."""
        if self.door is not None:
            await self.door.start()

    def close_listeners(self) -> None:
        """Take no new calls."""
        if self.door is not None:
            self.door.close_listeners()

    async def stop(self, drain_s: float) -> None:
        """Close it."""
        if self.door is not None:
            await self.door.stop(drain_s)

    def _is_waiting(self) -> bool:
        return not any(link.is_up for link in self._worker.desk.links.values())

    def _count_fault(self, kind: str) -> None:
        self._worker.metrics.faults.labels("http", kind).value += 1

    def _complaints(self) -> Sequence[str]:
        worker = self._worker
        journal, found = worker.journal, []
        if journal.is_failing:
            found.append("the store cannot commit")
        elif journal.pending > worker.config.store.pending_max:
            found.append("the store is behind")
        if worker.community is not None and not worker.community.have_met():
            found.append("the workers have not met yet")
        if not worker.config.http.ready_without_links and self._is_waiting():
            found.append("no link is up")
        return found


def limits_of(loaded: Loaded) -> Limits:
    """What rich content is held to when it is handed in: facts of media, where every platform wants them. What one
    platform alone does not take, goes over it as the text."""
    links = [link for link in loaded.config.links.values() if link.kind != "smpp"]
    if not links:
        return Limits()
    from gatewayd.carriers.rcs_platforms import platform_for

    platforms = [platform_for(link) for link in links]
    facts = all(platform.limits.needs_media_facts for platform in platforms)
    postback = all(platform.limits.needs_postback for platform in platforms)
    return msgspec.structs.replace(Limits(), needs_media_facts=facts, needs_postback=postback)
