"""The timeline of one message: what its records became from commit to commit, as events in words.

Pure: changes in, events out. Knows the fields of the records as they are stored, and no file, clock or terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

Facts = dict[str, Any]

HANDSETS: Final = frozenset({"handset", "source", "destination"})
"""Facts that are numbers, or may be."""

_RECEIPTS: Final = {0: "none", 1: "final", 2: "on failure", 3: "on success"}
_FINISHED: Final = ("", "ENROUTE", "ACCEPTD")
_OWN_CLOCK_S: Final = 1.0
"""An end at a moment so near to its commit is told by our clock: that it was the carrier's, too, tells nothing."""
# Within a commit, causes before what came of them; records of other kinds come last.
_ORDER: Final = {kind: place for place, kind in enumerate(("note", "message", "progress", "session", "delivery"))}
_AFTER: Final = frozenset({"revoke_asked", "guard_waits", "ended"})


class Change(msgspec.Struct, frozen=True):
    """One record or note as a group left it; ``value`` is None where the record was deleted."""

    at: float
    kind: str
    key: int | str
    value: Any


class Event(msgspec.Struct):
    """Something that happened to a message. ``facts`` that name a handset are whole; whoever shows them masks them."""

    at: float
    word: str
    facts: Facts


class Story(msgspec.Struct):
    """All that is known of one message; ``state`` is its final one, empty as long as it has none.

    ``queued`` are (link, from, to) of its waits in queues; ``to`` is None while it waits there. ``text`` is what it
    says, for those who may see that.
    """

    id: int
    events: list[Event] = []
    message: Facts = {}
    progress: Facts = {}
    state: str = ""
    error: str = ""
    ended_at: float = 0.0
    queued: list[tuple[str, float, float | None]] = []
    deliveries: set[int] = set()
    text: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether anything at all was found of it."""
        return bool(self.message or self.progress or self.events)

    @property
    def is_inbound(self) -> bool:
        """Whether it came from a handset."""
        return bool(self.events) and self.events[0].word == "received"

    @property
    def stage(self) -> str:
        """Where it is on its way, as far as it has no end."""
        return "" if self.state else str(self.progress.get("stage", ""))

    @property
    def link(self) -> str:
        """The last link whose turn it was."""
        links = self.progress.get("links") or [""]
        return str(links[min(self.progress.get("position", 0), len(links) - 1)])


def story_of(message_id: int, changes: Iterable[Change]) -> Story:
    """The story of a message, or of a delivery that came from a handset, from all changes in their order."""
    telling = _Telling(message_id)
    for group in _by_group(changes):
        telling.take(group)
    return telling.story


def _by_group(changes: Iterable[Change]) -> Iterator[list[Change]]:
    group: list[Change] = []
    for change in changes:
        if group and group[0].at != change.at:
            yield group
            group = []
        group.append(change)
    if group:
        yield group


class _Telling:
    """One story in the making."""

    def __init__(self, message_id: int) -> None:
        self.story = Story(message_id)
        self._at = 0.0
        self._routed = False
        self._session = ""
        self._billed: set[str] = set()
        self._owed: dict[int, Facts] = {}

    def take(self, group: list[Change]) -> None:
        """What one commit changed."""
        self._at = group[0].at
        ended_as = {c.key: c.value["outcome"] for c in group if c.kind == "note" and "outcome" in c.value}
        is_over = False
        for change in sorted(group, key=lambda change: _ORDER.get(change.kind, len(_ORDER))):
            match change.kind, change.value:
                case "note", dict(value) if value["word"] not in _AFTER:
                    self._note(change.key, value)
                case "message", dict(value) if change.key == self.story.id:
                    self._accepted(value)
                case "progress", dict(value) if change.key == self.story.id:
                    self._progress(value)
                case "progress", None if change.key == self.story.id:
                    is_over = True
                case "delivery", dict(value) if self._is_mine(value):
                    self._delivery(int(change.key), value)
                case "delivery", None if change.key in self._owed:
                    self._settled(int(change.key), ended_as, group)
                case "session", dict(value) if value.get("message_id") == self.story.id:
                    self._session_of(value)
                case "cdr", dict(value):
                    self._billing(str(change.key), value)
        for change in group:
            if change.kind == "note" and change.value["word"] in _AFTER:
                self._note(change.key, change.value)
        if is_over:
            self._over()

    def _is_mine(self, delivery: Facts) -> bool:
        return self.story.id in (delivery.get("message_id"), delivery.get("id"))

    def _say(self, word: str, at: float = 0.0, **facts: Any) -> None:
        known = {key: value for key, value in facts.items() if value not in (None, "", [], ())}
        self.story.events.append(Event(at or self._at, word, known))

    # -- the message ----------------------------------------------------------------------------------------------

    def _accepted(self, message: Facts) -> None:
        if self.story.message:
            return
        self.story.message = message
        concat = message.get("concat")
        self._say(
            "accepted",
            at=message["accepted_at"],
            account=message["account"],
            source=message["source"],
            handset=message["destination"],
            part=f"{concat[2]} of {concat[1]}" if concat else "",
            traffic_class=message.get("traffic_class"),
            priority=message.get("priority") or None,
            expires_at=message.get("expires_at") or None,
            receipt=_RECEIPTS[message.get("registered_delivery", 0) & 3],
        )
        self._say("stored")

    def _over(self) -> None:
        story = self.story
        story.ended_at = self._at
        self._leave_queue()
        if not story.state:
            story.state = "unknown end"
        if not any(event.word == "ended" for event in story.events):
            self._say("ended", state=story.state, error=story.error)

    # -- progress -------------------------------------------------------------------------------------------------

    def _progress(self, new: Facts) -> None:
        old, self.story.progress = self.story.progress, new
        if not self._routed:
            self._routed = True
            self._say("routed", links=new["links"], reason=new.get("reason"), on_unknown=new.get("on_unknown"))
        self._moved(old, new)
        self._staged(old, new)
        self._taken(old, new)
        self._segments(old.get("segments", []), new.get("segments", []), self.story.link)
        if (end := new.get("end")) and not old.get("end"):
            self._say("part_ended", state=end["state"], error=end.get("error"), until=new.get("due"))

    def _moved(self, old: Facts, new: Facts) -> None:
        if new.get("parts") and not old.get("parts"):
            self._say("joined", parts=[f"{part:x}" for part in new["parts"]])
        if new.get("member_of") and not old.get("member_of"):
            self._say("travels_in", message=f"{new['member_of']:x}")
        if old and new.get("position", 0) != old.get("position", 0):
            links = new["links"]
            self._say("moved_on", link=links[old.get("position", 0)], next=self.story.link, reason=new.get("fallback"))
        if new.get("is_checked") and not old.get("is_checked"):
            self._say("reachable", link=self.story.link)

    def _staged(self, old: Facts, new: Facts) -> None:
        link, stage, before = self.story.link, new["stage"], old.get("stage")
        if new.get("queue", "") != old.get("queue", ""):
            self._leave_queue()
            if new.get("queue"):
                self.story.queued.append((new["queue"], self._at, None))
                self._say("queued", link=new["queue"], lane=new.get("lane") or None)
        if stage == before:
            return
        if before == "held" and stage in ("queued", "scheduled"):
            self._say("released")
        match stage:
            case "scheduled":
                self._say("waits_for_its_time", until=new.get("due"))
            case "joining":
                self._say("waits_for_parts", until=new.get("due"))
            case "checking":
                self._say("asks_capability", link=link)
            case "sending":
                self._say("leaves", link=link)
            case "postponed":
                self._say("put_off", link=link, until=new.get("due"), attempts=new.get("attempts") or None)
            case "revoking":
                self._say("revokes", link=new.get("rcs_link"))
            case "settling":
                self._say("waits_for_word", link=link, until=new.get("due"))
            case "held":
                self._say("held", link=link)

    def _leave_queue(self) -> None:
        if self.story.queued and self.story.queued[-1][2] is None:
            link, since, _ = self.story.queued[-1]
            self.story.queued[-1] = (link, since, self._at)

    def _taken(self, old: Facts, new: Facts) -> None:
        if new.get("rcs_id") and new["rcs_id"] != old.get("rcs_id"):
            self._say("taken", link=new.get("rcs_link"), carrier_id=new["rcs_id"], until=new.get("due"))

    def _segments(self, old: list[Facts], new: list[Facts], link: str) -> None:
        for number, segment in enumerate(new):
            before = old[number] if number < len(old) else {}
            which = f"{number + 1} of {len(new)}" if len(new) > 1 else ""
            if segment.get("carrier_id") and segment["carrier_id"] != before.get("carrier_id"):
                self._say("taken", link=link, segment=which, carrier_id=segment["carrier_id"])
            state = segment.get("state", "")
            if state != before.get("state", "") and state not in _FINISHED and segment.get("carrier_id"):
                self._say("receipt", link=link, segment=which, state=state, error=segment.get("error"))

    # -- notes ----------------------------------------------------------------------------------------------------

    def _note(self, about: int | str, note: Facts) -> None:
        facts = {key: value for key, value in note.items() if key != "word"}
        if about == self.story.id:
            if note["word"] == "ended":
                self.story.state, self.story.error = facts.get("state", ""), facts.get("error", "")
            self._say(note["word"], **facts)
        elif about in self._owed and note["word"] != "delivery_ended":
            self._say(note["word"], **facts, **self._which(int(about)))

    # -- what is owed to the application --------------------------------------------------------------------------

    def _delivery(self, number: int, delivery: Facts) -> None:
        known = self._owed.get(number)
        self._owed[number] = delivery
        self.story.deliveries.add(number)
        if known is not None:
            if delivery.get("attempts", 0) > known.get("attempts", 0):
                self._say("delivery_put_off", attempts=delivery["attempts"], **self._which(number))
            return
        if delivery["kind"] == "receipt" and delivery.get("state") == "ACCEPTD":  # no end, and some want to hear of it
            if delivery.get("sink"):
                self._say("callback_owed", account=delivery["account"])
            else:
                self._say("notice_owed", account=delivery["account"], state="ACCEPTD", error=delivery.get("error"))
        elif delivery["kind"] == "receipt" and delivery.get("state", "ENROUTE") == "ENROUTE":
            self._say("notice_owed", account=delivery["account"], state="ENROUTE", error=delivery.get("error"))
        elif delivery["kind"] == "receipt":
            self.story.state, self.story.error = delivery.get("state", "ENROUTE"), delivery.get("error", "000")
            if not any(event.word == "ended" for event in self.story.events):
                done_at = delivery.get("done_at", 0.0)
                is_carriers = abs(done_at - self._at) >= _OWN_CLOCK_S
                self._say(
                    "ended", state=self.story.state, error=self.story.error, done_at=done_at if is_carriers else None
                )
            self._say("receipt_owed", account=delivery["account"], sink=delivery.get("sink"))
        elif delivery["kind"] == "mo":  # that a session began is told where it does
            self.story.message = delivery
            self._say(
                "received",
                account=delivery["account"],
                handset=delivery["source"],
                destination=delivery["destination"],
                session=delivery.get("session_id"),
                reply=delivery.get("session_sequence") or None,
            )

    def _settled(self, number: int, ended_as: Mapping[int | str, str], group: list[Change]) -> None:
        outcome = ended_as.get(number, "delivered")
        if any(change.kind == "dead_letter" and change.key == number and change.value for change in group):
            outcome = "dead letter"
        if self.story.is_inbound:
            self.story.state, self.story.ended_at = outcome, self._at
        word = "delivered" if outcome == "delivered" else "not_delivered"
        reason = "" if outcome == "delivered" else outcome
        self._say(word, account=self._owed[number]["account"], reason=reason, **self._which(number))

    def _which(self, number: int) -> Facts:
        delivery = self._owed[number]
        return {"what": delivery["kind"], "sink": delivery.get("sink", "")}

    # -- conversations and what they cost -------------------------------------------------------------------------

    def _session_of(self, session: Facts) -> None:
        if session["id"] != self._session:
            self._session = session["id"]
            word = "session_opened" if session["id"] == f"{self.story.id:x}" else "session_goes_on"
            self._say(word, session=session["id"], until=session.get("due"))

    def _billing(self, key: str, cdr: Facts) -> None:
        record = cdr["record"]
        if key not in self._billed and f"{self.story.id:x}" in record.get("message_ids", ()):
            self._billed.add(key)
            self._say(
                "billed",
                billing_class=record["name"],
                link=record.get("link"),
                rules=record.get("rules"),
                free=record.get("is_free") or None,
            )


def waits_of(story: Story, changes: Iterable[Change]) -> list[Event]:
    """Of notes about links, those that came while the message waited in the queue of that link."""
    found = []
    for change in changes:
        if change.kind != "note" or not isinstance(change.value, dict):
            continue
        facts = {key: value for key, value in change.value.items() if key != "word"}
        for link, since, until in story.queued:
            if facts.get("link") == link and since <= change.at and (until is None or change.at <= until):
                found.append(Event(change.at, f"link_{change.value['word']}", facts))
                break
    return found
