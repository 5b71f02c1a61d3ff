"""Every metric of the daemon, declared once: its name, unit, labels and meaning.

Knows neither who counts nor who scrapes. docs/metrics.md is made of what stands here.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client.process_collector import ProcessCollector

from gatewayd.runtime.instruments import VALUES_MAX, Across, Counters, Figure, Gauge, Gauges, Kind, Rows, Timings

# An answer while the sender waits; a way through queues, an hour at worst; a phone that is off for days.
_PROMPT_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_QUEUED_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
_AFTER_HOURS_S: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0, 259_200.0)
_RECORDS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)

# Carriers choose their error codes: as many as this are told apart.
ERRORS_MAX: Final = 200

LABELS: Final[dict[str, str]] = {
    "account": "an application, by its table `[accounts.NAME]`; empty for a reply that is nobody's",
    "answer": "`yes`, `no`, `unknown`",
    "application": "a guarded application: `PROVIDER`, or `PROVIDER/APPLICATION` where a provider has several",
    "channel": "`sms`, `rcs`",
    "code": "the status of an HTTP answer",
    "command": "a request by its name in SMPP",
    "class": "a class of the rule set that the link is billed by",
    "endpoint": "an endpoint by its table `[endpoints.NAME]`; of the sink `mqtt`: `broker`, of `callback`: the account",
    "error": f"the carrier's or platform's code, or our word for it; {ERRORS_MAX} are told apart in a worker, the rest "
    "is `other`",
    "event": "what was out of the ordinary, one of the words in the metric's meaning",
    "family": "what an error comes down to: see [families](#families-of-errors)",
    "fate": "`session` or `number` (delivered to the account, and why), `duplicate`, `unrouted`, `outbox_full`",
    "host": "a host of the carrier with its port, as `links.*.hosts` or `host` say; of a carrier that connects to us "
    "the address that it came from",
    "key": "the configuration key that names the file",
    "kind": "of a delivery: `receipt`, `mo`, `session`, and `any` of those that a full outbox dropped; of a fault: a "
    "short word for what was wrong",
    "level": "`warn`, `known_only`, `stop`: where the guard changes its state; `max`: what the operator allows",
    "limit": "whose limit: `link:NAME`, `application:NAME`, `provider:NAME`, `account:NAME`; `gate:…` is that of a "
    "second, `connects:NAME` that of a link's connections. Of `gatewayd_limiter_waits_total`, `_pauses_total` and "
    "`_halvings_total`: the link",
    "link": "a carrier or platform, by its table `[links.NAME]`",
    "name": "of side `esme` the account, of side `carrier` the link",
    "path": "a path of the HTTP API, `other` for what it does not know",
    "operator": "the operator of the number: a word of `links.*.operators` or of the file `numbers.names`; `unknown` "
    "where no file knows the number, `other` for any further one",
    "outcome": "how it ended. Of messages the state of the final receipt (`DELIVRD`, `EXPIRED`, `UNDELIV`, `REJECTD`, "
    "`DELETED`, `UNKNOWN`); of attempts `accepted`, `refused`, `deferred`, `unknown`; of deliveries `delivered`, "
    "`retried`, `refused`, `expired`, `overflow`, `unanswered_…`",
    "protocol": "how the package of that name was built: `pure` or `compiled`",
    "python": "the version of the interpreter",
    "reason": "a short word. Of fallbacks: `refused` stands for every code of a carrier's or platform's own, which "
    "`gatewayd_link_results_total` has. Of worker deaths: `silent` (killed for it), `signal`, `exit`",
    "scope": "what a pause holds for: `user`, `agent`, `application`; empty: as the configuration says. Of lock-outs: "
    "`bind`, `address`, `account`",
    "side": "`esme` towards applications, `carrier` towards carriers; of faults also `http`, `mqtt`, `webhook` and "
    "`metrics`",
    "sink": "where deliveries go: `smpp`, `webhook`, `mqtt`, `callback`",
    "source": "`query`, `bulk`, `refusal`",
    "span": "`minute`, `hour`, `day`",
    "stage": "`scheduled`, `held`",
    "state": "the state that the carrier gave",
    "status": "the command_status of our answer, `ESME_…`",
    "version": "the version of gatewayd",
    "worker": "a worker's number, from 0",
}
"""What the values of each label are: from the configuration, or of fixed sets; never a number or a message's id."""

