"""A new configuration in a running worker: what changed is touched, what did not keeps its binds and its windows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec

from gatewayd.billing.rule_files import RulesFault
from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.config import schema
from gatewayd.config.load import Loaded

if TYPE_CHECKING:
    from gatewayd.worker import Worker

LINK_DRAIN_S: Final = 5.0

# What is asked for at each message: to change it, no bind need go.
_LOOSE_KEYS: Final = (
    "rate_per_s",
    "burst",
    "on_unknown",
    "retry_max",
    "parked_receipt_ttl_s",
    "receipts",
    "receipts_without_mark",
    "statuses",
    "throttle_pause_s",
    "throttle_climb_s",
    "destination_form",
    "country",
    "source_ton",
    "source_npi",
    "source_map",
    "source_fallback",
    "service_type",
    "deadline_s",
    "billing",
    "capability_yes_h",
    "capability_no_h",
    "capability_new_h",
    "capability_unknown",
    "operators",
    "operators_otherwise",
    "test_numbers",
    "bulk_hours",
    "bulk_zone",
)


class Reloading:
    """One reload of one worker. The configuration was checked by the supervisor."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def take_up(self, loaded: Loaded) -> list[str]:
        """Change over; returns what could not be taken up, a sentence each.

        The order matters. A message may come at any moment, and must find each link that the routes name: new links
        come before the new routes, and those that are gone go after them.
        """
        worker = self._worker
        old, worker.loaded = worker.loaded, loaded
        links = loaded.config.links
        troubles = [self._learn_rules(), worker.enriching.learn(loaded, wholly=True), *worker.posting.configure(loaded)]
        troubles += worker.doors.configure(loaded)
        worker.reaching.learn_numbers(loaded.config)
        worker.desk.learn_accounts(loaded.config.accounts)
        worker.submits.default_messages = loaded.config.smpp.default_messages
        self._change_accounts(loaded.config)
        worker.fronting.configure(loaded)
        if worker.brokering is not None:
            worker.brokering.configure()
        for name, settings in links.items():
            worker.dispatcher.set_limits(name, worker.limits_of(name))
            if settings.kind != "smpp":
                worker.guard(name)
        changed = [name for name in links if name in worker.own_links and self._is_changed(name, old)]
        gone = [name for name in worker.own_links if name not in links]
        faults = [*troubles, *[await self._add(name) for name in links if name not in worker.own_links]]
        for name in [name for name in links if name not in changed]:
            worker.desk.add_link(worker.desk.links[name], links[name])
        self._route()
        faults += [self._refresh(name) for name in links if name not in changed]
        faults += await asyncio.gather(*map(self._exchange, changed), *map(self._remove, gone))
        self._route()
        return [fault for fault in faults if fault]

    def _learn_rules(self) -> str:
        try:
            self._worker.ledger.learn_rules(self._worker.rule_books())
        except RulesFault as error:
            return f"billing: {error}"
        return ""

    def _route(self) -> None:
        """By the new routes; what waits for a link that is gone finds another way."""
        worker = self._worker
        worker.dispatcher.reconfigure(worker.route_table(), worker.config.sessions.window_h)

    # -- links ----------------------------------------------------------------------------------------------------

    async def _add(self, name: str) -> str:
        """A new one. If it cannot be started, messages wait for it until a reload can."""
        worker = self._worker
        worker.add_link(name, worker.config.links[name])
        return await self._start(name)

    async def _exchange(self, name: str) -> str:
        """Another in the place of one: the old one stays if the new one cannot be got ready."""
        worker, settings = self._worker, self._worker.config.links[name]
        link = worker.build_link(name, settings)
        if isinstance(link, SmppLink):
            try:
                link.prepare()
            except (OSError, ValueError) as error:
                return self._fault(name, error)
            link.admission.release()  # what the carrier refused may be what has changed
        await worker.stop_link(name, LINK_DRAIN_S)
        worker.install_link(link, settings)
        return await self._start(name)

    async def _start(self, name: str) -> str:
        try:
            await self._worker.start_link(name)
        except (OSError, ValueError) as error:
            return self._fault(name, error)
        self._worker.unready_links.discard(name)
        return ""

    def _fault(self, name: str, error: Exception) -> str:
        self._worker.unready_links.add(name)
        return f"links.{name}: {error}"

    def _refresh(self, name: str) -> str:
        """Connections that stand stay as they are. Certificates may be new although their paths are not."""
        link = self._worker.own_links.get(name)
        try:
            if isinstance(link, SmppLink):
                settings = self._worker.config.links[name]
                reader = self._worker.reader_of(name, settings)
                reader.goes_on_from(link.reader)
                link.reader = reader
                link.learn(settings)
        except (OSError, ValueError) as error:
            return f"links.{name}: the new certificates are not taken: {error}"
        return ""

    async def _remove(self, name: str) -> str:
        await self._worker.stop_link(name, LINK_DRAIN_S)
        self._worker.forget_link(name)
        self._worker.unready_links.discard(name)
        return ""

    def _is_changed(self, name: str, old: Loaded) -> bool:
        """Whether its binds must go: other settings of its own, other secrets, or another pause at its provider."""
        new = self._worker.loaded
        if name in self._worker.unready_links or name not in old.config.links:
            return True
        secrets = [key for key in {*old.secrets, *new.secrets} if key.startswith(f"links.{name}.")]
        return (
            _fixed(old.config.links[name]) != _fixed(new.config.links[name])
            or any(old.secrets.get(key) != new.secrets.get(key) for key in secrets)
            or _pause_of(old.config, name) != _pause_of(new.config, name)
        )

    # -- accounts -------------------------------------------------------------------------------------------------

    def _change_accounts(self, config: schema.Config) -> None:
        worker = self._worker
        worker.outbox.configure(worker.outbox_bounds())
        accounts = worker.server.accounts
        for name in [name for name in accounts if name not in config.accounts]:
            worker.server.end_binds(accounts.pop(name))
        for name, settings in config.accounts.items():
            if name in accounts:
                accounts[name].change(settings, worker.loaded.password_hash(name))
            else:
                accounts[name] = worker.account(name, settings)


def _fixed(settings: schema.Link) -> dict[str, Any]:
    """What a link is built of."""
    return {key: value for key, value in msgspec.structs.asdict(settings).items() if key not in _LOOSE_KEYS}


def _pause_of(config: schema.Config, name: str) -> float:
    provider = config.providers.get(config.links[name].provider)
    return provider.pause_s if provider is not None else 0.0
