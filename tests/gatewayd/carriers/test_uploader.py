"""Twin of gatewayd.carriers.uploader and of the shelf it fills: every way of a file, by a clock of the test's."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatewayd.carriers.media import Media
from gatewayd.carriers.rcs_http import Answer, NoAnswerError, Streamed
from gatewayd.carriers.shelf import MediaPendingError
from gatewayd.carriers.uploader import (
    DOUBT_S,
    POLL_MAX_S,
    READY_MAX_S,
    REFUSED_MIN_S,
    RETRY_MAX_S,
    Filing,
    Uploader,
)
from gatewayd.config import schema
from protocol.rcs.content import Card, Content, RichCard, Text
from protocol.rcs.content import Media as CardMedia
from protocol.rcs.dialects import named
from protocol.rcs.errors import ContentFault
from protocol.rcs.events import FileEvent
from protocol.rcs.exchange import Request
from protocol.rcs.files import FileApi, NotStored, Stored
from protocol.rcs.gsma import platform_of
from protocol.rcs.rbm_files import FILES as RBM
from tests.gatewayd.carriers.file_keeper import Keeper

DAY_S = 86_400.0
CARD = RichCard(Card(media=CardMedia("file:a.png")))
GSMA = platform_of(named("standard")).files


def url(number: int) -> str:
    return f"https://x.example/{number}"


class Bench:
    """An uploader, a folder with one wanted file, and a platform that answers as ``replies`` say, then takes all."""

    def __init__(self, folder: Path, api: FileApi | None = GSMA) -> None:
        assert api is not None
        self.api = api
        self.folder = folder
        self.now = 1_800_000_000.0
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self.replies: list[tuple[int, Any] | str] = []
        self.outcomes: list[str] = []
        self.keeper = Keeper()
        self.media = Media()
        self.write("octets")
        self.uploader = self.opened()

    def write(self, octets: str) -> None:
        (self.folder / "a.png").write_text(octets)
        self.media.learn(str(self.folder), {"a.png": "image/png"})

    def opened(self, bot: str = "bot") -> Uploader:
        settings = schema.Link(kind="gsma", server_root="https://p.example", bot_id=bot)
        clock: Callable[[], float] = lambda: self.now  # noqa: E731
        filing = Filing(self.media, self.keeper, self.outcomes.append)
        self.uploader = Uploader(self.api, settings, filing, self.exchange, clock, clock, random.Random(1))
        self.media.subscribe(self.uploader._changed)
        return self.uploader

    async def exchange(self, request: Request, body: Streamed | None = None) -> Answer:
        self.asked.append(request.method)
        if body is not None:
            octets = b"".join([piece async for piece in body.pieces()])
            assert len(octets) == body.size
            self.bodies.append(octets)
        number = len(self.asked)
        reply = self.replies.pop(0) if self.replies else (200, self.file(number))
        if isinstance(reply, str):
            raise NoAnswerError(reply)
        status, answer = reply
        return Answer(status, msgspec.json.encode(answer), "7" if status == 503 else None)

    @staticmethod
    def file(number: int, status: str = "ready") -> dict[str, str]:
        return {"fileId": f"f{number}", "fileUrl": url(number), "status": status, "name": f"files/{number}"}

    async def after(self, seconds: float = 0.0) -> None:
        self.now += seconds
        await self.uploader.turn()

    def placed(self) -> str:
        """Where the card's picture is, or why not."""
        try:
            content, used = self.uploader.place(CARD)
        except MediaPendingError:
            return "pending"
        except ContentFault as fault:
            return fault.problem if fault.kind == "content_not_uploaded" else fault.kind
        assert isinstance(content, RichCard)
        assert content.card.media is not None
        assert (content.card.media.mime_type, len(used)) == ("image/png", 1)
        return content.card.media.url

    @property
    def used(self) -> tuple[str, ...]:
        return self.uploader.place(CARD)[1]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_a_file_that_is_ready_at_once(bench: Bench) -> None:
    assert bench.placed() == "pending"
    await bench.after()
    assert bench.placed() == url(1)
    assert b"octets" in bench.bodies[0]
    assert bench.outcomes == ["stored"]
    await bench.after(10.0)
    assert bench.asked == ["POST"]
    plain: Content = Text("x")
    assert bench.uploader.place(plain) == (plain, ())


