"""The messages that have not met their fate: shown, held back, let go, taken back, routed anew.

What may become of one is policy.intervention's and flow's to say; here they are found and told, a few at a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from gatewayd.asking.asked import SLICE, Asked, AskFault, Row
from gatewayd.message import Message
from gatewayd.policy import intervention
from gatewayd.policy.journey import Progress, Stage
from gatewayd.senders.names import message_id_text
from gatewayd.store.kinds import MESSAGE, PROGRESS, Key
from gatewayd.store.spool import Journey
from gatewayd.store.walking import walk

WAITING: Final = frozenset({Stage.JOINING, Stage.QUEUED, Stage.POSTPONED, Stage.CHECKING, Stage.HELD, Stage.SCHEDULED})
PENDING_MAX: Final = 2_000
TIDY_MAX: Final = 200_000
"""A queue that is longer is not gone through: that would hold up the traffic for longer than people look."""

_decode = msgspec.json.Decoder(Progress).decode

# done, or why not
_CHANGED, _TOO_LATE, _UNDER_WAY = "changed", "too_late", "under_way"
Act = Callable[[Asked, Journey], str]


class _Wanted:
    """Which messages are meant."""

    def __init__(self, asked: Asked) -> None:
        self.link, self.account, self.traffic_class = asked.text("link"), asked.text("account"), asked.text("class")
        self.stage = asked.text("stage")
        self.everything = asked.flag("all")
        if self.stage and self.stage not in {str(stage) for stage in Stage}:
            raise AskFault(f"{self.stage} is no stage: {', '.join(Stage)}")
        self._stages = frozenset({Stage(self.stage)}) if self.stage else WAITING

    def takes(self, progress: Progress) -> bool:
        """Whether the progress says so; a part that travels in another message is never meant by itself."""
        return (
            (self.everything or progress.stage in self._stages)
            and progress.stage is not Stage.MEMBER
            and self.link in ("", progress.link)
            and self.account in ("", progress.account)
        )

    def takes_message(self, message: Message) -> bool:
        """Whether the message does too."""
        return self.traffic_class in ("", message.traffic_class)

    @property
    def is_named(self) -> bool:
        """Whether anything was named at all."""
        return bool(self.link or self.account or self.traffic_class or self.stage or self.everything)


async def listed(asked: Asked) -> dict[str, Any]:
    """Rows of messages, the oldest first."""
    worker, wanted = asked.worker, _Wanted(asked)
    one = _id_of(asked)
    if one is not None:
        found = _head(asked, one)
        rows = [_row(asked, found.message, found.progress)] if found is not None else []
        return {"rows": rows, "limit": asked.limit, "upto": None}

    def row_of(key: Key, text: bytes | str) -> Row | None:
        progress = _decode(text)
        if not wanted.takes(progress):
            return None
        # Not through the spool: what is only looked at must not take the place of what is under way.
        message = worker.journal.get(MESSAGE, key)
        return _row(asked, message, progress) if message is not None and wanted.takes_message(message) else None

    rows, upto = await asked.rows(walk(worker.journal, PROGRESS, asked.after), row_of)
    return {"rows": rows, "limit": asked.limit, "upto": upto}


def _row(asked: Asked, message: Message, progress: Progress) -> Row:
    now = asked.worker.desk.now()
    return {
        "key": message.id,
        "id": message_id_text(message.id),
        "account": message.account,
        "handset": asked.shown(message.destination),
        "class": message.traffic_class,
        "lane": progress.lane,
        "link": progress.link,
        "stage": str(progress.stage),
        "age_s": round(now - message.accepted_at, 1),
        "attempts": progress.attempts + sum(segment.attempts for segment in progress.segments),
        "due": progress.due,
        "is_cancelled": progress.is_cancelled,
        "worker": asked.worker.slot,
    }


async def hold(asked: Asked) -> dict[str, Any]:
    """Send none of them on until they are released."""
    return await _act(asked, _hold)


async def release(asked: Asked) -> dict[str, Any]:
    """Let held ones go."""
    return await _act(asked, _release)


async def cancel(asked: Asked) -> dict[str, Any]:
    """Take them back for good; their applications are told DELETED, if they asked for receipts."""
    return await _act(asked, _cancel)


async def requeue(asked: Asked) -> dict[str, Any]:
    """Route them anew, as if they came now: held and postponed ones too."""
    return await _act(asked, _requeue)


def _hold(asked: Asked, journey: Journey) -> str:
    if journey.progress.id in asked.worker.desk.flying:
        return _UNDER_WAY
    return _CHANGED if asked.worker.dispatcher.hold(journey) else _TOO_LATE


def _release(asked: Asked, journey: Journey) -> str:
    return _CHANGED if asked.worker.dispatcher.release(journey) else _TOO_LATE


def _cancel(asked: Asked, journey: Journey) -> str:
    desk = asked.worker.desk
    was_sending = journey.progress.stage is Stage.SENDING
    step = intervention.cancel(journey.progress, journey.message.expires_at, desk.now())
    if step is None:
        return _TOO_LATE
    desk.apply(journey, step, journey.progress.queue)
    return _UNDER_WAY if was_sending else _CHANGED


def _requeue(asked: Asked, journey: Journey) -> str:
    worker = asked.worker
    if journey.progress.id in worker.desk.flying:
        return _UNDER_WAY
    if journey.progress.stage not in (Stage.QUEUED, Stage.POSTPONED, Stage.HELD):
        return _TOO_LATE
    if journey.progress.begins_at:  # its way is found when its moment comes, and not before
        return _release(asked, journey)
    worker.dispatcher.replan(journey, journey.progress.queue)
    return _CHANGED


async def _act(asked: Asked, act: Act) -> dict[str, Any]:
    """Do it to each that is meant; durable when this returns. ``next`` is where to go on when the time was over."""
    wanted, one, counts = _Wanted(asked), _id_of(asked), dict.fromkeys((_CHANGED, _TOO_LATE, _UNDER_WAY), 0)
    upto = None
    left: dict[str, set[int]] = {}
    if one is not None:
        found = _head(asked, one)
        if found is not None:
            left = {found.progress.queue: {found.progress.id}}
            counts[act(asked, found)] += 1
    elif not wanted.is_named:
        raise AskFault("name a message, a link, an account or a class, or say that all are meant")
    else:
        async for key, journey in _meant(asked, wanted):
            if journey is not None:
                left.setdefault(journey.progress.queue, set()).add(journey.progress.id)
                counts[act(asked, journey)] += 1
            upto = key
        upto = upto if asked.is_out_of_time else None
    for link, ids in left.items():
        _tidy(asked, link, ids)
    await asked.worker.journal.durable()
    return {**counts, "cursor": {str(asked.worker.slot): upto} if upto is not None else {}}


def _tidy(asked: Asked, link: str, ids: set[int]) -> None:
    """Take out of a queue what left it: its place would be passed over in the end, but be counted until then."""
    worker = asked.worker
    queue = worker.desk.queues.get(link)
    if queue is None or len(queue) > TIDY_MAX:
        return
    gone = set()
    for message_id in ids:
        text = worker.journal.text_of(PROGRESS, message_id)
        if text is None or _decode(text).queue != link:
            gone.add(message_id)
    if gone:
        queue.discard(gone)


async def _meant(asked: Asked, wanted: _Wanted) -> AsyncIterator[tuple[Any, Journey | None]]:
    """Those that are meant, until they or the time are over; now and then None, for the place that was reached."""
    worker = asked.worker
    for count, (key, text) in enumerate(walk(worker.journal, PROGRESS, asked.after), 1):
        if wanted.takes(_decode(text)):
            journey = worker.desk.journey(int(key))
            if journey is not None and wanted.takes(journey.progress) and wanted.takes_message(journey.message):
                yield key, journey
        if count % SLICE == 0:
            yield key, None
            if asked.is_out_of_time:
                return
            if worker.journal.pending > PENDING_MAX:
                await worker.journal.durable()
            await asked.breathe()


def _id_of(asked: Asked) -> int | None:
    text = asked.text("id")
    if not text:
        return None
    try:
        return int(text, 16)
    except ValueError:
        raise AskFault(f"{text} is no message id: it is hexadecimal, as in submit_sm_resp") from None


def _head(asked: Asked, message_id: int) -> Journey | None:
    """A message, or the one in which it travels as a part."""
    journey = asked.worker.desk.journey(message_id)
    return asked.worker.desk.head_of(journey) if journey is not None else None
