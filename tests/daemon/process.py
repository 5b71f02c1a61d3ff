"""The real daemon as a process: started on a configuration of the test's own, heard, scraped and stopped from outside.

Knows nothing of what is sent through it. Every call blocks; a test that has a loop calls them in a thread.
"""

from __future__ import annotations

import functools
import http.client
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from gatewayd.config.passwords import hash_password

ROOT = Path(__file__).resolve().parent.parent.parent
PASSWORD = "secret"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0

Address = tuple[str, int]
Tables = Mapping[str, Any]

# The end is that of a line of text, or of an object of JSON.
_READY = re.compile(
    r"is ready: smpp on ([^;\"]+)(?:; metrics on ([^;\"]+))?(?:; webhooks on ([^;\"]+))?"
    r"(?:; http on ([^;\"]+))?(?:$|\"})"
)


class Daemon:
    """One spool and one runtime folder, and the process that works on them now."""

    def __init__(self, folder: Path, tables: Tables) -> None:
        self.config = folder / "gatewayd.toml"
        own = {"spool_dir": str(folder / "spool"), "runtime_dir": str(folder / "run"), "log_level": "debug"}
        self._tables = merged({"daemon": own, "metrics": {"listen": "127.0.0.1:0"}}, tables)
        self.configure({})
        self.smpp: list[Address] = []
        self.metrics: Address = ("", 0)
        self.webhooks: Address = ("", 0)
        self.http: list[Address] = []
        self.lines: list[str] = []
        self._heard = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._has_ended = True

    @property
    def log(self) -> str:
        """Everything that every run has written so far."""
        with self._heard:
            return "\n".join(self.lines)

    def configure(self, tables: Tables) -> None:
        """Lay these over the configuration file, for the next start or reload."""
        self._tables = merged(self._tables, tables)
        write_config(self.config, self._tables)

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal that does not end it."""
        assert self._process is not None, "it does not run"
        self._process.send_signal(number)

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start, and return once it says that it is ready."""
        begins_at = len(self.lines)
        self._has_ended = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gatewayd", "run", "--config", str(self.config)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()
        ready = self.hear(_READY, timeout_s, begins_at)
        smpp, metrics, webhooks, http = ready.groups()
        self.smpp = [_address(word) for word in smpp.split(", ")]
        self.metrics = _address(metrics) if metrics else ("", 0)
        self.webhooks = _address(webhooks) if webhooks else ("", 0)
        self.http = [_address(word) for word in http.split(", ")] if http else []

    def hear(self, pattern: re.Pattern[str], timeout_s: float = 10.0, begins_at: int = 0) -> re.Match[str]:
        """The first line, of those written from ``begins_at`` on, in which ``pattern`` is found."""
        deadline = time.monotonic() + timeout_s
        with self._heard:
            while True:
                for line in self.lines[begins_at:]:
                    found = pattern.search(line)
                    if found:
                        return found
                left_s = deadline - time.monotonic()
                if self._has_ended or left_s <= 0 or not self._heard.wait(left_s):
                    why = "the daemon has ended" if self._has_ended else "it was not said in time"
                    raise AssertionError(f"{pattern.pattern}: {why}. Its last words:\n" + "\n".join(self.lines[-30:]))

    def kill(self) -> None:
        """SIGKILL, as a power cut."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """SIGTERM; gives the exit code."""
        return self._end(signal.SIGTERM)

    def stop(self) -> None:
        """End it, if it runs, and hold it to a clean end and a log without a failure of its own."""
        if self._process is not None:
            code = self.terminate()
            assert code == 0, f"the daemon ended with {code}:\n" + "\n".join(self.lines[-30:])
        assert "Traceback" not in self.log, self.log[self.log.index("Traceback") - 500 :][:4_000]

    def scrape(self) -> Samples:
        """Its metrics now."""
        return Samples(self.page())

    def page(self, path: str = "/metrics") -> str:
        """What its metrics listener answers."""
        connection = http.client.HTTPConnection(*self.metrics, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._heard:
                self.lines.append(line.rstrip("\n"))
                self._heard.notify_all()
        with self._heard:
            self._has_ended = True
            self._heard.notify_all()

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        assert process is not None, "it does not run"
        process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("the daemon does not stop:\n" + "\n".join(self.lines[-30:])) from None
        finally:
            assert self._reader is not None
            self._reader.join()
            assert process.stdout is not None
            process.stdout.close()
        return process.returncode


class Samples:
    """One scrape."""

    def __init__(self, page: str) -> None:
        self.page = page
        self.families = {family.name: family for family in text_string_to_metric_families(page)}
        self._samples = [sample for family in self.families.values() for sample in family.samples]

    def value(self, name: str, /, **labels: str) -> float:
        """The sum of all samples of a name that bear these labels, 0 when there are none."""
        return sum(
            sample.value for sample in self._samples if sample.name == name and labels.items() <= sample.labels.items()
        )


@functools.cache
def password_hash() -> str:
    """The hash of the password that all accounts of the tests have."""
    return hash_password(PASSWORD, random.Random(1))


def merged(tables: Tables, more: Tables) -> dict[str, Any]:
    """Tables with others laid over them, key by key."""
    result = dict(tables)
    for key, value in more.items():
        known = result.get(key)
        result[key] = merged(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return result


def write_config(path: Path, tables: Tables) -> None:
    """TOML of tables within tables, and lists of tables."""
    lines: list[str] = []
    for name, table in tables.items():
        if isinstance(table, list):
            for entry in table:
                lines += [f"[[{name}]]", *_keys(entry)]
        else:
            lines += _table(name, table)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _table(name: str, table: Tables) -> list[str]:
    lines = [f"[{name}]", *_keys(table)]
    for inner, content in table.items():
        if isinstance(content, Mapping):
            lines += _table(f"{name}.{inner}", content)
        elif _is_tables(content):
            for entry in content:
                lines += [f"[[{name}.{inner}]]", *_keys(entry)]
    return lines


def _is_tables(content: object) -> bool:
    return isinstance(content, list) and bool(content) and isinstance(content[0], Mapping)


def secret_file(path: Path, secret: str) -> str:
    """A file with a secret in it, closed to others; gives its name."""
    path.write_text(secret, encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def _keys(table: Tables) -> list[str]:
    plain = {key: value for key, value in table.items() if not (isinstance(value, Mapping) or _is_tables(value))}
    return [f"{key} = {_written(value)}" for key, value in plain.items()]


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _address(word: str) -> Address:
    host, _, port = word.rpartition(":")
    return host, int(port)
