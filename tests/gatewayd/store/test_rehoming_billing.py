"""With another number of workers, what is known for billing goes with its handset, and no record is left behind."""

from __future__ import annotations

from pathlib import Path

from gatewayd.policy.billing import Conversation, Pair, Record
from gatewayd.policy.homes import home_of
from gatewayd.store import rehoming
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import BILLING, CDR
from gatewayd.store.records import Cdr
from tests.gatewayd.store.opening import durable, table_of

HANDSETS = [f"336000000{number:02}" for number in range(20)]


def cdr(origin: int, sequence: int) -> Cdr:
    return Cdr(origin, sequence, "bot", HANDSETS[0], Record("single_message", 1, "orange_fr", "1"))


async def test_everything_finds_its_new_home(tmp_path: Path) -> None:
    for slot in (0, 1):
        journal = Journal(rehoming.spool_path(tmp_path, slot))
        for handset in [handset for handset in HANDSETS if home_of(handset, 2) == slot]:
            journal.put(BILLING, f"bot|{handset}", Pair("orange_fr", active=Conversation("conversation", 1, 2, "1")))
        for sequence in (1, 2):
            journal.put(CDR, cdr(slot, sequence).key, cdr(slot, sequence))
        await durable(journal)
        await journal.close()
    (tmp_path / rehoming.MARKER_FILE).write_text("2", encoding="ascii")
    for count in (1, 3):
        rehoming.arrange(tmp_path, count)
        for slot in range(count):
            path = rehoming.spool_path(tmp_path, slot)
            at_home = {f"bot|{handset}" for handset in HANDSETS if home_of(handset, count) == slot}
            origins = (0, 1) if count == 1 else (slot,) if slot < 2 else ()
            assert set(table_of(path, "billing")) == at_home
            assert set(table_of(path, "cdr")) == {
                cdr(origin, sequence).key for origin in origins for sequence in (1, 2)
            }
