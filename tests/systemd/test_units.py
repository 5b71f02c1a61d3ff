"""The units as files: systemd finds no fault in them, and little that an intruder could use."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gatewayd.config import schema

UNITS = Path(__file__).resolve().parents[2] / "systemd"
SERVICE = (UNITS / "gatewayd.service").read_text(encoding="utf-8")
EXPOSURE_MAX = 2.0

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@pytest.fixture
def units(tmp_path: Path) -> tuple[Path, Path]:
    """The two units, with commands that exist on any machine."""
    service, socket = tmp_path / "gatewayd.service", tmp_path / "gatewayd.socket"
    service.write_text(SERVICE.replace("/opt/gatewayd/current/bin/gatewayd", "/bin/true"))
    shutil.copy(UNITS / "gatewayd.socket", socket)
    return service, socket


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=30, check=False)


@needs_systemd
def test_systemd_finds_no_fault(units: tuple[Path, Path]) -> None:
    done = analyze("verify", "--man=no", *units)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_there_is_little_to_use_for_an_intruder(units: tuple[Path, Path]) -> None:
    done = analyze("security", "--offline=yes", "--no-pager", units[0])
    found = re.search(r"Overall exposure level for gatewayd.service: ([0-9.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= EXPOSURE_MAX


def settings(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", SERVICE, re.MULTILINE)


def test_the_unit_and_the_configuration_agree() -> None:
    daemon = schema.Daemon()
    assert settings("RuntimeDirectory") == [daemon.runtime_dir.removeprefix("/run/")]
    assert settings("StateDirectory") == [daemon.spool_dir.removeprefix("/var/lib/")]
    assert settings("RuntimeDirectoryPreserve") == ["restart"], "a quota must outlive a restart"
    (patience,) = settings("TimeoutStopSec")
    assert float(patience.removesuffix("s")) > daemon.drain_timeout_s + 10
    (listen,) = re.findall(r"^ListenStream=(.*)$", (UNITS / "gatewayd.socket").read_text(), re.MULTILINE)
    assert (listen,) == schema.SmppServer().listen


def test_no_python_compiles_what_the_unit_would_not_let_it_run() -> None:
    assert settings("MemoryDenyWriteExecute") == ["yes"]
    assert "PYTHON_JIT=0" in settings("Environment")


def test_workers_are_left_to_the_supervisor() -> None:
    assert settings("Type") == ["notify"]
    assert settings("KillMode") == ["mixed"], "otherwise systemd would end the workers before they are drained"
