"""What an operator will charge: conversations and single messages between one agent and one user, from what happened.

Pure: events go in in any order, records come out once they are final. Knows no link, no file and no price. Moments are
whole milliseconds since 1970, so that a limit of 24 hours is exact.

Events are folded in the order of their own time, never in the order of their arrival: what is younger than the settling
delay of the rules waits among ``Pair.events``. So every order of arrival within that delay gives the same records, and
so does a replay. An event that comes later still is taken at its own time, as far as what is settled allows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from gatewayd.policy.billing_rules import RuleBook, RuleSet

MESSAGE_IDS_MAX: Final = 1_000
"""A conversation names so many of its messages; those beyond it are only counted."""

KEEP_MS: Final = 24 * 3_600_000
"""How long a conversation that was reported is remembered, for what comes later than the settling delay."""

AWAIT_MS: Final = 15 * 24 * 3_600_000
"""How long a message that was sent may still be delivered."""

BASIC_OCTETS_MAX: Final = 160
"""A basic message is a text of at most so many octets of UTF-8, and nothing else."""


class Event(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A message to the handset (``mt``) or from it (``mo``), at the platform's time."""

    at_ms: int
    kind: Literal["mt", "mo"]
    id: str
    account: str = ""
    link: str = ""
    is_basic: bool = False
    segments: int = 1


class Conversation(msgspec.Struct, gc=False, omit_defaults=True):
    """A conversation: open while ``start_ms <= t < end_ms``, reported once when it is over."""

    name: str
    start_ms: int
    end_ms: int
    version: str
    account: str = ""
    link: str = ""
    is_reported: bool = False
    message_ids: list[str] = []
    mt_count: int = 0
    mo_count: int = 0
    segments: int = 0


class Pair(msgspec.Struct, gc=False, omit_defaults=True):
    """All that is known of one agent and one user. ``due`` is when to look again, Unix seconds, 0 for never.

    ``active``, ``unanswered`` (messages to the handset) and ``waiting`` (the last text from it) are settled up to
    ``settled_ms``; ``events`` is not. ``awaited`` are messages that were sent and count when they are delivered.
    ``open_as`` is the conversation that is open by all that is known so far (``start|end|link``), empty for none.
    """

    rules: str
    due: float = 0.0
    open_as: str = ""
    settled_ms: int = 0
    active: Conversation | None = None
    unanswered: list[Event] = []
    waiting: Event | None = None
    events: list[Event] = []
    awaited: dict[str, Event] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to remember."""
        return not (self.active or self.unanswered or self.waiting or self.events or self.awaited)


class Record(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One billable fact, final. ``end_ms`` is 0 for a message alone; ``name`` is the class in the rule set's words."""

    name: str
    start_ms: int
    rules: str
    version: str
    end_ms: int = 0
    account: str = ""
    link: str = ""
    is_free: bool = False
    message_ids: tuple[str, ...] = ()
    mt_count: int = 0
    mo_count: int = 0
    segments: int = 0
    credits: float = 0.0

    @property
    def is_conversation(self) -> bool:
        """Whether it is more than a message alone."""
        return self.end_ms > self.start_ms


def is_basic(text: str, *, is_plain: bool = True) -> bool:
    """Whether a message is of the basic class; ``is_plain``: it has no media and no suggestions."""
    return is_plain and len(text.encode()) <= BASIC_OCTETS_MAX


# -- what happened ----------------------------------------------------------------------------------------------------


def note(pair: Pair, event: Event) -> bool:
    """Take an event; one that is known already changes nothing but, if it is earlier, its time."""
    for place, known in enumerate(pair.events):
        if (known.kind, known.id) == (event.kind, event.id):
            if known.at_ms <= event.at_ms:
                return False
            del pair.events[place]
            break
    else:
        if event.id in _settled_ids(pair, event.kind):
            return False
    pair.events.append(event)
    pair.events.sort(key=_order)
    pair.awaited.pop(event.id, None)
    return True


def expect(pair: Pair, event: Event) -> None:
    """A message was sent that counts when it is delivered."""
    pair.awaited[event.id] = event


def delivered(pair: Pair, message_id: str, at_ms: int) -> bool:
    """It was; False when nothing was known of it."""
    sent = pair.awaited.pop(message_id, None)
    return sent is not None and note(pair, msgspec.structs.replace(sent, at_ms=max(at_ms, 0)))


def _order(event: Event) -> tuple[int, bool, str]:
    """By time. At the same time the handset was first: a bot answers at once, and platforms have coarse clocks."""
    return event.at_ms, event.kind == "mt", event.id


def _settled_ids(pair: Pair, kind: str) -> set[str]:
    if kind == "mo":
        return {pair.waiting.id} if pair.waiting else set()
    ids = {event.id for event in pair.unanswered}
    return ids.union(pair.active.message_ids) if pair.active else ids


# -- what follows -----------------------------------------------------------------------------------------------------


