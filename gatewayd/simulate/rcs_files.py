"""Files of bots: upload, status, content, expiry and removal (GSMA FNW.11).

Holds octets in memory, bounded. Knows nothing of messages; tells a file's state through a call it is given.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec
from aiohttp import BodyPartReader, web

from gatewayd.simulate.rcs_catalogue import Refusal
from gatewayd.simulate.rcs_members import moment, rfc3339
from gatewayd.simulate.schedule import Schedule

MIME = re.compile(r"(application|audio|image|text|video)/[A-Za-z0-9.+-]{1,100}", re.ASCII)
FILES_MAX = 10_000
FIELDS = ("fileType", "until", "fileUrl", "fileContent")
UNTIL_DEFAULT_S = 30 * 86400.0

FileStatus = Literal["pending", "ready", "failed"]


class StoredFile(msgspec.Struct):
    """One file. ``url`` is where handsets (and tests) fetch it; ``until`` is Unix seconds."""

    id: str
    bot: str
    mime_type: str
    url: str
    until: float
    content: bytes = b""
    size: int = 0
    status: FileStatus = "pending"


class Shelf:
    """The files by id; the oldest leaves beyond ``FILES_MAX``, and each when its time is over."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self.files: dict[str, StoredFile] = {}
        self._wall = wall

    def put(self, stored: StoredFile) -> None:
        """Keep a file."""
        self.files[stored.id] = stored
        if len(self.files) > FILES_MAX:
            del self.files[next(iter(self.files))]

    def get(self, bot: str, file_id: str) -> StoredFile:
        """A bot's file that has not expired; raises ``Refusal`` (404) otherwise. Bot "" is anyone."""
        stored = self.files.get(file_id)
        if stored is None or bot not in ("", stored.bot):
            raise Refusal(42403)
        if stored.until <= self._wall():
            del self.files[file_id]
            raise Refusal(42403, "its time is over")
        return stored


class FileDesk:
    """The handlers of a bot's files.

    An upload is answered with ``pending`` and becomes ready ``ready_after_s`` later, which ``tell`` is told; a file
    whose type is in ``fail_types`` fails instead. ``enter`` checks a request's credentials and names its bot.
    """

    def __init__(
        self,
        shelf: Shelf,
        schedule: Schedule,
        wall: Callable[[], float],
        enter: Callable[[web.Request], str],
        tell: Callable[[StoredFile, str], None],
    ) -> None:
        self.ready_after_s = 0.0
        self.fail_types: frozenset[str] = frozenset()
        self.size_max = 100 * 1024 * 1024
        self._shelf = shelf
        self._schedule = schedule
        self._wall = wall
        self._enter = enter
        self._tell = tell

    def add_routes(self, app: web.Application, bot_path: str) -> None:
        """Put the endpoints into ``app``; the content is served to anyone, as handsets have no token."""
        app.router.add_post(bot_path + "/files", self._upload)
        app.router.add_get(bot_path + "/files/{file_id}", self._look)
        app.router.add_delete(bot_path + "/files/{file_id}", self._delete)
        app.router.add_get("/content/{file_id}", self._content)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        bot = self._enter(request)
        if request.content_type != "multipart/form-data":
            raise Refusal(42002, "Content-Type is not multipart/form-data")
        fields, content = await self._read_form(request)
        stored = self._check(bot, fields, content, request)
        self._shelf.put(stored)
        self._schedule.after(self.ready_after_s, lambda: self._settle(stored))
        return web.json_response(described(stored), status=202)

    async def _read_form(self, request: web.Request) -> tuple[dict[str, str], bytes | None]:
        fields: dict[str, str] = {}
        content: bytes | None = None
        try:
            async for part in await request.multipart():
                if not isinstance(part, BodyPartReader) or part.name not in FIELDS or part.name in fields:
                    raise Refusal(42002, "the form has a field that is unknown, nested or given twice")
                octets = await self._read_part(part)
                if part.name == "fileContent":
                    content = octets
                    fields[part.name] = ""
                else:
                    fields[part.name] = octets.decode()
        except (ValueError, AssertionError):
            raise Refusal(42002, "the form is malformed") from None
        return fields, content

    async def _read_part(self, part: BodyPartReader) -> bytes:
        octets = bytearray()
        while chunk := await part.read_chunk():
            octets += chunk
            if len(octets) > self.size_max:
                raise Refusal(42002, "the file is too large")
        return bytes(part.decode(bytes(octets)))

    def _check(self, bot: str, fields: Mapping[str, str], content: bytes | None, request: web.Request) -> StoredFile:
        if not MIME.fullmatch(fields.get("fileType", "")):
            raise Refusal(42401)
        has_url = bool(fields.get("fileUrl"))
        if has_url == (content is not None):
            raise Refusal(42002, "exactly one of fileContent and fileUrl")
        if content is not None and not content:
            raise Refusal(42002, "the file is empty")
        if has_url and not fields["fileUrl"].startswith(("http://", "https://")):
            raise Refusal(42402)
        until = moment(fields["until"], 42003, "until") if "until" in fields else self._wall() + UNTIL_DEFAULT_S
        if until <= self._wall():
            raise Refusal(42208, "until")
        file_id = secrets.token_hex(8)
        url = fields["fileUrl"] if has_url else f"{request.scheme}://{request.host}/content/{file_id}"
        octets = content or b""
        return StoredFile(file_id, bot, fields["fileType"], url, until, octets, len(octets))

    def report(self, stored: StoredFile, status: FileStatus) -> None:
        """Bring a file into a state now, and tell its bot."""
        stored.status = status
        self._tell(stored, stored.bot)

    def _settle(self, stored: StoredFile) -> None:
        if self._shelf.files.get(stored.id) is stored and stored.status == "pending":
            self.report(stored, "failed" if stored.mime_type in self.fail_types else "ready")

    async def _look(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(described(self._shelf.get(self._enter(request), request.match_info["file_id"])))

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        stored = self._shelf.get(self._enter(request), request.match_info["file_id"])
        del self._shelf.files[stored.id]
        return web.Response(status=204)

    async def _content(self, request: web.Request) -> web.StreamResponse:
        stored = self._shelf.get("", request.match_info["file_id"])
        return web.Response(body=stored.content, content_type=stored.mime_type)


def described(stored: StoredFile) -> dict[str, object]:
    """A file as the API and its webhook describe it."""
    return {
        "fileId": stored.id,
        "fileUrl": stored.url,
        "fileSize": stored.size,
        "status": stored.status,
        "validity": rfc3339(stored.until),
    }