GAUGES: Final[dict[str, Gauge]] = {
    "gatewayd_queue_messages": Gauge("Messages that wait for a link.", ("link",)),
    "gatewayd_queue_oldest_age_seconds": Gauge(
        "Age of the message that has waited longest for a link.", ("link",), across="max"
    ),
    "gatewayd_waiting_messages": Gauge(
        "Messages that wait for no link yet: for the time that their sender named, or because a person holds them.",
        ("stage",),
    ),
    "gatewayd_outbox_deliveries": Gauge(
        "Receipts and replies that wait for a sink of an account.", ("account", "sink")
    ),
    "gatewayd_outbox_dead_letters": Gauge(
        "Deliveries that no endpoint took in its time, or ever would.", ("account", "sink")
    ),
    "gatewayd_endpoint_state": Gauge(
        "An endpoint's breaker: 0 works, 1 tried by one post, 2 left alone for a while, 3 gone (HTTP 410).",
        ("sink", "endpoint"),
        across="max",
    ),
    "gatewayd_mqtt_connected": Gauge(
        "1 while a worker is connected to the MQTT broker, else 0; only where there is one.", ("worker",), across="max"
    ),
    "gatewayd_mqtt_unacknowledged_messages": Gauge(
        "Messages that came over MQTT and are not on disk yet, or wait for their account's rate.", ("worker",)
    ),
    "gatewayd_outbox_max_deliveries": Gauge(
        "How many may wait before the oldest are dropped, evenly spread over the workers.", ("account", "sink")
    ),
    "gatewayd_outbox_oldest_age_seconds": Gauge(
        "Age of the delivery that has waited longest.", ("account", "sink"), across="max"
    ),
    "gatewayd_binds": Gauge("Binds that stand: side esme by account, side carrier by link.", ("side", "name")),
    "gatewayd_binds_configured": Gauge(
        "Binds that a link should have, or that an account may have.", ("side", "name"), across="max"
    ),
    "gatewayd_account_used_ratio": Gauge(
        "Share of an account's per_minute, per_hour or per_day that was used within the last one.",
        ("account", "span"),
        across="max",
    ),
    "gatewayd_window_used": Gauge("Requests sent and not answered yet.", ("side", "name")),
    "gatewayd_window_size": Gauge("Requests that may be unanswered at once.", ("side", "name")),
    "gatewayd_link_up": Gauge("1 while a link can be used, else 0.", ("link",), across="max"),
    "gatewayd_link_pace_ratio": Gauge(
        "Share of its rate, or without one of its window, that a link uses for now; 1 is the whole.",
        ("link",),
        across="max",
    ),
    "gatewayd_link_rate_per_second": Gauge(
        "Segments that a link with a rate lets go in a second for now, in all workers.", ("link",), across="max"
    ),
    "gatewayd_link_host_binds": Gauge(
        "Binds that stand at each of a carrier's hosts, or came from there.", ("link", "host")
    ),
    "gatewayd_limiter_paused_seconds": Gauge(
        "What is left of a limit's pause; 0 when there is none.", ("limit",), across="max"
    ),
    "gatewayd_limiter_quota_per_minute": Gauge(
        "What a limit lets go in a minute, headroom taken off.", ("limit",), across="max"
    ),
    "gatewayd_limiter_used_ratio": Gauge(
        "Share of a limit's quota that was used in about the last minute.", ("limit",), across="max"
    ),
    "gatewayd_guard_ratio": Gauge(
        "Share of unreachable numbers in the guard's window of time.", ("application",), across="max"
    ),
    "gatewayd_guard_threshold_ratio": Gauge(
        "The shares at which the guard acts, and the one that it must never reach.",
        ("application", "level"),
        across="max",
    ),
    "gatewayd_guard_state": Gauge(
        "How far the guard has closed: 0 open, 1 warned, 2 known only, 3 stop.", ("application",), across="max"
    ),
    "gatewayd_guard_window_messages": Gauge(
        "Messages with a known fate in the guard's window of time.", ("application",), across="max"
    ),
    "gatewayd_guard_open_messages": Gauge(
        "Messages that may yet turn out to be unreachable.", ("application",), across="max"
    ),
    "gatewayd_store_pending_records": Gauge("Records that wait for a commit."),
    "gatewayd_store_pending_max_records": Gauge(
        "Beyond so many, evenly spread over the workers, submits get ESME_RMSGQFUL."
    ),
    "gatewayd_store_failing": Gauge("1 while the store cannot commit, else 0.", across="max"),
    "gatewayd_store_journal_bytes": Gauge("What was committed since the last fold."),
    "gatewayd_store_file_bytes": Gauge("Size of the spools' files, with their journals and logs."),
    "gatewayd_store_last_fold_duration_seconds": Gauge("How long the last fold took.", across="max"),
    "gatewayd_store_disk_free_bytes": Gauge("Free on the disk of the spools.", across="min"),
    "gatewayd_store_disk_size_bytes": Gauge("Size of the disk of the spools.", across="max"),
    "gatewayd_history_bytes": Gauge("What the history of all workers takes on the disk."),
    "gatewayd_history_lost_groups": Gauge(
        "Groups of changes that could not be written to the history, since the workers started.", kind="counter"
    ),
    "gatewayd_billing_open_conversations": Gauge("Conversations that are open, by the link they began on.", ("link",)),
    "gatewayd_billing_unwritten_records": Gauge("Billing records that are not in their file yet."),
    "gatewayd_workers_configured": Gauge("Workers that there should be.", across="max"),
    "gatewayd_workers_up": Gauge("Workers that answered this scrape."),
    "gatewayd_worker_deaths": Gauge(
        "Workers that died and were started again, since the daemon started.",
        ("worker", "reason"),
        across="max",
        kind="counter",
    ),
    "gatewayd_worker_beat_age_seconds": Gauge(
        "For how long the supervisor has not heard a worker that should beat each second.", ("worker",), across="max"
    ),
    "gatewayd_supervisor_beat_age_seconds": Gauge(
        "For how long the supervisor, which should beat every three seconds, has not been heard.", across="max"
    ),
    "gatewayd_config_reload_failed": Gauge(
        "1 while the configuration in its file could not be taken up wholly, else 0.", across="max"
    ),
    "gatewayd_certificate_expiry_timestamp_seconds": Gauge(
        "When a certificate ends, in Unix time: the first of a chain, the last of a bundle of authorities.",
        ("key",),
        across="min",
    ),
    "gatewayd_certificate_refused": Gauge(
        "1 while the files of a listener's certificate cannot be used as they are and the old ones are shown, else 0.",
        ("key",),
        across="max",
    ),
    "gatewayd_build_info": Gauge(
        "Always 1; what runs is in the labels.", ("version", "python", "protocol"), across="max"
    ),
}

