"""What may be told of messages: their stories, with numbers as the asker may see them, and nothing else of them.

Answers one question from the files of a spool folder: called by whoever may read them, or, for those who ask the
daemon, as a process of its own (``python -m gatewayd.tracing.telling``), so that the walk over a history holds up
nobody's loop. Decides nothing: what may be shown is part of the question.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from gatewayd.runtime.masking import Masker, read_key, shown_address
from gatewayd.senders.plain_text import text_of
from gatewayd.tracing.search import Archive, id_of
from gatewayd.tracing.timeline import HANDSETS, Event, Story

_TOLD_OF_MESSAGES: Final = ("account", "source", "destination", "accepted_at", "created_at", "concat")
_TOLD_OF_PROGRESS: Final = ("stage", "links", "position")
_NICENESS: Final = 10


class Question(msgspec.Struct, frozen=True):
    """``subject`` is a message's id or a number, ``last`` how many of a number's messages are meant. A number may be
    written as it is dialled in one of the ``countries``."""

    folder: str
    subject: str
    last: int
    reveal: bool = False
    texts: bool = False
    countries: tuple[str, ...] = ()


class Told(msgspec.Struct, frozen=True):
    """The answer. ``is_list``: messages of a number, and not one with its parts. ``fault``: why there is no answer;
    ``is_denied``: because the files may not be read."""

    stories: list[Story] = []
    is_list: bool = False
    fault: str = ""
    is_denied: bool = False


def tell(question: Question) -> Told:
    """The stories that are known, numbers masked with the daemon's key unless they are to be revealed."""
    folder = Path(question.folder)
    show = str if question.reveal else Masker(read_key(folder))
    archive = Archive(folder, with_texts=question.texts)
    message_id = id_of(question.subject, time.time())
    try:
        if message_id is None:
            stories: Sequence[Story] = archive.stories(
                archive.latest(question.subject, question.last, question.countries)
            )
        else:
            stories = archive.stories([message_id])
            ids = archive.siblings(stories[0])
            stories = stories if ids == [message_id] else archive.stories(ids)
    except (OSError, sqlite3.DatabaseError) as error:
        is_closed = (
            isinstance(error, PermissionError) or getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CANTOPEN
        )
        return Told(fault=f"{folder}: {error}", is_denied=is_closed)
    known = [shown(story, show, with_text=question.texts) for story in stories if story.is_known or message_id]
    return Told(known if any(story.is_known for story in known) else [], is_list=message_id is None)


def shown(story: Story, show: Callable[[str], str], *, with_text: bool = False) -> Story:
    """A story as it may be told: every number in it through ``show``, and only what somebody tells of a message."""
    return Story(
        story.id,
        [Event(event.at, event.word, _shown_facts(event.facts, show)) for event in story.events],
        _shown_facts({key: story.message[key] for key in _TOLD_OF_MESSAGES if key in story.message}, show),
        {key: story.progress[key] for key in _TOLD_OF_PROGRESS if key in story.progress},
        story.state,
        story.error,
        story.ended_at,
        text=text_of(story.message) if with_text else None,
    )


def _shown_facts(facts: dict[str, Any], show: Callable[[str], str]) -> dict[str, Any]:
    return {key: shown_address(str(value), show) if key in HANDSETS else value for key, value in facts.items()}


def main() -> None:
    """One question on stdin, its answer on stdout."""
    with contextlib.suppress(OSError):  # forbidden where a process may not change how it is scheduled
        os.nice(_NICENESS)
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    sys.stdout.buffer.write(msgspec.json.encode(tell(question)))


if __name__ == "__main__":
    main()
