"""Journal and spool against a dictionary: whatever is done in whatever order, with crashes between, they agree."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gatewayd.message import Encoding, Message
from gatewayd.policy.journey import Progress, Stage
from gatewayd.store import spool as spool_module
from gatewayd.store import writer
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import PROGRESS, SEEN
from gatewayd.store.records import Delivery, Seen, Sent
from gatewayd.store.spool import Spool
from tests.gatewayd.store.opening import copy_of, kill

NAMES = st.sampled_from([f"name {number}" for number in range(6)])
TIMES = st.integers(1, 50).map(float)
BOUNDED = settings(max_examples=40, stateful_step_count=30, deadline=None)


class Machine(RuleBasedStateMachine):
    """A journal on a loop of its own: nothing is committed but where a rule lets the loop run."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.copies = 0
        self.loop = asyncio.new_event_loop()
        self.path = self.folder / "a.spool"
        self.open()

    def open(self) -> None:
        self.journal = Journal(self.path, loop=self.loop, group_wait_s=0.0, fold_entries=12)

    def reopen(self) -> None:
        self.loop.run_until_complete(self.journal.close())
        self.open()

    def crash(self) -> None:
        self.copies += 1
        copy = copy_of(self.path, self.folder / f"copy {self.copies}")
        kill(self.journal)
        self.loop.close()
        self.loop = asyncio.new_event_loop()
        self.path = copy
        self.open()

    def teardown(self) -> None:
        self.loop.run_until_complete(self.journal.close())
        self.loop.close()
        shutil.rmtree(self.folder)


class JournalMachine(Machine):
    def __init__(self) -> None:
        super().__init__()
        self.model: dict[Any, float] = {}
        self.kept: dict[Any, float] = {}
        self.numbers = 0

    @rule(due=TIMES)
    def put_new(self, due: float) -> None:
        self.numbers += 1
        self.journal.put(PROGRESS, self.numbers, self.progress(self.numbers, due), new=True)
        self.model[self.numbers] = due

    @precondition(lambda self: self.numbers)
    @rule(data=st.data(), due=TIMES)
    def put_again(self, data: st.DataObject, due: float) -> None:
        number = data.draw(st.integers(1, self.numbers))
        self.journal.put(PROGRESS, number, self.progress(number, due))
        self.model[number] = due

    @precondition(lambda self: self.numbers)
    @rule(data=st.data())
    def delete_number(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, self.numbers))
        self.journal.delete(PROGRESS, number)
        self.model.pop(number, None)

    @rule(name=NAMES, due=TIMES)
    def put_name(self, name: str, due: float) -> None:
        self.journal.put(SEEN, name, Seen(due))
        self.model[name] = due

    @rule(name=NAMES)
    def delete_name(self, name: str) -> None:
        self.journal.delete(SEEN, name)
        self.model.pop(name, None)

    @rule()
    def flush(self) -> None:
        self.loop.run_until_complete(self.journal.flush())
        self.kept = dict(self.model)

    @rule()
    def fold(self) -> None:
        self.loop.run_until_complete(self.journal.fold())
        self.kept = dict(self.model)
        assert list(self.journal.due(SEEN, 25.0)) == sorted(
            ((key, due) for key, due in self.model.items() if type(key) is str and due < 25.0),
            key=lambda row: (row[1], row[0]),
        )

    @rule()
    def close_and_open(self) -> None:
        self.reopen()
        self.kept = dict(self.model)

    @rule()
    def crash_and_open(self) -> None:
        self.crash()
        self.model = dict(self.kept)

    @invariant()
    def agrees(self) -> None:
        journal, model = self.journal, self.model
        numbers = {key: due for key, due in model.items() if type(key) is int}
        names = {key: due for key, due in model.items() if type(key) is str}
        assert {key: value.due for key, value in journal.scan(PROGRESS)} == numbers
        assert {key: value.due for key, value in journal.scan(SEEN)} == names
        many = journal.get_many(PROGRESS, range(self.numbers + 2))
        assert {key: value.due for key, value in many.items()} == numbers
        assert [journal.get(PROGRESS, key) is not None for key in range(self.numbers + 2)] == [
            key in numbers for key in range(self.numbers + 2)
        ]

    @staticmethod
    def progress(number: int, due: float) -> Progress:
        return Progress(number, "shop", Stage.SENT, ("carrier",), due=due)


