"""What measures: tallies, timings and gauges cheap enough for every message, and what they show at one moment.

Knows no metric of ours by name. Written by one thread only, the event loop's: that is what makes them cheap. What they
show is a value of its own, a ``Figure``, which any thread may add up, send away and write out.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, Literal, NamedTuple, TypeVar

import msgspec

logger = logging.getLogger(__name__)

OTHER = "other"
"""The label value that stands for all values beyond a family's bound."""

VALUES_MAX = 1_000
"""How many values of one label are told apart, unless a family says otherwise."""

VALUE_SIZE_MAX = 100
"""The longest value of a label; names of ours are far shorter."""

Readings = Iterable[tuple[Sequence[str], float]]
"""Label values, in the order of the declaration, each with its value."""

Rows = list[tuple[tuple[str, ...], list[int | float]]]
"""Label values, each with its numbers."""

Kind = Literal["counter", "gauge", "histogram"]

Across = Literal["sum", "max", "min"]
"""What several workers' values are together: added up, or the largest or smallest where all see the same thing."""

UNITS = ("seconds", "bytes", "ratio", "records", "messages")
"""The last word of a name that says its unit; what has none counts."""


class Figure(msgspec.Struct, array_like=True, gc=False):
    """One metric at one moment. ``name`` is a counter's without its ``_total``.

    A row holds label values and numbers: one of them, or, of a histogram, how many fell into each bucket (not
    cumulated, the last has no bound) and at the end their sum.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...]
    rows: Rows
    bounds: tuple[float, ...] = ()
    across: Across = "sum"

    @property
    def unit(self) -> str:
        """As OpenMetrics wants it: the last word of the name, where that is one."""
        return unit_of(self.name)

    def is_like(self, other: Figure) -> bool:
        """Whether its rows can be added to another's: another version may have had other labels or buckets."""
        return (self.kind, self.labels, self.bounds) == (other.kind, other.labels, other.bounds)


def unit_of(name: str) -> str:
    """The unit of a metric, nothing for what is only counted."""
    word = name.removesuffix("_total").rpartition("_")[2]
    return word if word in UNITS else ""


class Tally:
    """A number that only grows: ``tally.value += 1``, ten times cheaper than a counter with a lock."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Timing:
    """A histogram. ``bounds`` are the upper bounds of its buckets, each inclusive; the last bucket has none."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, amount: float, times: int = 1) -> None:
        """Count one, or several of one amount; below zero counts as zero, because a sum that shrinks would look like a
        restart."""
        if amount < 0.0:
            amount = 0.0
        self.counts[bisect_left(self.bounds, amount)] += times
        self.total += amount * times

    def observe_many(self, amounts: Iterable[float]) -> None:
        """Count all of one loop turn."""
        counts, bounds, total = self.counts, self.bounds, 0.0
        for amount in amounts:
            if amount < 0.0:
                amount = 0.0
            counts[bisect_left(bounds, amount)] += 1
            total += amount
        self.total += total


Instrument = TypeVar("Instrument")


class Family(dict[tuple[str, ...], Instrument], Generic[Instrument]):
    """One metric: an instrument for each set of label values, made when it is first looked up.

    Each label takes a bounded number of values, the rest are counted together as ``other``: strangers choose some of
    the values (a carrier its error codes), and they must not choose how much memory we use.
    """

    def __init__(
        self, make: Callable[[], Instrument], labels: Sequence[str] = (), values_max: int = VALUES_MAX
    ) -> None:
        super().__init__()
        self.label_names = tuple(labels)
        self._make = make
        self._values_max = values_max
        self._seen: tuple[set[str], ...] = tuple(set() for _ in self.label_names)

    def labels(self, *values: str) -> Instrument:
        """The instrument for these label values; always the same object. Hot paths keep it, or look it up by index."""
        return self[values]

    def __missing__(self, values: tuple[str, ...]) -> Instrument:
        bounded = tuple(self._bounded(value, seen) for value, seen in zip(values, self._seen, strict=True))
        return self.setdefault(bounded, self._make())

    def _bounded(self, value: str, seen: set[str]) -> str:
        if value not in seen:
            if len(seen) >= self._values_max or len(value) > VALUE_SIZE_MAX:
                return OTHER
            seen.add(value)
        return str(value)  # some are members of an enumeration


class Counters(Family[Tally]):
    """A counter metric. ``name`` is without its ``_total``."""

    def __init__(self, name: str, help_text: str, labels: Sequence[str] = (), values_max: int = VALUES_MAX) -> None:
        super().__init__(Tally, labels, values_max)
        self.name = name
        self.meaning = help_text

    def count(self, *labels: str) -> None:
        """One more."""
        self.labels(*labels).value += 1

    def figure(self) -> Figure:
        """What is shown now."""
        rows: Rows = [(values, [tally.value]) for values, tally in self.items()]
        return Figure(self.name, "counter", self.meaning, self.label_names, rows)


class Timings(Family[Timing]):
    """A histogram metric."""

    def __init__(self, name: str, help_text: str, bounds: Sequence[float], labels: Sequence[str] = ()) -> None:
        self.bounds = tuple(map(float, bounds))
        super().__init__(lambda: Timing(self.bounds), labels)
        self.name = name
        self.meaning = help_text

    def figure(self) -> Figure:
        """What is shown now."""
        rows: Rows = [(values, [*timing.counts, timing.total]) for values, timing in self.items()]
        return Figure(self.name, "histogram", self.meaning, self.label_names, rows, self.bounds)


class Gauge(NamedTuple):
    """A metric that is read. A ``counter`` among them is kept by somebody else, and named without its ``_total``."""

    help: str
    labels: tuple[str, ...] = ()
    across: Across = "sum"
    kind: Kind = "gauge"


class Gauges:
    """All gauges: read from whoever knows, and only when somebody scrapes."""

    def __init__(self, declared: dict[str, Gauge], on_failure: Callable[[], None]) -> None:
        """``on_failure`` is called for each reading that failed."""
        self._declared = declared
        self._on_failure = on_failure
        self._readers: dict[str, list[Callable[[], Readings]]] = {name: [] for name in declared}
        self._failed: set[str] = set()

    def register(self, name: str, reader: Callable[[], Readings]) -> None:
        """Ask ``reader`` at every scrape too. Several may share a gauge. Raises KeyError for one not declared."""
        self._readers[name].append(reader)

    def figures(self) -> Iterator[Figure]:
        """The readings of now."""
        for name, gauge in self._declared.items():
            # By label values: the same ones twice would make a scraper refuse the whole page.
            found = self._read(name, gauge.labels)
            rows: Rows = [(values, [value]) for values, value in found.items()]
            yield Figure(name, gauge.kind, gauge.help, gauge.labels, rows, across=gauge.across)

    def _read(self, name: str, labels: tuple[str, ...]) -> dict[tuple[str, ...], float]:
        found: dict[tuple[str, ...], float] = {}
        for reader in self._readers[name]:
            try:
                for values, value in reader():
                    if len(values) != len(labels):
                        raise ValueError(f"{len(values)} label values for {labels}")
                    found[tuple(values)] = value
            except Exception:  # one gauge that fails must not blind the operator for all the others
                self._on_failure()
                if name not in self._failed:
                    self._failed.add(name)
                    logger.exception("gauge %s cannot be read", name)
        return found
