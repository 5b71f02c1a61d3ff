"""Brings local files to one platform in the background and keeps them there: uploads, waits, renews, and asks again.

Sends no message and knows no template. One request at a time; what failed is tried again later and later.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial

import msgspec

from gatewayd.carriers.backoff import Backoff
from gatewayd.carriers.link import FileKeeper, KeptFile
from gatewayd.carriers.media import Media, Seen, pieces
from gatewayd.carriers.rcs_http import Answer, NoAnswerError, NotSentError, Streamed
from gatewayd.carriers.rcs_token import NoTokenError
from gatewayd.carriers.shelf import Item, Shelf
from gatewayd.config import schema
from protocol.rcs.answers import TokenRefused, TryLater
from protocol.rcs.content import Content
from protocol.rcs.events import FileEvent
from protocol.rcs.exchange import Request
from protocol.rcs.files import FileAnswer, FileApi, LocalFile, NotStored, Stored, placed

logger = logging.getLogger(__name__)

RETRY_MIN_S, RETRY_MAX_S = 1.0, 60.0
REFUSED_MIN_S, REFUSED_MAX_S = 60.0, 3600.0
POLL_MIN_S, POLL_MAX_S = 2.0, 30.0
LOOK_S = 60.0
EARLY_MAX = 64
READY_MAX_S = 900.0
"""A platform that has not made a file ready by then never will."""
TRIES_MAX = 3
"""After so many failures in a row messages do not wait for the file any more."""
DOUBT_S = 3600.0
"""A file of a refused message is looked after at most this often: the refusal may have another reason."""

Exchange = Callable[[Request, Streamed | None], Awaitable[Answer]]
"""One request under the link's token, perhaps with a streamed body; raises as ``HttpCaller.call`` does."""


class Filing(msgspec.Struct, frozen=True):
    """What a link needs for its files: the local ones, where their names at the platform are kept, and who counts.

    ``on_upload`` hears how each step ended: stored, refused, later, not_ready, unreadable, or gone.
    """

    media: Media
    keeper: FileKeeper
    on_upload: Callable[[str], None] = lambda outcome: None


