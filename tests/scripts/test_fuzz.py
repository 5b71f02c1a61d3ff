"""Every target of scripts/fuzz takes its seeds and what once made it crash, and would tell of a surprise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def targets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import fuzz_targets

    yield fuzz_targets
    sys.modules.pop("fuzz_targets", None)


def test_every_target_takes_its_seeds_and_pieces_of_them(targets: Any) -> None:
    assert set(targets.SEEDS) == set(targets.TARGETS)
    for name, seeds in targets.SEEDS.items():
        for seed in seeds:
            for end in range(len(seed) + 1):
                targets.TARGETS[name](seed[:end])
            for at in range(len(seed)):
                targets.TARGETS[name](seed[:at] + b"\xff" + seed[at + 1 :])


def test_a_broken_promise_is_a_crash(targets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "unpack", lambda octets, fill: b"\x80")
    with pytest.raises(AssertionError):
        targets.TARGETS["septets"](b"\0abc")


def test_a_file_is_replayed(tmp_path: Path) -> None:
    crash = tmp_path / "crash-1"
    crash.write_bytes(b"\0abc")
    script = [sys.executable, str(ROOT / "scripts" / "fuzz.py")]
    done = subprocess.run(
        [*script, "--target", "septets", "--replay", str(crash)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"septets takes {crash}: no crash\n")
    lost = subprocess.run([*script, "--target", "speling"], capture_output=True, text=True, check=False)
    assert lost.returncode == 2
    assert "there is no target speling; there are: parser, " in lost.stderr