class SpoolMachine(Machine):
    """Live state, and that which a crash brings back: each is (progress by id, deliveries, names)."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0
        super().__init__()
        self.progress: dict[int, tuple[Stage, float]] = {}
        self.owed: set[int] = set()
        self.names: dict[str, int] = {}
        self.last_id = 0
        self.keep()

    def open(self) -> None:
        super().open()
        self.now += 1.0  # no process starts in no time, and ids live by that
        self.spool = Spool(self.journal, clock=lambda: self.now)

    def keep(self) -> None:
        self.kept = dict(self.progress), set(self.owed), dict(self.names)

    def new_id(self) -> int:
        number = self.spool.new_id()
        assert number > self.last_id, "an id is never given twice"
        self.last_id = number
        return number

    @initialize()
    def small(self) -> None:
        self.patched = pytest.MonkeyPatch()
        self.patched.setattr(spool_module, "HOT_MAX", 3)
        self.patched.setattr(writer, "FOLD_SLICE", 4)

    def teardown(self) -> None:
        super().teardown()
        self.patched.undo()

    @rule(after=st.sampled_from([0, 5, 100, 400]))
    def accept(self, after: int) -> None:
        number = self.new_id()
        due = self.now + after if after else 0.0
        message = Message(number, "shop", 5, 0, "SHOP", 1, 1, "33612345678", b"x", Encoding.GSM, self.now)
        self.spool.accept(message, Progress(number, "shop", Stage.QUEUED, ("carrier",), queue="carrier", due=due))
        self.progress[number] = (Stage.QUEUED, due)

    @precondition(lambda self: self.progress)
    @rule(
        data=st.data(), stage=st.sampled_from([Stage.SENDING, Stage.SENT, Stage.POSTPONED]), after=st.integers(0, 400)
    )
    def save(self, data: st.DataObject, stage: Stage, after: int) -> None:
        journey = self.spool.journey(data.draw(st.sampled_from(sorted(self.progress))))
        assert journey is not None
        progress = journey.progress
        progress.stage, progress.queue = stage, ""
        progress.due = self.now + after if after else 0.0
        self.spool.save(journey)
        self.progress[progress.id] = (stage, progress.due)

    @precondition(lambda self: self.progress)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        journey = self.spool.journey(data.draw(st.sampled_from(sorted(self.progress))))
        assert journey is not None
        self.spool.finish(journey)
        del self.progress[journey.message.id]

    @rule(name=NAMES)
    def name(self, name: str) -> None:
        if name not in self.names:  # a carrier gives an id once, until its message has ended
            self.names[name] = self.new_id()
            self.spool.name("carrier", name, self.names[name], 0, time.time())

    @rule(name=NAMES)
    def forget_name(self, name: str) -> None:
        if self.names.pop(name, None) is not None:
            self.spool.forget_name("carrier", name)

    @rule()
    def owe(self) -> None:
        number = self.new_id()
        self.spool.owe(Delivery(number, "shop", "mo", 1, 1, "33612345678", 1, 1, "36179", self.now, self.now + 1e6))
        self.owed.add(number)

    @precondition(lambda self: self.owed)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.owed)))
        self.spool.settle_delivery(number)
        self.owed.discard(number)

    @rule()
    def commit(self) -> None:
        self.loop.run_until_complete(self.journal.flush())
        self.keep()

    @rule(seconds=st.integers(1, 300))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        overdue = self.overdue()
        assert {journey.message.id for journey in self.spool.take_due()} <= overdue

    @rule()
    def look_at_the_clock(self) -> None:
        self.loop.run_until_complete(self.journal.fold())
        self.keep()
        self.spool.look_ahead()
        assert {journey.message.id for journey in self.spool.take_due()} == self.overdue()

    @rule()
    def close_and_open(self) -> None:
        self.reopen()
        self.keep()

    @rule()
    def crash_and_open(self) -> None:
        self.crash()
        progress, owed, names = self.kept
        self.progress, self.owed, self.names = dict(progress), set(owed), dict(names)
        # Ids that nobody was told of may be given again.
        self.last_id = 0

    def overdue(self) -> set[int]:
        return {number for number, (_, due) in self.progress.items() if 0 < due <= self.now}

    @invariant()
    def agrees(self) -> None:
        journeys = self.spool.journeys(sorted(self.progress))
        assert {j.message.id: (j.progress.stage, j.progress.due) for j in journeys} == self.progress
        assert {d.id for d in self.spool.deliveries(sorted(self.owed))} == self.owed
        found = {name: self.spool.named("carrier", name) for name in self.names}
        assert {name: sent.message_id for name, sent in found.items() if isinstance(sent, Sent)} == self.names

    @invariant()
    def a_fold_knows_all_that_waits(self) -> None:
        if self.journal.pending or self.journal._octets:
            return
        waiting = {number for number, (stage, _) in self.progress.items() if stage is Stage.QUEUED}
        assert {number for number, *_ in self.spool.waiting()} == waiting
        sending = {number for number, (stage, _) in self.progress.items() if stage is Stage.SENDING}
        assert {journey.message.id for journey in self.spool.interrupted()} == sending
        assert {number for number, _ in self.spool.owed()} == self.owed


TestJournal = JournalMachine.TestCase
TestJournal.settings = BOUNDED
TestSpool = SpoolMachine.TestCase
TestSpool.settings = BOUNDED