class Uploader:
    """The files of one link. ``run`` is its one long-lived task."""

    def __init__(
        self,
        api: FileApi,
        settings: schema.Link,
        files: Filing,
        exchange: Exchange,
        clock: Callable[[], float],
        wall: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._api = api
        self._bot_id = settings.bot_id
        self._owner = f"{settings.server_root} {settings.bot_id}"
        self._validity_s = api.kept_s or settings.file_validity_h * 3600.0
        self._exchange = exchange
        self._media = files.media
        self._keeper = files.keeper
        self._on_upload = files.on_upload
        self._clock = clock
        self._wall = wall
        self._rng = rng
        self._shelf = Shelf(wall)
        self._is_stale = True
        self._unreadable: dict[str, str] = {}
        self._early: dict[str, FileEvent] = {}
        self._wake = asyncio.Event()

    # -- for messages -------------------------------------------------------------------------------------------------

    def place(self, content: Content) -> tuple[Content, tuple[str, ...]]:
        """The content as this platform can be sent it, and the digests of our files in it.

        Raises MediaPendingError while one is on its way, ContentFault when one cannot be there.
        """
        used: list[str] = []
        return placed(content, partial(self._shelf.find, self._media.wanted, used)), tuple(used)

    def doubt(self, digests: Iterable[str]) -> bool:
        """A message with these was refused: see whether they are there still. False if that was done not long ago."""
        now = self._clock()
        doubtful = [item for item in self._shelf.items_of(digests) if now >= item.doubted_at + DOUBT_S]
        for item in doubtful:
            item.doubted_at = now
            item.is_doubted = True
            item.due_at = now
        if doubtful:
            self._wake.set()
        return bool(doubtful)

    def note(self, event: FileEvent) -> None:
        """The platform told of a file by itself."""
        item = self._shelf.item_with(event.file_id)
        if item is None:
            # Some tell it before the upload's own answer is here; with several workers it may be another's.
            self._early[event.file_id] = event
            if len(self._early) > EARLY_MAX:
                del self._early[next(iter(self._early))]
        elif item.coming is not None and item.coming.file_id == event.file_id:
            self._hear(item, item.coming, event.answer)
        elif isinstance(event.answer, NotStored):
            self._gone(item, event.answer)
        self._wake.set()

    # -- in the background --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Do what is due, sleep until the next is, and so on until cancelled."""
        self._media.subscribe(self._changed)
        try:
            while True:
                self._wake.clear()
                await self.turn()
                await self._until_due()
        finally:
            self._media.unsubscribe(self._changed)

    async def turn(self) -> None:
        """Do what is due now."""
        if self._is_stale:
            self._is_stale = False
            await self._look()
        for item in self._shelf.due(self._clock()):
            await self._step(item)

    def _changed(self) -> None:
        self._is_stale = True
        self._shelf.is_known = False
        self._wake.set()

    async def _look(self) -> None:
        """See what is in the wanted files now; what is not wanted any more is forgotten here, and kept there."""
        found: dict[str, str] = {}
        for name, mime_type in list(self._media.wanted.items()):
            content = await self._content_of(name)
            if content is None:
                continue
            if content.digest not in found.values():
                self._want(LocalFile(name, mime_type, content.size, content.digest, 0.0))
            found[name] = content.digest
        self._shelf.learn(found)
        self._shelf.is_known = not self._is_stale

    async def _content_of(self, name: str) -> Seen | None:
        """What is in a file, or None, which is told once."""
        try:
            content = await self._media.look(name)
        except OSError as error:
            reason = error.strerror or str(error)
            if self._unreadable.get(name) != reason:
                self._unreadable[name] = reason
                logger.warning("media %s cannot be read (%s)", name, reason)
                self._on_upload("unreadable")
            return None
        self._unreadable.pop(name, None)
        return content

    def _want(self, file: LocalFile) -> None:
        item = self._shelf.item(file.digest)
        if item is None or item.file.mime_type != file.mime_type:
            item = Item(file, self._backoff(), self._clock())
            self._recall(item)
            self._shelf.put(item)
        else:
            item.file = file  # under its name of now

    def _backoff(self) -> Backoff:
        return Backoff(RETRY_MIN_S, RETRY_MAX_S, self._rng)

    def _recall(self, item: Item) -> None:
        """What the last run left of it is used, and asked for once."""
        kept = self._keeper.recall(item.file.digest)
        if kept is None or kept.until <= self._wall():
            return
        if (kept.owner, kept.mime_type) != (self._owner, item.file.mime_type):
            return
        if kept.is_ready:
            item.usable, item.is_doubted = kept, self._can_ask(kept)
        elif self._can_ask(kept):
            item.coming, item.coming_since = kept, self._clock()

    def _can_ask(self, kept: KeptFile) -> bool:
        return self._api.status is not None and bool(kept.file_id)

    async def _until_due(self) -> None:
        wait_s = self._shelf.next_due() - self._clock()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(max(0.0, wait_s), LOOK_S)):
                await self._wake.wait()
                return
        self._is_stale = self._is_stale or bool(self._unreadable)

    async def _step(self, item: Item) -> None:
        if item.coming is not None:
            await self._poll(item, item.coming)
        elif item.is_doubted and item.usable is not None and self._can_ask(item.usable):
            await self._verify(item, item.usable)
        elif item.is_doubted or item.usable is None or self._wall() >= _renewal_of(item.usable):
            await self._upload(item)
        self._plan(item)

    def _plan(self, item: Item) -> None:
        """When to look at it again, unless a failure or a wait has said so."""
        if item.due_at <= self._clock() and item.usable is not None:
            item.due_at = self._clock() + max(RETRY_MIN_S, _renewal_of(item.usable) - self._wall())

    async def _upload(self, item: Item) -> None:
        file = msgspec.structs.replace(item.file, until=self._wall() + self._validity_s)
        unfit = self._unfit(file)
        if unfit:
            self._fail(item, NotStored(unfit))
            return
        try:
            answer = await self._send(file)
        except OSError as error:
            logger.warning("media %s cannot be read (%s)", file.name, error.strerror or error)
            self._fail(item, NotStored("unreadable"), "unreadable")
            return
        item.is_doubted = False
        if not isinstance(answer, Stored):
            self._fail(item, answer)
            return
        kept = self._kept(file, answer)
        if not answer.is_ready and not self._can_ask(kept):
            self._fail(item, NotStored("no_file_id"))
            return
        self._on_upload("stored")
        logger.info("media %s (%d octets) is uploaded to %s", file.name, file.size, self._owner)
        if answer.is_ready:
            item.coming = None
            self._use(item, kept)
            return
        item.coming, item.coming_since, item.polls = kept, self._clock(), Backoff(POLL_MIN_S, POLL_MAX_S, self._rng)
        item.due_at = self._clock() + item.polls.next_s()
        if item.usable is None:
            self._keeper.keep(file.digest, kept)
        early = self._early.pop(kept.file_id, None)
        if early is not None:
            self.note(early)

    def _unfit(self, file: LocalFile) -> str:
        """Why the platform would not take it."""
        if file.mime_type not in self._api.media_types:
            return "bad_type"
        return "empty" if not file.size else "too_large" if file.size > self._api.size_max else ""

    async def _send(self, file: LocalFile) -> FileAnswer:
        posting = self._api.upload(self._bot_id, file)
        opened = await asyncio.to_thread(self._media.path(file.name).open, "rb")
        with opened:
            size = len(posting.before) + file.size + len(posting.after)
            body = Streamed(size, partial(pieces, opened, file.digest, posting.before, posting.after))
            return await self._asked(posting.request, self._api.read_upload, body)

    async def _asked(
        self,
        request: Request,
        read: Callable[[int, bytes, str | None, float], FileAnswer],
        body: Streamed | None = None,
    ) -> FileAnswer:
        try:
            answer = await self._exchange(request, body)
        except (NoTokenError, NotSentError, NoAnswerError) as error:
            return TryLater(str(error))
        return read(answer.status, answer.body, answer.retry_after, self._wall())

    async def _state_of(self, kept: KeptFile) -> FileAnswer:
        """Only where the platform can be asked."""
        assert self._api.status is not None
        return await self._asked(self._api.status(self._bot_id, kept.file_id), self._api.read_status)

    async def _poll(self, item: Item, coming: KeptFile) -> None:
        """Ask whether it is ready by now; the platform may also tell by itself, meanwhile even."""
        answer = await self._state_of(coming)
        if item.coming is not coming or self._hear(item, coming, answer):
            return
        if self._clock() - item.coming_since > READY_MAX_S:
            item.coming = None
            self._fail(item, NotStored("not_ready"), "not_ready")
        else:
            item.due_at = self._clock() + item.polls.next_s()

    async def _verify(self, item: Item, usable: KeptFile) -> None:
        answer = await self._state_of(usable)
        item.is_doubted = False
        if isinstance(answer, NotStored) and item.usable is usable:
            self._gone(item, answer)

    def _hear(self, item: Item, coming: KeptFile, answer: FileAnswer) -> bool:
        """Whether this is the end of what was on its way: it is ready, or never will be, which is as a refusal is."""
        if isinstance(answer, Stored) and answer.is_ready:
            item.coming = None
            until = answer.until or coming.until
            kept = msgspec.structs.replace(coming, ref=answer.ref or coming.ref, is_ready=True, until=until)
            self._use(item, kept)
            return True
        if isinstance(answer, NotStored):
            item.coming = None
            if item.usable is None:  # else that is what is kept
                self._keeper.forget(item.file.digest)
            self._fail(item, answer)
            return True
        return False

    def _use(self, item: Item, kept: KeptFile) -> None:
        item.usable, item.error, item.failures = kept, "", 0
        item.backoff = self._backoff()
        item.due_at = self._clock()
        self._keeper.keep(item.file.digest, kept)

    def _gone(self, item: Item, answer: NotStored) -> None:
        """The platform does not have any more what could be used."""
        self._keeper.forget(item.file.digest)
        self._on_upload("gone")
        logger.info("media %s is not at %s any more (%s)", item.file.name, self._owner, answer.error)
        item.usable, item.is_doubted = None, False
        item.due_at = self._clock()

    def _fail(self, item: Item, answer: NotStored | TryLater | TokenRefused, outcome: str = "") -> None:
        """It did not work: again later, and meanwhile what is there still serves."""
        item.failures += 1
        is_final = isinstance(answer, NotStored)
        if is_final and item.failures == 1:
            item.backoff = Backoff(REFUSED_MIN_S, REFUSED_MAX_S, self._rng)
        wait_s = item.backoff.next_s()
        if isinstance(answer, TryLater) and answer.retry_s is not None:
            wait_s = answer.retry_s
        item.due_at = self._clock() + wait_s
        self._is_stale = True  # perhaps the file is not what it was
        if is_final or item.failures >= TRIES_MAX:
            item.error = answer.error
        self._on_upload(outcome or ("refused" if is_final else "later"))
        logger.warning("media %s: no upload to %s (%s)", item.file.name, self._owner, answer.error)

    def _kept(self, file: LocalFile, answer: Stored) -> KeptFile:
        return KeptFile(
            owner=self._owner,
            ref=answer.ref,
            file_id=answer.file_id,
            mime_type=file.mime_type,
            size=file.size,
            is_ready=answer.is_ready,
            sent_at=self._wall(),
            until=answer.until or file.until,
        )


def _renewal_of(kept: KeptFile) -> float:
    """When to upload it anew: half its life is for the handsets that fetch late."""
    return kept.sent_at + (kept.until - kept.sent_at) / 2
