"""A worker's part at the MQTT broker: the connection and those who use it, put together as configured.

Puts parts together and decides nothing, as the composition root does whose part it is. Built only where there is a
broker: its library is read by nobody else.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import gatewayd
from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.runtime.tasks import spawn
from gatewayd.senders.mqtt_broker import Broker, Guest
from gatewayd.senders.mqtt_heirs import Heirs
from gatewayd.senders.mqtt_intake import Intake
from gatewayd.senders.mqtt_news import ENDPOINT, NewsPoster
from gatewayd.senders.mqtt_states import States
from gatewayd.senders.mqtt_topics import Link, Own, Topics, Wanted
from gatewayd.senders.mqtt_wire import Terms, tls_context
from gatewayd.senders.webhook_payload import moment

if TYPE_CHECKING:
    from gatewayd.runtime.seats import SeatFile
    from gatewayd.worker import Worker

SEAT: Final = "mqtt states"
SLOTS_FILE: Final = "mqtt-workers"
_HOUR_S: Final = 3_600


class Brokering:
    """The wiring of MQTT in one worker, ``slot`` of ``count``."""

    def __init__(self, worker: Worker, seats: SeatFile, slot: int, count: int) -> None:
        """Raises OSError when a certificate cannot be read."""
        self._worker = worker
        self._slot = slot
        self._count = count
        self._inheriting: asyncio.Task[None] | None = None
        settings = worker.config.mqtt
        self._topics = Topics(settings.topic_prefix)
        self._began = moment(worker.desk.now())
        self.broker = Broker(self._terms(slot), settings.version, worker.metrics)
        courier = worker.posting.mqtt
        poster = NewsPoster(self._topics, settings.window, lambda: courier.is_back(ENDPOINT))
        worker.posting.attach_broker(ENDPOINT, poster)
        self.states = States(self._topics, slot, seats.group(SEAT, 1), self._own, self._wanted, worker.desk.now)
        self.intake = Intake(
            self._topics,
            worker.server.accounts,
            worker.fronting.submits,
            worker.enriching.templates.filled,
            worker.metrics,
            worker.desk.now,
            window=settings.receive_window,
            size_max=settings.message_size_max,
            over_rate=settings.over_rate,
            shares=count > 1,
        )
        self.intake.is_wanted = self._takes_messages
        self._guests: list[Guest] = [self.intake, poster, self.states]
        gauge = worker.metrics.gauges.register
        gauge("gatewayd_mqtt_unacknowledged_messages", lambda: [((str(slot),), self.intake.unacknowledged)])
        gauge("gatewayd_mqtt_connected", lambda: [((str(slot),), float(self.broker.wire is not None))])

    def start(self) -> None:
        """Connect, and see to it that there is a connection from now on."""
        self.broker.start(self._guests)
        if self._slot == 0:
            path = Path(self._worker.config.daemon.spool_dir) / SLOTS_FILE
            heirs = Heirs(path, self._count, self._terms, self._topics.shared_sends, self.intake.received)
            self._inheriting = spawn(heirs.inherit(self._version), name="mqtt heirs")

    def configure(self) -> None:
        """By the worker's configuration of now; what is in [mqtt] itself waits for a restart."""
        self.intake.is_wanted = self._takes_messages
        self.broker.renew(self._session_s)

    def close(self) -> None:
        """Take no more messages."""
        self.intake.close()
        if self._inheriting is not None:
            self._inheriting.cancel()

    async def stop(self, drain_s: float) -> None:
        """Say goodbye, and hang up."""
        await self.broker.stop(drain_s)

    def status(self) -> dict[str, Any]:
        """How it is, for people: one entry, by the worker's number."""
        wire = self.broker.wire
        return {
            str(self._slot): {
                "broker": self.broker.place,
                "connected": wire is not None,
                "since": self.broker.since if wire is not None else None,
                "version": wire.version if wire is not None else "",
                "trouble": self.broker.trouble,
                "leads": self.states.leads,
            }
        }

    @property
    def _takes_messages(self) -> bool:
        return any(account.mqtt_send for account in self._worker.config.accounts.values())

    @property
    def _session_s(self) -> int:
        return int(self._worker.config.mqtt.session_h * _HOUR_S) if self._takes_messages else 0

    def _version(self) -> str | None:
        return self.broker.wire.version if self.broker.wire is not None else None

    def _terms(self, slot: int) -> Terms:
        """How a worker connects: this one, or one that is no more."""
        settings = self._worker.config.mqtt
        tls = tls_context(settings.tls_ca, settings.tls_certificate, settings.tls_key) if settings.tls else None
        return Terms(
            host=settings.host,
            port=settings.port,
            tls=tls,
            username=settings.username,
            password=self._worker.loaded.secrets.get("mqtt.password_file", ""),
            client_id=f"{settings.client_id}-{slot}",
            keepalive_s=settings.keepalive_s,
            window=settings.window,
            receive_max=settings.receive_window,
            size_max=settings.message_size_max,
            session_s=self._session_s,
            will=(self._topics.worker(slot), States.will(slot)) if slot == self._slot else None,
        )

    # -- what is told of links and binds ------------------------------------------------------------------------------

    def _own(self) -> Own:
        worker = self._worker
        return Own(
            self._slot,
            "up",
            version=gatewayd.__version__,
            since=self._began,
            links={
                name: Link(
                    link.is_up,
                    link.binds_up if isinstance(link, SmppLink) else 0,
                    worker.dispatcher.is_paused(name),
                )
                for name, link in worker.own_links.items()
            },
            accounts={name: len(account.binds) for name, account in worker.server.accounts.items() if account.binds},
        )

    def _wanted(self) -> Wanted:
        config = self._worker.config
        return Wanted(
            {name: (link.kind, link.binds_wanted if link.kind == "smpp" else 0) for name, link in config.links.items()},
            {name: account.binds_max for name, account in config.accounts.items()},
            self._count,
        )
