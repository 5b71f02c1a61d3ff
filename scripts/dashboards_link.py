"""One link: whether it stands, how fast it takes messages, and what it says of them."""

from __future__ import annotations

from dashboards_kit import (
    GREEN,
    ORANGE,
    RED,
    Board,
    Figure,
    Graph,
    Query,
    choice,
    quantiles,
    rate,
    select,
    share,
    top,
    total,
)

MINE = 'link=~"$link"'
SIDE = ('side="carrier"', 'name=~"$link"')
RESULTS = "gatewayd_link_results_total"


def link() -> Board:
    """One link, or some."""
    variable = choice("link", "gatewayd_link_up", '{instance=~"$instance"}')
    board = Board("link", "link", "One carrier or platform, as we see it.", [variable])
    board.row("State", *_state())
    board.row("Attempts", *_attempts())
    board.row("Queue and pace", *_queue(), *_pace())
    board.row("Receipts", *_receipts())
    return board


def _state() -> tuple[Figure | Graph, ...]:
    return (
        Figure(
            "Link",
            "Whether it can be used now: of several, the worst.",
            "short",
            Query(f"min({select('gatewayd_link_up', MINE)})"),
            words={0: ("down", RED), 1: ("up", GREEN)},
            height=8,
        ),
        Graph(
            "Up",
            "1 while the link can be used.",
            "short",
            (Query(f"max by (link) ({select('gatewayd_link_up', MINE)})", "{{link}}"),),
            maximum=1,
            width=10,
        ),
        Graph(
            "Binds",
            "SMPP binds that stand, and how many there should be.",
            "short",
            (
                Query(total("name", select("gatewayd_binds", *SIDE)), "{{name}}"),
                Query(f"max by (name) ({select('gatewayd_binds_configured', *SIDE)})", "{{name}} wanted"),
            ),
            width=10,
        ),
    )


def _attempts() -> tuple[Figure | Graph, ...]:
    return (
        Graph(
            "Attempts, by outcome",
            "How attempts over the link ended.",
            "cps",
            (Query(rate("link, outcome", RESULTS, MINE), "{{link}} {{outcome}}"),),
            is_stacked=True,
        ),
        Graph(
            "Refused",
            "Share of attempts that were refused for good.",
            "percentunit",
            (Query(share("link", RESULTS, 'outcome="refused"', MINE), "{{link}}"),),
            ((0.2, RED),),
            maximum=1,
        ),
        Graph(
            "What was wrong, by family",
            "Attempts that were not accepted. docs/metrics.md says what each family is.",
            "cps",
            (Query(rate("link, family", "gatewayd_link_errors_total", MINE), "{{link}} {{family}}"),),
            is_stacked=True,
            width=8,
        ),
        Graph(
            "What was wrong, by code",
            "The ten most frequent codes of the carrier or platform.",
            "cps",
            (Query(top(10, rate("link, error", RESULTS, MINE, 'outcome!="accepted"')), "{{link}} {{error}}"),),
            width=8,
        ),
        Graph(
            "Left for the next link",
            "Fallbacks, by reason.",
            "cps",
            (Query(top(10, rate("link, reason", "gatewayd_fallbacks_total", MINE)), "{{link}} {{reason}}"),),
            width=8,
        ),
    )


def _queue() -> tuple[Figure | Graph, ...]:
    return (
        Graph(
            "Waiting",
            "Messages that wait for the link.",
            "short",
            (Query(total("link", select("gatewayd_queue_messages", MINE)), "{{link}}"),),
            width=8,
        ),
        Graph(
            "Oldest",
            "For how long the oldest of them has waited.",
            "s",
            (Query(f"max by (link) ({select('gatewayd_queue_oldest_age_seconds', MINE)})", "{{link}}"),),
            ((60, ORANGE), (600, RED)),
            width=8,
        ),
        Graph(
            "Time to the carrier",
            "From our answer to the application until the carrier has the message.",
            "s",
            quantiles("gatewayd_accept_to_carrier_seconds", MINE),
            width=8,
        ),
        Graph(
            "Window",
            "Requests that the carrier has not answered yet, and how many there may be.",
            "short",
            (
                Query(total("name", select("gatewayd_window_used", *SIDE)), "{{name}}"),
                Query(total("name", select("gatewayd_window_size", *SIDE)), "{{name}} at most"),
            ),
        ),
    )


def _pace() -> tuple[Figure | Graph, ...]:
    return (
        Graph(
            "Pace",
            "Segments a second that the link may send now; it is halved when its carrier throttles, and climbs back.",
            "cps",
            (
                Query(f"max by (link) ({select('gatewayd_link_rate_per_second', MINE)})", "{{link}}"),
                Query(
                    f"max by (link) ({select('gatewayd_link_pace_ratio', MINE)})",
                    "{{link}}, share of its rate or window",
                ),
            ),
        ),
        Graph(
            "Hosts",
            "Binds that stand at each of the carrier's hosts.",
            "short",
            (Query(total("link, host", select("gatewayd_link_host_binds", MINE)), "{{link}} {{host}}"),),
        ),
        Graph(
            "Waits for the pace",
            "How often a limit made messages of the link wait, and pauses that the carrier asked for.",
            "cps",
            (
                Query(rate("limit", "gatewayd_limiter_waits_total", 'limit=~"$link"'), "{{limit}} waits"),
                Query(rate("limit", "gatewayd_limiter_pauses_total", 'limit=~"$link"'), "{{limit}} pauses"),
                Query(rate("limit", "gatewayd_limiter_halvings_total", 'limit=~"$link"'), "{{limit}} halvings"),
            ),
        ),
    )


def _receipts() -> tuple[Figure | Graph, ...]:
    arrived = rate("link", "gatewayd_receipts_total", MINE, 'state!~"ENROUTE|ACCEPTD"')
    return (
        Graph(
            "Receipts, by state",
            "What the carrier says became of messages.",
            "cps",
            (Query(rate("link, state", "gatewayd_receipts_total", MINE), "{{link}} {{state}}"),),
            is_stacked=True,
        ),
        Graph(
            "Taken, and told of",
            "Messages that the carrier took, and final receipts that it sent. Apart for long: receipts are missing.",
            "cps",
            (
                Query(rate("link", RESULTS, MINE, 'outcome="accepted"'), "{{link}} taken"),
                Query(arrived, "{{link}} final receipts"),
            ),
        ),
        Graph(
            "Time to the receipt",
            "From the carrier's answer to its final receipt.",
            "s",
            quantiles("gatewayd_carrier_receipt_seconds", MINE),
        ),
        Graph(
            "Out of the ordinary",
            "Receipts that came early, twice, late, or that match nothing (parked).",
            "cps",
            (Query(rate("link, event", "gatewayd_receipt_events_total", MINE), "{{link}} {{event}}"),),
        ),
    )
