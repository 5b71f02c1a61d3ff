"""docs/metrics.md, made of the declarations of the metrics: every metric with its type, labels, unit and meaning.

Knows how the page reads; what stands in it is ``gatewayd.runtime.metrics``'s.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from made_page import keep

from gatewayd.policy.error_families import FAMILIES
from gatewayd.runtime.instruments import Counters, Gauge, Timings, unit_of
from gatewayd.runtime.metrics import LABELS, PROCESS, Metrics

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"

# By how a name begins; the first that fits decides.
SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "Messages": ("submit", "requests", "messages", "operator", "fallbacks", "accept_to_carrier", "queue"),
    "Links and carriers": ("link", "carrier", "receipts", "receipt_events", "capability", "bulk"),
    "Quotas and the error ratio": ("limiter", "guard"),
    "Applications, replies and conversations": (
        "bind",
        "window",
        "outbox",
        "deliveries",
        "receipt_to",
        "mo",
        "session",
    ),
    "Billing": ("billing",),
    "Store": ("store",),
    "The daemon itself": ("",),
}

HEAD: Final = """\
# Metrics

Made by `scripts/metrics-page` from the declarations in `gatewayd/runtime/metrics.py`; tests compare it with them and
with a running daemon.

`http://127.0.0.1:9464/metrics` (`metrics.listen`) shows everything, in Prometheus' own format or, asked for it, in
OpenMetrics 1.0. One scrape is for all workers: whoever accepts it asks the others and adds up. Counters go on over a
worker's death, and over a restart as long as the runtime directory is kept.

- Units are base units: seconds, bytes, shares of 1. Names of counters end with `_total`.
- Labels are of the configuration or of fixed sets, never a number or a message's id; at most 1,000 values of a label
  are told apart in each worker, and none is longer than 100 characters.
- Accounts and links are shown from the start, at zero.
- Histograms are classic ones, with fixed buckets that are the same for every series, so that workers and machines add
  up exactly. Native histograms travel in protobuf only, which is not spoken here: a page that `curl` shows and every
  Prometheus reads is worth more. Prometheus 3 makes native ones of ours, with these buckets, where
  `convert_classic_histograms_to_nhcb` is set. Our dashboards and rules ask for the classic ones (`_bucket`), which it
  then keeps only with `always_scrape_classic_histograms`.
- `conf/prometheus/` has rules and alerts over them, `conf/grafana/` dashboards; [runbook.md](runbook.md) says what to
  do when one rings.
"""


def page() -> str:
    """The whole page."""
    lines = [HEAD, *_sections(), "## Labels", "", *_labels(), "## Families of errors", "", *_families()]
    return "\n".join(lines).rstrip("\n") + "\n"


def rows() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """Every metric as a scrape shows it: name, type, labels, meaning."""
    for name, declared in Metrics("").declared().items():
        match declared:
            case Gauge(meaning, labels, _, kind):
                yield f"{name}_total" if kind == "counter" else name, kind, labels, meaning
            case Counters():
                yield f"{name}_total", "counter", declared.label_names, declared.meaning
            case Timings():
                yield name, "histogram", declared.label_names, declared.meaning


def _sections() -> Iterator[str]:
    found = sorted(rows())
    for title, beginnings in SECTIONS.items():
        here = [row for row in found if row[0].removeprefix("gatewayd_").startswith(beginnings)]
        found = [row for row in found if row not in here]
        yield from (f"## {title}", "", "| metric | type | labels | unit | meaning |", "|---|---|---|---|---|")
        for name, kind, labels, meaning in here:
            words = ", ".join(f"`{label}`" for label in labels)
            yield f"| `{name}` | {kind} | {words} | {unit_of(name)} | {meaning} |"
        yield ""
        yield from _bounds(here)
    yield "Of the workers' processes, by the system, added up over all of them (of the start the earliest; of"
    yield "descriptors, those of the worker with the most):"
    yield ""
    yield from (f"- `{name}{'_total' if name == 'process_cpu_seconds' else ''}`" for name in sorted(PROCESS))
    yield ""


def _bounds(here: list[tuple[str, str, tuple[str, ...], str]]) -> Iterator[str]:
    declared = Metrics("").declared()
    for name, kind, _, _ in here:
        family = declared.get(name)
        if kind == "histogram" and isinstance(family, Timings):
            yield f"Buckets of `{name}`: {', '.join(f'{bound:g}' for bound in family.bounds)}."
            yield ""


def _labels() -> Iterator[str]:
    yield from ("| label | values |", "|---|---|")
    yield from (f"| `{label}` | {meaning} |" for label, meaning in sorted(LABELS.items()))
    yield ""


def _families() -> Iterator[str]:
    yield from ("| family | means |", "|---|---|")
    yield from (f"| `{family}` | {meaning} |" for family, meaning in FAMILIES.items())


if __name__ == "__main__":
    sys.exit(keep(PAGE, lambda _: page()))
