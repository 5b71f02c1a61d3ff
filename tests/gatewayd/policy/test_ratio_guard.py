"""However bad the base, and however many workers share the counts, no window at the platform exceeds the bound."""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from pathlib import Path

import pytest

from gatewayd.policy.ratio_guard import Fate, GuardState, Terms, Verdict, admit, ratio, settle
from gatewayd.runtime.shared_ratio import Counts, RatioSlot, SharedRatios

TERMS = Terms()
NOW = 1_790_000_000.0


def send(counts: Counts, number: int, fate: Fate = Fate.FINE, is_known: bool = True, now: float = NOW) -> list[Verdict]:
    """So many one after the other, each settled before the next."""
    verdicts = []
    for _ in range(number):
        verdicts.append(admit(counts, TERMS, is_known, now))
        if verdicts[-1] in (Verdict.SEND, Verdict.SEND_RESERVED):
            settle(counts, TERMS, verdicts[-1] is Verdict.SEND_RESERVED, fate, now)
    return verdicts


# -- one rule at a time -----------------------------------------------------------------------------------------------


def test_known_numbers_pass_and_reserve_nothing() -> None:
    counts = Counts()
    assert set(send(counts, 1000)) == {Verdict.SEND}
    assert (counts.total, counts.errors, counts.pending, counts.level) == (1000, 0, 0, 0.0)


def test_unknown_numbers_that_are_reachable_pass() -> None:
    counts = Counts()
    assert set(send(counts, 1000, is_known=False)) == {Verdict.SEND_RESERVED}
    assert (counts.total, counts.pending, counts.level) == (1000, 0, 0.0)


def test_open_messages_hold_their_room_and_the_next_waits() -> None:
    counts = Counts()
    verdicts = [admit(counts, TERMS, False, NOW) for _ in range(20)]
    assert verdicts == [Verdict.SEND_RESERVED] * 6 + [Verdict.WAIT] * 14
    settle(counts, TERMS, True, Fate.FINE, NOW)
    assert admit(counts, TERMS, False, NOW) is Verdict.SEND_RESERVED
    assert admit(counts, TERMS, True, NOW) is Verdict.SEND


def test_errors_stay_until_messages_have_made_up_for_them() -> None:
    counts = Counts()
    verdicts = send(counts, 30, Fate.ERROR, is_known=False)
    taken = verdicts.count(Verdict.SEND_RESERVED)
    assert taken == 6
    assert verdicts[taken:] == [Verdict.KNOWN_ONLY] * (30 - taken)
    send(counts, 14)  # with the five after the first error, not yet twenty
    assert admit(counts, TERMS, False, NOW) is Verdict.KNOWN_ONLY
    send(counts, 1)
    assert admit(counts, TERMS, False, NOW) is Verdict.SEND_RESERVED


def test_what_nobody_can_tell_takes_its_room_with_it() -> None:
    counts = Counts()
    for _ in range(6):
        assert admit(counts, TERMS, False, NOW) is Verdict.SEND_RESERVED
        settle(counts, TERMS, True, Fate.UNCLEAR, NOW)
    assert (counts.pending, counts.errors) == (0, 0)
    assert counts.level == pytest.approx(6 - 5 * TERMS.warn)


@pytest.mark.parametrize("is_known", [True, False])
def test_what_was_not_sent_was_never_there(is_known: bool) -> None:
    counts = Counts()
    send(counts, 5, Fate.ERROR, is_known=False)
    before = (counts.total, counts.errors, counts.pending, counts.level)
    send(counts, 1, Fate.NOT_SENT, is_known=is_known)
    assert (counts.total, counts.errors, counts.pending) == before[:3]
    assert counts.level == pytest.approx(before[3])


@pytest.mark.parametrize("is_known", [True, False])
def test_a_platform_that_takes_nothing_for_long_does_not_close_the_guard(is_known: bool) -> None:
    counts = Counts()
    send(counts, 5000, Fate.NOT_SENT, is_known=is_known)
    assert counts.level <= 2 * TERMS.warn
    assert admit(counts, TERMS, False, NOW) is Verdict.SEND_RESERVED


def test_thresholds_close_step_by_step() -> None:
    counts = Counts()
    send(counts, 1000)
    reached: dict[GuardState, int] = {}
    for number in range(1, 138):
        counts.total += 1
        settle(counts, TERMS, False, Fate.ERROR, NOW)
        reached.setdefault(GuardState(counts.state), number)
    assert reached == {
        GuardState.OPEN: 1,
        GuardState.WARNED: 53,
        GuardState.KNOWN_ONLY: 87,
        GuardState.STOPPED: 137,
    }
    assert counts.state == GuardState.STOPPED
    assert ratio(counts) >= TERMS.stop
    assert admit(counts, TERMS, True, NOW) is Verdict.STOPPED
    assert admit(counts, TERMS, False, NOW) is Verdict.STOPPED


