"""What an application asks of its messages by the name that it was given for them, and how it changes them by it.

A name is one message's id, a short form of it, or stands for all messages of one submit_multi. Which ids a name may
mean is the asker's to say; here is looked which of them are at home. Knows no interface; times are Unix seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from gatewayd.flow.desk import Desk
from gatewayd.message import Message
from gatewayd.policy import intervention
from gatewayd.policy.answers import Changes, Fate, Named, NamedFate
from gatewayd.policy.homes import id_of, sequence_of, slot_of
from gatewayd.policy.journey import Finish
from gatewayd.policy.numbering import handset_of
from gatewayd.store.kinds import MESSAGE, RESULT
from gatewayd.store.records import Result
from gatewayd.store.spool import Journey
from gatewayd.store.walking import walk

GROUP_MAX: Final = 254
_SLICE: Final = 200


class NamedMessages:
    """The home's side. ``fate_of`` tells how far a message of this home is."""

    def __init__(self, desk: Desk, fate_of: Callable[[Journey], Fate | None]) -> None:
        self._desk = desk
        self._fate_of = fate_of
        self._walking = asyncio.Lock()

    # -- looking --------------------------------------------------------------------------------------------------

    async def look(self, args: Mapping[str, Any]) -> Named | None:
        """Every message of a name that is at home here, and every one whose end is still known."""
        found = [self._told(journey) for journey in self._named(args)]
        found += [NamedFate(fate_of(key, result), is_named=bool(result.known_as)) for key, result in self._ended(args)]
        return Named([fate for fate in found if fate is not None]) if found else None

    def _named(self, args: Mapping[str, Any]) -> Iterator[Journey]:
        """The messages that bear the name, each once."""
        account, name, desk = args["account"], args["name"], self._desk
        for first in args["ids"]:
            one = desk.journey(first)
            if one is not None and _bears(one.message.account, one.message.known_as, first, account, name):
                yield one
                if not one.message.known_as:
                    return
            for journey in self._several(group_ids(first)):
                message = journey.message
                if message.known_as and _bears(message.account, message.known_as, message.id, account, name):
                    yield journey

    def _several(self, ids: list[int]) -> list[Journey]:
        flying = [journey for key in ids if (journey := self._desk.flying.get(key)) is not None]
        known = {journey.progress.id for journey in flying}
        return flying + self._desk.spool.journeys([key for key in ids if key not in known])

    def _ended(self, args: Mapping[str, Any]) -> Iterator[tuple[int, Result]]:
        account, name, now = args["account"], args["name"], self._desk.now()
        for first in args["ids"]:
            keys = [first, *group_ids(first)]
            for key, result in self._desk.spool.journal.get_many(RESULT, keys).items():
                if result.due > now and _bears(result.account, result.known_as, int(key), account, name):
                    yield int(key), result

    def _told(self, journey: Journey) -> NamedFate | None:
        fate, message = self._fate_of(journey), journey.message
        if fate is None:
            return None
        return NamedFate(
            fate,
            encoding=message.encoding.value,
            is_part=message.concat is not None or bool(message.udh),
            is_named=bool(message.known_as),
        )

    # -- taking back ----------------------------------------------------------------------------------------------

    async def cancel(self, args: Mapping[str, Any]) -> Changes | None:
        """Take back what bears the name; durable when this returns."""
        return await self._change(args, self._cancel)

    async def _change(self, args: Mapping[str, Any], act: Callable[[Journey], str]) -> Changes | None:
        outcomes = [act(journey) for journey in list(self._named(args))]
        outcomes += ["too_late" for _ in self._ended(args)]
        if not outcomes:
            return None
        await self._desk.spool.journal.durable()
        return Changes(outcomes)

    async def cancel_between(self, args: Mapping[str, Any]) -> Changes | None:
        """Take back all that an account sent from one address to another, of one service_type if that is named."""
        outcomes = []
        account, source, service_type = args["account"], args["source"], args["service_type"]
        handset = handset_of(args["destination"], args["ton"], args["npi"])
        # Decoding costs far more than looking whether the end of the number stands in the text at all.
        sign, decode = args["destination"][-6:], msgspec.json.Decoder(Message).decode
        async with self._walking:
            for count, (key, text) in enumerate(walk(self._desk.spool.journal, MESSAGE), 1):
                if sign in (text if isinstance(text, str) else text.decode()):
                    message = decode(text)
                    to = handset_of(message.destination, message.destination_ton, message.destination_npi)
                    is_there = handset == to or args["destination"] == message.told.destination
                    is_meant = message.account == account and message.told.source == source and is_there
                    journey = self._desk.journey(int(key)) if is_meant else None
                    if journey is not None and service_type in ("", message.service_type):
                        outcomes.append(self._cancel(journey))
                if count % _SLICE == 0:
                    await asyncio.sleep(0)
        await self._desk.spool.journal.durable()
        return Changes(outcomes)

    def _cancel(self, journey: Journey) -> str:
        head = self._desk.head_of(journey)
        return take_back(self._desk, head) if head is not None else "too_late"

    # -- another text ---------------------------------------------------------------------------------------------

    async def replace(self, args: Mapping[str, Any]) -> Changes | None:
        """Another text, and other times, for what bears the name and still waits; durable when this returns."""
        return await self._change(args, lambda journey: self._replace(journey, args))

    def _replace(self, journey: Journey, args: Mapping[str, Any]) -> str:
        desk, message, progress = self._desk, journey.message, journey.progress
        is_same_kind = message.encoding.value == args["encoding"] and not message.udh and message.concat is None
        deliver_at = args["deliver_at"]
        if not is_same_kind or progress.id in desk.flying or not intervention.may_replace(progress, deliver_at):
            return "too_late"
        expires_at = args["expires_at"] or message.expires_at
        journey.message = msgspec.structs.replace(
            message,
            payload=bytes.fromhex(args["payload"]),
            registered_delivery=args["registered_delivery"],
            expires_at=expires_at,
            deliver_at=deliver_at or message.deliver_at,
            # Rich content was made for the text that is gone.
            tlvs=tuple((tag, value) for tag, value in message.tlvs if tag not in args["without_tags"]),
        )
        before = progress.stage
        intervention.replaced(progress, expires_at, deliver_at)
        desk.aside.moved(before, progress.stage)
        desk.spool.replace(journey)
        desk.spool.note(message.id, "replaced", octets=len(journey.message.payload))
        return "replaced"


