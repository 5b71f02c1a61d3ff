"""Finds all that the store has kept of a message or of a number: in the history, the journals and the tables.

Reads the files of all workers as they lie there, whether the daemon runs or not, and changes nothing.
"""

from __future__ import annotations

import contextlib
import math
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import msgspec

from gatewayd.config.number_plans import family_of, plans_of
from gatewayd.policy.dialling import Dialling
from gatewayd.policy.homes import made_at, sequence_at, sequence_of
from gatewayd.policy.numbering import TON_UNKNOWN
from gatewayd.policy.short_ids import ids_named
from gatewayd.runtime.masking import bare_of
from gatewayd.senders import product_ids
from gatewayd.store.history_files import Stretch, folders, stretches
from gatewayd.store.history_reader import (
    LINK,
    Group,
    decoded,
    groups_of,
    journal_of,
    opened,
    spool_files,
    texts_of,
)
from gatewayd.tracing.timeline import Change, Story, story_of, waits_of

# Between a message's acceptance and its commit; a clock that was put right meanwhile.
_SLACK_S: Final = 300.0
_SHORT: Final = re.compile(r"0x([0-9a-fA-F]{8})|(?=.*[a-fA-F])([0-9a-fA-F]{8})")
_DECIMAL: Final = re.compile(r"[0-9]{17,20}")  # more digits than a hexadecimal id has, or a number
_SINCE_2020: Final = sequence_at(1_577_836_800.0)
_UNTIL_2100: Final = sequence_at(4_102_444_800.0)
_PARTS_APART_S: Final = 600.0


def id_of(text: str, now: float = 0.0) -> int | None:
    """A message's id as applications know it (hexadecimal, decimal, or a UUID of ours), or None: it is a number then.

    A short one, of SMPP 3.3, has eight digits; where none of them is a letter it is written with 0x. It is the last of
    that name before ``now`` (Unix seconds).
    """
    short = _SHORT.fullmatch(text)
    if short is not None and now:
        return ids_named(int(short[1] or short[2], 16), sequence_at(now))[0]
    try:
        number = product_ids.id_of(text) or int(text, 10 if _DECIMAL.fullmatch(text) else 16)
    except ValueError:
        return None
    return number if _SINCE_2020 <= sequence_of(number) <= _UNTIL_2100 else None


def spellings_of(number: str, countries: Collection[str] = ()) -> list[str]:
    """The ways in which a number may be kept: as an application may have written it, or, where it is one as it is
    dialled in one of the ``countries``, with country code."""
    bare = bare_of("".join(number.split()))
    found = [bare, f"+{bare}", f"00{bare}"]
    for country in countries:
        place = Dialling(family_of(country), plans_of).read(number, TON_UNKNOWN)
        if place is not None and place.is_international:
            found += [place.digits, f"+{place.digits}"]
    return list(dict.fromkeys(found))


