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
    escaped = _Escaped()
    lines: list[str] = []
    for figure in figures:
        lines += _head(figure, is_open)
        lines += _histogram(figure, escaped) if figure.kind == "histogram" else _values(figure, escaped)
    lines.append("# EOF\n" if is_open else "")
    return "\n".join(lines).encode()


class _Escaped(dict[str, str]):
    """Label values as they are written. An account's name stands on fifty lines: it is looked through once."""

    def __missing__(self, value: str) -> str:
        written = self[value] = value.translate(_ESCAPES)
        return written


def _head(figure: Figure, is_open: bool) -> Iterator[str]:
    # OpenMetrics gives a counter's family without _total, the older format with it.
    name = f"{figure.name}_total" if figure.kind == "counter" and not is_open else figure.name
    yield f"# HELP {name} {figure.help.translate(_ESCAPES if is_open else _HELP_ESCAPES)}"
    yield f"# TYPE {name} {figure.kind}"
    if is_open and figure.unit:
        yield f"# UNIT {name} {figure.unit}"


def _values(figure: Figure, escaped: _Escaped) -> Iterator[str]:
    name = f"{figure.name}_total" if figure.kind == "counter" else figure.name
    form = f"{name}{{{_form(figure)}}} %s" if figure.labels else f"{name} %s"
    for values, numbers in figure.rows:
        yield form % (*map(escaped.__getitem__, values), _number(numbers[0]))


def _histogram(figure: Figure, escaped: _Escaped) -> Iterator[str]:
    name, form = figure.name, _form(figure)
    ends = [f'le="{bound}"}} ' for bound in (*figure.bounds, "+Inf")]
    for values, numbers in figure.rows:
        labels = form % tuple(map(escaped.__getitem__, values))
        head = f"{name}_bucket{{{labels}," if labels else f"{name}_bucket{{"
        cumulated: int | float = 0
        for end, count in zip(ends, numbers, strict=False):  # behind the counts there is their sum
            cumulated += count
            yield f"{head}{end}{cumulated}"
        tail = f"{{{labels}}}" if labels else ""
        yield f"{name}_count{tail} {cumulated}"
        yield f"{name}_sum{tail} {_number(numbers[-1])}"


def _form(figure: Figure) -> str:
    """Its labels, with room for their values."""
    return ",".join([f'{label}="%s"' for label in figure.labels])


def _number(value: float) -> str:
    if math.isfinite(value):
        return str(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
