"""A link and its files over real loopback HTTP: bodies in pieces, messages that wait, refusals that raise a doubt."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gatewayd.carriers.media import Media
from gatewayd.carriers.rcs_link import RcsLink
from gatewayd.carriers.uploader import Filing
from gatewayd.config import schema
from gatewayd.message import Accepted, Deferred, Message, Outcome, Refused
from protocol.rcs.content import Card, Content, RichCard
from protocol.rcs.content import Media as CardMedia
from protocol.rcs.events import FileEvent
from protocol.rcs.files import Stored
from tests.gatewayd.carriers.file_keeper import Keeper
from tests.gatewayd.carriers.rcs_platform import (
    Listener,
    Platform,
    Reply,
    a_message,
    answer,
    hang_up,
    platform_running,
)

OCTETS = os.urandom(600_000)
URL = "https://x.example/1"
READY = answer(200, {"fileId": "f1", "fileUrl": URL, "status": "ready"})
PENDING = answer(202, {"fileId": "f1", "fileUrl": URL, "status": "pending"})


def card_of(message: Message) -> Content:
    return RichCard(Card(media=CardMedia("file:a.png")))


class Bench:
    """A platform, a link with one file, and what it counts."""

    def __init__(self, platform: Platform, folder: Path) -> None:
        self.platform = platform
        self.listener = Listener()
        self.counted: asyncio.Queue[str] = asyncio.Queue()
        self.media = Media()
        (folder / "a.png").write_bytes(OCTETS)
        self.media.learn(str(folder), {"a.png": "image/png"})
        settings = schema.Link(
            kind="gsma",
            window=4,
            server_root=f"{platform.root}/rcs",
            bot_id="bot-1",
            token_url=f"{platform.root}/oauth2/v1/token",
            client_id="client",
        )
        files = Filing(self.media, Keeper(), self.counted.put_nowait)
        self.link = RcsLink("orange", settings, None, "secret", self.listener, content_of=card_of, files=files)

    async def outcome(self) -> str:
        async with asyncio.timeout(5):
            return await self.counted.get()

    async def sent(self, message: Message) -> Outcome:
        await self.listener.until(lambda: self.link.is_up)
        before = len(self.listener.results)
        self.link.submit(message)
        await self.listener.until(lambda: len(self.listener.results) > before)
        return self.listener.results[-1].outcome


@asynccontextmanager
async def benched(folder: Path, *replies: Reply) -> AsyncIterator[Bench]:
    async with platform_running() as platform:
        if replies:
            platform.replies = list(replies)
        bench = Bench(platform, folder)
        await bench.link.start()
        try:
            yield bench
        finally:
            await bench.link.stop(0.0)


async def test_the_octets_go_in_pieces_and_again_under_a_new_token(tmp_path: Path) -> None:
    async with benched(tmp_path, answer(401), READY, answer(202, {"RCSMessage": {"msgId": "m-1"}})) as bench:
        assert await bench.outcome() == "stored"
        refused, upload = bench.platform.asked
        assert refused.body == upload.body
        assert OCTETS in upload.body
        assert upload.headers["Content-Length"] == str(len(upload.body))
        assert [asked.headers["Authorization"] for asked in (refused, upload)] == ["Bearer t-1", "Bearer t-2"]
        assert await bench.sent(a_message()) == Accepted("m-1", is_plain=False)
    card = bench.platform.asked[2].json["RCSMessage"]["richcardMessage"]["message"]["generalPurposeCard"]["content"]
    assert (card["media"]["mediaUrl"], card["media"]["mediaFileSize"]) == (URL, len(OCTETS))


async def test_a_message_is_deferred_until_the_platform_tells(tmp_path: Path) -> None:
    async with benched(tmp_path, PENDING, answer(202, {"RCSMessage": {"msgId": "m-1"}})) as bench:
        assert await bench.outcome() == "stored"
        assert await bench.sent(a_message()) == Deferred("media_pending", 1.0)
        bench.link.on_file(FileEvent("f1", Stored(URL, "f1")))
        assert await bench.sent(a_message()) == Accepted("m-1", is_plain=False)


async def test_a_refusal_raises_a_doubt_once(tmp_path: Path) -> None:
    refusal = answer(400, {"reason": {"code": 42104}})
    async with benched(tmp_path, READY, refusal, READY, refusal) as bench:
        assert await bench.outcome() == "stored"
        assert await bench.sent(a_message()) == Deferred("media_doubted", 1.0)
        await bench.platform.until_asked(3)
        outcome = await bench.sent(a_message())
        while outcome == Deferred("media_pending", 1.0):  # the answer about the file is on its way
            outcome = await bench.sent(a_message())
        assert outcome == Refused("42104")
    assert [asked.method for asked in bench.platform.asked] == ["POST", "POST", "GET", "POST"]


async def test_a_platform_that_hangs_up_is_asked_again(tmp_path: Path) -> None:
    async with benched(tmp_path, hang_up, READY) as bench:
        assert await bench.outcome() == "later"
        assert await bench.outcome() == "stored"


async def test_a_stop_in_the_middle_of_an_upload(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.platform.replies = [bench.platform.silent]
        await bench.platform.until_asked(1)
    assert bench.counted.empty()