class Archive:
    """One daemon's spool folder."""

    def __init__(self, spool_folder: Path, *, with_texts: bool = False) -> None:
        """``with_texts``: put back those that are kept still."""
        self._folder = spool_folder
        self._with_texts = with_texts

    # -- one message ----------------------------------------------------------------------------------------------

    def stories(self, message_ids: Collection[int]) -> list[Story]:
        """What is known of some messages, in their order; of those of which nothing is known, an empty story."""
        names = [b"%d" % message_id for message_id in message_ids]
        since = min(map(made_at, message_ids), default=0.0) - _SLACK_S
        changes = self._changes(names, since)
        # What is owed has ids of its own, and goes by them when it is taken.
        first = [story_of(message_id, changes) for message_id in message_ids]
        owed = {delivery for story in first for delivery in story.deliveries} - set(message_ids)
        handsets = {str(story.message.get("destination", "")) for story in first} - {""}
        more = [b"%d" % delivery for delivery in owed] + [handset.encode() for handset in handsets]
        waits = [LINK] if any(story.queued for story in first) else []
        if more or waits:
            changes = self._changes([*names, *more, *waits], since)
        stories = [self._whole(message_id, changes) for message_id in message_ids]
        about_links = [change for change in changes if change.kind == "note" and change.key == 0]
        for story in stories:
            story.events = sorted([*story.events, *waits_of(story, about_links)], key=lambda event: event.at)
        return stories

    def siblings(self, story: Story) -> list[int]:
        """The ids of all parts of the long message that this one is a part of, in their order; else only its own.

        Of a part that came several times it is the one that came next to this one.
        """
        message = story.message
        if story.is_inbound or not message.get("concat"):
            return [story.id]
        reference, total, number = message["concat"]
        found = {number: (0.0, story.id)}
        for change in self._changes([message["destination"].encode()], message["accepted_at"] - _PARTS_APART_S):
            if change.kind != "message" or not isinstance(change.value, dict):
                continue
            other = change.value
            same = all(other[field] == message[field] for field in ("account", "source", "destination"))
            apart_s = abs(other["accepted_at"] - message["accepted_at"])
            if same and apart_s <= _PARTS_APART_S and (other.get("concat") or [])[:2] == [reference, total]:
                candidate = (apart_s, int(change.key))
                found[other["concat"][2]] = min(candidate, found.get(other["concat"][2], candidate))
        return [found[number][1] for number in sorted(found)]

    def _whole(self, message_id: int, changes: list[Change]) -> Story:
        story = story_of(message_id, changes)
        if story.message:
            return story
        # The history does not go back so far, or none is kept.
        stored = list(self._stored(message_id))
        return story_of(message_id, [*stored, *changes]) if stored else story

    # -- a number -------------------------------------------------------------------------------------------------

    def latest(self, number: str, count: int, countries: Collection[str] = ()) -> list[int]:
        """The ids of the latest messages to a number, and deliveries from it, the newest first.

        By their own moments: ids rise with time in one worker, and say nothing of what another one made.
        """
        spellings = spellings_of(number, countries)
        names = [spelling.encode() for spelling in spellings]
        found = self._newest_in(self._journals(names), spellings)
        for ends_at, slot, stretch in sorted(self._stretches(-math.inf), key=itemgetter(0), reverse=True):
            if len(found) >= count and sorted(found.values())[-count] >= ends_at:
                break  # what remains was over by then, whichever worker wrote it
            found |= self._newest_in(groups_of(slot, stretch, names), spellings)
        else:
            found |= dict(self._stored_of(spellings))
        return sorted(found, key=lambda key: (found[key], key), reverse=True)[:count]

    def _newest_in(self, groups: Iterable[Group], spellings: Collection[str]) -> dict[int, float]:
        """The moment of each message or delivery in these groups that the number has to do with, by id."""
        return {
            int(change.key): _moment_of(change.value)
            for group in groups
            for change in _opened(group)
            if change.kind in ("message", "delivery") and _concerns(change.value, spellings)
        }

    # -- where it lies --------------------------------------------------------------------------------------------

    def _changes(self, names: list[bytes], since: float) -> list[Change]:
        """All changes in groups that hold any of the names, in the order of their commits."""
        changes: list[Change] = []
        seen: set[tuple[int, int, float]] = set()
        # Journals first: what a fold takes out of them meanwhile is in the history by then.
        found: list[tuple[Group, list[str] | None]] = [(group, None) for group in self._journals(names)]
        for _, slot, stretch in self._stretches(since):
            groups = list(groups_of(slot, stretch, names))
            texts = texts_of(stretch, groups) if self._with_texts and groups else {}
            found += [(group, texts.get((group.sequence, group.at))) for group in groups]
        for group, of_group in sorted(found, key=lambda entry: (entry[0].at, entry[0].sequence)):
            if group.identity not in seen:
                seen.add(group.identity)
                changes += _opened(group, of_group)
        return changes

    def _stretches(self, since: float) -> Iterator[tuple[float, int, Stretch]]:
        """Those that may hold anything that was committed at that moment or later, each with its worker and the moment
        at which that one's next began. Several workers' overlap."""
        for slot, folder in folders(self._folder):
            of_folder = stretches(folder)
            for number, stretch in enumerate(of_folder, 1):
                ends_at = of_folder[number].since if number < len(of_folder) else math.inf
                if ends_at >= since:
                    yield ends_at, slot, stretch

    def _journals(self, names: list[bytes]) -> Iterator[Group]:
        for slot, path, connection in self._spools():
            for group in journal_of(path, connection, names):
                with contextlib.suppress(msgspec.MsgspecError):
                    yield decoded(slot, group)

    def _stored(self, message_id: int) -> Iterator[Change]:
        """A message as the tables have it, told as if it had been committed when it was accepted."""
        for _, _, connection in self._spools():
            for kind in ("message", "progress", "delivery"):
                sql = f"SELECT value FROM {kind} WHERE key = ?"
                for (text,) in connection.execute(sql, (message_id,)):
                    value = msgspec.json.decode(text)
                    yield Change(_moment_of(value) or made_at(message_id), kind, message_id, value)

    def _stored_of(self, spellings: list[str]) -> Iterator[tuple[int, float]]:
        for _, _, connection in self._spools():
            for spelling in spellings:
                for kind, field in (("message", "destination"), ("delivery", "source")):
                    sql = f"SELECT key, value FROM {kind} WHERE instr(value, ?)"
                    for key, text in connection.execute(sql, (f'"{field}":"{spelling}"',)):
                        value = msgspec.json.decode(text)
                        if _concerns(value, spellings):
                            yield key, _moment_of(value)

    def _spools(self) -> Iterator[tuple[int, Path, sqlite3.Connection]]:
        for slot, path in spool_files(self._folder):
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            try:
                connection.execute("PRAGMA query_only = ON")
                yield slot, path, connection
            finally:
                connection.close()


def _opened(group: Group, texts: list[str] | None = None) -> list[Change]:
    # The moment of a row of the journal has digits that a line of history has not.
    return [Change(group.identity[2], kind, key, value) for kind, key, value in opened(group, texts)]


def _moment_of(value: Mapping[str, Any]) -> float:
    """When a message was accepted, or a delivery made (Unix seconds)."""
    return float(value.get("accepted_at") or value.get("created_at") or 0.0)


def _concerns(value: Any, spellings: Collection[str]) -> bool:
    """Whether a record is a message to a number, or a delivery that came from it."""
    if not isinstance(value, dict):
        return False
    if "kind" in value:
        return value["kind"] == "mo" and value.get("source") in spellings
    return value.get("destination") in spellings
