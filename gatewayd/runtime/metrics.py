"""Every metric of the daemon, declared once: its name, unit, labels and meaning.

Knows neither who counts nor who scrapes.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.process_collector import ProcessCollector

from gatewayd.runtime.instruments import VALUES_MAX, Counters, Gauges, Timings

# An answer while the sender waits; a way through queues, an hour at worst; a phone that is off for days.
_PROMPT_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_QUEUED_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
_AFTER_HOURS_S: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0, 259_200.0)
_RECORDS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)

# Carriers choose their error codes: as many as this are told apart.
_ERRORS_MAX: Final = 200

GAUGES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "gatewayd_queue_messages": ("Messages that wait for a link.", ("link",)),
    "gatewayd_queue_oldest_age_seconds": ("Age of the message that has waited longest for a link.", ("link",)),
    "gatewayd_outbox_deliveries": ("Receipts and replies that wait for an account's bind.", ("account",)),
    "gatewayd_outbox_oldest_age_seconds": ("Age of the delivery that has waited longest.", ("account",)),
    "gatewayd_binds": ("Binds that stand: side esme by account, side carrier by link.", ("side", "name")),
    "gatewayd_window_used": ("Requests sent and not answered yet.", ("side", "name")),
    "gatewayd_window_size": ("Requests that may be unanswered at once.", ("side", "name")),
    "gatewayd_link_up": ("1 while a link can be used, else 0.", ("link",)),
    "gatewayd_limiter_paused_seconds": ("What is left of a limit's pause; 0 when there is none.", ("limit",)),
    "gatewayd_limiter_used_ratio": ("Share of a limit's quota that was used in about the last minute.", ("limit",)),
    "gatewayd_guard_ratio": ("Share of unreachable numbers in the guard's window of time.", ("application",)),
    "gatewayd_guard_state": (
        "How far the guard has closed: 0 open, 1 warned, 2 known only, 3 stop.",
        ("application",),
    ),
    "gatewayd_guard_open_messages": ("Messages that may yet turn out to be unreachable.", ("application",)),
    "gatewayd_store_pending_records": ("Records that wait for a commit.", ()),
    "gatewayd_billing_open_conversations": ("Conversations that are open, by the link they began on.", ("link",)),
    "gatewayd_billing_unwritten_records": ("Billing records that are not in their file yet.", ()),
    "gatewayd_build_info": ("Always 1; what runs is in the labels.", ("version", "python")),
}


class Metrics:
    """All metrics of one process. Hot paths keep what ``labels`` returns."""

    def __init__(self, version: str) -> None:
        self._families: list[Counters | Timings] = []
        self._declare_counters()
        self._declare_timings()
        self.gauges = Gauges(GAUGES, self._count_failed_gauge)
        self.gauges.register("gatewayd_build_info", lambda: [((version, platform.python_version()), 1)])
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def collect(self) -> Iterator[Metric]:
        """Everything as it is now, for a scrape."""
        for family in self._families:
            yield family.collect()
        yield from self.gauges.collect()

    def _count_failed_gauge(self) -> None:
        self.faults.labels("metrics", "gauge").value += 1

    def _declare_counters(self) -> None:
        counters = self._counters
        self.submits = counters(
            "submits", "Messages that applications handed in, by the status they got.", "account", "status"
        )
        self.messages = counters(
            "messages", "Messages that came to their end.", "account", "link", "channel", "outcome"
        )
        self.link_results = counters(
            "link_results", "How attempts over a link ended.", "link", "outcome", "error", values_max=_ERRORS_MAX
        )
        self.link_unreachable = counters(
            "link_unreachable", "Refusals that operators count in their error ratio.", "link"
        )
        self.receipts = counters("receipts", "Receipts from carriers.", "link", "state")
        self.receipt_events = counters(
            "receipt_events",
            "Receipts out of the ordinary: "
            "early, parked, parked_expired, late_delivered, duplicate, unparsed, unmatched.",
            "link",
            "event",
        )
        self.fallbacks = counters("fallbacks", "Messages that left a link for the next.", "link", "reason")
        self.capability_answers = counters(
            "capability_answers",
            "What was learned of handsets: by a question (query, bulk) or by a refused message (refusal).",
            "link",
            "source",
            "answer",
        )
        self.bulk_questions = counters("bulk_questions", "Questions about many handsets at once.", "link", "outcome")
        self.webhook_ignored = counters(
            "webhook_ignored", "Events from platforms that mean nothing here, by their names.", "link", "event"
        )
        self.uploads = counters(
            "uploads",
            "Local files brought to platforms: stored, refused, later, not_ready, unreadable, gone.",
            "link",
            "outcome",
        )
        self.mo = counters("mo", "Texts and replies from handsets.", "link", "account", "fate")
        self.billing_records = counters("billing_records", "What operators will charge for, or not.", "class", "link")
        self.deliveries = counters("deliveries", "Deliveries to applications.", "account", "kind", "outcome")
        self.faults = counters("faults", "What peers did wrong, or we.", "side", "kind")
        self.binds_refused = counters("binds_refused", "Binds of applications refused.", "status")
        self.limiter_waits = counters("limiter_waits", "Times that a limit made us wait.", "limit")
        self.limiter_pauses = counters(
            "limiter_pauses",
            "Times that a carrier asked us to pause, and of what (empty: the usual).",
            "limit",
            "scope",
        )
        self.store_commit_failures = counters("store_commit_failures", "Commits that failed.").labels()

    def _declare_timings(self) -> None:
        seconds = self._seconds
        self.submit_response = seconds("submit_response", "From a submit to our answer.", _PROMPT_S, "account")
        self.accept_to_carrier = seconds("accept_to_carrier", "From our answer to the carrier's.", _QUEUED_S, "link")
        self.carrier_receipt = seconds(
            "carrier_receipt", "From the carrier's answer to its final receipt.", _AFTER_HOURS_S, "link"
        )
        self.receipt_to_esme = seconds(
            "receipt_to_esme", "From a carrier's receipt to the application's answer.", _AFTER_HOURS_S, "account"
        )
        self.store_commit = seconds("store_commit", "Duration of commits.", _PROMPT_S).labels()
        group = Timings("gatewayd_store_group_records", "Records in one commit.", _RECORDS, unit="records")
        self._families.append(group)
        self.store_group = group.labels()

    def _counters(self, name: str, help_text: str, *labels: str, values_max: int = VALUES_MAX) -> Counters:
        family = Counters(f"gatewayd_{name}", help_text, labels, values_max)
        self._families.append(family)
        return family

    def _seconds(self, name: str, help_text: str, bounds: Sequence[float], *labels: str) -> Timings:
        family = Timings(f"gatewayd_{name}_seconds", help_text, bounds, labels)
        self._families.append(family)
        return family
