"""The messages of this worker: accepted, moved on, finished, and what is owed to the applications.

Everything here is one keyed change in the journal; what is asked of it is asked by flow and senders. Knows no link and
no connection. Keeps a bounded number of messages in memory: the rest is read back when its turn comes.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from gatewayd.message import Message
from gatewayd.policy.homes import STEP_BITS, STEP_MASK, TIME_SHIFT, id_of, sequence_after, sequence_at
from gatewayd.policy.journey import Progress
from gatewayd.policy.short_ids import first_of_block
from gatewayd.store.implied import NAME_TTL_S
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import DEAD_LETTER, DELIVERY, INTERRUPTED, MESSAGE, PROGRESS, RESULT, SENT, SESSION, Key, Kind
from gatewayd.store.records import Delivery, Result, Sent, Session
from gatewayd.store.repeats import Repeats

HOT_MAX = 10_000
# What comes due within the horizon is remembered when it is saved. What comes later is in the tables well before the
# look-ahead reaches it: a fold follows a change by little more than its interval.
HORIZON_S = 180.0
LOOK_AHEAD_S = 60.0
DUE_LIMIT = 2_000
LOOK_LIMIT = 20_000

_decode_sent = msgspec.json.Decoder(Sent).decode


class Journey(msgspec.Struct, eq=False, gc=False):
    """A message and how far it is."""

    message: Message
    progress: Progress


class Spool:
    """The durable queue."""

    def __init__(
        self, journal: Journal, *, slot: int = 0, workers: int = 1, clock: Callable[[], float] = time.time
    ) -> None:
        """``slot`` is the worker's: it makes ids unique over all ``workers``, who also share the bound on memory."""
        self.journal = journal
        self._slot = slot
        self._workers = workers
        self._clock = clock
        self.repeats = Repeats(journal, clock)
        self._hot: dict[int, Journey] = {}
        # Ids rise with time, so they stay unique over restarts that forget what is finished, and sort by age.
        highest = journal.highest_key((MESSAGE, DELIVERY, DEAD_LETTER))
        self._sequence = max(sequence_at(clock()), sequence_after(highest))
        self._due_heap: list[tuple[float, int]] = []
        self._horizon = clock() + HORIZON_S  # as of the last look at what is due: a save need not ask the clock
        self._scheduled: dict[int, float] = {}
        self._swept: Key = ""

    def new_id(self) -> int:
        """The next id for a message or a delivery."""
        self._sequence = sequence = self._sequence + 1
        # As policy.homes.id_of says; two for each message.
        return sequence >> STEP_BITS << TIME_SHIFT | self._slot << STEP_BITS | sequence & STEP_MASK

    def new_block_id(self) -> int:
        """The next id that has a short name (policy.short_ids)."""
        self._sequence = first_of_block(max(self._sequence + 1, self.sequence_now()))
        return id_of(self._sequence, self._slot)

    def sequence_now(self) -> int:
        """About where the ids of this moment are, in every worker that made one with a short name."""
        return sequence_at(self._clock())

    def note(self, about: int, word: str, **facts: str | float) -> None:
        """Tell those who ask later what no record says, of a message or a delivery by its id; of a link under 0."""
        self.journal.note(about, {"word": word, **facts})

    # -- messages -----------------------------------------------------------------------------------------------

    def accept(self, message: Message, progress: Progress) -> Journey:
        """A new message; durable when the caller's ``journal.then`` is called."""
        self.journal.put(MESSAGE, message.id, message, new=True)
        self.journal.put(PROGRESS, progress.id, progress, new=True)
        journey = Journey(message, progress)
        if len(self._hot) < HOT_MAX // self._workers:
            self._hot[message.id] = journey
        if 0 < progress.due < self._horizon:
            self._schedule(progress)
        return journey

    def save(self, journey: Journey) -> None:
        """Its progress changed."""
        if journey.progress.id in self._hot:
            self._hot[journey.progress.id] = journey  # this one is the truth, should another have been read back
        self.journal.put(PROGRESS, journey.progress.id, journey.progress)
        if 0 < journey.progress.due < self._horizon:
            self._schedule(journey.progress)

    def replace(self, journey: Journey) -> None:
        """Its message changed, and its progress."""
        self.journal.put(MESSAGE, journey.message.id, journey.message)
        self.save(journey)

    def cool(self, message_id: int) -> None:
        """It only waits for a receipt now: where memory is short, others need it more."""
        if len(self._hot) > HOT_MAX // 2:
            self._hot.pop(message_id, None)

    def finish(self, journey: Journey) -> None:
        """It has its final fate: forget it and every name that carriers gave it."""
        progress = journey.progress
        self.journal.delete(PROGRESS, progress.id)
        self.journal.imply_gone(MESSAGE, progress.id)
        self._hot.pop(progress.id, None)
        self._scheduled.pop(progress.id, None)

    def keep_result(self, message_id: int, result: Result) -> None:
        """How it ended, until the result's ``due``."""
        self.journal.put(RESULT, message_id, result, new=True)

    def result(self, message_id: int) -> Result | None:
        """How a finished message ended, where that is kept."""
        found: Result | None = self.journal.get(RESULT, message_id)
        return found if found is not None and found.due > self._clock() else None

    def journey(self, message_id: int) -> Journey | None:
        """The message by its id, from memory or from disk; None when it is finished or never was."""
        journey = self._hot.get(message_id)
        if journey is not None:
            return journey
        progress = self.journal.get(PROGRESS, message_id)
        message = self.journal.get(MESSAGE, message_id) if progress is not None else None
        return self._warm(Journey(message, progress)) if message is not None else None

    def journeys(self, message_ids: Sequence[int]) -> list[Journey]:
        """Several at once, in the order asked for; finished ones are left out."""
        missing = [message_id for message_id in message_ids if message_id not in self._hot]
        if not missing:
            return [self._hot[message_id] for message_id in message_ids]
        progresses = self.journal.get_many(PROGRESS, missing)
        messages = self.journal.get_many(MESSAGE, missing)
        found = {key: Journey(messages[key], progresses[key]) for key in progresses if key in messages}
        for journey in found.values():
            self._warm(journey)
        journeys = (self._hot.get(message_id) or found.get(message_id) for message_id in message_ids)
        return [journey for journey in journeys if journey is not None]

    def _warm(self, journey: Journey) -> Journey:
        if len(self._hot) < HOT_MAX // self._workers:
            self._hot[journey.progress.id] = journey
        return journey

    # -- what a carrier calls it --------------------------------------------------------------------------------

    def name(
        self, link: str, carrier_id: str, message_id: int, segment: int, now: float, *, is_told: bool = False
    ) -> None:
        """From ``now`` on this carrier's id leads to this segment.

        ``is_told``: the message's progress tells it as well, and is about to be saved, or is over.
        """
        # As if it were new, although a carrier may use an id again after a wrap: a name that outlived its message says
        # nothing, is counted when a receipt comes by it, and goes when its time is over.
        key, sent = f"{link}|{carrier_id}", Sent(message_id, segment, due=now + NAME_TTL_S)
        if is_told:
            self.journal.imply(SENT, key, sent)
        else:
            self.journal.put(SENT, key, sent, new=True)

    def named(self, link: str, carrier_id: str) -> Sent | None:
        """Whose segment a carrier's id names."""
        found: Sent | None = self.journal.get(SENT, f"{link}|{carrier_id}")
        return found

    def forget_name(self, link: str, carrier_id: str) -> None:
        """The id has no more to say: the message that had it is about to end."""
        self.journal.imply_gone(SENT, f"{link}|{carrier_id}")

    # -- sessions -----------------------------------------------------------------------------------------------

    def session(self, sender: str, handset: str) -> Session | None:
        """The conversation between a sender and a handset, if it is still open."""
        found: Session | None = self.journal.get(SESSION, f"{sender}|{handset}")
        return found if found is not None and found.due > self._clock() else None

    def save_session(self, sender: str, handset: str, session: Session) -> None:
        """Open or touch a conversation; ``sender`` is the address or bot that the handset sees."""
        self.journal.put(SESSION, f"{sender}|{handset}", session)

    # -- deliveries ---------------------------------------------------------------------------------------------

    def owe(self, delivery: Delivery) -> None:
        """Something for a sink of an account; it stays until ``settle_delivery``."""
        self.journal.put(DELIVERY, delivery.id, delivery, new=True)

    def save_delivery(self, delivery: Delivery) -> None:
        """It was tried."""
        self.journal.put(DELIVERY, delivery.id, delivery)

    def settle_delivery(self, delivery_id: int) -> None:
        """Its sink has it, or its time is over."""
        self.journal.delete(DELIVERY, delivery_id)

    def deliveries(self, ids: Sequence[int]) -> list[Delivery]:
        """Deliveries by id, in order; settled ones are left out."""
        return self._in_order(DELIVERY, ids)

    def bury(self, dead: Delivery) -> None:
        """Nobody will take it: it is a dead letter from now on, until its new ``due``."""
        self.journal.delete(DELIVERY, dead.id)
        self.journal.put(DEAD_LETTER, dead.id, dead)

    def revive(self, delivery: Delivery) -> None:
        """A dead letter is owed again."""
        self.journal.delete(DEAD_LETTER, delivery.id)
        self.journal.put(DELIVERY, delivery.id, delivery)

    def forget_dead(self, delivery_id: int) -> None:
        """A dead letter was kept for long enough."""
        self.journal.delete(DEAD_LETTER, delivery_id)

    def dead_letters(self, ids: Sequence[int]) -> list[Delivery]:
        """Dead letters by id, in order; those that are gone are left out."""
        return self._in_order(DEAD_LETTER, ids)

    def _in_order(self, kind: Kind, ids: Sequence[int]) -> list[Delivery]:
        found: dict[int, Delivery] = self.journal.get_many(kind, ids)
        return [found[key] for key in ids if key in found]

    # -- the clock ----------------------------------------------------------------------------------------------

    def _schedule(self, progress: Progress) -> None:
        """Remember what is due soon; what is due later is found in the tables when its time comes near."""
        due = progress.due
        if self._scheduled.get(progress.id) != due:
            self._scheduled[progress.id] = due
            heapq.heappush(self._due_heap, (due, progress.id))

    def next_due(self) -> float | None:
        """When ``take_due`` will next have something that is already known (Unix seconds)."""
        return self._due_heap[0][0] if self._due_heap else None

    def take_due(self) -> list[Journey]:
        """Messages whose moment has come. Each is told once for each ``due`` that it set."""
        now = self._clock()
        self._horizon = now + HORIZON_S
        ids: list[int] = []
        while self._due_heap and self._due_heap[0][0] <= now and len(ids) < DUE_LIMIT:
            due, message_id = heapq.heappop(self._due_heap)
            if self._scheduled.get(message_id) == due:
                del self._scheduled[message_id]
                ids.append(message_id)
        return [journey for journey in self.journeys(ids) if 0 < journey.progress.due <= now]

    def look_ahead(self) -> None:
        """Remember what comes due soon and is only in the tables; to be called well more often than that."""
        self.journal.tick()
        due_soon = self.journal.due(PROGRESS, self._clock() + LOOK_AHEAD_S)
        unknown = ((due, key) for key, due in due_soon if self._scheduled.get(key) != due)
        for due, key in itertools.islice(unknown, LOOK_LIMIT):
            self._scheduled[key] = due
            heapq.heappush(self._due_heap, (due, key))

    def purge(self, kinds: Iterable[Any], limit: int = DUE_LIMIT) -> dict[str, int]:
        """Drop records of these kinds whose time is over, of names those that ended with their messages; how many."""
        now, gone = self._clock(), {}
        for kind in kinds:
            keys = [key for key, _ in itertools.islice(self.journal.due(kind, now), limit)]
            for key in keys:
                self.journal.delete(kind, key)
            gone[kind.name] = len(keys)
        return gone

    def sweep_names(self, limit: int = DUE_LIMIT) -> int:
        """Look at so many names in the tables, the next ones each time, and drop those whose time is over; how many.

        Those that ended with their messages are found by ``purge``, without a look at the others.
        """
        rows, now = self.journal.rows_after(SENT, self._swept, limit), self._clock()
        self._swept = rows[-1][0] if len(rows) == limit else ""
        texts = ((key, self.journal.text_of(SENT, key, cold)) for key, cold in rows)
        over = [key for key, text in texts if text is not None and 0 < _decode_sent(text).due <= now]
        for key in over:
            self.journal.delete(SENT, key)
        return len(over)

    # -- start --------------------------------------------------------------------------------------------------

    def waiting(self) -> Iterator[tuple[int, str, int, str]]:
        """(id, link, lane, account) of every message that waits in a queue, oldest first. Right after a fold."""
        for key, queue in self.journal.column(PROGRESS, "queue"):
            if queue != INTERRUPTED:
                link, lane, account = queue.split("|", 2)
                yield key, link, int(lane), account

    def set_aside(self, stages: Iterable[str]) -> dict[str, int]:
        """How many messages are at each of these stages, which no queue holds. Right after a fold."""
        return {stage: self.journal.count(PROGRESS, "queue", f'"stage":"{stage}"') for stage in stages}

    def interrupted(self) -> list[Journey]:
        """Messages to which an answer was owed when the process ended. Right after a fold."""
        self._horizon = self._clock() + HORIZON_S  # a start may have taken a while
        keys = [key for key, queue in self.journal.column(PROGRESS, "queue") if queue == INTERRUPTED]
        return self.journeys(keys)

    def owed(self, sink: str = "") -> Iterator[tuple[int, str]]:
        """(id, account) of every delivery to a sink, SMPP's unless said, oldest first. Right after a fold."""
        return self._boxed(DELIVERY, sink)

    def dead(self, sink: str) -> Iterator[tuple[int, str]]:
        """(id, account) of a sink's dead letters, oldest first. Right after a fold."""
        return self._boxed(DEAD_LETTER, sink)

    def _boxed(self, kind: Kind, sink: str) -> Iterator[tuple[int, str]]:
        for key, box in self.journal.column(kind, "account"):
            account, _, of_sink = box.partition("\t")
            if of_sink == sink:
                yield key, account
