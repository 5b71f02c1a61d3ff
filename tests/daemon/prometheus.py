"""A real Prometheus as a process: scrapes one daemon each second, evaluates the shipped rules, and answers queries.

Knows no metric. Every call blocks; a test that has a loop calls them in a thread.
"""

from __future__ import annotations

import http.client
import json
import math
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

START_TIMEOUT_S = 30.0
IS_THERE = shutil.which("prometheus") is not None

_READY = "Server is ready to receive web requests"


class Prometheus:
    """Keeps what it scrapes in ``folder``. ``rules`` are files of rules, as they are or rewritten by the test."""

    def __init__(self, folder: Path, target: tuple[str, int], rules: Sequence[Path]) -> None:
        self._folder = folder
        self._rules = rules
        self.target = target
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self._said: list[str] = []
        self._heard = threading.Condition()
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Start, and return once it answers."""
        self._folder.mkdir()
        config = self._folder / "prometheus.yml"
        config.write_text(json.dumps(self._config()), encoding="utf-8")
        self._port = free_port()
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--log.level=info",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()
        with self._heard:
            is_ready = self._heard.wait_for(lambda: any(_READY in line for line in self._said), START_TIMEOUT_S)
        assert is_ready, "\n".join(self._said[-10:])

    def stop(self) -> None:
        """End it; no harm before ``start``."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(20)
            assert self._reader is not None
            self._reader.join()
            assert process.stderr is not None
            process.stderr.close()

    def ask(self, expr: str) -> list[dict[str, Any]]:
        """What a query finds now."""
        data = self._get("/api/v1/query", query=expr)
        found: list[dict[str, Any]] = data["result"]
        return found

    def value(self, expr: str) -> float:
        """The one value of a query, 0 when there is none."""
        found = self.ask(expr)
        return float(found[0]["value"][1]) if found else 0.0

    def has_data(self, expr: str) -> bool:
        """Whether a query finds any number."""
        return any(not math.isnan(float(sample["value"][1])) for sample in self.ask(expr))

    def without_data(self, queries: Mapping[str, str], timeout_s: float) -> dict[str, str]:
        """Those of some queries that found nothing all the time."""
        return self._left_of(queries, lambda expr: not self.has_data(expr), timeout_s)

    def with_data(self, queries: Mapping[str, str], timeout_s: float) -> dict[str, str]:
        """Those of some queries that found something all the time."""
        return self._left_of(queries, lambda expr: bool(self.ask(expr)), timeout_s)

    def _left_of(self, queries: Mapping[str, str], stays: Callable[[str], bool], timeout_s: float) -> dict[str, str]:
        deadline, pause = time.monotonic() + timeout_s, threading.Event()
        left = dict(queries)
        while (left := {name: expr for name, expr in left.items() if stays(expr)}) and time.monotonic() < deadline:
            pause.wait(0.2)
        return left

    def alerting_rules(self) -> dict[str, str]:
        """The query of each alert, by its name."""
        groups = self._get("/api/v1/rules", type="alert")["groups"]
        return {rule["name"]: rule["query"] for group in groups for rule in group["rules"]}

    def recorded(self) -> list[str]:
        """The names of all recorded series."""
        groups = self._get("/api/v1/rules", type="record")["groups"]
        return [rule["name"] for group in groups for rule in group["rules"]]

    def ringing(self) -> dict[str, dict[str, str]]:
        """The alerts that ring, by name, each with its texts."""
        alerts = self._get("/api/v1/alerts")["alerts"]
        return {alert["labels"]["alertname"]: alert["annotations"] for alert in alerts if alert["state"] == "firing"}

    def wait_until(self, expr: str, least: float, timeout_s: float) -> None:
        """Return once a query's value is at least that."""
        deadline, pause = time.monotonic() + timeout_s, threading.Event()
        while (value := self.value(expr)) < least:
            assert time.monotonic() < deadline, f"{expr} is {value} and does not become {least}"
            pause.wait(0.2)

    def wait_for_alerts(self, names: AbstractSet[str], timeout_s: float) -> dict[str, dict[str, str]]:
        """The texts of alerts once each of them has rung, if only for a moment."""
        deadline, pause = time.monotonic() + timeout_s, threading.Event()
        rung: dict[str, dict[str, str]] = {}
        while left := names - (rung := rung | self.ringing()).keys():
            assert time.monotonic() < deadline, f"these do not ring: {', '.join(sorted(left))}"
            pause.wait(0.2)
        return rung

    def _config(self) -> dict[str, Any]:
        target = ":".join(map(str, self.target))
        job = {"job_name": "gatewayd", "static_configs": [{"targets": [target]}]}
        intervals = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        return {"global": intervals, "rule_files": [str(path) for path in self._rules], "scrape_configs": [job]}

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            connection.request("GET", f"{path}?{urllib.parse.urlencode(parameters)}")
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert answer["status"] == "success", answer
        data: dict[str, Any] = answer["data"]
        return data

    def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._heard:
                self._said.append(line.rstrip("\n"))
                self._heard.notify_all()


def impatient(rules: Path, folder: Path) -> Path:
    """A copy of a file of rules whose alerts do not wait before they ring, and find old what has waited a second."""
    text = re.sub(r"(?m)^ +for: \w+\n", "", rules.read_text(encoding="utf-8"))
    text = re.sub(r"(_oldest_age_seconds\S* >) \d+", r"\1 1", text)
    copy = folder / rules.name
    copy.write_text(text, encoding="utf-8")
    return copy


def free_port() -> int:
    """A port that is free now."""
    # It cannot be told to take any: somebody else may be quicker at this one, and the test says so then.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
