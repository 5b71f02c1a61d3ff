"""Rules and alerts by promtool: each alert rings in its case and in no other, and each has its paragraph."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from gatewayd.cli import app
from gatewayd.runtime.metrics import PROCESS
from tests.conf.alert_cases import ALSO, FIRING, HEALTHY, MINUTES, SILENT
from tests.conf.queries import RULES, alerts, families_in, known_families

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = ROOT / "docs" / "runbook.md"
RINGING = 'count by (alertname, instance) (ALERTS{alertstate="firing"})'
RINGS = re.compile(r'alertname="(\w+)", instance="([^"]+)"')

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def promtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], capture_output=True, text=True, check=False, timeout=120)


class Case(NamedTuple):
    """One daemon for promtool to look at: how it differs from the healthy one, and the alerts that ring in the end."""

    instance: str
    different: dict[str, str]
    ringing: set[str]

    def series(self) -> Iterator[dict[str, str]]:
        """All of its series, with the labels that a scrape gives."""
        for name, values in (HEALTHY | self.different).items():
            bare, _, labels = name.partition("{")
            own = f'job="gatewayd",instance="{self.instance}"'
            yield {"series": f"{bare}{{{own}{',' if labels else ''}{labels or '}'}", "values": values}


def check(folder: Path, cases: list[Case]) -> None:
    """Let promtool judge. What it reads is YAML, of which JSON is a part.

    All cases are instances of one Prometheus: quicker than one each, and no rule may take one daemon for another.
    """
    samples = [
        {"labels": f'{{alertname="{alert}",instance="{case.instance}"}}', "value": 1}
        for case in cases
        for alert in sorted(case.ringing)
    ]
    test = {
        "interval": "1m",
        "input_series": [series for case in cases for series in case.series()],
        "promql_expr_test": [{"expr": RINGING, "eval_time": f"{MINUTES}m", "exp_samples": samples}],
    }
    file = folder / "cases.yml"
    file.write_text(
        json.dumps({"rule_files": [*map(str, RULES)], "evaluation_interval": "2m", "tests": [test]}), encoding="utf-8"
    )
    done = promtool("test", "rules", file)
    said = done.stdout + done.stderr
    wanted, _, found = said.partition("got:")
    assert set(RINGS.findall(found)) == set(RINGS.findall(wanted))
    assert done.returncode == 0, said


@needs_promtool
def test_promtool_takes_the_files() -> None:
    for words in (("check", "config", ROOT / "conf/prometheus/prometheus.yml"), ("check", "rules", *RULES)):
        done = promtool(*words)
        assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_each_alert_rings_in_its_case_and_in_no_other(tmp_path: Path) -> None:
    healthy = [Case("healthy", {}, set()), *(Case(f"near {name}", case, set()) for name, case in SILENT.items())]
    ill = [
        Case(f"{name} {number}", different, {name} | ALSO.get(name, set()))
        for name, several in FIRING.items()
        for number, different in enumerate(several)
    ]
    check(tmp_path, healthy + ill)


def test_every_alert_has_its_case() -> None:
    assert set(FIRING) == set(alerts())
    assert SILENT.keys() <= FIRING.keys()


def test_every_alert_has_its_paragraph() -> None:
    text = RUNBOOK.read_text(encoding="utf-8")
    paragraphs = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert set(paragraphs) == set(alerts())
    for title, body in paragraphs.items():
        missing = [word for word in ("**Means**", "**Users**", "**Look**", "**Do**") if word not in body]
        assert missing == [], title
    for name, alert in alerts().items():
        assert alert["runbook_url"] == f"docs/runbook.md#{name.lower()}"
        assert alert["severity"] in {"critical", "warning", "info"}


def test_the_runbook_names_commands_that_there_are() -> None:
    found = re.findall(r"`gatewayd ([a-z-]+)(?: ([a-z]+))?(?: ([a-z]+))?[^`]*`", RUNBOOK.read_text(encoding="utf-8"))
    assert found
    for words in found:
        command: Any = typer.main.get_command(app)
        for word in filter(None, words):
            if hasattr(command, "commands"):
                assert word in command.commands, " ".join(words)
                command = command.commands[word]


def test_rules_ask_for_what_there_is() -> None:
    known = known_families() | set(PROCESS) | {"up"}
    for path in RULES:
        text = re.sub(r"#.*|summary:.*|record:.*", "", path.read_text(encoding="utf-8"))
        assert families_in(text) - known == set(), path.name
