"""The live view at a real terminal: it fits, hears its keys, and leaves the terminal as it was."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from gatewayd import cli
from gatewayd.cli.rates import ACCOUNT_COUNTS, LINK_COUNTS, Rates
from gatewayd.cli.top import SORTS, plain, screen

ROOT = Path(__file__).parents[3]
PROGRAM = """
import itertools, sys
from gatewayd import cli
from gatewayd.control import client
from tests.gatewayd.cli.test_top import facts
counter = itertools.count(0, 100)
class Client:
    def __init__(self, path): pass
    def __enter__(self): return self
    def __exit__(self, *error): pass
    def ask(self, what): return {"answer": facts(next(counter)), "silent": []}
client.Client = Client
sys.argv = ["gatewayd", "top", "--interval", "0.2"]
cli.main()
"""


def facts(count: int = 0, names: int = 2) -> dict[str, Any]:
    account = {"binds_up": 1, "binds_max": 4, "depth": 0, **dict.fromkeys(ACCOUNT_COUNTS, 0)}
    link = {
        **dict.fromkeys(LINK_COUNTS, 0),
        "binds_up": 1,
        "binds": 1,
        "is_paused": False,
        "paused_s": 0.0,
        "window_used": 1,
        "window": 100,
        "queue": 0,
        "queue_age_s": 0.0,
    }
    return {
        "version": "1",
        "state": "running",
        "since": time.time(),
        "pid": 7,
        "messages_per_s": 0.5,
        "paused": {},
        "accounts": {f"account{n}": account | {"submitted": count * n, "depth": 9 - n} for n in range(names)},
        "links": {f"link{n}": link | {"sent": count * n, "refused": count // 2, "queue": 9 - n} for n in range(names)},
    }


def text_of(names: int, sort: str, width: int, height: int, silent: list[int] | None = None) -> str:
    rates = Rates()
    rates.take(facts(0, names), 0.0)
    rates.take(facts(100, names), 10.0)
    with Path(os.devnull).open("w") as nowhere:
        console = Console(width=width, height=height, record=True, file=nowhere)
        console.print(screen(rates, {"answer": facts(100, names), "silent": silent or []}, sort, width, height))
        return console.export_text()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50), (60, 12)])
@pytest.mark.parametrize("names", [1, 3, 40])
def test_it_fits_the_terminal(names: int, width: int, height: int) -> None:
    lines = text_of(names, "traffic", width, height).splitlines()
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert "q quit" in lines[-1]


def test_rates_shares_and_what_does_not_fit() -> None:
    text = text_of(40, "traffic", 80, 24)
    assert re.search(r"link39 +up +390\.0 +1\.3 %", text)
    assert re.search(r"account39 +1/4 +390\.0", text)
    assert "more do not fit" in text
    assert "no answer from worker 1" in text_of(1, "name", 80, 24, silent=[1])


@pytest.mark.parametrize(
    ("sort", "first"), [("traffic", "link2"), ("waiting", "link0"), ("name", "link0"), ("trouble", "link0")]
)
def test_what_comes_first(sort: str, first: str) -> None:
    found = re.search(r"^(link\d)", text_of(3, sort, 80, 24), re.MULTILINE)
    assert found is not None
    assert found[1] == first
    assert sort in SORTS


def test_one_look_for_programs() -> None:
    rates = Rates()
    rates.take(facts(0), 0.0)
    assert plain(rates, {"silent": [2]})["in_per_s"] is None
    rates.take(facts(100), 10.0)
    look = plain(rates, {"silent": [2]})
    assert (look["in_per_s"], look["out_per_s"], look["silent"]) == (10.0, 10.0, [2])
    assert look["links"]["link1"]["sent"] == 10.0


def test_without_a_terminal_it_says_so() -> None:
    result = CliRunner().invoke(cli.app, ["top"])
    assert result.exit_code == 2
    assert "there is no terminal here" in result.output


class Terminal:
    """A terminal of 24 lines and 80 columns with the command in it."""

    def __init__(self) -> None:
        self.fd, inner = pty.openpty()
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
        environment.pop("COLUMNS", None)
        command = [sys.executable, "-c", PROGRAM]
        self.process = subprocess.Popen(
            command, stdin=inner, stdout=inner, stderr=inner, cwd=ROOT, env=environment, start_new_session=True
        )
        os.close(inner)
        self.seen = ""

    def until(self, words: str, timeout_s: float = 20.0) -> None:
        """Read until these words have been on the screen."""
        deadline = time.monotonic() + timeout_s
        while words not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, self.seen[-2_000:]
            self.seen += os.read(self.fd, 65_536).decode(errors="replace")

    def press(self, key: str) -> None:
        self.seen = ""
        os.write(self.fd, key.encode())


def test_keys_at_a_real_terminal() -> None:
    terminal = Terminal()
    terminal.until("sort (by traffic)")
    terminal.until("█")  # two looks have made a rate
    before = termios.tcgetattr(terminal.fd)[3]
    assert not before & termios.ICANON
    terminal.press("s")
    terminal.until("sort (by waiting)")
    terminal.press("q")
    terminal.until("\x1b[?1049l")  # the screen of before is back
    assert terminal.process.wait(timeout=20) == 0
    os.close(terminal.fd)
