"""What one message costs: the real daemon, with its real store, between a load generator and a carrier.

Each message is a submit_sm with a receipt: eight PDUs through the daemon. The generator and the carrier are
processes of their own, and so lean that the daemon is what is measured; `--direct` shows their ceiling.

Messages per second leave out the carrier's fixed delay before a receipt. Processor time is that of all processes of
the daemon. Three latencies: submit_sm to its response; submit_sm to the carrier; a receipt from carrier to sender.
At full load the latter only say how long the queue is; a paced run (`--rate`) shows what the daemon adds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import threading
from array import array
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from bench_wire import restore
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "bench-pw"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
START_PATIENCE_S = 30.0

CONFIG = """\
[daemon]
workers = {workers}
spool_dir = "{place}/spool"
runtime_dir = "{place}/run"
log_level = "warning"

[history]
keep_h = {keep_h}

[metrics]
listen = ""

[smpp]
listen = ["127.0.0.1:{port}"]
window = {window}

[accounts.bench]
password_hash = "{password_hash}"
rate_per_s = 0
window = {window}

[links.carrier]
kind = "smpp"
host = "127.0.0.1"
port = {carrier_port}
system_id = "bench"
password_file = "{place}/password"
window = {window}
binds = {binds}

[[routes]]
links = ["carrier"]
"""

COLUMNS = (
    ("messages_per_s", "messages a second", "{:,.0f}"),
    ("cpu_us_per_message", "daemon's processor time a message, µs", "{:,.1f}"),
    ("resp_p50_ms", "submit_sm to response, median, ms", "{:,.1f}"),
    ("resp_p99_ms", "submit_sm to response, 99 %, ms", "{:,.1f}"),
    ("forward_p50_ms", "submit_sm to carrier, median, ms", "{:,.1f}"),
    ("forward_p99_ms", "submit_sm to carrier, 99 %, ms", "{:,.1f}"),
    ("receipt_p50_ms", "receipt from carrier to sender, median, ms", "{:,.1f}"),
    ("receipt_p99_ms", "receipt from carrier to sender, 99 %, ms", "{:,.1f}"),
    ("lost", "lost", "{:,}"),
    ("duplicated", "duplicated", "{:,}"),
    ("damaged", "damaged", "{:,}"),
    ("refused", "refused", "{:,}"),
    ("throttled", "throttled and sent again", "{:,}"),
    ("rss_mb", "daemon's memory at its peak, MB", "{:,.0f}"),
)


class Failure(Exception):
    """Why there is no figure."""


class Silence(Failure):
    """A process has nothing to say, so far."""


class Actor:
    """One of our own processes: told what to do in one JSON argument, heard in JSON lines."""

    def __init__(self, script: str, **options: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / script), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._name = script
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put({})

    def hear(self, patience_s: float) -> dict[str, Any]:
        """The next line."""
        try:
            heard = self._lines.get(timeout=patience_s)
        except Empty:
            raise Silence(f"{self._name} says nothing") from None
        if not heard:
            raise Failure(f"{self._name} ended too early")
        return heard

    def go(self) -> None:
        """Let it begin."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()


class Daemon:
    """The process that is measured, with all of its children."""

    def __init__(self, place: Path, port: int, carrier_port: int, options: argparse.Namespace) -> None:
        for name in ("spool", "run"):
            (place / name).mkdir()
        secret = place / "password"
        secret.write_text(PASSWORD, encoding="ascii")
        secret.chmod(0o600)
        config = place / "gatewayd.toml"
        words = {"place": place, "port": port, "carrier_port": carrier_port, "window": options.window}
        words |= {"workers": options.workers, "binds": options.binds, "keep_h": 0 if options.no_history else 72}
        config.write_text(CONFIG.format(password_hash=_hash_of(PASSWORD), **words), encoding="utf-8")
        self.log = place / "daemon.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gatewayd", "run", "--config", str(config)], cwd=ROOT, stdout=log, stderr=log
            )

    def check(self) -> None:
        """Failure, with its last words, when it has ended."""
        if self.process.poll() is not None:
            words = self.log.read_text(encoding="utf-8", errors="replace")[-2_000:]
            raise Failure(f"the daemon ended with status {self.process.returncode}:\n{words}")

    def processor_s(self) -> float:
        """User and system time of all its processes, those that have ended included (proc(5))."""
        ticks = 0
        for pid in _family(self.process.pid):
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
                ticks += sum(map(int, fields[11:15]))
        return ticks * TICK_S

    def memory_peak_mb(self) -> float:
        """The sum of the largest resident sizes of its processes."""
        kilobytes = 0
        for pid in _family(self.process.pid):
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
                    if line.startswith("VmHWM:"):
                        kilobytes += int(line.split()[1])
        return kilobytes / 1024


