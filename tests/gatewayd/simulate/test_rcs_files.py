"""Files from outside: upload, status, webhook, content, expiry and removal."""

from __future__ import annotations

import io
from typing import Any

import aiohttp
import pytest

from tests.gatewayd.simulate.rcs_bot import Bot, a_bot


async def upload(bot: Bot, content: bytes | None = b"octets", **fields: str) -> tuple[int, Any]:
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in {"fileType": "image/png", **fields}.items():
        form.add_field(name, value)
    if content is not None:
        form.add_field("fileContent", io.BytesIO(content), filename="a.png", content_type="image/png")
    return await bot.call("POST", "/bot/v1/bot1/files", data=form)


async def look(bot: Bot, file_id: str, bot_id: str = "bot1") -> tuple[int, Any]:
    return await bot.call("GET", f"/bot/v1/{bot_id}/files/{file_id}")


async def test_a_file_becomes_ready_and_is_served() -> None:
    async with a_bot(file_ready_after_s=2.0) as bot:
        large = b"x" * 3_000_000
        status, body = await upload(bot, large, until="2027-01-16T00:00:00Z")
        assert (status, body["status"], body["fileSize"]) == (202, "pending", len(large))
        assert body["validity"] == "2027-01-16T00:00:00.000Z"
        bot.move(2.0)
        (event,) = await bot.wait_events(1)
        assert event == {"event": "fileStatus", "file": {**body, "status": "ready"}}
        assert await look(bot, body["fileId"]) == (200, event["file"])
        assert (await look(bot, body["fileId"], "bot2"))[0] == 404
        async with bot.session.get(body["fileUrl"]) as response:
            assert (await response.read(), response.content_type) == (large, "image/png")


async def test_a_file_may_fail() -> None:
    async with a_bot(file_fail_types=frozenset({"image/png"})) as bot:
        _, body = await upload(bot)
        bot.move(0.0)
        (event,) = await bot.wait_events(1)
        assert event["file"]["status"] == "failed"
        assert event["file"]["fileId"] == body["fileId"]


async def test_a_file_is_brought_into_a_state_at_once() -> None:
    async with a_bot(file_ready_after_s=9.0) as bot:
        _, body = await upload(bot)
        bot.platform.report_file(body["fileId"], "ready")
        (event,) = await bot.wait_events(1)
        assert event["file"]["status"] == "ready"
        bot.move(9.0)
        assert len(bot.events) == 1


async def test_where_events_are_googles_none_is_a_files() -> None:
    async with a_bot() as bot:
        bot.platform._lives.shape = "pubsub"
        _, body = await upload(bot)
        bot.move(0.0)
        assert (await look(bot, body["fileId"]))[1]["status"] == "ready"
        assert bot.events == []


async def test_a_file_is_deleted_or_its_time_is_over() -> None:
    async with a_bot(file_ready_after_s=1.0) as bot:
        _, first = await upload(bot)
        path = f"/bot/v1/bot1/files/{first['fileId']}"
        assert (await bot.call("DELETE", path))[0] == 204
        assert (await bot.call("DELETE", path))[0] == 404
        bot.move(1.0)
        assert bot.events == []
        _, second = await upload(bot, until="2027-01-15T09:41:00Z")
        bot.clock.now += 60.0
        assert (await look(bot, second["fileId"]))[0] == 404
        assert (await bot.call("GET", "/content/" + second["fileId"]))[0] == 404


async def test_a_file_may_be_named_by_its_url() -> None:
    async with a_bot() as bot:
        status, body = await upload(bot, None, fileUrl="https://files.example/a.png")
        assert (status, body["fileUrl"]) == (202, "https://files.example/a.png")


@pytest.mark.parametrize(
    ("content", "fields", "code"),
    [
        (b"x", {"fileType": "nonsense"}, 42401),
        (None, {}, 42002),
        (b"x", {"fileUrl": "https://files.example"}, 42002),
        (None, {"fileUrl": "ftp://files.example"}, 42402),
        (b"x", {"until": "tomorrow"}, 42003),
        (b"x", {"until": "2027-01-15T09:39:00Z"}, 42208),
        (b"x", {"colour": "red"}, 42002),
        (b"", {}, 42002),
    ],
)
async def test_uploads_that_are_refused(content: bytes | None, fields: dict[str, str], code: int) -> None:
    async with a_bot() as bot:
        status, body = await upload(bot, content, **fields)
        assert (status, body["reason"]["code"]) == (400, code)


async def test_an_upload_is_a_form_and_needs_a_token() -> None:
    async with a_bot() as bot:
        assert (await bot.call("POST", "/bot/v1/bot1/files", json={}))[0] == 400
        assert (await bot.call("POST", "/bot/v1/bot1/files", json={}, headers={}))[0] == 401
        headers = {**bot.headers, "Content-Type": "multipart/form-data; boundary=x"}
        assert (await bot.call("POST", "/bot/v1/bot1/files", data=b"nonsense", headers=headers))[0] == 400
