"""What an application may ask of its own messages and of a handset, wherever their home is, and taking one back.

A message's id does not tell its home, so all workers are asked; a handset's number does. Knows nothing of who asks, nor
over which interface.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, Protocol, TypeVar

import msgspec

from gatewayd.flow import parcels
from gatewayd.flow.desk import Desk, reference_of
from gatewayd.flow.inquiring import WAIT_S, Inquiries
from gatewayd.flow.named import NamedMessages, fate_of, take_back
from gatewayd.flow.replies import Replies
from gatewayd.message import Channel, State
from gatewayd.policy.answers import Cancelling, Changes, Fate, HomeAway, Known, Named, NamedFate, Talk, Word
from gatewayd.policy.journey import Progress, Stage, is_on_rcs
from gatewayd.policy.numbering import handset_of
from gatewayd.runtime.tasks import spawn
from gatewayd.store.kinds import SESSION
from gatewayd.store.records import Capability, Result, Session
from gatewayd.store.spool import Journey
from gatewayd.store.walking import walk

ANSWER_WAIT_S: Final = 3.0
UNDER_WAY_MAX: Final = 1_000
TALKS_MAX: Final = 100
_SLICE: Final = 200
_BUSY: Final = b"!"

T = TypeVar("T")


class Talks(msgspec.Struct):
    """Conversations with a handset."""

    talks: list[Talk]


class Reachability(msgspec.Struct):
    """What is known of a handset on all links that an account uses."""

    links: list[Known]


class Ways(Protocol):
    """What flow knows of links, as asked here."""

    inquiries: Inquiries

    def links_for(self, account: str) -> frozenset[str]:
        """Over which links an account's messages may go."""

    def refusal(self, link: str, handset: str) -> str:
        """Why a link may not be used for a handset, in one word; nothing when it may."""

    def known(self, link: str, handset: str) -> Capability | None:
        """What was learned of a handset on a link, and still holds."""


class Wire(Protocol):
    """The other workers."""

    slot: int
    count: int

    def home_of(self, handset: str, /) -> int:
        """The slot of a handset's home."""

    def everybody(self) -> Iterator[int]:
        """This worker and every other that is there."""

    def send(self, peer: int, parcel: parcels.Parcel) -> None:
        """Give a parcel to another."""

    def new_token(self) -> int:
        """A number that was not used before."""


_Answer = Fate | Cancelling | Talks | Reachability | Named | Changes | Word
Act = Callable[[Mapping[str, Any]], Awaitable[_Answer | None]]