def test_few_messages_stop_nothing() -> None:
    counts = Counts()
    send(counts, 5, Fate.ERROR, is_known=False)
    assert ratio(counts) == 1.0
    assert counts.state == GuardState.OPEN
    assert ratio(Counts()) == 0.0


def test_known_only_lets_known_numbers_pass() -> None:
    counts = Counts(total=1000, errors=85, state=GuardState.KNOWN_ONLY)
    assert admit(counts, TERMS, False, NOW) is Verdict.KNOWN_ONLY
    assert admit(counts, TERMS, True, NOW) is Verdict.SEND


def test_the_guard_opens_again_by_itself_and_not_at_once() -> None:
    counts = Counts(total=1000, errors=80, state=GuardState.KNOWN_ONLY)
    send(counts, 300)
    assert counts.state == GuardState.KNOWN_ONLY  # 6.2 %: under the threshold, not yet well under it
    send(counts, 100)
    assert counts.state == GuardState.WARNED
    send(counts, 800)
    assert counts.state == GuardState.OPEN


def test_a_stop_ends_on_probation() -> None:
    counts = Counts(total=1000, errors=120, state=GuardState.STOPPED, since=NOW)
    assert admit(counts, TERMS, True, NOW + TERMS.stop_s - 1) is Verdict.STOPPED
    at = NOW + TERMS.stop_s
    assert admit(counts, TERMS, True, at) is Verdict.SEND
    assert admit(counts, TERMS, False, at) is Verdict.KNOWN_ONLY
    settle(counts, TERMS, False, Fate.ERROR, at)
    assert (counts.state, counts.since) == (GuardState.STOPPED, at)


def test_not_one_more_when_the_next_error_would_break_the_bound() -> None:
    counts = Counts(total=1000, errors=150, state=GuardState.KNOWN_ONLY)
    assert admit(counts, TERMS, True, NOW) is Verdict.STOPPED


def test_errors_that_leave_the_window_leave_the_bucket() -> None:
    counts = Counts(total=500, errors=10, level=6.0, pending=2)
    counts.forgotten = 3
    assert admit(counts, TERMS, False, NOW) is Verdict.SEND_RESERVED
    assert counts.level == pytest.approx(6 - 3 - TERMS.warn + 1)
    counts = Counts(level=6.0)
    assert admit(counts, TERMS, False, NOW) is Verdict.SEND_RESERVED


def test_burst_is_what_the_bound_leaves() -> None:
    assert TERMS.burst == 6
    assert Terms(warn=0.03).burst == 10
    assert Terms(sample_min=1).burst == 1


# -- the dry simulation -----------------------------------------------------------------------------------------------


def worst_ratio(errors: Sequence[bool], size_min: int) -> float:
    """The largest share of errors in any run of at least so many, by bisection over shares."""
    low, high = 0.0, 1.0
    for _ in range(30):
        share = (low + high) / 2
        if _has_run(errors, size_min, share):
            low = share
        else:
            high = share
    return high


def _has_run(errors: Sequence[bool], size_min: int, share: float) -> bool:
    """Whether some run of at least ``size_min`` has more errors than that share: its sum of surpluses is above 0."""
    surplus, lowest = 0.0, float("inf")
    sums = [0.0]
    for last, is_error in enumerate(errors, 1):
        surplus += is_error - share
        sums.append(surplus)
        if last >= size_min:
            lowest = min(lowest, sums[last - size_min])
            if surplus - lowest > 1e-9:
                return True
    return False


def test_worst_ratio_is_right() -> None:
    rng = random.Random(1)
    errors = [rng.random() < 0.2 for _ in range(60)]
    expected = max(sum(errors[first:last]) / (last - first) for first in range(60) for last in range(first + 10, 61))
    assert worst_ratio(errors, 10) == pytest.approx(expected, abs=1e-6)


class Platform:
    """Takes messages in the order in which they arrive, and says later how each fared."""

    def __init__(self, rng: random.Random, latency_s: float, deferred: float) -> None:
        self.rng, self.latency_s, self.deferred = rng, latency_s, deferred
        self.seen: list[bool] = []
        self.reported: list[bool] = []

    def take(self, is_reachable: bool) -> tuple[Fate, float]:
        """What it will say, and when."""
        delay_s = self.rng.expovariate(1.0) * self.latency_s
        if self.rng.random() < self.deferred:
            return Fate.NOT_SENT, delay_s
        self.seen.append(not is_reachable)
        return (Fate.FINE if is_reachable else Fate.ERROR), delay_s