def settle(pair: Pair, book: RuleBook, now_ms: int) -> list[Record]:
    """Fold what is old enough, and return the records that became final by it."""
    horizon_ms = now_ms - book.at(now_ms).settle_ms
    records = _fold(pair, book, horizon_ms)
    pair.awaited = {key: sent for key, sent in pair.awaited.items() if sent.at_ms + AWAIT_MS > now_ms}
    if pair.active is not None and pair.active.is_reported and pair.active.end_ms + KEEP_MS < horizon_ms:
        pair.active = None
    ahead, has_records = _look_ahead(pair, book) if pair.events else (pair, False)
    active = ahead.active
    is_open = active is not None and not active.is_reported
    pair.open_as = f"{active.start_ms}|{active.end_ms}|{active.link}" if active is not None and is_open else ""
    pair.due = _next_due(pair, ahead, has_records, book, now_ms) / 1000
    return records


def finish(pair: Pair, book: RuleBook) -> list[Record]:
    """Fold everything, as if long enough a time had gone by: the end of a replay."""
    last_ms = max([pair.settled_ms, *(event.at_ms for event in pair.events)])
    longest_ms = max(
        max(rules.reply_window_ms, rules.mo_reply_window_ms, rules.session_ms, rules.mo_session_ms)
        for rules in book.versions
    )
    return _fold(pair, book, last_ms + 2 * longest_ms)


def replay(book: RuleBook, events: Iterable[Event]) -> list[Record]:
    """The records of all that ever happened between an agent and a user, in whatever order it is told."""
    known: dict[tuple[str, str], Event] = {}
    for event in sorted(events, key=_order):
        known.setdefault((event.kind, event.id), event)
    return finish(Pair(book.name, events=list(known.values())), book)


def opened(open_as: str) -> tuple[int, int, str]:
    """(start, end, link) of ``Pair.open_as``."""
    start_ms, end_ms, link = open_as.split("|", 2)
    return int(start_ms), int(end_ms), link


def _fold(pair: Pair, book: RuleBook, horizon_ms: int) -> list[Record]:
    records: list[Record] = []
    folding = [event for event in pair.events if event.at_ms < horizon_ms]
    if folding:
        pair.events = pair.events[len(folding) :]
    for event in folding:
        _expire(pair, book, event.at_ms, records)
        if event.kind == "mt":
            _fold_mt(pair, book, event, records)
        else:
            _fold_mo(pair, book, event, records)
    pair.settled_ms = max(pair.settled_ms, horizon_ms)
    _expire(pair, book, pair.settled_ms, records)
    return records


def _expire(pair: Pair, book: RuleBook, at_ms: int, records: list[Record]) -> None:
    """Whatever waited for something that had to come before this moment has waited in vain."""
    if pair.unanswered and _is_over(book, pair.unanswered[0], at_ms):
        late = [event for event in pair.unanswered if _is_over(book, event, at_ms)]
        pair.unanswered = pair.unanswered[len(late) :]
        records += [_alone(book, event) for event in late]
    if pair.waiting is not None and _is_over(book, pair.waiting, at_ms):
        _forgo(pair, book, records)
    active = pair.active
    if active is not None and not active.is_reported and active.end_ms < at_ms:
        active.is_reported = True
        records += _reported(book, active)


def _fold_mt(pair: Pair, book: RuleBook, event: Event, records: list[Record]) -> None:
    rules, waiting = book.at(event.at_ms), pair.waiting
    if pair.active is not None and rules.holds(pair.active.start_ms, pair.active.end_ms, event.at_ms):
        _include(pair.active, event)
    elif rules.starts_on == "first_message":
        _open(pair, book, rules, rules.classes.mt_first, event.at_ms, rules.session_ms, [event], records)
    elif waiting is not None and waiting.at_ms <= event.at_ms:
        records += [_alone(book, unanswered) for unanswered in pair.unanswered]
        start_ms = event.at_ms if rules.mo_anchor == "first_mt" else waiting.at_ms
        _open(pair, book, rules, rules.classes.mo_first, start_ms, rules.mo_session_ms, [waiting, event], records)
    elif rules.absorb == "all" or not pair.unanswered:
        pair.unanswered = sorted([*pair.unanswered, event], key=_order)
    else:
        *_, last = sorted([*pair.unanswered, event], key=_order)
        records += [_alone(book, other) for other in [*pair.unanswered, event] if other is not last]
        pair.unanswered = [last]


def _fold_mo(pair: Pair, book: RuleBook, event: Event, records: list[Record]) -> None:
    rules, active = book.at(event.at_ms), pair.active
    if active is not None and rules.holds(min(active.start_ms, event.at_ms), active.end_ms, event.at_ms):
        active.mo_count += 1  # also what comes too late, and was written before
        return
    if rules.starts_on == "first_message":
        _open(pair, book, rules, rules.classes.mo_first, event.at_ms, rules.session_ms, [event], records)
        return
    answered = [unanswered for unanswered in pair.unanswered if unanswered.at_ms <= event.at_ms]
    if answered:
        records += [_alone(book, unanswered) for unanswered in pair.unanswered if unanswered not in answered]
        _open(pair, book, rules, rules.classes.mt_first, event.at_ms, rules.session_ms, [*answered, event], records)
    elif pair.waiting is None:
        pair.waiting = event
    elif pair.waiting.at_ms <= event.at_ms:
        _forgo(pair, book, records)
        pair.waiting = event