def _family(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                yield from _family(int(child))


def _hash_of(password: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "gatewayd", "hash-password"],
        cwd=ROOT,
        input=password,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failure(f"gatewayd hash-password failed: {done.stderr.strip()}")
    return done.stdout.split()[-1]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def measure(options: argparse.Namespace, place: Path) -> dict[str, Any]:
    """One run, from three processes to one row of figures."""
    shared = {"messages": options.messages, "window": options.window, "place": str(place)}
    with contextlib.ExitStack() as stack:
        carrier = Actor("bench_carrier.py", receipt_delay_s=options.receipt_delay, **shared)
        stack.callback(_end, carrier.process)
        carrier_port = carrier.hear(START_PATIENCE_S)["port"]
        port, daemon = carrier_port, None
        if not options.direct:
            port = _free_port()
            daemon = Daemon(place, port, carrier_port, options)
            stack.callback(_end, daemon.process)
        load = Actor(
            "bench_load.py",
            port=port,
            password=PASSWORD,
            rate=options.rate,
            patience_s=options.patience,
            **shared,
        )
        stack.callback(_end, load.process)
        # The sender is bound, and the daemon at the carrier.
        for actor in (load, carrier):
            _hear_while_alive(actor, daemon, START_PATIENCE_S)
        before_s = daemon.processor_s() if daemon else 0.0
        load.go()
        seen = _follow(load, daemon, options)
        figures: dict[str, Any] = {"processor_s": 0.0, "rss_mb": 0.0}
        if daemon is not None:
            figures = {"processor_s": daemon.processor_s() - before_s, "rss_mb": daemon.memory_peak_mb()}
        carrier.process.terminate()
        return figures | {"load": seen, "carrier": carrier.hear(START_PATIENCE_S)}


def _hear_while_alive(actor: Actor, daemon: Daemon | None, patience_s: float) -> dict[str, Any]:
    """The next line of an actor; why the daemon ended, when that is why there is none."""
    for _ in range(int(patience_s)):
        if daemon is not None:
            daemon.check()
        with contextlib.suppress(Silence):
            return actor.hear(1.0)
    return actor.hear(1.0)


def _follow(load: Actor, daemon: Daemon | None, options: argparse.Namespace) -> dict[str, Any]:
    """Show the progress until the load generator is done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as progress:
        answered = progress.add_task("answered", total=options.messages)
        received = progress.add_task("receipts", total=options.messages)
        while True:
            seen = _hear_while_alive(load, daemon, options.patience + START_PATIENCE_S)
            progress.update(answered, completed=seen["answered"])
            progress.update(received, completed=seen["received"])
            if "done" in seen:
                return seen


def _end(process: subprocess.Popen[Any]) -> None:
    """Ask a process to stop, and do not wait for ever."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def report(options: argparse.Namespace, place: Path, run: dict[str, Any]) -> dict[str, Any]:
    """The figures of a run, under the names that `--json` prints."""
    names = ("sent_at", "answered_at", "receipt_at", "submitted_at", "receipt_sent_at")
    sent, answered, received, forwarded, receipt_sent = (restore(place / name) for name in names)
    began, ended = min(filter(None, sent), default=0.0), max(received, default=0.0)
    span_s = max(ended - began - options.receipt_delay, 1e-9)
    count = run["load"]["received"]
    figures: dict[str, Any] = {
        "messages": options.messages,
        "messages_per_s": round(count / span_s, 1) if count else 0.0,
        "cpu_us_per_message": round(run["processor_s"] * 1e6 / count, 2) if count else 0.0,
    }
    for word, first, last in (
        ("resp", sent, answered),
        ("forward", sent, forwarded),
        ("receipt", receipt_sent, received),
    ):
        for share in (50, 99):
            figures[f"{word}_p{share}_ms"] = round(_percentile(first, last, share) * 1000, 3)
    return figures | {
        "lost": options.messages - count - run["load"]["refused"],
        "duplicated": run["load"]["duplicates"] + run["carrier"]["duplicates"],
        "damaged": run["load"]["damaged"] + run["carrier"]["damaged"],
        "refused": run["load"]["refused"],
        "throttled": run["load"]["throttled"],
        "rss_mb": round(run["rss_mb"], 1),
        "window": options.window,
        "rate": options.rate,
        "direct": options.direct,
        "machine": machine(place),
    }


def _percentile(first: array[float], last: array[float], share: int) -> float:
    spans = sorted(end - start for start, end in zip(first, last, strict=True) if start and end)
    return spans[min(len(spans) - 1, len(spans) * share // 100)] if spans else 0.0


def machine(place: Path) -> dict[str, Any]:
    """What a figure must be read with."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "spool": _filesystem_of(place),
        "load_average": round(os.getloadavg()[0], 2),
    }


def _filesystem_of(place: Path) -> str:
    best = ("", "")
    with contextlib.suppress(OSError):
        for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
            mount, kind = line.split()[1:3]
            if place.is_relative_to(mount) and len(mount) >= len(best[0]):
                best = (mount, kind)
    return best[1]


def show(figures: dict[str, Any]) -> None:
    """The table for people."""
    facts = figures["machine"]
    what = "the tools alone" if figures["direct"] else "gatewayd"
    pace = f"{figures['rate']:g} a second" if figures["rate"] else "as fast as it goes"
    title = f"{what}: {figures['messages']:,} messages, window {figures['window']}, {pace}"
    caption = (
        f"{facts['cpu']}, {facts['cores']} cores, Linux {facts['kernel']}, Python {facts['python']},"
        f" spool on {facts['spool']}, load {facts['load_average']}"
    )
    table = Table("", "figure", title=title, caption=caption, min_width=78)
    table.columns[1].justify = "right"
    for key, label, form in COLUMNS:
        table.add_row(label, form.format(figures[key]))
    Console().print(table)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=50_000, metavar="N", help="how many (default 50,000)")
    parser.add_argument("--rate", type=float, default=0.0, metavar="R", help="submit R a second (default: no pace)")
    parser.add_argument("--window", type=int, default=1_000, metavar="N", help="unanswered at most (default 1,000)")
    parser.add_argument(
        "--receipt-delay", type=float, default=0.2, metavar="S", help="the carrier's, in seconds (default 0.2)"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=20.0,
        metavar="S",
        help="give up when nothing moves for S seconds (default 20)",
    )
    parser.add_argument(
        "--dir", type=Path, default=Path("/var/tmp"), metavar="DIR", help="where the spool lies; a real disk is fair"
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="the daemon's workers (default 1)")
    parser.add_argument("--binds", type=int, default=1, metavar="N", help="binds to the carrier (default 1)")
    parser.add_argument("--no-history", action="store_true", help="keep no history (history.keep_h = 0)")
    parser.add_argument("--direct", action="store_true", help="without the daemon: the ceiling of the tools themselves")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    return parser.parse_args()


def main() -> int:
    """Measure once; 1 when a message was lost or damaged, 2 when nothing could be measured."""
    options = parsed()
    try:
        with tempfile.TemporaryDirectory(prefix="gatewayd-bench-", dir=options.dir) as name:
            place = Path(name)
            figures = report(options, place, measure(options, place))
    except (Failure, OSError) as failure:
        print(f"scripts/bench: {failure}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(figures))
    else:
        show(figures)
    return 1 if figures["lost"] or figures["damaged"] or figures["refused"] else 0


if __name__ == "__main__":
    sys.exit(main())
