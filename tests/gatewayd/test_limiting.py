"""The configuration's quotas, ramps and guards, as a worker gets them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.config import schema
from gatewayd.flow.limits import ALONE
from gatewayd.limiting import Limiting, quotas
from gatewayd.policy.pacing import Ramp
from gatewayd.policy.ratio_guard import Fate
from gatewayd.runtime.shared_limits import SharedLimits
from gatewayd.runtime.shared_ratio import SharedRatios

NOW = 1_790_000_000.0
CONFIG = schema.Config(
    providers={
        "orange": schema.Provider(per_minute=1800, per_second=30),
        "many": schema.Provider(counted=("message",), headroom=0.0, ramp_start=1.0),
        "free": schema.Provider(guard=False),
    },
    applications={
        "retail": schema.Application(provider="many", per_minute=600),
        "alerts": schema.Application(provider="many", per_second=5),
    },
    links={
        "one": schema.Link(kind="gsma", provider="orange"),
        "two": schema.Link(kind="gsma", provider="orange", rate_per_s=5.0),
        "retail": schema.Link(kind="gsma", provider="many", application="retail"),
        "alerts": schema.Link(kind="gsma", provider="many", application="alerts"),
        "free": schema.Link(kind="gsma", provider="free"),
        "carrier": schema.Link(kind="smpp", rate_per_s=50.0),
        "fast": schema.Link(kind="smpp"),
    },
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def files(folder: Path) -> Iterator[tuple[SharedLimits, SharedRatios]]:
    limits, ratios = SharedLimits.open(folder / "limits"), SharedRatios.open(folder / "ratios", 8)
    yield limits, ratios
    limits.close()
    ratios.close()


@pytest.fixture
def limiting(files: tuple[SharedLimits, SharedRatios]) -> Limiting:
    return Limiting(*files, worker=2, workers=4)


@pytest.mark.parametrize(
    ("link", "slots", "rates", "resting"),
    [
        ("one", ["link:one", "provider:orange"], [math.inf, 27.44], "provider:orange"),
        ("two", ["link:two", "provider:orange"], [5.0, 27.44], "provider:orange"),
        (
            "retail",
            ["link:retail", "application:retail", "provider:many"],
            [math.inf, 598 / 60.1, math.inf],
            "application:retail",
        ),
        (
            "alerts",
            ["link:alerts", "application:alerts", "provider:many"],
            [math.inf, 4.9, math.inf],
            "application:alerts",
        ),
        ("carrier", ["link:carrier"], [50.0], "link:carrier"),
    ],
)
def test_the_scopes_of_a_link(
    limiting: Limiting, link: str, slots: list[str], rates: list[float], resting: str
) -> None:
    limits = limiting.limits_of(CONFIG, link)
    assert [slot.name for slot, _ in limits.slots] == slots
    assert [rate.rate_per_s for _, rate in limits.slots] == pytest.approx(rates)
    assert limits.pause_slot.name == resting


def test_who_must_agree_on_turns(files: tuple[SharedLimits, SharedRatios], limiting: Limiting) -> None:
    assert limiting.limits_of(CONFIG, "one").worker == 2
    assert limiting.limits_of(CONFIG, "carrier").worker == 2
    assert limiting.limits_of(CONFIG, "fast").worker == ALONE
    assert Limiting(*files, worker=0, workers=1).limits_of(CONFIG, "one").worker == ALONE


def test_an_agent_that_has_no_pace_comes_back_by_the_one_it_shares(limiting: Limiting) -> None:
    (_, own), (_, shared) = limiting.limits_of(CONFIG, "one").slots
    assert own.ramp == shared.ramp == Ramp(0.1, 10.0)
    assert own.at(0.0).rate_per_s == shared.at(0.0).rate_per_s == pytest.approx(2.744)
    assert own.at(100.0).rate_per_s == math.inf


def test_calls_that_count(limiting: Limiting) -> None:
    assert limiting.limits_of(CONFIG, "one").counts("revoke")
    assert not limiting.limits_of(CONFIG, "retail").counts("revoke")


def test_a_guard_for_each_application(limiting: Limiting) -> None:
    one = limiting.guard_of(CONFIG, "one")
    assert one is not None
    assert one is limiting.guard_of(CONFIG, "two")
    retail, alerts = limiting.guard_of(CONFIG, "retail"), limiting.guard_of(CONFIG, "alerts")
    assert retail is not None
    assert alerts is not None
    assert (one.slot.name, retail.slot.name, alerts.slot.name) == ("orange", "many/retail", "many/alerts")
    assert limiting.guard_of(CONFIG, "free") is limiting.guard_of(CONFIG, "carrier") is None


def test_a_reload_changes_thresholds_and_keeps_counts(limiting: Limiting) -> None:
    before = limiting.guard_of(CONFIG, "one")
    assert before is not None
    before.admit(False, NOW)
    changed = schema.Config(providers={"orange": schema.Provider(guard_warn=0.01)}, links=CONFIG.links)
    after = limiting.guard_of(changed, "one")
    assert after is not None
    assert after.terms.warn == 0.01
    assert (after.slot.read(NOW).total, after.slot.read(NOW).pending) == (1, 1)
    after.settle(True, Fate.FINE, NOW)
    assert before.slot.read(NOW).pending == 0


def test_a_worker_that_begins_anew_holds_no_room(files: tuple[SharedLimits, SharedRatios], limiting: Limiting) -> None:
    first = limiting.guard_of(CONFIG, "one")
    assert first is not None
    first.admit(False, NOW)
    again = Limiting(*files, worker=2, workers=4).guard_of(CONFIG, "one")
    assert again is not None
    assert (again.slot.read(NOW).total, again.slot.read(NOW).pending) == (1, 0)


def test_what_each_limit_lets_go_in_a_minute() -> None:
    assert quotas(CONFIG) == pytest.approx(
        {
            "link:two": 300.0,
            "link:carrier": 3000.0,
            "provider:orange": 27.44 * 60,
            "application:retail": 598 * 60 / 60.1,
            "application:alerts": 4.9 * 60,
        }
    )


@pytest.mark.parametrize(
    ("rate_per_s", "burst", "wanted"),
    [(30.0, 0, 1), (100.0, 0, 2), (500.0, 0, 10), (0.5, 0, 1), (500.0, 1, 1), (500.0, 50, 50)],
)
def test_what_goes_a_little_late_still_goes(limiting: Limiting, rate_per_s: float, burst: int, wanted: int) -> None:
    """Without a burst of its own a link has twenty milliseconds' worth: turns of a busy loop come so late."""
    link = schema.Link(kind="smpp", rate_per_s=rate_per_s, burst=burst)
    limits = limiting.limits_of(schema.Config(links={"carrier": link}), "carrier")
    assert [rate.burst for _, rate in limits.slots] == [wanted]