def _open(
    pair: Pair,
    book: RuleBook,
    rules: RuleSet,
    name: str,
    start_ms: int,
    length_ms: int,
    events: list[Event],
    records: list[Record],
) -> None:
    """A conversation begins; one that is over by then is reported first."""
    if pair.active is not None and not pair.active.is_reported:
        records += _reported(book, pair.active)
    first = next((event for event in events if event.kind == "mt"), events[0])
    pair.active = Conversation(
        name, start_ms, start_ms + length_ms, rules.version, account=first.account, link=first.link
    )
    for event in events:
        _include(pair.active, event)
    pair.unanswered, pair.waiting = [], None


def _include(active: Conversation, event: Event) -> None:
    if event.kind == "mo":
        active.mo_count += 1
        return
    if not active.mt_count:  # whoever answers first pays for what the handset began
        active.account, active.link = event.account, event.link
    active.mt_count += 1
    active.segments += event.segments
    if len(active.message_ids) < MESSAGE_IDS_MAX:
        active.message_ids.append(event.id)


def _forgo(pair: Pair, book: RuleBook, records: list[Record]) -> None:
    """Nobody answered the handset."""
    assert pair.waiting is not None
    if book.at(pair.waiting.at_ms).mo_alone == "charged":
        records.append(_alone(book, pair.waiting))
    pair.waiting = None


# -- records ----------------------------------------------------------------------------------------------------------


def _alone(book: RuleBook, event: Event) -> Record:
    """A message that became no part of a conversation."""
    rules = book.at(event.at_ms)
    classes = rules.classes
    names = (classes.single, classes.basic) if event.kind == "mt" else (classes.mo_single, classes.mo_basic)
    name = names[rules.basic_class and event.is_basic]
    is_mt = event.kind == "mt"
    return Record(
        name,
        event.at_ms,
        book.name,
        rules.version,
        account=event.account,
        link=event.link,
        is_free=name in rules.free,
        message_ids=(event.id,),
        mt_count=int(is_mt),
        mo_count=int(not is_mt),
        segments=event.segments * is_mt,
        credits=rules.credits_per_segment * event.segments * is_mt,
    )


def _reported(book: RuleBook, active: Conversation) -> list[Record]:
    rules = next((version for version in book.versions if version.version == active.version), book.at(active.start_ms))
    if not active.mt_count and rules.mo_alone == "free":
        return []
    return [
        Record(
            active.name,
            active.start_ms,
            book.name,
            active.version,
            end_ms=active.end_ms,
            account=active.account,
            link=active.link,
            is_free=active.name in rules.free,
            message_ids=tuple(active.message_ids),
            mt_count=active.mt_count,
            mo_count=active.mo_count,
            segments=active.segments,
            credits=rules.credits_per_segment * active.segments,
        )
    ]


# -- time -------------------------------------------------------------------------------------------------------------


def _limit_ms(book: RuleBook, event: Event) -> int:
    """Until when an event can be answered."""
    rules = book.at(event.at_ms)
    return event.at_ms + (rules.reply_window_ms if event.kind == "mt" else rules.mo_reply_window_ms)


def _is_over(book: RuleBook, event: Event, at_ms: int) -> bool:
    return book.at(event.at_ms).is_over(_limit_ms(book, event), at_ms)


def _copy(pair: Pair) -> Pair:
    active = pair.active
    if active is not None:
        active = msgspec.structs.replace(active, message_ids=list(active.message_ids))
    return msgspec.structs.replace(pair, active=active)


def _look_ahead(pair: Pair, book: RuleBook) -> tuple[Pair, bool]:
    """What would be, if nothing came any more; and whether that makes a record before any waiting is over."""
    ahead = _copy(pair)
    records = _fold(ahead, book, pair.events[-1].at_ms + 1)
    return ahead, bool(records)


def _next_due(pair: Pair, ahead: Pair, has_records: bool, book: RuleBook, now_ms: int) -> int:
    """When something becomes final, or may be forgotten; 0 for never. ``ahead`` as ``_look_ahead`` says."""
    moments = [pair.events[0].at_ms] if has_records else []
    moments += [_limit_ms(book, event) for event in ahead.unanswered]
    if ahead.waiting is not None:
        moments.append(_limit_ms(book, ahead.waiting))
    if ahead.active is not None:
        moments.append(ahead.active.end_ms + (KEEP_MS if ahead.active.is_reported else 0))
    delay_ms = book.at(now_ms).settle_ms + 1
    dues = [moment_ms + delay_ms for moment_ms in moments]
    dues += [sent.at_ms + AWAIT_MS for sent in pair.awaited.values()]
    return min(dues, default=0)
