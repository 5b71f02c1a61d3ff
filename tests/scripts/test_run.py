"""The journeys of scripts/run: all of them end as they must, and one that does not is noticed.

They go through the real daemon, on free ports and in a folder of their own.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
sys.path.insert(0, str(SCRIPTS))

import run  # noqa: E402
import run_journeys  # noqa: E402

PATIENCE_S = 50


# Staying up is the same after no journey as after all of them, and sooner.
WITHOUT_JOURNEYS = "import sys; sys.path.insert(0, sys.argv.pop(1)); import run; sys.exit(run.main(None, journeys=()))"


def once(place: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / "run.py"), "--dir", str(place), "--once"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


@contextmanager
def staying(place: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A run that stays up, with what it said."""
    command = [sys.executable, "-c", WITHOUT_JOURNEYS, str(SCRIPTS), "--dir", str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(PATIENCE_S, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            said = ""
            while "/control/ledger" not in said:
                line = process.stdout.readline()
                assert line, f"it ended: {said}"
                said += line
            yield process, said
        finally:
            watchdog.cancel()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE_S)


def children_of(process: subprocess.Popen[str]) -> list[str]:
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()


def test_every_journey_ends_as_expected(tmp_path: Path) -> None:
    done = once(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    count = len(run_journeys.JOURNEYS)
    assert f"{count} of {count} journeys ended as expected" in done.stdout
    assert "✗" not in done.stdout
    assert all(journey.title in done.stdout for journey in run_journeys.JOURNEYS)


def test_secrets_are_for_the_owner_alone(tmp_path: Path) -> None:
    place = tmp_path / "new"
    assert run.main(["--once", "--dir", str(place)], journeys=()) == 0
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    for secret in (*place.glob("*.password"), *place.glob("*.hash"), *place.glob("platform.*t")):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "broken",
    [
        {"platform": ("failed",)},
        *(
            pytest.param(broken, marks=pytest.mark.long)
            for broken in (
                {"platform": ()},
                {"carrier": ("ESME_ROK",)},
                {"receipts": ("DELIVRD", "DELIVRD")},
                {"answers": ("ESME_RINVDSTADR",)},
                {"replies": ("Never said",)},
            )
        ),
    ],
    ids="-".join,
)
def test_a_broken_expectation_is_noticed(
    broken: dict[str, tuple[str, ...]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = run_journeys.JOURNEYS[0]
    bad = msgspec.structs.replace(good, fate=msgspec.structs.replace(good.fate, **broken))
    assert run.main(["--once", "--dir", str(tmp_path)], journeys=(bad,), patience_s=0.3) == 1
    said = capsys.readouterr().out
    assert "✗ 0 of 1 journeys ended as expected" in said


def test_another_text_than_the_one_sent_is_noticed(tmp_path: Path) -> None:
    message = {"status": "delivered", "message": {"textMessage": "Hello"}, "history": [{"what": "delivered"}]}
    assert run_journeys._platform_sight(message, "Hello").word == "delivered"
    assert run_journeys._platform_sight(message, "Hallo").word == "delivered, another text"


def test_it_stays_up_and_starts_afresh(tmp_path: Path) -> None:
    """One runs, a second in its folder is refused, and after Ctrl-C the next one finds nothing in its way."""
    with staying(tmp_path) as (process, said):
        assert "system_id, password" in said
        second = once(tmp_path)
        assert second.returncode == 2
        assert "another scripts/run is up" in second.stderr
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
    assert "= stopped" in (tmp_path / "daemon.log").read_text(encoding="utf-8")
    assert run.main(["--once", "--dir", str(tmp_path)], journeys=()) == 0


def test_a_daemon_that_dies_is_said(tmp_path: Path) -> None:
    with staying(tmp_path) as (process, _):
        daemon = next(pid for pid in children_of(process) if b"\0run\0" in Path(f"/proc/{pid}/cmdline").read_bytes())
        subprocess.run(["kill", "-9", daemon], check=True)
        _, complaint = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
        assert "the gateway ended by itself" in complaint


def test_nothing_is_left_of_a_run_that_was_killed(tmp_path: Path) -> None:
    with staying(tmp_path) as (process, _):
        ends = [os.pidfd_open(int(pid)) for pid in children_of(process)]
        process.kill()
        for end in ends:
            assert select.select([end], [], [], PATIENCE_S)[0], "a child lives on"
            os.close(end)
    assert len(ends) == 2


def test_a_port_that_is_taken_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run.main(["--once", "--dir", str(tmp_path), "--port", str(port)], journeys=()) == 2
    assert f"port {port} is taken; stop what listens there" in capsys.readouterr().err


def test_a_folder_that_cannot_be_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert run.main(["--once", "--dir", str(tmp_path / "file" / "below")], journeys=()) == 2
    assert "a folder that you may write to" in capsys.readouterr().err
