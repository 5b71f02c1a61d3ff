"""The sinks of a worker's accounts: SMPP's outbox, and a courier for each other sink, put together as configured.

Puts parts together and decides nothing, as the composition root does whose part it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from gatewayd.config import schema
from gatewayd.config.load import Loaded
from gatewayd.flow.calling import CALLBACK
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.trail import Trail
from gatewayd.senders.courier import Courier
from gatewayd.senders.deliver import Outbox
from gatewayd.senders.gates import Poster
from gatewayd.senders.lanes import Terms
from gatewayd.senders.sinks import Sinks
from gatewayd.store.spool import Spool

if TYPE_CHECKING:
    from gatewayd.senders.callbacks import CallbackPoster
    from gatewayd.senders.webhooks import WebhookPoster

WEBHOOK: Final = "webhook"
MQTT: Final = "mqtt"
_HOUR_S: Final = 3_600.0

_Known = tuple[schema.Endpoint, tuple[str, ...]]


class Posting:
    """The wiring of sinks in one worker."""

    def __init__(self, smpp: Outbox, spool: Spool, metrics: Metrics, trail: Trail, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._posters: dict[str, tuple[_Known, WebhookPoster]] = {}
        self._broker: dict[str, Poster] = {}
        self._accounts: Mapping[str, schema.Account] = {}
        self.webhooks = Courier(WEBHOOK, spool, metrics, trail, clock)
        # There without a broker too: what was owed over one that is no longer configured waits, and expires.
        self.mqtt = Courier(MQTT, spool, metrics, trail, clock)
        self._callers: dict[str, tuple[tuple[object, ...], CallbackPoster]] = {}
        self.callbacks = Courier(CALLBACK, spool, metrics, trail, clock)
        self.couriers = {WEBHOOK: self.webhooks, MQTT: self.mqtt, CALLBACK: self.callbacks}
        self.sinks = Sinks(smpp)
        for sink, courier in self.couriers.items():
            self.sinks.attach(sink, courier)
        gauge = metrics.gauges.register
        for courier in self.couriers.values():
            gauge("gatewayd_outbox_deliveries", courier.depths)
            gauge("gatewayd_outbox_max_deliveries", courier.bounds)
            gauge("gatewayd_outbox_oldest_age_seconds", courier.ages)
            gauge("gatewayd_outbox_dead_letters", courier.dead_counts)
            gauge("gatewayd_endpoint_state", courier.states)

    def configure(self, loaded: Loaded) -> list[str]:
        """By this configuration from now on; returns what could not be taken up."""
        faults: list[str] = []
        for name, settings in loaded.config.endpoints.items():
            known = (settings, loaded.endpoint_secrets(name))
            if name in self._posters and self._posters[name][0] == known:
                continue
            from gatewayd.senders.webhooks import WebhookPoster

            try:
                self._posters[name] = (known, WebhookPoster(settings, known[1], self._clock))
            except OSError as error:
                faults.append(f"endpoints.{name}: {error}")
        for name in [name for name in self._posters if name not in loaded.config.endpoints]:
            del self._posters[name]
        posters: dict[str, Poster] = {name: poster for name, (_, poster) in self._posters.items()}
        self._accounts = loaded.config.accounts
        self.webhooks.configure(terms_of(WEBHOOK, self._accounts, posters), posters)
        self.mqtt.configure(terms_of(MQTT, self._accounts, self._broker), self._broker)
        self._configure_callbacks()
        return faults

    def _configure_callbacks(self) -> None:
        """Whoever may name addresses has a caller, and is the endpoint of what is owed at them."""
        callers: dict[str, tuple[tuple[object, ...], CallbackPoster]] = {}
        for name, account in self._accounts.items():
            wanted = (account.dlr_urls, account.dlr_allow_private)
            if account.dlr_urls:
                from gatewayd.senders.callbacks import CallbackPoster

                known = self._callers.get(name)
                if known is None or known[0] != wanted:
                    known = (wanted, CallbackPoster(account))
                callers[name] = known
        self._callers = callers
        posters: dict[str, Poster] = {name: poster for name, (_, poster) in callers.items()}
        self.callbacks.configure(terms_of(CALLBACK, self._accounts, posters), posters)

    def attach_broker(self, name: str, poster: Poster) -> None:
        """From now on what is owed over MQTT goes through this."""
        self._broker = {name: poster}
        self.mqtt.configure(terms_of(MQTT, self._accounts, self._broker), self._broker)

    def start(self) -> None:
        """Take up what the last run owed."""
        for courier in self.couriers.values():
            courier.start()

    async def stop(self, drain_s: float) -> None:
        """Let what is on its way come to its end for a while."""
        for courier in self.couriers.values():
            await courier.stop(drain_s)

    def replay(self, account: str, ids: list[int] | None) -> int:
        """Owe an account's dead letters again, some hundreds of all or these; how many. To be called until it is 0."""
        return sum(each.replay(account, ids) for each in self.couriers.values())

    def offer_now(self, account: str, sink: str = "") -> int:
        """What waits for its time at an account's endpoints, or only those of one sink, is offered now; how many."""
        return sum(each.offer_now(account) for name, each in self.couriers.items() if sink in ("", name))

    def dead_counts(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """Dead letters, by account and sink."""
        yield from (one for each in self.couriers.values() for one in each.dead_counts())

    def depths(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """Deliveries that are owed, by account and sink."""
        yield from (one for each in self.couriers.values() for one in each.depths())

    def ages(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """Seconds that the oldest of each account and sink has waited."""
        yield from (one for each in self.couriers.values() for one in each.ages())


def terms_of(sink: str, accounts: Mapping[str, schema.Account], posters: Mapping[str, Poster]) -> dict[str, Terms]:
    """The bounds of each account with that sink; one whose endpoint is not ready waits. All have the same broker, and
    each its own caller."""
    broker = next(iter(posters), "") if sink == MQTT else ""
    terms = {}
    for name, account in accounts.items():
        if not (account.dlr_urls if sink == CALLBACK else sink in account.sinks):
            continue
        endpoint = name if sink == CALLBACK else broker or account.endpoint
        terms[name] = Terms(
            endpoint if endpoint in posters else "",
            account.outbox_depth_max,
            account.outbox_ttl_h * _HOUR_S,
            account.dead_letter_h * _HOUR_S,
        )
    return terms
