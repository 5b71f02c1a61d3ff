"""Events as sentences for people, and stories as plain values for programs; numbers are shown as they are given.

Pure. Knows no terminal.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gatewayd.tracing.timeline import Event, Story

# By the word of an event; a piece in brackets is left out where a fact in it is missing.
SENTENCES: Final[Mapping[str, str]] = {
    "accepted": "accepted from {account}: {source} to {handset}[, part {part}][, class {traffic_class}]"
    "[, priority {priority}][, valid until {expires_at}], receipt: {receipt}",
    "stored": "on disk, and acknowledged",
    "routed": "route: {links}[ ({reason})][; without an answer: {on_unknown}]",
    "waits_for_parts": "waits for the other parts[ until {until}]",
    "joined": "its {parts} parts are joined and go as one text",
    "travels_in": "travels inside {message}",
    "came_again": "is a part of {message} that came again, and has its fate",
    "queued": "waits for its turn on {link}[, lane {lane}]",
    "asks_capability": "{link} is asked whether the handset takes RCS",
    "capability_answered": "{link} answers: {answer}[, {reason}]",
    "capability_known": "known of the handset on {link}: {answer}[, {reason}][, since {asked_at}]",
    "reachable": "the handset takes RCS over {link}",
    "guard_tries": "the guard of {link} lets it go as a try: the number is not known to take RCS",
    "guard_waits": "the guard of {link} lets it wait for those tried before",
    "leaves": "goes to {link}",
    "taken": "{link} took it[, segment {segment}] as {carrier_id}[; must arrive by {until}]",
    "transliterated": "for {link} letters were changed: {letters}",
    "refused": "{link} refused it[, segment {segment}]: {error}",
    "deferred": "{link} put it off[, segment {segment}]: {error}[, again in {retry_s}][, rests: {scope}]",
    "unknown": "no answer from {link}[, segment {segment}]: {error}[; its name there is {carrier_id}]",
    "put_off": "tried again on {link}[ at {until}][, tries so far {attempts}]",
    "moved_on": "leaves {link} for {next}[: {reason}]",
    "revokes": "late on {link}: to be taken back",
    "revoke_asked": "{link} is asked to take it back",
    "revoke_answered": "{link} on taking it back: {answer}",
    "waits_for_word": "nobody knows what became of it on {link}; waits[ until {until}]",
    "replaced": "its sender put another text of {octets} octets in its place",
    "held": "held by a person[ on {link}]",
    "released": "let go again",
    "waits_for_its_time": "waits for the time that its sender named: {until}",
    "receipt": "receipt from {link}[, segment {segment}]: {state}[ {error}]",
    "carrier_words": "{link} writes: {words}",
    "notice_owed": "{account} is told on the way: {state}[ {error}]",
    "late_receipt": "{link} says {state} [{error} ]when it no longer counts",
    "displayed": "{link} says that it was read",
    "link_wait": "everything for {link} waits {wait_s}: its limits",
    "ended": "end: {state}[ {error}][ over {channel}][ (the carrier's time: {done_at})]",
    "part_ended": "end of this part: {state}[ {error}]; waits for those of the others[ until {until}]",
    "receipt_owed": "its receipt is owed to {account}[, sink {sink}]",
    "callback_owed": "its sender is to be told that it was taken",
    "received": "received for {account}: {handset} to {destination}[, reply {reply}][ of session {session}]",
    "delivery_failed": "the {what} did not get through[ to {bind}][: {status}][: {reason}]",
    "delivery_put_off": "the {what} will be offered again[, tries so far {attempts}][, sink {sink}]",
    "delivered": "{account} took the {what}[, sink {sink}]",
    "not_delivered": "{account} did not get the {what}[, sink {sink}]: {reason}",
    "session_opened": "opens session {session}[, until {until}]",
    "session_goes_on": "session {session} goes on[, until {until}]",
    "billed": "billed as {billing_class}[ on {link}][ by {rules}][, free: {free}]",
}
_MOMENTS: Final = frozenset({"until", "expires_at", "done_at", "asked_at"})
_SPANS: Final = frozenset({"retry_s", "wait_s"})
_NO_ERROR: Final = "000"


def sentence(event: Event) -> str:
    """One event for people."""
    shown = {key: _shown(key, value) for key, value in event.facts.items() if value != _NO_ERROR}
    template = SENTENCES.get(event.word)
    if template is None:
        return " ".join([event.word, *(f"{key}={value}" for key, value in shown.items())])
    return "".join(_filled(template, shown))


def _filled(template: str, facts: Mapping[str, str]) -> Iterator[str]:
    for number, piece in enumerate(template.replace("]", "[").split("[")):
        is_optional = number % 2 == 1
        try:
            yield piece.format_map(facts)
        except KeyError:
            if not is_optional:
                yield piece.format_map(_Gaps(facts))


class _Gaps(dict[str, str]):
    """A fact that should be there and is not, as in a record of an older version."""

    def __missing__(self, key: str) -> str:
        return "?"


def _shown(key: str, value: Any) -> str:
    if key in _MOMENTS:
        return clock(float(value), day=True)
    if key in _SPANS:
        return f"{float(value):g} s"
    if key == "parts":
        return str(len(value))
    if isinstance(value, list | tuple):
        return ", then ".join(map(str, value))
    if key == "on_unknown":
        return str(value).replace("_", " ")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def clock(at: float, *, day: bool = False) -> str:
    """A moment by the local clock, to the millisecond, or, with its day, to the second."""
    when = datetime.datetime.fromtimestamp(at, datetime.UTC).astimezone()
    return when.strftime("%Y-%m-%d %H:%M:%S") if day else when.strftime("%H:%M:%S.%f")[:-3]


def offset(seconds: float) -> str:
    """How long after the first event: ``+0.532 s``, ``+3 min 02``, ``+5 h 10``."""
    if seconds < 60:
        return f"+{seconds:.3f} s"
    if seconds < 3_600:
        return f"+{int(seconds // 60)} min {int(seconds % 60):02}"
    return f"+{int(seconds // 3_600)} h {int(seconds % 3_600 // 60):02}"


def end_of(story: Story) -> str:
    """How it ended, or where it is."""
    if not story.state:
        place = f" on {story.link}" if story.link else ""
        return f"{story.stage or 'waits for its application'}{place}"
    error = f" {story.error}" if story.error not in ("", _NO_ERROR) else ""
    return f"{story.state}{error}"


def plain(story: Story) -> dict[str, Any]:
    """A story for programs; moments are RFC 3339, in UTC."""
    message = story.message
    return {
        "message": f"{story.id:x}",
        "direction": "inbound" if story.is_inbound else "outbound",
        "account": message.get("account", ""),
        "handset": message.get("source" if story.is_inbound else "destination", ""),
        "state": story.state,
        "error": story.error,
        "stage": story.stage,
        "link": story.link,
        **({"text": story.text} if story.text is not None else {}),
        "events": [_plain_event(event) for event in story.events],
    }


def _plain_event(event: Event) -> dict[str, Any]:
    facts = {key: _utc(float(value)) if key in _MOMENTS else value for key, value in event.facts.items()}
    return {"time": _utc(event.at), "event": event.word, **facts}


def _utc(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
