"""One application: what it hands in, what becomes of it, and whether it fetches what it is owed."""

from __future__ import annotations

from dashboards_kit import ORANGE, RED, Board, Figure, Graph, Query, choice, quantiles, rate, select, share, total

MINE = 'account=~"$account"'
BINDS = ('side="esme"', 'name=~"$account"')
SUBMITS, ENDS, DELIVERIES = "gatewayd_submits_total", "gatewayd_messages_total", "gatewayd_deliveries_total"


def account() -> Board:
    """One account, or some."""
    variable = choice("account", "gatewayd_submits_total", '{instance=~"$instance"}')
    board = Board("account", "account", "One application, seen from its own side.", [variable])
    board.row("Handed in", *_handed_in())
    board.row("What became of it", *_ends())
    board.row("Receipts and replies", *_owed())
    board.row("Endpoints (webhooks), of all accounts", *_endpoints())
    board.row("HTTP API, of all accounts", *_calls())
    board.row("MQTT, of all accounts", *_broker())
    return board


def _handed_in() -> tuple[Figure | Graph, ...]:
    refused = share("account", SUBMITS, 'status!~"ESME_ROK|ESME_RTHROTTLED"', MINE)
    throttled = share("account", SUBMITS, 'status="ESME_RTHROTTLED"', MINE)
    return (
        Graph(
            "Answers to submits",
            "Statuses of submit_sm_resp; the README's table says what each means.",
            "cps",
            (Query(rate("status", SUBMITS, MINE), "{{status}}"),),
            is_stacked=True,
        ),
        Graph(
            "Other requests",
            "submit_multi, data_sm, query_sm, cancel_sm and replace_sm, by the status they got (docs/smpp.md).",
            "cps",
            (Query(rate("command, status", "gatewayd_requests_total", MINE), "{{command}} {{status}}"),),
            is_stacked=True,
        ),
        Graph(
            "Time to answer",
            "From a submit to our answer, which is given once the message is on disk.",
            "s",
            quantiles("gatewayd_submit_response_seconds", MINE),
            ((1, ORANGE),),
        ),
        Graph(
            "Refused or too fast",
            "Shares of what is handed in: refused with an error, or turned away for its pace; and how much of its "
            "minute, hour and day an account has used.",
            "percentunit",
            (
                Query(refused, "{{account}} refused"),
                Query(throttled, "{{account}} too fast"),
                Query(select("gatewayd_account_used_ratio", MINE), "{{account}} used of its {{span}}"),
            ),
            ((0.2, RED),),
            maximum=1,
        ),
        Graph(
            "Slowed down",
            "Messages that waited for their turn before they were taken, as `throttle_delay_s` lets them.",
            "cps",
            (Query(rate("account", "gatewayd_submits_delayed_total", MINE), "{{account}}"),),
        ),
        Graph(
            "Binds",
            "Binds that stand, and how many there may be.",
            "short",
            (
                Query(total("name", select("gatewayd_binds", *BINDS)), "{{name}}"),
                Query(f"max by (name) ({select('gatewayd_binds_configured', *BINDS)})", "{{name}} at most"),
            ),
        ),
    )


def _ends() -> tuple[Figure | Graph, ...]:
    return (
        Graph(
            "Ends, by outcome",
            "Messages that came to their end, by the state of the final receipt.",
            "cps",
            (Query(rate("outcome", ENDS, MINE), "{{outcome}}"),),
            is_stacked=True,
            width=8,
        ),
        Graph(
            "Ends, by link",
            "Over which link messages came to their end.",
            "cps",
            (Query(rate("link, channel", ENDS, MINE), "{{link}} ({{channel}})"),),
            is_stacked=True,
            width=8,
            opens="link",
        ),
        Graph(
            "Not delivered",
            "Share of ends other than DELIVRD.",
            "percentunit",
            (Query(share("account", ENDS, 'outcome!="DELIVRD"', MINE), "{{account}}"),),
            ((0.3, RED),),
            maximum=1,
            width=8,
        ),
    )


