"""What queries ask for, read from rules and dashboards as text; and which metrics there are to be asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from gatewayd.runtime.instruments import Counters, Gauge, Timings
from gatewayd.runtime.metrics import Metrics

ROOT: Final = Path(__file__).resolve().parents[2]
RULES: Final = (ROOT / "conf/prometheus/recording.yml", ROOT / "conf/prometheus/alerts.yml")

_RECORDED: Final = re.compile(r"\b\w+:gatewayd_\w+:\w+")
_FAMILY: Final = re.compile(r"(?<![\w:])(?:gatewayd|process)_\w+(?![\w:])")
_ALERT: Final = re.compile(r"- alert: (\w+)\n(.*?)(?=\n      - alert|\n      #|\n  - name|\Z)", re.DOTALL)


def families_in(text: str) -> set[str]:
    """The metrics that a query names, without what Prometheus adds to a histogram's name; recorded ones left out."""
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in _FAMILY.findall(_RECORDED.sub("", text))}


def recorded_in(text: str) -> set[str]:
    """The recorded series that a query names."""
    return set(_RECORDED.findall(text))


def known_families() -> set[str]:
    """Every metric of ours, as a scrape names it."""
    return set(labels_by_family())


def labels_by_family() -> dict[str, set[str]]:
    """Every metric of ours with its labels."""
    found = {}
    for name, declared in Metrics("").declared().items():
        is_counter = isinstance(declared, Counters) or (isinstance(declared, Gauge) and declared.kind == "counter")
        labels = set(declared.labels if isinstance(declared, Gauge) else declared.label_names)
        found[f"{name}_total" if is_counter else name] = labels | ({"le"} if isinstance(declared, Timings) else set())
    return found


def alerts() -> dict[str, dict[str, str]]:
    """Each alert with its severity and its paragraph."""
    found = {}
    for name, body in _ALERT.findall(RULES[1].read_text(encoding="utf-8")):
        facts = dict(re.findall(r"(severity|runbook_url): \"?([^\"\s}]+)", body))
        found[name] = facts
    return found
