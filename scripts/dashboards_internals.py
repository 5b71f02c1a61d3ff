"""The daemon itself: workers, event loops, the store and its disk, faults, certificates."""

from __future__ import annotations

from dashboards_kit import GREEN, ORANGE, RED, Board, Figure, Graph, Query, quantiles, rate, select, top, total

DAY_S = 86_400


def internals() -> Board:
    """What is inside."""
    board = Board("internals", "internals", "Workers, loops, store, faults: for whoever looks after the machine.")
    board.row("Workers", *_workers())
    board.row("Store", *_commits(), *_spools(), *_store_now())
    board.row("Faults, files and connections", *_faults())
    return board


def _workers() -> tuple[Figure | Graph, ...]:
    return (
        Figure(
            "Workers",
            "Workers that answered the scrape.",
            "short",
            Query(total("", select("gatewayd_workers_up"))),
            height=8,
        ),
        Graph(
            "Deaths of workers",
            "By manner: `silent` was killed for it, `signal` by somebody else or the kernel, `exit` ended itself.",
            "short",
            (
                Query(
                    total("worker, reason", f"increase({select('gatewayd_worker_deaths_total')}[$__rate_interval])"),
                    "worker {{worker}} {{reason}}",
                ),
            ),
            ((1, RED),),
            width=10,
        ),
        Graph(
            "Silence",
            "For how long workers have not been heard by the supervisor, and the supervisor by the workers.",
            "s",
            (
                Query(f"max by (worker) ({select('gatewayd_worker_beat_age_seconds')})", "worker {{worker}}"),
                Query(f"max({select('gatewayd_supervisor_beat_age_seconds')})", "supervisor"),
            ),
            ((5, ORANGE), (10, RED)),
            width=10,
        ),
        Graph(
            "Lateness of the event loops",
            "99 % of the looks, five a second, were less late than this.",
            "s",
            quantiles("gatewayd_loop_lag_seconds", by="worker")[2:],
            ((0.25, RED),),
            width=8,
        ),
        Graph(
            "Processor",
            "Of all workers, in processors.",
            "short",
            (Query(rate("instance", "process_cpu_seconds_total", 'job="gatewayd"'), "{{instance}}"),),
            width=8,
        ),
        Graph(
            "Memory",
            "Resident, of all workers.",
            "bytes",
            (Query(select("process_resident_memory_bytes", 'job="gatewayd"'), "{{instance}}"),),
            width=8,
        ),
    )


def _commits() -> tuple[Figure | Graph, ...]:
    return (
        Graph(
            "Duration of commits",
            "One write to the disk for all messages of some milliseconds.",
            "s",
            quantiles("gatewayd_store_commit_seconds"),
            ((0.5, RED),),
            width=8,
        ),
        Graph(
            "Records in one commit",
            "More under load: that is how the disk keeps up.",
            "short",
            quantiles("gatewayd_store_group_records"),
            width=8,
        ),
        Graph(
            "Waiting for a commit",
            "Beyond the bound, submits get ESME_RMSGQFUL.",
            "short",
            (
                Query(total("instance", select("gatewayd_store_pending_records")), "{{instance}}"),
                Query(f"max({select('gatewayd_store_pending_max_records')})", "at most"),
            ),
            width=8,
        ),
    )


def _spools() -> tuple[Figure | Graph, ...]:
    return (
        Graph(
            "Journal",
            "Committed since the last fold.",
            "bytes",
            (Query(total("instance", select("gatewayd_store_journal_bytes")), "{{instance}}"),),
            width=8,
        ),
        Graph(
            "Folds",
            "Folds of the journal into the tables, and how long the last one took.",
            "short",
            (
                Query(rate("instance", "gatewayd_store_folds_total") + " * 60", "{{instance}} a minute"),
                Query(
                    f"max by (instance) ({select('gatewayd_store_last_fold_duration_seconds')})", "{{instance}} seconds"
                ),
            ),
            width=8,
        ),
        Graph(
            "Spools and their disk",
            "Size of the spools, and what is free on their disk.",
            "bytes",
            (
                Query(total("instance", select("gatewayd_store_file_bytes")), "{{instance}} spools"),
                Query(f"min by (instance) ({select('gatewayd_store_disk_free_bytes')})", "{{instance}} free"),
            ),
            width=8,
        ),
        Graph(
            "History",
            "What the history of finished messages takes on the disk.",
            "bytes",
            (Query(total("instance", select("gatewayd_history_bytes")), "{{instance}}"),),
        ),
        Graph(
            "History lost, or taken away",
            "Groups that could not be written, and files whose time or room was over.",
            "short",
            (
                Query(total("", f"increase({select('gatewayd_history_lost_groups_total')}[$__rate_interval])"), "lost"),
                Query(
                    total("reason", f"increase({select('gatewayd_history_purged_total')}[$__rate_interval])"),
                    "taken away: {{reason}}",
                ),
            ),
        ),
    )


def _store_now() -> tuple[Figure | Graph, ...]:
    return (
        Figure(
            "Commits that failed",
            "Over the time that the dashboard shows.",
            "short",
            Query(f"sum(increase({select('gatewayd_store_commit_failures_total')}[$__range]))"),
            ((1, RED),),
            width=8,
        ),
        Figure(
            "Disk free",
            "Share of the disk of the spools.",
            "percentunit",
            Query(f"min({select('gatewayd_store_disk_free_bytes')} / {select('gatewayd_store_disk_size_bytes')})"),
            ((0, RED), (0.1, ORANGE), (0.3, GREEN)),
            width=8,
        ),
        Figure(
            "Configuration",
            "Whether the file is in force as it is.",
            "short",
            Query(f"max({select('gatewayd_config_reload_failed')})"),
            words={0: ("in force", GREEN), 1: ("not taken up", RED)},
            width=8,
        ),
    )


def _faults() -> tuple[Figure | Graph, ...]:
    expiry = select("gatewayd_certificate_expiry_timestamp_seconds")
    return (
        Graph(
            "Faults",
            "What peers did wrong, or we (`internal`). The ten most frequent.",
            "cps",
            (Query(top(10, rate("side, kind", "gatewayd_faults_total")), "{{side}} {{kind}}"),),
        ),
        Graph(
            "Binds refused",
            "Binds of applications that were refused, by status; and how often somebody was locked out for that.",
            "cps",
            (
                Query(rate("status", "gatewayd_binds_refused_total"), "{{status}}"),
                Query(rate("scope", "gatewayd_lockouts_total"), "locked out: {{scope}}"),
            ),
        ),
        Graph(
            "Certificates",
            "How long they are still good for.",
            "s",
            (Query(f"min by (key) ({expiry} - time())", "{{key}}"),),
            ((0, RED), (21 * DAY_S, GREEN)),
            width=8,
        ),
        Graph(
            "Open files and connections",
            "Of the worker that has the most, and how many one may have.",
            "short",
            (
                Query(select("process_open_fds", 'job="gatewayd"'), "{{instance}}"),
                Query(select("process_max_fds", 'job="gatewayd"'), "{{instance}} at most"),
            ),
            width=8,
        ),
        Graph(
            "Scrapes",
            "How long Prometheus waits for our metrics.",
            "s",
            (Query(select("scrape_duration_seconds", 'job="gatewayd"'), "{{instance}}"),),
            ((1, ORANGE),),
            width=8,
        ),
        Figure(
            "Release",
            "What runs.",
            "short",
            Query(total("version, python", select("gatewayd_build_info")), "{{version}} on Python {{python}}"),
            width=24,
            height=3,
        ),
    )
