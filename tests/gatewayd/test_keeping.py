"""History is kept where it is wanted, and the first worker sees that it does not outgrow its bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gatewayd.config import schema
from gatewayd.keeping import Keeping, history_of
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.tasks import cancel_all
from gatewayd.store import history_files

DAY_S = 86_400.0
NOW = 1_764_124_800.0
ROW = b'[["seen","a",null]]'


def config_of(folder: Path, **keys: float) -> schema.Config:
    history = schema.History(**keys)  # type: ignore[arg-type]
    return schema.Config(daemon=schema.Daemon(spool_dir=str(folder)), history=history)


def value(metrics: Metrics, name: str) -> float:
    return sum(sum(row[1]) for figure in metrics.figures() if figure.name == name for row in figure.rows)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  a job that runs for ever tells nobody
            await asyncio.sleep(0)


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A spool folder with a stretch for each of three workers."""
    for slot in range(3):
        history = history_of(config_of(tmp_path), slot)
        assert history is not None
        history.append(1, NOW - slot, ROW)
        history.close()
    return tmp_path


def test_none_is_kept_where_none_is_wanted(tmp_path: Path) -> None:
    assert history_of(config_of(tmp_path, keep_h=0), 0) is None


async def test_the_first_worker_purges_for_all(full: Path) -> None:
    metrics = Metrics("1")
    Keeping(config_of(full, keep_h=0), 1, None, interval_s=0).watch(metrics)
    await asyncio.sleep(0)
    assert len(list(history_files.all_stretches(full))) == 3
    Keeping(config_of(full, keep_h=0), 0, None, interval_s=0).watch(metrics)
    await until(lambda: value(metrics, "gatewayd_history_purged") == 3)
    await cancel_all()
    assert list(history_files.all_stretches(full)) == []


async def test_what_is_there_and_what_was_lost_can_be_measured(full: Path) -> None:
    metrics = Metrics("1")
    history = history_of(config_of(full), 0)
    assert history is not None
    history.lost = 2
    Keeping(config_of(full), 0, history, interval_s=0, clock=lambda: NOW).watch(metrics)
    await until(lambda: value(metrics, "gatewayd_history_bytes") > 0)
    await cancel_all()
    assert value(metrics, "gatewayd_history_bytes") == sum(s.octets for _, s in history_files.all_stretches(full))
    assert value(metrics, "gatewayd_history_lost_groups") == 2


async def test_a_folder_that_refuses_is_told_once(
    full: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    def refuse(*args: object, **keys: object) -> object:
        calls.append(1)
        raise OSError("not for you")

    monkeypatch.setattr(history_files, "purge", refuse)
    Keeping(config_of(full), 0, None, interval_s=0).watch(Metrics("1"))
    await until(lambda: len(calls) > 2)
    await cancel_all()
    assert caplog.text.count("history cannot be purged: not for you") == 1