class Campaign:
    """Workers that share one application's counts send to a base, each to its own numbers, with a learning memory."""

    def __init__(self, slots: list[RatioSlot], platform: Platform, rng: random.Random, stale: float) -> None:
        self.slots, self.platform, self.rng = slots, platform, rng
        self.unreachable = [rng.random() < 0.4 for _ in range(4000)]
        # Some answers of the past are no longer true: numbers that are known to take RCS, and do not.
        self.known = {n: not self.unreachable[n] or rng.random() < stale for n in range(4000) if rng.random() < 0.5}
        self.now = NOW
        self.open: list[tuple[float, int, int, bool, Fate]] = []
        self.serial = itertools.count()
        self.diverted: list[Verdict] = []

    def run(self, numbers: Iterator[int]) -> None:
        """Send at 30 a second; what must wait lets others pass, and is tried again with the next answer."""
        waiting: deque[int] = deque()
        for number in numbers:
            self.now += 1 / 30
            if not self._offer(number):
                waiting.append(number)
            while self.open and self.open[0][0] <= self.now:
                self._settle()
                while waiting and self._offer(waiting[0]):
                    waiting.popleft()
        while self.open:
            self._settle()
            while waiting and self._offer(waiting[0]):
                waiting.popleft()
        assert not waiting

    def _offer(self, number: int) -> bool:
        slot = self.slots[number % len(self.slots)]
        is_known = self.known.get(number)
        if is_known is False:
            self.diverted.append(Verdict.KNOWN_ONLY)
            return True
        verdict = slot.change(self.now, lambda counts: admit(counts, TERMS, bool(is_known), self.now))
        if verdict is Verdict.WAIT:
            return False
        if verdict in (Verdict.KNOWN_ONLY, Verdict.STOPPED):
            self.diverted.append(verdict)
            return True
        fate, delay_s = self.platform.take(not self.unreachable[number])
        is_reserved = verdict is Verdict.SEND_RESERVED
        heappush(self.open, (self.now + delay_s, next(self.serial), number, is_reserved, fate))
        return True

    def _settle(self) -> None:
        at, _, number, is_reserved, fate = heappop(self.open)
        self.now = max(self.now, at)
        slot = self.slots[number % len(self.slots)]
        slot.change(self.now, lambda counts: settle(counts, TERMS, is_reserved, fate, self.now))
        if fate is not Fate.NOT_SENT:
            self.known[number] = fate is Fate.FINE
            self.platform.reported.append(fate is Fate.ERROR)


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize(
    ("latency_s", "deferred", "stale"), [(0.05, 0.0, 0.0), (3.0, 0.0, 0.0), (0.5, 0.1, 0.0), (0.5, 0.05, 0.02)]
)
def test_no_window_exceeds_the_bound_with_forty_percent_unreachable(
    tmp_path: Path, workers: int, latency_s: float, deferred: float, stale: float
) -> None:
    rng = random.Random(f"{workers} {latency_s} {deferred} {stale}")
    files = [SharedRatios.open(tmp_path / "ratios", 4) for _ in range(workers)]
    slots = [file.slot("orange", worker, 86_400.0) for worker, file in enumerate(files)]
    platform = Platform(rng, latency_s, deferred)
    campaign = Campaign(slots, platform, rng, stale)
    campaign.run(rng.randrange(4000) for _ in range(8000))
    counts = slots[0].read(campaign.now)
    assert (counts.total, counts.errors, counts.pending) == (len(platform.seen), sum(platform.seen), 0)
    assert len(platform.seen) > 2000, "most of what can be reached is reached"
    assert sum(platform.seen) > 20, "the unknown were tried as far as it may be"
    assert Verdict.KNOWN_ONLY in campaign.diverted
    for order in (platform.seen, platform.reported):
        assert worst_ratio(order, TERMS.sample_min) <= (TERMS.ratio_max if stale else TERMS.known_only + 1e-6)
    for file in files:
        file.close()


def test_a_base_of_which_nothing_is_known(tmp_path: Path) -> None:
    """All are tried for the first time: little goes over RCS, and what goes keeps the bound from the first message."""
    rng = random.Random(7)
    file = SharedRatios.open(tmp_path / "ratios", 4)
    platform = Platform(rng, 0.2, 0.0)
    campaign = Campaign([file.slot("orange", 0, 86_400.0)], platform, rng, 0.0)
    campaign.known.clear()
    campaign.run(iter(range(4000)))
    assert sum(platform.seen) <= TERMS.burst + TERMS.warn * len(platform.seen)
    assert len(campaign.diverted) > 3000
    file.close()
