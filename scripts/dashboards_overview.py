"""The first dashboard to look at: does traffic flow, does it arrive, and what is not as it should be."""

from __future__ import annotations

from dashboards_kit import GREEN, ORANGE, RED, Board, Figure, Graph, Query, rate, select, share, top, total

ENDS, SUBMITS = "gatewayd_messages_total", "gatewayd_submits_total"
GUARD_WORDS = {0: ("open", GREEN), 1: ("warned", ORANGE), 2: ("known only", RED), 3: ("stop", RED)}


def overview() -> Board:
    """The whole daemon, or several."""
    board = Board("overview", "overview", "What passes through the gateway, how it ends, and what needs somebody.")
    board.row("Now", *_flow(), *_standing())
    board.row("Traffic", *_traffic())
    board.row("What does not arrive", *_trouble())
    return board


def _flow() -> tuple[Figure | Graph, ...]:
    delivered = share("", ENDS, 'outcome="DELIVRD"')
    ringing = 'count(ALERTS{alertname=~"Gatewayd.*",alertstate="firing"}) or vector(0)'
    return (
        Figure(
            "Taken",
            "Messages that applications hand in and get taken.",
            "cps",
            Query(rate("", SUBMITS, 'status="ESME_ROK"')),
        ),
        Figure(
            "Delivered",
            "Of the messages that came to their end: share with DELIVRD.",
            "percentunit",
            Query(f"{delivered} or vector(1)"),
            ((0.0, RED), (0.7, ORANGE), (0.9, GREEN)),
        ),
        Figure(
            "Waiting", "Messages that wait for a link.", "short", Query(total("", select("gatewayd_queue_messages")))
        ),
        Figure(
            "Oldest",
            "Age of the message that has waited longest for any link.",
            "s",
            Query(f"max({select('gatewayd_queue_oldest_age_seconds')})"),
            ((60, ORANGE), (600, RED)),
        ),
        Figure(
            "Owed",
            "Receipts and replies that wait for their application.",
            "short",
            Query(total("", select("gatewayd_outbox_deliveries"))),
        ),
        Figure(
            "Alerts",
            "Alerts that ring now. Zero as well where the rules are not loaded.",
            "short",
            Query(ringing),
            ((1, RED),),
        ),
    )


def _standing() -> tuple[Figure | Graph, ...]:
    return (
        Figure(
            "Links down",
            "Links that cannot be used now.",
            "short",
            Query(f"count({select('gatewayd_link_up')} == 0) or vector(0)"),
            ((1, RED),),
        ),
        Figure(
            "Application binds",
            "Binds of applications that stand.",
            "short",
            Query(total("", select("gatewayd_binds", 'side="esme"'))),
        ),
        Figure(
            "Carrier binds",
            "Binds to SMPP carriers that stand.",
            "short",
            Query(total("", select("gatewayd_binds", 'side="carrier"'))),
        ),
        Figure(
            "Guard",
            "The most closed of all guards of error ratios.",
            "short",
            Query(f"max({select('gatewayd_guard_state')})"),
            words=GUARD_WORDS,
        ),
        Figure(
            "Workers missing",
            "Workers that should be there and do not answer.",
            "short",
            Query(f"sum({select('gatewayd_workers_configured')}) - sum({select('gatewayd_workers_up')})"),
            ((1, RED),),
        ),
        Figure(
            "Store",
            "Whether the store can commit. While it cannot, nothing is accepted.",
            "short",
            Query(f"max({select('gatewayd_store_failing')})"),
            words={0: ("commits", GREEN), 1: ("failing", RED)},
        ),
    )


def _traffic() -> tuple[Figure | Graph, ...]:
    return (
        Graph(
            "Handed in, by account",
            "Submits by the ten busiest accounts, whatever they were answered.",
            "cps",
            (Query(top(10, rate("account", SUBMITS)), "{{account}}"),),
            is_stacked=True,
            opens="account",
        ),
        Graph(
            "Ends, by outcome",
            "Messages that came to their end, by the state of the final receipt.",
            "cps",
            (Query(rate("outcome", ENDS), "{{outcome}}"),),
            is_stacked=True,
        ),
        Graph(
            "Ends, by channel",
            "Over which channel messages came to their end.",
            "cps",
            (Query(rate("channel", ENDS), "{{channel}}"),),
            is_stacked=True,
            width=8,
        ),
        Graph(
            "Attempts, by link",
            "What carriers and platforms answered, whatever it was.",
            "cps",
            (Query(rate("link", "gatewayd_link_results_total"), "{{link}}"),),
            is_stacked=True,
            width=8,
            opens="link",
        ),
        Graph(
            "Answers to submits",
            "Statuses that applications were answered with.",
            "cps",
            (Query(rate("status", SUBMITS), "{{status}}"),),
            width=8,
        ),
    )


def _trouble() -> tuple[Figure | Graph, ...]:
    return (
        Graph(
            "Not delivered, by channel",
            "Share of ends other than DELIVRD.",
            "percentunit",
            (Query(share("channel", ENDS, 'outcome!="DELIVRD"'), "{{channel}}"),),
            ((0.3, RED),),
            maximum=1,
        ),
        Graph(
            "Not delivered, by operator",
            "Share of ends other than DELIVRD, by the operator of the number; where files of numbers are in use.",
            "percentunit",
            (Query(share("operator", "gatewayd_operator_messages_total", 'outcome!="DELIVRD"'), "{{operator}}"),),
            ((0.3, RED),),
            maximum=1,
        ),
        Graph(
            "What was wrong",
            "Attempts that were not accepted, by family of the error.",
            "cps",
            (Query(rate("family", "gatewayd_link_errors_total"), "{{family}}"),),
            is_stacked=True,
            width=8,
        ),
        Graph(
            "Fallbacks",
            "Messages that left a link for the next, by reason.",
            "cps",
            (Query(top(10, rate("reason", "gatewayd_fallbacks_total")), "{{reason}}"),),
            is_stacked=True,
            width=8,
        ),
        Graph(
            "Oldest message, by link",
            "For how long the oldest message has waited.",
            "s",
            (Query(f"max by (link) ({select('gatewayd_queue_oldest_age_seconds')})", "{{link}}"),),
            ((600, RED),),
            width=8,
            opens="link",
        ),
        Graph(
            "Not for a link yet",
            "Messages that wait for the time that their sender named, or that a person holds.",
            "short",
            (Query(total("stage", select("gatewayd_waiting_messages")), "{{stage}}"),),
            width=24,
        ),
    )
