"""What a message may cost where workers share the work, counted and not timed: at its home, and where it crosses.

As ``test_price`` does for one worker. A figure that rises was a decision of somebody, or a slip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import CodeType

import pytest

from gatewayd.flow.crossing import Crossing
from gatewayd.flow.shared_link import SharedLink
from gatewayd.senders.sharing import Sharing
from tests.gatewayd.flow.several import Bind, City, city_of, receipt
from tests.gatewayd.test_price import ROOT, counted

MESSAGES = 200
AT_ONCE = 20
OURS = tuple(f"{ROOT / package}/" for package in ("gatewayd", "protocol"))
HERE, THERE = 0, 1


async def journeys(city: City, bind: Bind, handsets: Sequence[str]) -> None:
    """Messages that come here, to handsets of one home, all the way to the receipts that this home's bind took."""
    submitted, part = [], bind.worker.carrier
    for some in (handsets[start : start + AT_ONCE] for start in range(0, len(handsets), AT_ONCE)):
        submitted += [city[HERE].submit(destination=handset, source="Shop") for handset in some]
        await city.settle()
    assert len(part.in_flight) == len(handsets)
    handset_of = {one.id: one.message.destination for one in submitted}
    part.report(*[receipt(name, handset_of[message]) for message, name in part.accept_all()])
    await city.until(lambda: len(bind.unanswered) == len(handsets))
    bind.answer()
    await city.settle()


@pytest.mark.parametrize(("home", "calls_max", "crossed"), [(HERE, 110, 0), (THERE, 108, 1)])
async def test_a_message_costs_no_more_than_it_did(tmp_path: Path, home: int, calls_max: int, crossed: int) -> None:
    calls: Counter[CodeType] = Counter()
    async with city_of(tmp_path, 2, window=MESSAGES, bind_window=MESSAGES) as city:
        binds = [Bind(worker, "shop") for worker in city]
        for worker in city:
            worker.carrier.ready()
        handsets = [city.handset(home, number) for number in range(AT_ONCE + MESSAGES)]
        await journeys(city, binds[home], handsets[:AT_ONCE])
        with counted(calls):
            await journeys(city, binds[home], handsets[AT_ONCE:])
    each = {
        code: times
        for code, count in calls.items()
        if code.co_filename.startswith(OURS) and (times := (count + MESSAGES // 20) // MESSAGES)
    }
    # It crosses to its home, and nothing else of it does: its home has binds of its own to carrier and application.
    assert each.get(Crossing.submit.__code__, 0) == crossed
    assert each.get(Crossing._on_submit.__code__, 0) == crossed
    for step in (SharedLink.send_for, SharedLink.told, Sharing.deliver_for, Sharing.delivered):
        assert step.__code__ not in calls
    told = [f"{times} {code.co_qualname}, {code.co_filename}" for code, times in sorted(each.items(), key=str)]
    assert sum(each.values()) <= calls_max, "\n".join(told)
