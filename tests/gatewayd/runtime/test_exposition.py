"""Pages as the parsers of others read them, in both forms; and what a large one costs."""

from __future__ import annotations

import math
import random
import time

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from gatewayd.runtime.exposition import OPENMETRICS, PLAIN, Pages, content_type_for
from gatewayd.runtime.instruments import Figure

AWKWARD = 'a "quoted" \\ shop\nof two lines'
FIGURES = [
    Figure("gatewayd_submits", "counter", "A \\ help\nof two lines.", ("account",), [((AWKWARD,), [7])]),
    Figure("gatewayd_idle", "gauge", "Without labels.", (), [((), [0.5])]),
    Figure("gatewayd_none", "gauge", "Without rows.", ("link",), []),
    Figure("gatewayd_wait_seconds", "histogram", "Bare.", (), [((), [1, 0, 2, 7.25])], bounds=(0.1, 1.0)),
    Figure("gatewayd_age_seconds", "histogram", "Labelled.", ("link",), [(("a",), [3, 4, 9.5])], bounds=(2.0,)),
]


def samples_of(page: str, content_type: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = parse_openmetrics(page) if content_type == OPENMETRICS else parse_plain(page)  # type: ignore[no-untyped-call]
    return {(s.name, tuple(s.labels.items())): s.value for family in families for s in family.samples}


@pytest.mark.parametrize("content_type", [PLAIN, OPENMETRICS])
def test_both_forms_say_the_same(content_type: str) -> None:
    assert samples_of(Pages().render(FIGURES, content_type).decode(), content_type) == {
        ("gatewayd_submits_total", (("account", AWKWARD),)): 7,
        ("gatewayd_idle", ()): 0.5,
        ("gatewayd_wait_seconds_bucket", (("le", "0.1"),)): 1,
        ("gatewayd_wait_seconds_bucket", (("le", "1.0"),)): 1,
        ("gatewayd_wait_seconds_bucket", (("le", "+Inf"),)): 3,
        ("gatewayd_wait_seconds_count", ()): 3,
        ("gatewayd_wait_seconds_sum", ()): 7.25,
        ("gatewayd_age_seconds_bucket", (("link", "a"), ("le", "2.0"))): 3,
        ("gatewayd_age_seconds_bucket", (("link", "a"), ("le", "+Inf"))): 7,
        ("gatewayd_age_seconds_count", (("link", "a"),)): 7,
        ("gatewayd_age_seconds_sum", (("link", "a"),)): 9.5,
    }


def test_the_heads() -> None:
    plain, openly = Pages().render(FIGURES).decode(), Pages().render(FIGURES, OPENMETRICS).decode()
    assert "# TYPE gatewayd_submits_total counter\n" in plain
    assert "# HELP gatewayd_submits_total A \\\\ help\\nof two lines.\n" in plain
    assert "# TYPE gatewayd_submits counter\n" in openly
    assert "# UNIT gatewayd_wait_seconds seconds\n" in openly
    assert openly.endswith("\n# EOF\n")
    assert "EOF" not in plain


def test_a_page_is_the_same_whatever_stood_on_the_one_before() -> None:
    chance, pages = random.Random(7), Pages()
    for _ in range(100):
        numbers = [float(chance.randrange(3)) for _ in range(4)]
        figures = [
            Figure(
                "gatewayd_calls",
                "counter",
                "Calls.",
                ("link",),
                [((f"{at}",), [chance.randrange(2)]) for at in range(3)],
            ),
            Figure("gatewayd_idle", "gauge", "Idle.", (), [((), [chance.choice((0.5, math.nan, math.inf))])]),
            Figure(
                "gatewayd_wait_seconds",
                "histogram",
                "Wait.",
                (),
                [((), numbers)],
                bounds=chance.choice([(0.1, 1.0), (0.2, 1.0)]),
            ),
        ]
        chance.shuffle(figures[0].rows)
        del figures[0].rows[chance.randrange(4) :]
        content_type = chance.choice((PLAIN, OPENMETRICS))
        assert pages.render(figures, content_type) == Pages().render(figures, content_type)


@pytest.mark.parametrize(("value", "word"), [(math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"), (12, "12")])
def test_numbers_that_are_none(value: float, word: str) -> None:
    assert f"\ng {word}\n" in Pages().render([Figure("g", "gauge", "G.", (), [((), [value])])]).decode()


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("text/plain;version=0.0.4;q=0.5", PLAIN),
        ("application/openmetrics-text", OPENMETRICS),
    ],
)
def test_whoever_asks_for_openmetrics_gets_it(accept: str, content_type: str) -> None:
    assert content_type_for(accept) == content_type


def test_a_page_of_twenty_thousand_lines_is_quickly_written() -> None:
    """20 ms on an idle machine; the bound is for a busy one."""
    bounds = tuple(float(number) for number in range(16))
    rows: list[tuple[tuple[str, ...], list[int | float]]] = [
        ((f"account {number}",), [*range(17), 1.0]) for number in range(1_000)
    ]
    figure = Figure("gatewayd_wait_seconds", "histogram", "Many.", ("account",), rows, bounds=bounds)
    began = time.process_time()
    page = Pages().render([figure])
    assert page.count(b"\n") > 19_000
    assert time.process_time() - began < 0.2