def take_back(desk: Desk, journey: Journey) -> Literal["cancelled", "under_way", "too_late"]:
    """Cancel what travels by itself; what came of it."""
    step = intervention.cancel(journey.progress, journey.message.expires_at, desk.now())
    if step is None:
        return "under_way" if journey.progress.is_cancelled else "too_late"
    desk.apply(journey, step, journey.progress.queue)
    return "cancelled" if isinstance(step, Finish) else "under_way"


def fate_of(message_id: int, result: Result) -> Fate:
    """How a message ended, as far as that is kept."""
    return Fate(
        message_id=message_id,
        source=result.source,
        destination=result.destination,
        state=result.state,
        accepted_at=result.accepted_at,
        channel=result.channel,
        error=result.error,
        done_at=result.done_at,
        reference=result.reference,
    )


def group_ids(first: int) -> list[int]:
    """The ids that the other messages of a group may have, whose first has this one."""
    sequence, slot = sequence_of(first), slot_of(first)
    return [id_of(sequence + number, slot) for number in range(1, GROUP_MAX)]


def _bears(owner: str, known_as: str, message_id: int, account: str, name: str) -> bool:
    """Whether a message is the account's and bears the name: its own, or its id where it has none."""
    return owner == account and (known_as or f"{message_id:x}") == name