async def test_a_file_that_becomes_ready_is_asked_for(bench: Bench) -> None:
    bench.replies = [(202, bench.file(1, "pending")), (200, bench.file(1, "pending")), (503, {})]
    await bench.after()
    assert bench.placed() == "pending"
    for _ in range(3):
        await bench.after(POLL_MAX_S)
    assert bench.asked == ["POST", "GET", "GET", "GET"]
    assert bench.placed() == url(4)
    assert bench.outcomes == ["stored"]


async def test_the_platform_tells_that_it_is_ready(bench: Bench) -> None:
    bench.replies = [(202, bench.file(1, "pending"))]
    await bench.after()
    bench.uploader.note(FileEvent("other", Stored(url(9), "other")))
    bench.uploader.note(FileEvent("f1", Stored(url(9), "f1", is_ready=False)))
    assert bench.placed() == "pending"
    bench.uploader.note(FileEvent("f1", Stored(url(2), "f1", until=bench.now + DAY_S)))
    assert bench.placed() == url(2)
    (kept,) = bench.keeper.values()
    assert (kept.is_ready, kept.ref, kept.until) == (True, url(2), bench.now + DAY_S)
    await bench.after(POLL_MAX_S)
    assert bench.asked == ["POST"]


async def test_it_tells_before_it_answers(bench: Bench) -> None:
    bench.replies = [(202, bench.file(1, "pending"))]
    for number in range(100):
        bench.uploader.note(FileEvent(f"x{number}", Stored(url(number), f"x{number}")))
    bench.uploader.note(FileEvent("f1", Stored(url(1), "f1")))
    await bench.after()
    assert bench.placed() == url(1)


async def test_one_that_is_never_ready(bench: Bench) -> None:
    bench.replies = [(202, bench.file(1, "pending"))] * 3
    await bench.after()
    await bench.after(READY_MAX_S)
    assert bench.placed() == "pending"
    await bench.after(POLL_MAX_S)
    assert bench.placed() == "the platform does not have it (not_ready)"
    assert bench.outcomes == ["stored", "not_ready"]
    await bench.after(REFUSED_MIN_S)
    assert bench.placed() == url(4)


@pytest.mark.parametrize("how", ["answer", "poll", "event"])
async def test_a_refusal_is_not_waited_for_and_tried_again_much_later(bench: Bench, how: str) -> None:
    pending, failed = (202, bench.file(1, "pending")), (200, bench.file(1, "failed"))
    replies: dict[str, list[tuple[int, Any] | str]] = {
        "answer": [(400, {"reason": {"code": 42401}})],
        "poll": [pending, failed],
        "event": [pending],
    }
    bench.replies = replies[how]
    await bench.after()
    if how == "poll":
        await bench.after(POLL_MAX_S)
    if how == "event":
        bench.uploader.note(FileEvent("f1", NotStored("file_failed")))
    word = "42401" if how == "answer" else "file_failed"
    assert bench.placed() == f"the platform does not have it ({word})"
    assert bench.outcomes[-1] == "refused"
    count = len(bench.asked)
    await bench.after(1.0)
    assert len(bench.asked) == count
    await bench.after(REFUSED_MIN_S)
    assert bench.placed() == url(count + 1)


async def test_a_platform_that_is_busy_is_asked_again_soon_and_messages_wait_for_a_while(bench: Bench) -> None:
    bench.replies = [(503, {}), "timeout", (401, {})]
    await bench.after()
    assert bench.placed() == "pending"
    await bench.after(6.9)
    assert len(bench.asked) == 1, "it had named a time"
    await bench.after(0.1)
    assert bench.placed() == "pending"
    await bench.after(RETRY_MAX_S)
    assert bench.placed() == "the platform does not have it (http_401)"
    await bench.after(RETRY_MAX_S)
    assert bench.placed() == url(4)
    assert bench.outcomes == ["later", "later", "later", "stored"]


