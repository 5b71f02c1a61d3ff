"""Conversations with handsets: opened, answered, open now; and what operators will charge for them."""

from __future__ import annotations

from dashboards_kit import ORANGE, Board, Figure, Graph, Query, choice, rate, select, top, total

MINE, OVER = 'account=~"$account"', 'link=~"$link"'
RECORDS = "gatewayd_billing_records_total"


def sessions() -> Board:
    """All accounts, or some; billing is by link."""
    variables = [
        choice("account", "gatewayd_submits_total", '{instance=~"$instance"}'),
        choice("link", "gatewayd_link_up", '{instance=~"$instance"}'),
    ]
    board = Board("sessions", "sessions and billing", "Conversations, replies, and what they will cost.", variables)
    board.row("Conversations and replies", *_conversations())
    board.row("Billing", *_billing())
    return board


def _conversations() -> tuple[Figure | Graph, ...]:
    return (
        Graph(
            "Conversations opened",
            "By a message to a handset; replies are joined to them. The ten busiest accounts.",
            "cps",
            (
                Query(
                    top(10, rate("account, channel", "gatewayd_sessions_opened_total", MINE)), "{{account}} {{channel}}"
                ),
            ),
            opens="account",
        ),
        Graph(
            "Replies, by what became of them",
            "`session`: joined to a conversation. `number`: to the owner of the number. `unrouted`: nobody's.",
            "cps",
            (Query(rate("fate", "gatewayd_mo_total"), "{{fate}}"),),
            is_stacked=True,
        ),
        Graph(
            "Replies, by account",
            "The ten accounts with most replies.",
            "cps",
            (Query(top(10, rate("account", "gatewayd_mo_total", MINE)), "{{account}}"),),
            opens="account",
        ),
        Graph(
            "Replies, by link",
            "Over which link or bot they came.",
            "cps",
            (Query(rate("link", "gatewayd_mo_total", OVER), "{{link}}"),),
            opens="link",
        ),
    )


def _billing() -> tuple[Figure | Graph, ...]:
    by_class = total("class", f"increase({select(RECORDS, OVER)}[$__range])")
    return (
        Figure(
            "Open now",
            "Conversations that are open by the operators' rules.",
            "short",
            Query(total("", select("gatewayd_billing_open_conversations", OVER))),
            width=6,
            height=8,
        ),
        Graph(
            "Open conversations, by link",
            "By the link that they began on.",
            "short",
            (Query(total("link", select("gatewayd_billing_open_conversations", OVER)), "{{link}}"),),
            width=18,
            opens="link",
        ),
        Graph(
            "Records, by class",
            "Billable facts as they become final.",
            "cps",
            (Query(rate("class", RECORDS, OVER), "{{class}}"),),
            is_stacked=True,
        ),
        Graph(
            "Records, by link and class",
            "Billable facts as they become final.",
            "cps",
            (Query(rate("link, class", RECORDS, OVER), "{{link}} {{class}}"),),
        ),
        Figure(
            "Records in this time",
            "By class, over the time that the dashboard shows.",
            "short",
            Query(by_class, "{{class}}"),
            width=16,
            height=6,
        ),
        Figure(
            "Not in their file yet",
            "Records that are safe in the spool and wait to be written out.",
            "short",
            Query(total("", select("gatewayd_billing_unwritten_records"))),
            ((1_000, ORANGE),),
            width=8,
            height=6,
        ),
    )
