"""What paces and guards each link, made of the configuration: the slots of its scopes, its ramp, its thresholds.

Part of the composition of a worker; decides nothing at run time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import msgspec

from gatewayd.carriers.dialing import Admission, burst_of
from gatewayd.config import schema
from gatewayd.flow.easing import Easing
from gatewayd.flow.guarding import Guard
from gatewayd.flow.limits import ALONE, Limits
from gatewayd.message import Scope
from gatewayd.policy.pacing import UNLIMITED, Ramp, Rate, rate_of, window_of
from gatewayd.policy.ratio_guard import Terms
from gatewayd.runtime.shared_limits import SharedLimits, Slot
from gatewayd.runtime.shared_ratio import SharedRatios
from gatewayd.runtime.shared_shares import Share
from gatewayd.runtime.shared_windows import Window

_HOUR_S = 3_600.0
LATENESS_S = 0.02
"""So late a turn may come on a busy machine, and what it would have sent still goes: a link's burst, unless it has one
of its own."""


class Limiting:
    """Makes limits and guards for one worker, ``worker`` of ``workers``."""

    def __init__(
        self,
        limits: SharedLimits,
        ratios: SharedRatios,
        worker: int,
        workers: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._ratios = ratios
        self._worker = worker
        self._is_alone = workers == 1
        self._clock = clock
        self._shares: dict[str, Share] = {}
        self._guards: dict[str, tuple[tuple[object, ...], Guard]] = {}

    def limits_of(self, config: schema.Config, name: str) -> Limits:
        """The limits of a link: its own, its application's and its provider's."""
        link = config.links[name]
        own, own_rate = self._limits.slot(f"link:{name}"), _rate_of(link)
        if not link.provider:
            easing, worker = self.easing_of(config, name), self._turn(own_rate)
            return Limits([(own, own_rate)], own, self._clock, worker=worker, easing=easing)
        provider = config.providers[link.provider]
        ramp = Ramp(provider.ramp_start, provider.ramp_double_s)
        shared = [(self._limits.slot(f"provider:{link.provider}"), _rate_of(provider, provider.headroom))]
        if link.application:
            slot = self._limits.slot(f"application:{link.application}")
            shared.insert(0, (slot, _rate_of(config.applications[link.application], provider.headroom)))
        # After a pause of the agent alone, it comes back by the pace that it shares with others where it has none.
        whole = min(rate.rate_per_s for _, rate in [(own, own_rate), *shared])
        slots = [(slot, _with_ramp(rate, ramp, whole)) for slot, rate in [(own, own_rate), *shared]]
        scopes: dict[Scope, Slot] = {"agent": own, "application": shared[0][0]}
        worker = self._turn(*(rate for _, rate in slots))
        return Limits(
            slots,
            shared[0][0],
            self._clock,
            scopes=scopes,
            worker=worker,
            counted=provider.counted,
            gates=self._gates_of(config, link),
        )

    def _gates_of(self, config: schema.Config, link: schema.Link) -> list[tuple[Window, int]]:
        """Where a second has a quota, what leaves is counted at the moment it leaves."""
        provider = config.providers[link.provider]
        scopes: list[tuple[str, int]] = [(f"window:provider:{link.provider}", provider.per_second)]
        if link.application:
            scopes.append((f"window:application:{link.application}", config.applications[link.application].per_second))
        return [
            (Window(self._limits, name), window_of(per_second, provider.headroom))
            for name, per_second in scopes
            if per_second
        ]

    def easing_of(self, config: schema.Config, name: str) -> Easing | None:
        """How an SMPP link slows down when its carrier cannot follow; None where it does not."""
        link = config.links.get(name)
        if link is None or link.kind != "smpp" or not link.throttle_climb_s:
            return None
        share = self._shares.get(name)
        if share is None:
            share = self._shares[name] = Share(self._limits, f"share:{name}")
        return Easing(share, link.throttle_climb_s, link.throttle_pause_s, self._clock)

    def share_of(self, config: schema.Config, name: str) -> float:
        """The share of its pace that a link uses for now; 1 is the whole."""
        easing = self.easing_of(config, name)
        return easing.share() if easing is not None else 1.0

    def width_of(self, config: schema.Config, name: str) -> float:
        """The share of its windows that a link uses for now: it is they that become narrow where no rate can."""
        link = config.links.get(name)
        return 1.0 if link is None or link.rate_per_s else self.share_of(config, name)

    def congested(self, config: schema.Config, name: str, state: int) -> bool:
        """A carrier tells how full it is (SMPP 5.0 congestion_state). Whether the link goes by it."""
        easing = self.easing_of(config, name)
        return easing is not None and easing.congested(state)

    def admission_of(self, name: str, link: schema.Link) -> Admission:
        """How fast the binds of all workers may connect over a link."""
        return Admission(link.connects_per_s, self._limits.slot(f"connects:{name}"), self._clock, burst_of(link))

    def guard_of(self, config: schema.Config, name: str) -> Guard | None:
        """The guard of a link's application, where it has one."""
        link = config.links[name]
        provider = config.providers.get(link.provider)
        if provider is None or not provider.guard:
            return None
        application = f"{link.provider}/{link.application}" if link.application else link.provider
        terms = _terms_of(provider)
        asked = (terms, provider.guard_window_h, provider.guard_hold_s, provider.guard_errors)
        known = self._guards.get(application)
        if known is not None and known[0] == asked:
            return known[1]
        slot = self._ratios.slot(application, self._worker, provider.guard_window_h * _HOUR_S)
        if known is None:
            slot.forget_pending()
        guard = Guard(slot, terms, provider.guard_hold_s, provider.guard_errors)
        self._guards[application] = asked, guard
        return guard

    def _turn(self, *rates: Rate) -> int:
        """This worker's number where workers must agree on who goes first: where there are several, and a pace."""
        return ALONE if self._is_alone or all(rate.rate_per_s == math.inf for rate in rates) else self._worker


def quotas(config: schema.Config) -> dict[str, float]:
    """What each limit lets go in a minute, by the name of its slot; those without a pace are left out."""
    rates = {f"link:{name}": _rate_of(link) for name, link in config.links.items()}
    for name, provider in config.providers.items():
        rates[f"provider:{name}"] = _rate_of(provider, provider.headroom)
    for name, application in config.applications.items():
        rates[f"application:{name}"] = _rate_of(application, config.providers[application.provider].headroom)
    return {name: rate.rate_per_s * 60.0 for name, rate in rates.items() if rate.rate_per_s != math.inf}


def _terms_of(provider: schema.Provider) -> Terms:
    return Terms(
        warn=provider.guard_warn,
        known_only=provider.guard_known_only,
        stop=provider.guard_stop,
        ratio_max=provider.guard_ratio_max,
        sample_min=provider.guard_sample_min,
        comeback=provider.guard_comeback,
        stop_s=provider.guard_stop_s,
    )


def _rate_of(scope: schema.Link | schema.Provider | schema.Application, headroom: float = 0.0) -> Rate:
    if isinstance(scope, schema.Link):
        burst = scope.burst or max(1, round(scope.rate_per_s * LATENESS_S))
        return rate_of(0, scope.rate_per_s, burst) if scope.rate_per_s else UNLIMITED
    if not (scope.per_minute or scope.per_second or scope.rate_per_s):
        return UNLIMITED
    return rate_of(scope.per_minute, scope.rate_per_s, scope.burst, scope.per_second, headroom)


def _with_ramp(rate: Rate, ramp: Ramp, whole: float) -> Rate:
    return msgspec.structs.replace(rate, ramp=ramp, whole=whole if rate.rate_per_s == math.inf else 0.0)