async def test_an_answer_that_leads_nowhere(bench: Bench) -> None:
    bench.replies = [(200, {"fileUrl": url(1), "status": "pending"})]
    await bench.after()
    assert bench.placed() == "the platform does not have it (no_file_id)"


async def test_it_is_renewed_at_half_its_life_and_the_old_one_serves_meanwhile(bench: Bench) -> None:
    await bench.after()
    await bench.after(15 * DAY_S - 1)
    assert bench.asked == ["POST"]
    bench.replies = [(503, {}), (202, bench.file(3, "pending"))]
    await bench.after(1.0)
    assert bench.placed() == url(1)
    await bench.after(7.0)
    assert bench.placed() == url(1)
    bench.uploader.note(FileEvent("f3", Stored(url(3), "f3")))
    assert bench.placed() == url(3)
    (kept,) = bench.keeper.values()
    assert kept.until == pytest.approx(bench.now + 30 * DAY_S)


async def test_what_is_told_of_the_old_one_is_not_of_the_new_one(bench: Bench) -> None:
    await bench.after()
    bench.replies = [(202, bench.file(2, "pending"))]
    await bench.after(15 * DAY_S)
    bench.uploader.note(FileEvent("f1", Stored(url(1), "f1")))
    (kept,) = bench.keeper.values()
    assert (bench.placed(), kept.file_id) == (url(1), "f1")
    bench.uploader.note(FileEvent("f1", NotStored("file_expired")))
    assert (bench.placed(), bench.keeper) == ("pending", {})
    bench.uploader.note(FileEvent("f2", Stored(url(2), "f2")))
    assert bench.placed() == url(2)
    assert bench.outcomes == ["stored", "stored", "gone"]


async def test_a_renewal_that_failed_leaves_the_old_one(bench: Bench) -> None:
    await bench.after()
    bench.replies = [(202, bench.file(2, "pending"))]
    await bench.after(15 * DAY_S)
    bench.uploader.note(FileEvent("f2", NotStored("file_failed")))
    (kept,) = bench.keeper.values()
    assert (bench.placed(), kept.file_id) == (url(1), "f1")


async def test_one_whose_time_is_over_is_not_sent(bench: Bench) -> None:
    await bench.after()
    bench.replies = [(400, {})]
    await bench.after(20 * DAY_S)
    assert bench.placed() == url(1)
    bench.now += 10 * DAY_S
    assert bench.placed() == "the platform does not have it (http_400)"


async def test_a_restart_asks_and_uploads_nothing(bench: Bench) -> None:
    await bench.after()
    bench.opened()
    bench.replies = [(200, bench.file(1))]
    await bench.after(DAY_S)
    assert bench.asked == ["POST", "GET"]
    assert bench.placed() == url(1)
    await bench.after(15 * DAY_S)
    assert bench.asked == ["POST", "GET", "POST"]


async def test_a_restart_while_it_is_not_ready_asks(bench: Bench) -> None:
    bench.replies = [(202, bench.file(1, "pending")), (200, bench.file(1))]
    await bench.after()
    bench.opened()
    await bench.after()
    assert (bench.asked, bench.placed()) == (["POST", "GET"], url(1))


async def test_what_was_kept_of_another_bot_type_or_time_is_of_no_use(bench: Bench) -> None:
    await bench.after()
    bench.opened("another")
    await bench.after()
    bench.media.learn(str(bench.folder), {"a.png": "image/gif"})
    await bench.after()
    bench.opened("another")
    await bench.after(31 * DAY_S)
    assert bench.asked == ["POST"] * 4