PROCESS: Final[dict[str, Across]] = {
    "process_virtual_memory_bytes": "sum",
    "process_resident_memory_bytes": "sum",
    "process_start_time_seconds": "min",
    "process_cpu_seconds": "sum",
    "process_open_fds": "max",  # each may open so many, so the one with the most is nearest to its end
    "process_max_fds": "max",
}
"""What the system tells of the workers' processes, and what several of them are together."""


class Metrics:
    """All metrics of one process. Hot paths keep what ``labels`` returns."""

    def __init__(self, version: str, built: str = "pure") -> None:
        """``built`` tells whether the package ``protocol`` is pure or compiled."""
        self._families: list[Counters | Timings] = []
        self._declare_messages()
        self._declare_links()
        self._declare_rest()
        self._declare_timings()
        self.gauges = Gauges(GAUGES, self._count_failed_gauge)
        self.gauges.register("gatewayd_build_info", lambda: [((version, platform.python_version(), built), 1)])
        self._process = ProcessCollector(registry=None)

    def figures(self) -> list[Figure]:
        """Everything as it is now, for a scrape."""
        return [*(family.figure() for family in self._families), *self.gauges.figures(), *self._process_figures()]

    def declared(self) -> dict[str, Counters | Timings | Gauge]:
        """Every metric of ours with what is known of it, by its name (a counter's without ``_total``)."""
        return {family.name: family for family in self._families} | GAUGES

    def _process_figures(self) -> Iterator[Figure]:
        for metric in self._process.collect():
            if metric.name in PROCESS:
                kind: Kind = "counter" if metric.type == "counter" else "gauge"
                rows: Rows = [((), [metric.samples[0].value])]
                yield Figure(metric.name, kind, metric.documentation, (), rows, across=PROCESS[metric.name])

    def _count_failed_gauge(self) -> None:
        self.faults.labels("metrics", "gauge").value += 1

    def _declare_messages(self) -> None:
        counters = self._counters
        self.submits = counters(
            "submits", "Messages that applications handed in, by the status they got.", "account", "status"
        )
        self.requests = counters(
            "requests",
            "Requests of applications beside submit_sm (submit_multi, data_sm, query_sm, cancel_sm, replace_sm), by "
            "the status they got.",
            "account",
            "command",
            "status",
        )
        self.submits_delayed = counters(
            "submits_delayed", "Messages that waited for their turn, as throttle_delay_s lets them.", "account"
        )
        self.http_calls = counters("http_calls", "Calls of the HTTP API, by the answer they got.", "path", "code")
        self.messages = counters(
            "messages", "Messages that came to their end.", "account", "link", "channel", "outcome"
        )
        self.operator_messages = counters(
            "operator_messages",
            "Messages that came to their end, by the operator of the number; only where files of numbers are used.",
            "operator",
            "channel",
            "outcome",
        )
        self.fallbacks = counters("fallbacks", "Messages that left a link for the next.", "link", "reason")
        self.mo = counters("mo", "Texts and replies from handsets.", "link", "account", "fate")
        self.sessions_opened = counters(
            "sessions_opened", "Conversations that replies can be joined to, opened by a message.", "account", "channel"
        )
        self.deliveries = counters("deliveries", "Deliveries to applications.", "account", "sink", "kind", "outcome")
        self.posts = counters("posts", "Posts to applications' endpoints.", "sink", "endpoint", "outcome")
        self.mqtt_connections = counters(
            "mqtt_connections",
            "Connections to the MQTT broker: connected, lost, and why they failed (unreachable, tls, unanswered, "
            "refused, version_refused, subscription_refused, disconnected, timeout, internal).",
            "outcome",
        )
        self.billing_records = counters("billing_records", "What operators will charge for, or not.", "class", "link")

    def _declare_links(self) -> None:
        counters = self._counters
        self.link_results = counters(
            "link_results", "How attempts over a link ended.", "link", "outcome", "error", values_max=ERRORS_MAX
        )
        self.link_errors = counters(
            "link_errors", "Attempts over a link that were not accepted, by what was wrong.", "link", "family"
        )
        self.link_unreachable = counters(
            "link_unreachable", "Refusals that operators count in their error ratio.", "link"
        )
        self.receipts = counters("receipts", "Receipts from carriers.", "link", "state")
        self.receipt_events = counters(
            "receipt_events",
            "Receipts out of the ordinary: "
            "early, parked, parked_expired, parked_full, late_delivered, late_result, late_revocation, duplicate, "
            "displayed, intermediate, unparsed.",
            "link",
            "event",
        )
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
        self.limiter_waits = counters("limiter_waits", "Times that a limit made us wait.", "limit")
        self.limiter_pauses = counters(
            "limiter_pauses",
            "Times that a carrier asked us to pause, and of what (empty: the usual).",
            "limit",
            "scope",
        )
        self.limiter_halvings = counters(
            "limiter_halvings", "Times that a link halved its pace because its carrier could not follow.", "limit"
        )

    def _declare_rest(self) -> None:
        counters = self._counters
        self.faults = counters("faults", "What peers did wrong, or we.", "side", "kind")
        self.binds_refused = counters("binds_refused", "Binds of applications refused.", "status")
        self.outbinds = counters(
            "outbinds",
            "Calls of applications that are to bind as receivers, by how they ended: bound, refused, unanswered, "
            "unreachable.",
            "account",
            "outcome",
        )
        self.lockouts = counters(
            "lockouts",
            "Times that binds with wrong passwords were locked out for a while: an address of one account (bind), an "
            "address of all accounts (address), or an account for addresses that it never bound from (account).",
            "scope",
        )
        self.store_commit_failures = counters("store_commit_failures", "Commits that failed.").labels()
        self.store_folds = counters("store_folds", "Folds of the journal that were done.").labels()
        self.history_purged = counters(
            "history_purged",
            "Files of history that were taken away: too old (age), too much (size), or texts whose time was over "
            "(text).",
            "reason",
        )

    def _declare_timings(self) -> None:
        seconds = self._seconds
        self.submit_response = seconds("submit_response", "From a submit to our answer.", _PROMPT_S, "account")
        self.http_answer = seconds("http_answer", "From a call of the HTTP API to its answer.", _PROMPT_S, "path")
        self.accept_to_carrier = seconds("accept_to_carrier", "From our answer to the carrier's.", _QUEUED_S, "link")
        self.carrier_receipt = seconds(
            "carrier_receipt", "From the carrier's answer to its final receipt.", _AFTER_HOURS_S, "link"
        )
        self.receipt_to_esme = seconds(
            "receipt_to_esme", "From a carrier's receipt to the application's answer.", _AFTER_HOURS_S, "account"
        )
        self.post = seconds("post", "From a post to an endpoint to its answer.", _PROMPT_S, "sink", "endpoint")
        self.store_commit = seconds("store_commit", "Duration of commits.", _PROMPT_S).labels()
        group = Timings("gatewayd_store_group_records", "Records in one commit.", _RECORDS)
        self._families.append(group)
        self.store_group = group.labels()
        self.loop_lag = seconds(
            "loop_lag",
            "By how much a worker's event loop was late, looked at five times a second.",
            _PROMPT_S,
            "worker",
        )

    def _counters(self, name: str, help_text: str, *labels: str, values_max: int = VALUES_MAX) -> Counters:
        family = Counters(f"gatewayd_{name}", help_text, labels, values_max)
        self._families.append(family)
        return family

    def _seconds(self, name: str, help_text: str, bounds: Sequence[float], *labels: str) -> Timings:
        family = Timings(f"gatewayd_{name}_seconds", help_text, bounds, labels)
        self._families.append(family)
        return family
