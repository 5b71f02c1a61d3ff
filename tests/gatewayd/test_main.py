"""What the command `gatewayd` becomes, by its arguments."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gatewayd import __main__ as module
from gatewayd import cli, serving, starting

Seen = list[object]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """What was called in place of the work."""
    calls: Seen = []

    def becomes(name: str) -> Callable[..., int]:
        def work(*args: object) -> int:
            calls.append((name, *args))
            return 7

        return work

    monkeypatch.setattr(serving, "run_worker", becomes("worker"))
    monkeypatch.setattr(starting, "run", becomes("run"))
    monkeypatch.setattr(cli, "main", becomes("cli"))
    return calls


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["worker", "--control", "9"], ("worker", 9)),
        (["run", "--config", "a.toml"], ("run", Path("a.toml"))),
        (["run", "-c", "a.toml"], ("run", Path("a.toml"))),
        (["run"], ("run", Path("/etc/gatewayd/gatewayd.toml"))),
    ],
)
def test_the_daemons_processes_are_begun_at_once(
    arguments: list[str], what: object, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["gatewayd", *arguments])
    with pytest.raises(SystemExit) as end:
        module.main()
    assert (seen, end.value.code) == ([what], 7)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        ["run", "--help"],
        ["run", "--config"],
        ["run", "--config=a"],
        ["worker"],
        ["worker", "--control", "x"],
    ],
)
def test_all_else_is_the_command_lines(arguments: list[str], seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gatewayd", *arguments])
    module.main()
    assert seen == [("cli",)]


def test_the_command_line_has_no_workers() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "gatewayd", "worker"], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, "No such command 'worker'" in ended.stderr) == (2, True)