async def test_a_refused_message_makes_us_look_once(bench: Bench) -> None:
    await bench.after()
    used = bench.used
    assert bench.uploader.doubt(used)
    assert bench.placed() == "pending"
    bench.replies = [(404, {}), (200, bench.file(3))]
    await bench.after()
    assert bench.keeper == {}
    await bench.after()
    assert bench.placed() == url(3)
    assert bench.outcomes == ["stored", "gone", "stored"]
    assert not bench.uploader.doubt(used)
    assert not bench.uploader.doubt(["another"])
    bench.now += DOUBT_S
    assert bench.uploader.doubt(used)
    bench.replies = [(503, {})]
    await bench.after()
    assert bench.placed() == url(3), "no answer is no reason"


async def test_where_it_cannot_be_asked_for_a_doubt_uploads_it_anew(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RBM)
    await bench.after()
    assert bench.placed() == "uploaded:files/1"
    assert bench.bodies == [b"octets"]
    assert bench.uploader.doubt(bench.used)
    await bench.after()
    assert bench.placed() == "uploaded:files/2"
    await bench.after(30 * DAY_S)
    assert bench.placed() == "uploaded:files/3"
    bench.opened()
    await bench.after()
    assert (bench.placed(), len(bench.asked)) == ("uploaded:files/3", 3)


async def test_the_platform_tells_that_it_is_gone(bench: Bench) -> None:
    await bench.after()
    bench.uploader.note(FileEvent("f1", NotStored("file_expired")))
    assert bench.placed() == "pending"
    await bench.after()
    assert bench.placed() == url(2)


async def test_another_content_is_another_file(bench: Bench) -> None:
    await bench.after()
    bench.write("other octets")
    await bench.after()
    assert bench.placed() == url(2)
    bench.media.learn(str(bench.folder), {"a.png": "image/png"})
    await bench.after()
    bench.write("octets")
    bench.replies = [(200, bench.file(1))]
    await bench.after()
    assert bench.placed() == url(1), "it was there before"
    assert bench.asked == ["POST", "POST", "GET"]


async def test_the_same_content_under_two_names_is_one_file(bench: Bench) -> None:
    (bench.folder / "b.png").write_text("octets")
    bench.media.learn(str(bench.folder), {"a.png": "image/png", "b.png": "image/png"})
    await bench.after()
    assert bench.asked == ["POST"]
    bench.media.learn(str(bench.folder), {})
    await bench.after()
    assert bench.placed() == "cannot be read, or no template names it"


async def test_a_file_that_cannot_be_read_is_told_once_and_used_when_it_can(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    (bench.folder / "a.png").unlink()
    for _ in range(3):
        bench.uploader._changed()
        assert bench.placed() == "pending"
        await bench.after(100.0)
        assert bench.placed() == "cannot be read, or no template names it"
    assert bench.outcomes == ["unreadable"]
    assert [record.message for record in caplog.records] == ["media a.png cannot be read (No such file or directory)"]
    bench.write("octets")
    await bench.after()
    assert bench.placed() == url(1)


async def test_one_that_vanishes_after_it_was_looked_at(bench: Bench) -> None:
    await bench.after()
    (bench.folder / "a.png").unlink()
    await bench.after(15 * DAY_S)
    assert (bench.placed(), bench.outcomes) == (url(1), ["stored", "unreadable"])


UNFIT = [("", "image/png", "empty"), ("x" * 9, "image/png", "too_large"), ("x", "a/b", "bad_type")]


@pytest.mark.parametrize(("octets", "kind", "word"), UNFIT)
async def test_what_the_platform_would_not_take_is_not_sent(tmp_path: Path, octets: str, kind: str, word: str) -> None:
    assert GSMA is not None
    bench = Bench(tmp_path, msgspec.structs.replace(GSMA, size_max=8))
    bench.write(octets)
    bench.media.learn(str(tmp_path), {"a.png": kind})
    await bench.after()
    assert (bench.placed(), bench.asked) == (f"the platform does not have it ({word})", [])
