"""Dashboards: made of their code, laid out without overlaps, explained, and asking for what there is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gatewayd.runtime.metrics import PROCESS
from tests.conf.boards import FILES, ROOT, board_of, concrete, panels_of, queries
from tests.conf.queries import families_in, labels_by_family

BOARDS = {"overview", "account", "link", "rcs", "sessions", "internals"}
COLUMNS = 24
# As Grafana calls shares, seconds, octets, counts a second, plain numbers.
UNITS = {"percentunit", "s", "bytes", "cps", "short"}
EVERYWHERE = {"instance", "job"}

_SELECTOR = re.compile(r"(\w+)\{([^}]*)\}")
_LABEL = re.compile(r'(\w+)(?:=~|!~|!=|=)"')
_BY = re.compile(r"(?:by|on) \(([^)]*)\)")
each_board = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def test_they_are_what_their_code_makes() -> None:
    done = subprocess.run([ROOT / "scripts/dashboards", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in FILES} == {f"gatewayd-{name}" for name in BOARDS}


def test_their_layout_can_be_looked_at() -> None:
    done = subprocess.run([ROOT / "scripts/dashboards", "--show"], capture_output=True, text=True, check=False)
    assert all(f"[gatewayd-{name}]" in done.stdout for name in BOARDS)


@each_board
def test_panels_fill_the_grid_without_overlaps(path: Path) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in board_of(path)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies over {taken[x, y]}"
                taken[x, y] = panel["title"]
    assert len(taken) == COLUMNS * (max(y for _, y in taken) + 1), "there is a hole"


@each_board
def test_every_panel_says_what_it_shows(path: Path) -> None:
    panels = panels_of(board_of(path))
    for panel in panels:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
    ids = [panel["id"] for panel in board_of(path)["panels"]]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in panels]
    assert len(set(titles)) == len(titles)


@each_board
def test_variables_and_links(path: Path) -> None:
    board = board_of(path)
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    used = set(re.findall(r"\$(\w+)", " ".join(asked.expr for asked in queries() if asked.board == path.stem)))
    assert used - {"__rate_interval", "__range"} == variables.keys() - {"datasource"}
    assert variables["datasource"]["query"] == "prometheus"
    for name in variables.keys() - {"datasource"}:
        metric, label = re.findall(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", variables[name]["query"])[0]
        assert label == name
        assert label in labels_by_family()[metric] | EVERYWHERE
    assert [link["tags"] for link in board["links"]] == [["gatewayd"]] == [board["tags"]]
    assert [link["includeVars"] and link["keepTime"] for link in board["links"]] == [True]


def test_lines_lead_to_boards_and_variables_that_there_are() -> None:
    """Each link of a line: its board is there, with the variables that it sets, from labels that the line has."""
    boards = {board["uid"]: board for board in map(board_of, FILES)}
    assert boards.keys() == {path.stem for path in FILES}, "uids are what links name"
    links = [(panel, link["url"]) for path in FILES for panel in panels_of(board_of(path)) for link in _links_of(panel)]
    assert links
    for panel, url in links:
        target, _, query = url.removeprefix("/d/").partition("?")
        variables = {variable["name"] for variable in boards[target]["templating"]["list"]}
        assert query.startswith("${datasource:queryparam}&")
        assert query.endswith("&${__url_time_range}")
        assert set(re.findall(r"var-(\w+)=", query)) <= variables, panel["title"]
        for label in re.findall(r"\$\{__field\.labels\.(\w+)\}", query):
            assert all(label in " ".join(_BY.findall(target["expr"])) for target in panel["targets"]), panel["title"]


def test_boards_are_made_for_grafana_as_it_reads_them() -> None:
    """What an import needs: no id of somebody's own, one data source that is chosen, and units that Grafana has."""
    for board in map(board_of, FILES):
        assert board.get("id") is None
        assert board["schemaVersion"] >= 36
        (source,) = [variable for variable in board["templating"]["list"] if variable["type"] == "datasource"]
        assert (source["name"], source["query"]) == ("datasource", "prometheus")
        for panel in panels_of(board):
            assert panel["type"] in {"stat", "timeseries"}
            defaults = panel["fieldConfig"]["defaults"]
            assert defaults["unit"] in UNITS, panel["title"]
            steps = [step["value"] for step in defaults["thresholds"]["steps"]]
            assert steps[0] is None, "Grafana paints from minus infinity on"
            assert steps[1:] == sorted(steps[1:]), panel["title"]
            refs = [target["refId"] for target in panel["targets"]]
            assert len(set(refs)) == len(refs)


def _links_of(panel: dict[str, Any]) -> list[dict[str, Any]]:
    links: list[dict[str, Any]] = panel["fieldConfig"]["defaults"].get("links", [])
    return links


def test_queries_ask_for_metrics_and_labels_that_there_are() -> None:
    labels = labels_by_family() | {name: set[str]() for name in (*PROCESS, "process_cpu_seconds_total")}
    labels |= {"scrape_duration_seconds": set(), "ALERTS": {"alertname", "alertstate"}}
    for board, panel, expr in queries():
        where, expr = f"{board}: {panel}", concrete(expr, "1m")
        assert families_in(expr) <= labels.keys(), where
        grouped = {label.strip() for group in _BY.findall(expr) for label in group.split(",")}
        found = set()
        for metric, conditions in _SELECTOR.findall(expr):
            known = labels[re.sub(r"_(bucket|sum|count)$", "", metric)] | EVERYWHERE
            assert set(_LABEL.findall(conditions)) <= known, where
            found |= known
        assert grouped <= found, where


def test_every_metric_is_on_some_board_or_in_some_alert() -> None:
    """What nobody looks at need not be counted: those that are not here are listed with their reason."""
    shown = set().union(*(families_in(asked.expr) for asked in queries()))
    alerts = (ROOT / "conf/prometheus/alerts.yml").read_text(encoding="utf-8")
    seldom = {"gatewayd_bulk_questions_total"}  # a few a night
    assert labels_by_family().keys() - shown - families_in(alerts) == seldom
