"""How a worker is: its accounts, links, guards and store, as plain values that add up over workers.

Reads what the parts know and changes nothing. What adds up and what does not, control.merging says by key.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

from gatewayd.asking.asked import Asked
from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.gauges import octets_of
from gatewayd.limiting import quotas
from gatewayd.policy.ratio_guard import GuardState, ratio

if TYPE_CHECKING:
    from gatewayd.worker import Worker

_THROTTLED: Final = "ESME_RTHROTTLED"
_OK: Final = "ESME_ROK"
_DELIVERED: Final = "DELIVRD"


def status(asked: Asked) -> dict[str, Any]:
    """Everything that fits on one screen."""
    worker = asked.worker
    return {
        "accounts": accounts(worker),
        "links": links(worker),
        "waiting": worker.desk.aside.read(),
        "quotas": quotas_used(worker),
        "guards": guards(worker),
        "store": store(worker),
        "mqtt": worker.brokering.status() if worker.brokering is not None else {},
        "accepted": worker.submits.accepted,
    }


def accounts(worker: Worker) -> dict[str, dict[str, Any]]:
    """What each application has, is owed and has sent."""
    sent: dict[str, Counter[str]] = defaultdict(Counter)
    for (account, code), tally in worker.metrics.submits.items():
        word = "submitted" if code == _OK else "throttled" if code == _THROTTLED else "refused"
        sent[account][word] += tally.value
    ended: dict[str, Counter[str]] = defaultdict(Counter)
    for (account, _, _, outcome), tally in worker.metrics.messages.items():
        ended[account]["delivered" if outcome == _DELIVERED else "undelivered"] += tally.value
    sinks = _sinks(worker)
    return {
        name: {
            "binds_up": len(account.binds),
            "binds_max": account.settings.binds_max,
            "rate_per_s": account.settings.rate_per_s,
            "class": account.settings.traffic_class,
            "weight": account.settings.weight,
            "depth": sum(sink["depth"] for sink in sinks[name].values()),
            "depth_max": account.settings.outbox_depth_max,
            "outbox_age_s": max([0.0, *(sink["outbox_age_s"] for sink in sinks[name].values())]),
            "sinks": sinks[name],
            **{word: sent[name][word] for word in ("submitted", "throttled", "refused")},
            **{word: ended[name][word] for word in ("delivered", "undelivered")},
        }
        for name, account in worker.server.accounts.items()
    }


def _sinks(worker: Worker) -> dict[str, dict[str, dict[str, Any]]]:
    """What each account is owed at each of its sinks, and what nobody took there."""
    found: dict[str, dict[str, dict[str, Any]]] = {
        name: {sink: {"depth": 0, "outbox_age_s": 0.0, "dead": 0} for sink in account.settings.sinks}
        for name, account in worker.server.accounts.items()
    }
    for key, readings in (
        ("depth", [*worker.outbox.depths(), *worker.posting.depths()]),
        ("outbox_age_s", [*worker.outbox.ages(), *worker.posting.ages()]),
        ("dead", worker.posting.dead_counts()),
    ):
        for (name, sink), value in readings:
            if name in found and (value or sink in found[name]):
                of_sink = found[name].setdefault(sink, {"depth": 0, "outbox_age_s": 0.0, "dead": 0})
                of_sink[key] = round(value, 1) if key == "outbox_age_s" else int(value)
    return found


def links(worker: Worker) -> dict[str, dict[str, Any]]:
    """How each link is and what waits for it."""
    results: dict[str, Counter[str]] = defaultdict(Counter)
    for (name, outcome, _), tally in worker.metrics.link_results.items():
        results[name][outcome] += tally.value
    fallbacks: Counter[str] = Counter()
    for (name, _), tally in worker.metrics.fallbacks.items():
        fallbacks[name] += tally.value
    unread = {
        name: tally.value for (name, event), tally in worker.metrics.receipt_events.items() if event == "unparsed"
    }
    depths = {labels[0]: value for labels, value in worker.dispatcher.queue_depths()}
    ages = {labels[0]: value for labels, value in worker.dispatcher.queue_ages()}
    per_minute, now = quotas(worker.config), time.monotonic()
    answer = {}
    for name, link in worker.own_links.items():
        settings, slot = worker.config.links.get(name), worker.shared.slot(f"link:{name}")
        if settings is None:
            continue
        answer[name] = {
            "kind": settings.kind,
            "binds_up": link.binds_up if isinstance(link, SmppLink) else int(link.is_up),
            "binds": settings.binds_wanted if isinstance(link, SmppLink) else 0,
            "is_paused": worker.dispatcher.is_paused(name),
            "window_used": link.window_used,
            "window": link.window_up,
            "paused_s": round(max([0.0, *(until - now for until in _pauses(worker, name))]), 1),
            "rate_per_s": settings.rate_per_s,
            "per_minute": round(per_minute.get(f"link:{name}", 0.0)),
            "used_per_minute": round(slot.used(now)),
            "pace": round(worker.limiting.share_of(worker.config, name), 3),
            "elsewhere": link.elsewhere if isinstance(link, SmppLink) else [],
            "provider": settings.provider,
            "queue": int(depths.get(name, 0)),
            "queue_age_s": round(ages.get(name, 0.0), 1),
            "sent": results[name]["accepted"],
            **{word: results[name][word] for word in ("refused", "deferred", "unknown")},
            "fallbacks": fallbacks[name],
            "unread": unread.get(name, 0),
            "unmatched": worker.dispatcher.parked_receipts(name),
            "message_ids": link.reader.verdict or link.reader.id_mode if isinstance(link, SmppLink) else "",
        }
    return answer


def _pauses(worker: Worker, name: str) -> list[float]:
    """Until when the scopes that pace a link rest."""
    return [slot.paused_until for slot, _ in worker.limits_of(name).slots]


def quotas_used(worker: Worker) -> dict[str, dict[str, Any]]:
    """The limits that several links share: used in the last minute, and their pauses. All workers see the same."""
    now = time.monotonic()
    answer = {}
    for name, per_minute in quotas(worker.config).items():
        if not name.startswith("link:"):
            slot = worker.shared.slot(name)
            answer[name] = {
                "per_minute": round(per_minute),
                "used_per_minute": round(slot.used(now)),
                "paused_s": round(max(0.0, slot.paused_until - now), 1),
            }
    return answer


def guards(worker: Worker) -> dict[str, dict[str, Any]]:
    """The error ratios that operators look at. All workers see the same."""
    answer = {}
    for name, guard in worker.desk.guards.all().items():
        counts = guard.slot.read(worker.desk.now())
        answer[name] = {
            "guard": int(counts.state),
            "word": GuardState(counts.state).name.lower().replace("_", " "),
            "ratio": round(ratio(counts), 4),
            "stop": guard.terms.stop,
        }
    return answer


def store(worker: Worker) -> dict[str, Any]:
    """The spool's health and size."""
    return {
        "is_failing": worker.journal.is_failing,
        "pending": worker.journal.pending,
        "octets": octets_of(worker.journal.path),
        "unwritten": worker.ledger.unwritten,
    }
