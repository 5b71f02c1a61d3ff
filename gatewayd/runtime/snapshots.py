"""One scrape for all workers: a worker's metrics as a value, kept over its death, and several of them as one.

What was once shown is written down first, so that a worker's successor goes on counting from there and no counter ever
jumps back. Gauges live and die with their worker. Knows no metric by name but those that must not be added up.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from prometheus_client.core import Metric

log = logging.getLogger(__name__)

# Gauges that several workers see of the same thing, or that say "at least": the largest is true. All others add up.
_LARGEST: Final = (
    "gatewayd_queue_oldest_age_seconds",
    "gatewayd_outbox_oldest_age_seconds",
    "gatewayd_limiter_paused_seconds",
    "gatewayd_limiter_used_ratio",
    "gatewayd_guard_ratio",
    "gatewayd_guard_state",
    "gatewayd_guard_open_messages",
    "gatewayd_link_up",
    "gatewayd_build_info",
    "process_max_fds",
)
_SMALLEST: Final = ("process_start_time_seconds",)
_COUNTING: Final = ("counter", "histogram", "summary")

_Labels = tuple[tuple[str, str], ...]


class Sample(msgspec.Struct, array_like=True):
    """One number."""

    name: str
    labels: _Labels
    value: float


class Family(msgspec.Struct, array_like=True):
    """One metric and its numbers."""

    name: str
    kind: str
    help: str
    unit: str
    samples: list[Sample]


# Not JSON, which knows neither infinity nor "not a number".
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Family]).decode


def families_of(metrics: Iterable[Metric]) -> list[Family]:
    """A registry's content as values."""
    return [
        Family(
            metric.name,
            metric.type,
            metric.documentation,
            metric.unit,
            [Sample(s.name, tuple(sorted(s.labels.items())), s.value) for s in metric.samples],
        )
        for metric in metrics
    ]


def metrics_of(families: Iterable[Family]) -> list[Metric]:
    """The values as prometheus_client writes them out."""
    metrics = []
    for family in families:
        metric = Metric(family.name, family.help, family.kind, family.unit)
        for sample in family.samples:
            metric.add_sample(sample.name, dict(sample.labels), sample.value)
        metrics.append(metric)
    return metrics


def merge(snapshots: Sequence[Sequence[Family]]) -> list[Family]:
    """Several workers as one daemon, in the order in which metrics are first seen."""
    merged: dict[str, Family] = {}
    found: dict[str, dict[tuple[str, _Labels], list[float]]] = {}
    for families in snapshots:
        for family in families:
            merged.setdefault(family.name, family)
            numbers = found.setdefault(family.name, {})
            for sample in family.samples:
                numbers.setdefault((sample.name, sample.labels), []).append(sample.value)
    return [
        Family(
            name,
            family.kind,
            family.help,
            family.unit,
            [Sample(*key, _together(name, values)) for key, values in found[name].items()],
        )
        for name, family in merged.items()
    ]


def _together(family: str, values: Sequence[float]) -> float:
    if len(values) == 1:
        return values[0]
    if family in _LARGEST:
        return max(values)
    if family in _SMALLEST:
        return min(values)
    # Exact, so that the order of the workers makes no difference: the last bit of a counter must not go back either.
    return math.fsum(values)


class Ledger:
    """One worker slot's file of what its workers have shown so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = read_counts(path)
        self._is_failing = False

    def snapshot(self, metrics: Iterable[Metric]) -> list[Family]:
        """What this worker shows now, its predecessors' counts included; written down before it is given away.

        A folder that is full costs a jump after the next death, not the scrape.
        """
        families = merge([families_of(metrics), self._before])
        spare = self._path.with_suffix(".new")
        try:
            spare.write_bytes(_encode(families))
            spare.replace(self._path)
        except OSError as error:
            if not self._is_failing:
                log.warning("= counts cannot be written down: %s", error)
            self._is_failing = True
        else:
            self._is_failing = False
        return families


def ledger_path(folder: Path, slot: int) -> Path:
    """Where a slot's counts are written down."""
    return folder / f"metrics-{slot}.counts"


def read_counts(path: Path) -> list[Family]:
    """What a slot that may be without a worker has counted: gauges are gone with their worker."""
    try:
        families = _decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return []
    return [family for family in families if family.kind in _COUNTING]


def pack(families: Sequence[Family]) -> bytes:
    """For the way between workers."""
    return _encode(families)


def unpack(octets: bytes) -> list[Family]:
    """The other end of ``pack``."""
    return _decode(octets)
