"""With another number of workers, what is to be asked about goes with its handset, and an order is not forgotten."""

from __future__ import annotations

from pathlib import Path

from gatewayd.policy.homes import home_of
from gatewayd.store import rehoming
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import ORDER, WANTED
from gatewayd.store.records import Order, Wanted
from tests.gatewayd.store.opening import durable, table_of

HANDSETS = [f"336000000{number:02}" for number in range(20)]


async def test_everything_finds_its_new_home(tmp_path: Path) -> None:
    for slot in (0, 1):
        journal = Journal(rehoming.spool_path(tmp_path, slot))
        for handset in [handset for handset in HANDSETS if home_of(handset, 2) == slot]:
            journal.put(WANTED, f"bot|{handset}", Wanted(1.0))
        if slot == 1:
            journal.put(ORDER, "bot", Order("r-1", HANDSETS, 1.0))
        await durable(journal)
        await journal.close()
    (tmp_path / rehoming.MARKER_FILE).write_text("2", encoding="ascii")
    for count, holder in ((3, 1), (1, 0)):
        rehoming.arrange(tmp_path, count)
        for slot in range(count):
            path = rehoming.spool_path(tmp_path, slot)
            assert set(table_of(path, "wanted")) == {f"bot|{h}" for h in HANDSETS if home_of(h, count) == slot}
            assert set(table_of(path, "bulk_order")) == ({"bot"} if slot == holder else set())
