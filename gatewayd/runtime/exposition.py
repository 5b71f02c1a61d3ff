"""Figures as the text that Prometheus reads: its own format (0.0.4), or OpenMetrics 1.0.0 for whoever asks for that.

Knows no metric by name. Made for pages of tens of thousands of lines: a line is one join, nothing is looked up twice
for a metric, and what has not changed is not written again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

from gatewayd.runtime.instruments import Figure, Kind, Rows

PLAIN: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_HELP_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n"})

_Head = tuple[str, Kind, tuple[str, ...], tuple[float, ...]]
_Written = dict[tuple[str, ...], tuple[list[int | float], str]]


def content_type_for(accept: str) -> str:
    """The form for a scraper that takes these, by its Accept header."""
    return OPENMETRICS if "application/openmetrics-text" in accept else PLAIN


class Pages:
    """Writes one page after the other. Most rows of a large configuration stand still from one to the next: their lines
    are those of the page before, which is kept for it."""

    def __init__(self) -> None:
        self._before: dict[_Head, _Written] = {}

    def render(self, figures: Iterable[Figure], content_type: str = PLAIN) -> bytes:
        """The whole page. One at a time."""
        is_open = content_type == OPENMETRICS
        escaped = _Escaped()
        lines: list[str] = []
        now: dict[_Head, _Written] = {}
        for figure in figures:
            head = (figure.name, figure.kind, figure.labels, figure.bounds)
            now[head] = written = _written(figure, self._before.get(head, {}), escaped)
            lines += _head(figure, is_open)
            lines += [text for _, text in written.values()]
        self._before = now
        lines.append("# EOF\n" if is_open else "")
        return "\n".join(lines).encode()


def _written(figure: Figure, before: _Written, escaped: _Escaped) -> _Written:
    """Its rows, each with its lines."""
    changed = [row for row in figure.rows if (known := before.get(row[0])) is None or known[0] != row[1]]
    write = _histograms if figure.kind == "histogram" else _values
    fresh = {row[0]: (row[1], text) for row, text in zip(changed, write(figure, changed, escaped), strict=True)}
    return {values: fresh.get(values) or before[values] for values, _ in figure.rows}


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


def _values(figure: Figure, rows: Rows, escaped: _Escaped) -> Iterator[str]:
    name = f"{figure.name}_total" if figure.kind == "counter" else figure.name
    form = f"{name}{{{_form(figure)}}} %s" if figure.labels else f"{name} %s"
    for values, numbers in rows:
        yield form % (*map(escaped.__getitem__, values), _number(numbers[0]))


def _histograms(figure: Figure, rows: Rows, escaped: _Escaped) -> Iterator[str]:
    name, form = figure.name, _form(figure)
    ends = [f'le="{bound}"}} ' for bound in (*figure.bounds, "+Inf")]
    for values, numbers in rows:
        labels = form % tuple(map(escaped.__getitem__, values))
        head = f"{name}_bucket{{{labels}," if labels else f"{name}_bucket{{"
        cumulated: int | float = 0
        lines: list[str] = []
        for end, count in zip(ends, numbers, strict=False):  # behind the counts there is their sum
            cumulated += count
            lines.append(f"{head}{end}{cumulated}")
        tail = f"{{{labels}}}" if labels else ""
        lines += [f"{name}_count{tail} {cumulated}", f"{name}_sum{tail} {_number(numbers[-1])}"]
        yield "\n".join(lines)


def _form(figure: Figure) -> str:
    """Its labels, with room for their values."""
    return ",".join([f'{label}="%s"' for label in figure.labels])


def _number(value: float) -> str:
    if math.isfinite(value):
        return str(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
