"""Keys of senders and how messages ended go to their handset's home, when there is another number of workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.message import Channel, State
from gatewayd.policy.homes import home_of
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import RESULT, TAKEN
from gatewayd.store.records import Result, Taken
from gatewayd.store.rehoming import arrange, spool_path

HANDSETS = [f"336{number:08}" for number in range(40)]


@pytest.mark.parametrize("counts", [(1, 3), (3, 1), (2, 4)])
async def test_they_are_found_where_they_will_be_asked_for(tmp_path: Path, counts: tuple[int, int]) -> None:
    before, after = counts
    arrange(tmp_path, before)
    journals = [Journal(spool_path(tmp_path, slot), group_wait_s=0.0) for slot in range(before)]
    for number, handset in enumerate(HANDSETS):
        journal = journals[home_of(handset, before)]
        journal.put(TAKEN, f"shop|0f|{handset}", Taken(number, "print", 2e9))
        ended = Result("shop", "SHOP", f"+{handset}", State.DELIVRD, "000", Channel.SMS, 1.0, 2.0, 2e9)
        journal.put(RESULT, number, ended)
    for journal in journals:
        await journal.close()
    arrange(tmp_path, after)
    journals = [Journal(spool_path(tmp_path, slot), group_wait_s=0.0) for slot in range(after)]
    for number, handset in enumerate(HANDSETS):
        home = home_of(handset, after)
        holders = [slot for slot, one in enumerate(journals) if one.get(TAKEN, f"shop|0f|{handset}") is not None]
        assert holders == [home]
        assert [slot for slot, one in enumerate(journals) if one.get(RESULT, number) is not None] == [home]
    for journal in journals:
        await journal.close()