class Questions:
    """Both sides: asked here, and answered for what is at home here."""

    def __init__(self, desk: Desk, ways: Ways, wire: Wire | None = None) -> None:
        self._desk = desk
        self._ways = ways
        self._wire = wire
        self._replies = Replies()
        self._under_way = 0
        self._walking = asyncio.Lock()
        named = NamedMessages(desk, self._told)
        self._acts: dict[str, Act] = {
            "query": self._query,
            "cancel": self._cancel,
            "talks": self._talks,
            "reach": self._reach,
            "look": named.look,
            "cancel_named": named.cancel,
            "cancel_between": named.cancel_between,
            "replace": named.replace,
        }

    # -- asked ----------------------------------------------------------------------------------------------------

    async def query(self, account: str, message_id: int) -> Fate | None:
        """What is known of an account's message; None when it has none of this id, or no more. Raises HomeAway."""
        return await self.anywhere("query", {"account": account, "id": message_id}, Fate)

    async def cancel(self, account: str, message_id: int) -> Cancelling | None:
        """Take an account's message back; durable when this returns. None as for ``query``. Raises HomeAway."""
        return await self.anywhere("cancel", {"account": account, "id": message_id}, Cancelling)

    async def look(self, asked: Mapping[str, Any]) -> list[NamedFate]:
        """What is known of an account's messages of one name, which may stand for several. Raises HomeAway.

        ``asked`` has ``account``, ``name``, and the ``ids`` that the name may mean.
        """
        found: list[NamedFate] = []
        own = await self._acts["look"](asked)
        if isinstance(own, Named):
            found = own.fates
        if self._wire is not None and (not found or found[0].is_named):
            for answer in await self._elsewhere("look", asked, needed=not found):
                found += msgspec.json.decode(answer, type=Named).fates
        return found

    async def change(self, what: str, asked: Mapping[str, Any]) -> list[str]:
        """``cancel_named`` or ``replace`` an account's messages of one name: what came of each. Raises HomeAway."""
        found: list[str] = []
        own = await self._acts[what](asked)
        if isinstance(own, Changes):
            found = own.outcomes
        if self._wire is not None:
            for answer in await self._elsewhere(what, asked, needed=not found):
                found += msgspec.json.decode(answer, type=Changes).outcomes
        return found

    async def cancel_between(self, asked: Mapping[str, Any]) -> list[str]:
        """Take back all from one address to another: what came of each. Raises HomeAway."""
        # A message is at home by its digits; its application may have written spaces between them.
        digits = "".join(filter(str.isdecimal, asked["destination"]))
        answer = await self.at_home("cancel_between", digits, asked, Changes)
        return answer.outcomes if answer is not None else []

    async def _elsewhere(self, what: str, asked: Mapping[str, Any], *, needed: bool) -> list[bytes]:
        """The answers of the other workers; ``needed``: nobody may be missing, if none of them has one."""
        assert self._wire is not None  # else there is nobody to ask
        peers = [peer for peer in self._wire.everybody() if peer != self._wire.slot]
        answers = await asyncio.gather(*(self._ask(peer, what, asked) for peer in peers))
        found = [answer for answer in answers if answer]
        if needed and not found and (None in answers or len(peers) + 1 < self._wire.count):
            raise HomeAway
        return found

    async def talks(self, account: str, handset: str, sender: str = "") -> list[Talk]:
        """Open conversations of an account with a handset, of one sender alone if it is named. Raises HomeAway."""
        args = {"account": account, "handset": handset, "sender": sender}
        answer = await self.at_home("talks", handset, args, Talks)
        return answer.talks if answer is not None else []

    async def reach(self, account: str, handset: str, *, ask: bool = False) -> list[Known]:
        """Whether a handset takes RCS, link by link: as far as it is known, or, with ``ask``, as platforms answer
        within a few seconds. Raises HomeAway."""
        args = {"account": account, "handset": handset, "ask": ask}
        wait_s = ANSWER_WAIT_S + (WAIT_S if ask else 0.0)
        answer = await self.at_home("reach", handset, args, Reachability, wait_s)
        return answer.links if answer is not None else []

    def learn(self, what: str, act: Act) -> None:
        """One more that is asked and answered."""
        self._acts[what] = act

    async def anywhere(self, what: str, args: Mapping[str, Any], kind: type[T]) -> T | None:
        """The first answer of any worker, this one asked first; None when none has one. Raises HomeAway."""
        own = await self._acts[what](args)
        if isinstance(own, kind) or self._wire is None:
            return own if isinstance(own, kind) else None
        found = await self._elsewhere(what, args, needed=True)
        return msgspec.json.decode(found[0], type=kind) if found else None

    async def at_home(
        self, what: str, handset: str, args: Mapping[str, Any], kind: type[T], wait_s: float = ANSWER_WAIT_S
    ) -> T | None:
        """The answer of a handset's home. Raises HomeAway."""
        home = self._wire.home_of(handset) if self._wire is not None else 0
        if self._wire is None or home == self._wire.slot:
            own = await self._acts[what](args)
            return own if isinstance(own, kind) else None
        answer = await self._ask(home, what, args, wait_s) if home in self._wire.everybody() else None
        if answer is None:
            raise HomeAway
        return msgspec.json.decode(answer, type=kind) if answer else None

    async def _ask(self, peer: int, what: str, args: Mapping[str, Any], wait_s: float = ANSWER_WAIT_S) -> bytes | None:
        """What another worker says; None when it says nothing in time."""
        assert self._wire is not None  # else there is nobody to ask
        question = parcels.Ask(self._wire.new_token(), what, msgspec.json.encode(args))
        content = await self._replies.ask(self._wire.send, peer, question, wait_s)
        return None if content == _BUSY else content

    def hear(self, peer: int, parcel: parcels.Ask | parcels.Reply) -> None:
        """Another worker asks, or answers."""
        if isinstance(parcel, parcels.Ask):
            if self._under_way < UNDER_WAY_MAX:
                self._under_way += 1
                spawn(self._answer(peer, parcel), name=f"answering {parcel.what}")
            elif self._wire is not None:
                self._wire.send(peer, parcels.Reply(parcel.token, _BUSY))
            return
        self._replies.hear(peer, parcel.token, parcel.content)

    def peer_down(self, peer: int) -> None:
        """It answers nothing more."""
        self._replies.peer_down(peer)

    async def _answer(self, peer: int, parcel: parcels.Ask) -> None:
        assert self._wire is not None  # a parcel came
        content = _BUSY
        try:
            answer = await self._acts[parcel.what](msgspec.json.decode(parcel.args))
            content = msgspec.json.encode(answer) if answer is not None else b""
        finally:
            self._under_way -= 1
            self._wire.send(peer, parcels.Reply(parcel.token, content))

    # -- answered -------------------------------------------------------------------------------------------------

    def _own(self, args: Mapping[str, Any]) -> Journey | None:
        """An account's message."""
        journey = self._desk.journey(args["id"])
        return journey if journey is not None and journey.message.account == args["account"] else None

    def _result(self, args: Mapping[str, Any]) -> Result | None:
        """How an account's message ended."""
        result = self._desk.spool.result(args["id"])
        return result if result is not None and result.account == args["account"] else None

    async def _query(self, args: Mapping[str, Any]) -> Fate | None:
        journey = self._own(args)
        fate = self._told(journey) if journey is not None else None
        if fate is not None:
            return fate
        result = self._result(args)
        return fate_of(args["id"], result) if result is not None else None

    def _told(self, journey: Journey) -> Fate | None:
        """How far a message is: itself, or the first of the parts that were joined."""
        head = self._desk.head_of(journey)
        return self._fate(journey, head) if head is not None else None

    def _fate(self, journey: Journey, head: Journey) -> Fate:
        message, progress = journey.message, head.progress
        is_out = progress.stage in (Stage.SENT, Stage.REVOKING, Stage.SETTLING)
        return Fate(
            message_id=message.id,
            source=message.told.source,
            destination=message.told.destination,
            state=State.ENROUTE,
            accepted_at=message.accepted_at,
            stage=progress.stage.value,
            channel=self._channel_of(progress) if is_out else None,
            link=progress.link,
            fallback=progress.fallback,
            deliver_at=message.deliver_at,
            expires_at=message.expires_at,
            sent_at=progress.sent_at,
            segments=len(progress.segments),
            segments_done=sum(segment.state.is_final for segment in progress.segments),
            reference=reference_of(message),
            is_cancelled=progress.is_cancelled,
        )

    def _channel_of(self, progress: Progress) -> Channel:
        return Channel.RCS if is_on_rcs(progress) else self._desk.channels.get(progress.link, Channel.SMS)

    async def _cancel(self, args: Mapping[str, Any]) -> Cancelling | None:
        journey = self._own(args)
        head = self._desk.head_of(journey) if journey is not None else None
        if head is None:
            return Cancelling("too_late") if self._result(args) is not None else None
        outcome = take_back(self._desk, head)
        if outcome != "too_late":
            await self._desk.spool.journal.durable()
        return Cancelling(outcome)

    async def _talks(self, args: Mapping[str, Any]) -> Talks:
        account, handset, sender = args["account"], handset_of(args["handset"], 1, 1), args["sender"]
        found: list[Talk] = []
        if sender:
            settings = self._desk.settings.values()
            for seen in {sender, *(link.bot_id for link in settings if link.bot_id)}:
                session = self._desk.spool.session(seen, handset)
                if session is not None and session.account == account and session.sender == sender:
                    found.append(_talk(seen, session))
            return Talks(found)
        decode, now = msgspec.json.Decoder(Session).decode, self._desk.now()
        # One at a time: nobody can make a worker do nothing else.
        async with self._walking:
            for count, (key, text) in enumerate(walk(self._desk.spool.journal, SESSION), 1):
                seen, _, of = str(key).rpartition("|")
                if of == handset:
                    session = decode(text)
                    if session.account == account and session.due > now:
                        found.append(_talk(seen, session))
                        if len(found) >= TALKS_MAX:
                            break
                if count % _SLICE == 0:
                    await asyncio.sleep(0)
        return Talks(found)

    async def _reach(self, args: Mapping[str, Any]) -> Reachability:
        desk, handset = self._desk, handset_of(args["handset"], 1, 1)
        links = sorted(self._ways.links_for(args["account"]))
        links = [link for link in links if desk.channels.get(link) is Channel.RCS]
        words = await self._ways.inquiries.ask(links, handset) if args.get("ask") else {}
        return Reachability([self._known(link, handset, words.get(link, "not_asked")) for link in links])

    def _known(self, link: str, handset: str, word: str) -> Known:
        """``word`` says why nothing is known of it."""
        settings = self._desk.settings.get(link)
        if settings is None:
            return Known(link, None, "link_gone")
        refusal = self._ways.refusal(link, handset)
        if refusal:
            return Known(link, False, refusal)
        known = self._ways.known(link, handset)
        if known is not None:
            return Known(link, known.capable, known.reason, known.at, known.due)
        if settings.capability == "assume":
            return Known(link, True, "assumed")
        return Known(link, None, word)


def _talk(seen: str, session: Session) -> Talk:
    bot = seen if seen != session.sender else ""
    return Talk(session.id, session.sender, session.opened_at, session.due, session.message_id, session.replies, bot)
