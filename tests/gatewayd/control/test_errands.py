"""Errands: a process each, whose answer is handed on; what fails, hangs or talks too much ends in a sentence."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from gatewayd.control import errands
from gatewayd.control.errands import AT_ONCE_MAX, ErrandFault, Errands


def errand(folder: Path, program: str, patience_s: float = 60.0) -> Errands:
    (folder / "program.py").write_text(program)
    return Errands("program", os.environ | {"PYTHONPATH": str(folder)}, patience_s)


async def test_a_question_is_answered(tmp_path: Path) -> None:
    program = "import sys; sys.stdout.write(sys.stdin.read().upper())"
    assert await errand(tmp_path, program).run(b"who?" * 100_000) == b"WHO?" * 100_000


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; sys.exit(3)", "a fault of the gateway"),
        ("while True: print('x' * 1000)", "too much to tell"),
    ],
)
async def test_what_comes_to_nothing(tmp_path: Path, program: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "ANSWER_SIZE_MAX", 100_000)
    with pytest.raises(ErrandFault, match=words):
        await errand(tmp_path, program).run(b"")


async def test_one_that_hangs_is_killed_and_gives_its_place_back(tmp_path: Path) -> None:
    hanging = errand(tmp_path, "import os, signal; os.write(1, b'%d' % os.getpid()); signal.pause()", 1.0)
    runs = [hanging.run(b"") for _ in range(AT_ONCE_MAX + 1)]
    done = await asyncio.gather(*runs, return_exceptions=True)
    assert [str(fault) for fault in done] == ["it was not done within 1 s"] * len(runs)


async def test_one_that_cannot_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "no"))
    with pytest.raises(ErrandFault, match="it could not be begun: No such file"):
        await errand(tmp_path, "").run(b"")
