"""Stories on a terminal: one with all of its events, or a list of many with the end of each.

Knows what looks good; what is said is tracing.words'.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gatewayd.tracing import words
from gatewayd.tracing.timeline import Story

_DAY_AND_TIME = len("2026-11-26 09:00:00")
_GOOD = frozenset({"DELIVRD", "delivered", "taken", "reachable"})
_BAD = frozenset(
    {
        "UNDELIV",
        "REJECTD",
        "EXPIRED",
        "refused",
        "not_delivered",
        "delivery_failed",
        "rejected",
        "expired",
        "overflow",
        "dead letter",
    }
)
_ODD = frozenset(
    {"UNKNOWN", "unknown", "unknown end", "DELETED", "deferred", "moved_on", "link_wait", "put_off", "held"}
)


def timeline(stories: Sequence[Story]) -> RenderableType:
    """One message; several stories are the parts of a long one, told one after another."""
    pieces: list[RenderableType] = []
    for story in stories:
        if pieces:
            pieces.append(Text())
        text = [Text(f"text: {story.text}")] if story.text is not None else []
        pieces += [_head(story), *text, _events(story)]
    return Group(*pieces)


def _head(story: Story) -> Text:
    facts = story.message
    handset = facts.get("source" if story.is_inbound else "destination", "?")
    way = (
        f"{handset} to {facts.get('account', '?')}" if story.is_inbound else f"{facts.get('account', '?')} to {handset}"
    )
    head = Text(f"{story.id:x}", style="bold")
    head.append(f"  {way}  ", style="default not bold")
    return head.append_text(_end(story))


def _end(story: Story) -> Text:
    return Text(words.end_of(story), style=f"not bold {_style(story.state or 'open')}")


def _events(story: Story) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True, style="dim", justify="right")
    table.add_column(overflow="fold")
    day, began = "", story.events[0].at if story.events else 0.0
    for event in story.events:
        if (of_event := words.clock(event.at, day=True)[:10]) != day:
            day = of_event
            table.add_row(Text(day, style="bold dim"))
        style = _style(str(event.facts.get("state", "")) if event.word == "ended" else event.word)
        sentence = Text(words.sentence(event), style=style)
        table.add_row(words.clock(event.at), words.offset(max(0.0, event.at - began)), sentence)
    return table


def listing(stories: Sequence[Story]) -> Table:
    """Many messages, a line each."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("message", no_wrap=True, min_width=max((len(f"{story.id:x}") for story in stories), default=0))
    table.add_column("time", no_wrap=True, min_width=_DAY_AND_TIME)
    table.add_column("account", no_wrap=True, overflow="ellipsis")
    table.add_column("sender", no_wrap=True, overflow="ellipsis")
    table.add_column("by", no_wrap=True, overflow="ellipsis")
    table.add_column("end", no_wrap=True, min_width=max((len(words.end_of(story)) for story in stories), default=0))
    table.add_column("after", no_wrap=True, overflow="ellipsis")
    for story in stories:
        facts = story.message
        began = facts.get("accepted_at") or facts.get("created_at") or 0.0
        concat = facts.get("concat")
        table.add_row(
            f"{story.id:x}",
            words.clock(began, day=True) if began else "?",
            str(facts.get("account", "?")),
            str(facts.get("source", "?")),
            ("the handset" if story.is_inbound else story.link) + (f", part {concat[2]}/{concat[1]}" if concat else ""),
            _end(story),
            words.offset(max(0.0, story.ended_at - began)) if story.ended_at and began else "",
        )
    return table


def _style(word: str) -> str:
    if word in _GOOD:
        return "green"
    if word in _BAD:
        return "red"
    return "yellow" if word in _ODD else "default"