def _owed() -> tuple[Figure | Graph, ...]:
    age = f"max by (account, sink) ({select('gatewayd_outbox_oldest_age_seconds', MINE)})"
    most = f"max by (account) ({select('gatewayd_outbox_max_deliveries', MINE)})"
    return (
        Graph(
            "Waiting for the application",
            "Receipts and replies that nobody has taken yet, by sink, and how many may wait.",
            "short",
            (
                Query(total("account, sink", select("gatewayd_outbox_deliveries", MINE)), "{{account}} {{sink}}"),
                Query(most, "{{account}} at most"),
            ),
        ),
        Graph(
            "Oldest of them",
            "For how long the oldest has waited.",
            "s",
            (Query(age, "{{account}} {{sink}}"),),
            ((900, ORANGE), (3_600, RED)),
        ),
        Graph(
            "Deliveries",
            "What became of receipts and replies, by sink; and calls of those that are to bind (outbind).",
            "cps",
            (
                Query(rate("sink, kind, outcome", DELIVERIES, MINE), "{{sink}} {{kind}} {{outcome}}"),
                Query(rate("outcome", "gatewayd_outbinds_total", MINE), "called: {{outcome}}"),
            ),
            width=8,
        ),
        Graph(
            "Time until it has them",
            "From a carrier's receipt or reply to the application's answer.",
            "s",
            quantiles("gatewayd_receipt_to_esme_seconds", MINE),
            width=8,
        ),
        Graph(
            "Window",
            "deliver_sm that the application has not answered yet, and how many there may be.",
            "short",
            (
                Query(total("name", select("gatewayd_window_used", *BINDS)), "{{name}}"),
                Query(total("name", select("gatewayd_window_size", *BINDS)), "{{name}} at most"),
            ),
            width=8,
        ),
    )


def _broker() -> tuple[Figure | Graph, ...]:
    return (
        Graph(
            "Connections to the broker",
            "1 while a worker is connected.",
            "short",
            (Query(f"max by (worker) ({select('gatewayd_mqtt_connected')})", "worker {{worker}}"),),
            maximum=1,
            width=8,
        ),
        Graph(
            "Connections made and lost",
            "And why they failed.",
            "cps",
            (Query(rate("outcome", "gatewayd_mqtt_connections_total"), "{{outcome}}"),),
            is_stacked=True,
            width=8,
        ),
        Graph(
            "Messages not acknowledged",
            "They came over MQTT and are not on disk yet, or wait for their account's rate.",
            "short",
            (Query(total("worker", select("gatewayd_mqtt_unacknowledged_messages")), "worker {{worker}}"),),
            width=8,
        ),
    )


def _endpoints() -> tuple[Figure | Graph, ...]:
    return (
        Graph(
            "Posts, by endpoint",
            "What applications' endpoints answered.",
            "cps",
            (Query(rate("endpoint, outcome", "gatewayd_posts_total"), "{{endpoint}} {{outcome}}"),),
            is_stacked=True,
        ),
        Graph(
            "Time of a post",
            "From a post to the endpoint's answer.",
            "s",
            quantiles("gatewayd_post_seconds"),
            ((5, ORANGE),),
        ),
        Graph(
            "State of endpoints",
            "0 works, 1 tried by one post, 2 left alone for a while, 3 gone.",
            "short",
            (Query(f"max by (endpoint) ({select('gatewayd_endpoint_state')})", "{{endpoint}}"),),
            ((2, RED),),
            maximum=3,
        ),
        Graph(
            "Dead letters",
            "Deliveries that no endpoint took in its time, or ever would.",
            "short",
            (Query(total("account, sink", select("gatewayd_outbox_dead_letters", MINE)), "{{account}} {{sink}}"),),
            ((1, ORANGE),),
        ),
    )


def _calls() -> tuple[Figure | Graph, ...]:
    calls = "gatewayd_http_calls_total"
    return (
        Graph(
            "Calls, by answer",
            "Calls of the HTTP API and the status they got; those of SMPP are above, among the submits.",
            "cps",
            (Query(rate("path, code", calls), "{{path}} {{code}}"),),
            is_stacked=True,
        ),
        Graph(
            "Time to answer a call",
            "From a call to its answer; a message is answered once it is on disk.",
            "s",
            quantiles("gatewayd_http_answer_seconds"),
            ((1, ORANGE),),
        ),
    )
