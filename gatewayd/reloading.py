"""A new configuration in a running worker: what changed is touched, what did not keeps its binds and its windows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gatewayd.config import schema
from gatewayd.config.load import Loaded

if TYPE_CHECKING:
    from gatewayd.worker import Worker

LINK_DRAIN_S = 5.0


class Reloading:
    """One reload of one worker. The configuration was checked by the supervisor."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def take_up(self, loaded: Loaded) -> list[str]:
        """Change over; returns what could not be taken up, a sentence each."""
        worker = self._worker
        old, worker.loaded = worker.loaded, loaded
        worker.desk.accounts = loaded.config.accounts
        self._change_accounts(loaded.config)
        changed = _changed_links(old, loaded)
        gone = [name for name in worker.own_links if name not in loaded.config.links]
        await asyncio.gather(*(worker.remove_link(name, LINK_DRAIN_S) for name in [*gone, *changed]))
        faults = []
        for name in [*changed, *(name for name in loaded.config.links if name not in worker.desk.settings)]:
            try:
                worker.add_link(name, loaded.config.links[name])
                await worker.start_link(name)
            except (OSError, ValueError) as error:
                faults.append(f"links.{name}: {error}")
        for name in loaded.config.links:
            worker.dispatcher.set_limits(name, worker.limits_of(name, loaded.config.links[name]))
        worker.dispatcher.reconfigure(worker.route_table(), loaded.config.sessions.window_h)
        return faults

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


def _changed_links(old: Loaded, new: Loaded) -> list[str]:
    """Links whose own settings, secrets or provider differ."""
    changed = []
    for name, settings in new.config.links.items():
        before = old.config.links.get(name)
        if before is None:
            continue
        secrets = [key for key in new.secrets if key.startswith(f"links.{name}.")]
        provider = settings.provider
        if (
            before != settings
            or any(old.secrets.get(key) != new.secrets[key] for key in secrets)
            or (provider and old.config.providers.get(provider) != new.config.providers.get(provider))
        ):
            changed.append(name)
    return changed
