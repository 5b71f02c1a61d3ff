"""Figures as the text that Prometheus reads: its own format (0.0.4), or OpenMetrics 1.0.0 for whoever asks for that.

Knows no metric by name. Written for pages of tens of thousands of lines: a line is one join, and nothing is looked up
twice for a metric.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

from gatewayd.runtime.instruments import Figure

PLAIN: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_HELP_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n"})


def content_type_for(accept: str) -> str:
    """The form for a scraper that takes these, by its Accept header."""
    return OPENMETRICS if "application/openmetrics-text" in accept else PLAIN


def render(figures: Iterable[Figure], content_type: str = PLAIN) -> bytes:
    """The whole page."""
    is_open = content_type == OPENMETRICS
    lines: list[str] = []
    for figure in figures:
        lines += _head(figure, is_open)
        lines += _histogram(figure) if figure.kind == "histogram" else _values(figure)
    lines.append("# EOF\n" if is_open else "")
    return "\n".join(lines).encode()


def _head(figure: Figure, is_open: bool) -> Iterator[str]:
    # OpenMetrics gives a counter's family without _total, the older format with it.
    name = f"{figure.name}_total" if figure.kind == "counter" and not is_open else figure.name
    yield f"# HELP {name} {figure.help.translate(_ESCAPES if is_open else _HELP_ESCAPES)}"
    yield f"# TYPE {name} {figure.kind}"
    if is_open and figure.unit:
        yield f"# UNIT {name} {figure.unit}"


def _values(figure: Figure) -> Iterator[str]:
    name = f"{figure.name}_total" if figure.kind == "counter" else figure.name
    for values, numbers in figure.rows:
        labels = _labels(figure, values)
        yield f"{name}{{{labels}}} {_number(numbers[0])}" if labels else f"{name} {_number(numbers[0])}"


def _histogram(figure: Figure) -> Iterator[str]:
    name = figure.name
    ends = [f'le="{bound}"}} ' for bound in (*figure.bounds, "+Inf")]
    for values, numbers in figure.rows:
        labels = _labels(figure, values)
        head = f"{name}_bucket{{{labels}," if labels else f"{name}_bucket{{"
        cumulated: int | float = 0
        for end, count in zip(ends, numbers, strict=False):  # behind the counts there is their sum
            cumulated += count
            yield f"{head}{end}{cumulated}"
        tail = f"{{{labels}}}" if labels else ""
        yield f"{name}_count{tail} {cumulated}"
        yield f"{name}_sum{tail} {_number(numbers[-1])}"


def _labels(figure: Figure, values: tuple[str, ...]) -> str:
    return ",".join(
        [f'{label}="{value.translate(_ESCAPES)}"' for label, value in zip(figure.labels, values, strict=True)]
    )


def _number(value: float) -> str:
    if math.isfinite(value):
        return str(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
