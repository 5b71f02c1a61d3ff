"""RCS: quotas and pauses of providers, the share of unreachable numbers, and what is known of handsets."""

from __future__ import annotations

from dashboards_kit import ORANGE, RED, Board, Figure, Graph, Query, rate, select, total
from dashboards_overview import GUARD_WORDS

RATIO, THRESHOLD = "gatewayd_guard_ratio", "gatewayd_guard_threshold_ratio"
KNOWN_ONLY, OF_CARRIERS = 'level="known_only"', 'limit!~"account:.*|gate:.*"'


def rcs() -> Board:
    """All providers and applications."""
    board = Board("rcs", "RCS quotas and error ratio", "How near we are to what operators allow.")
    board.row("Error ratio", *_ratio_now(), *_ratio())
    board.row("Quotas and pauses", *_quotas())
    board.row("Handsets", *_handsets())
    board.row("Platforms", *_platforms())
    return board


def _ratio_now() -> tuple[Figure | Graph, ...]:
    each = "instance, application"
    return (
        Figure(
            "Guard",
            "The most closed of all guards.",
            "short",
            Query(f"max({select('gatewayd_guard_state')})"),
            words=GUARD_WORDS,
            width=6,
            height=5,
        ),
        Figure(
            "Highest share",
            "Of unreachable numbers, in any guard's window of time.",
            "percentunit",
            Query(f"max({select(RATIO)})"),
            ((0.05, ORANGE), (0.08, RED)),
            width=6,
            height=5,
        ),
        Figure(
            "Room left",
            "How far the highest share may rise before a guard sends to known numbers only.",
            "percentunit",
            Query(
                f"min({total(each, select(THRESHOLD, KNOWN_ONLY))} - {total(each, select(RATIO))})",
            ),
            ((0, RED), (0.02, ORANGE)),
            width=6,
            height=5,
        ),
        Figure(
            "Open messages",
            "Messages that may yet turn out to be unreachable: the guard holds room for them.",
            "short",
            Query(f"sum({select('gatewayd_guard_open_messages')})"),
            width=6,
            height=5,
        ),
    )


def _ratio() -> tuple[Figure | Graph, ...]:
    return (
        Graph(
            "Share of unreachable numbers, and the thresholds",
            "In the guard's window of time. Operators take the API away at `max`.",
            "percentunit",
            (
                Query(f"max by (application) ({select(RATIO)})", "{{application}}"),
                Query(f"min by (level) ({select(THRESHOLD)})", "{{level}}"),
            ),
            width=16,
        ),
        Graph(
            "Messages in the window",
            "With a known fate. Below `guard_sample_min` the share says little.",
            "short",
            (Query(f"max by (application) ({select('gatewayd_guard_window_messages')})", "{{application}}"),),
            width=8,
        ),
        Graph(
            "State of the guards",
            "0 open, 1 warned, 2 known numbers only, 3 stop.",
            "short",
            (Query(f"max by (application) ({select('gatewayd_guard_state')})", "{{application}}"),),
            ((1, ORANGE), (2, RED)),
            maximum=3,
        ),
        Graph(
            "Unreachable, by link",
            "Refusals that operators count.",
            "cps",
            (Query(rate("link", "gatewayd_link_unreachable_total"), "{{link}}"),),
            opens="link",
        ),
    )


def _quotas() -> tuple[Figure | Graph, ...]:
    used, quota = select("gatewayd_limiter_used_ratio"), select("gatewayd_limiter_quota_per_minute")
    return (
        Graph(
            "Quota used",
            "Share of each quota that was used in about the last minute.",
            "percentunit",
            (Query(f"max by (limit) ({used})", "{{limit}}"),),
            ((0.95, ORANGE),),
        ),
        Graph(
            "Messages a minute, and the quota",
            "What counts against each quota, and what may be used of it (headroom taken off).",
            "short",
            (
                Query(f"max by (limit) ({used} * on (instance, limit) {quota})", "{{limit}}"),
                Query(f"max by (limit) ({quota})", "{{limit}} at most"),
            ),
        ),
        Graph(
            "Paused",
            "What is left of a pause that a platform or carrier asked for.",
            "s",
            (
                Query(
                    f"max by (limit) ({select('gatewayd_limiter_paused_seconds', OF_CARRIERS)})",
                    "{{limit}}",
                ),
            ),
        ),
        Graph(
            "Pauses asked for",
            "By link, and by what they hold for.",
            "cps",
            (Query(rate("limit, scope", "gatewayd_limiter_pauses_total"), "{{limit}} {{scope}}"),),
        ),
    )


def _handsets() -> tuple[Figure | Graph, ...]:
    return (
        Graph(
            "What was learned of handsets",
            "By a question before a message (query), in bulk at night, or by a refusal.",
            "cps",
            (Query(rate("source, answer", "gatewayd_capability_answers_total"), "{{source}} {{answer}}"),),
            is_stacked=True,
        ),
        Graph(
            "RCS left for SMS",
            "Fallbacks, by reason.",
            "cps",
            (Query(rate("reason", "gatewayd_fallbacks_total"), "{{reason}}"),),
            is_stacked=True,
        ),
    )


def _platforms() -> tuple[Graph, ...]:
    return (
        Graph(
            "Files brought to platforms",
            "Pictures and the like that templates name. What is not `stored` is tried again, or goes as text.",
            "cps",
            (Query(rate("link, outcome", "gatewayd_uploads_total"), "{{link}} {{outcome}}"),),
        ),
        Graph(
            "Events passed over",
            "What platforms told and means nothing here, by their own names.",
            "cps",
            (Query(rate("link, event", "gatewayd_webhook_ignored_total"), "{{link}} {{event}}"),),
        ),
    )
