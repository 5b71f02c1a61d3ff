"""Files of agents: named by a URL or uploaded as octets; kept 60 days (Google's RBM API).

Holds octets in memory, bounded. Knows nothing of messages.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

import msgspec
from aiohttp import web

from gatewayd.simulate.rbm_members import record, url
from gatewayd.simulate.rbm_refusals import invalid
from gatewayd.simulate.rbm_validation import read_json

FILES_MAX = 10_000
KEPT_S = 60 * 86400.0
SIZE_MAX = 100 * 1024 * 1024
AUDIO = ("aac", "mp3", "mpeg", "mpg", "mp4", "mp4-latm", "3gpp")
VIDEO = ("h263", "m4v", "mp4", "mpeg4", "mpeg", "webm")
MEDIA_TYPES = frozenset(
    (
        "application/pdf",
        "application/ogg",
        *(f"audio/{kind}" for kind in AUDIO),
        *(f"image/{kind}" for kind in ("jpeg", "gif", "png")),
        *(f"video/{kind}" for kind in VIDEO),
    )
)


class RbmFile(msgspec.Struct, frozen=True):
    """One file: where it came from or what it holds, and until when (Unix seconds) it is kept."""

    name: str
    agent: str
    kept_until: float
    url: str = ""
    media_type: str = ""
    content: bytes = b""


class RbmFileDesk:
    """The handlers, and the shelf that messages are checked against."""

    def __init__(self, enter: Callable[[web.Request, str], str], wall: Callable[[], float]) -> None:
        self.files: dict[str, RbmFile] = {}
        self._enter = enter
        self._wall = wall

    def add_routes(self, app: web.Application) -> None:
        """Put the endpoints into ``app``."""
        app.router.add_post("/v1/files", self._name)
        app.router.add_post("/upload/v1/files", self._upload)

    def has(self, name: str) -> bool:
        """Whether there is such a file, still."""
        stored = self.files.get(name)
        return stored is not None and stored.kept_until > self._wall()

    async def _name(self, request: web.Request) -> web.StreamResponse:
        agent = self._enter(request, "")
        body = record(read_json(await request.read()), "file", ("fileUrl", "thumbnailUrl"))
        url(body, "thumbnailUrl", "file", required=False)
        return self._put(agent, url(body, "fileUrl", "file"), "", b"")

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        agent = self._enter(request, "")
        if request.content_type not in MEDIA_TYPES:
            raise invalid("file", "its media type is none that is taken")
        content = bytearray()
        async for chunk in request.content.iter_any():
            content += chunk
            if len(content) > SIZE_MAX:
                raise invalid("file", "it is larger than 100 MiB")
        if not content:
            raise invalid("file", "it is empty")
        return self._put(agent, "", request.content_type, bytes(content))

    def _put(self, agent: str, file_url: str, media_type: str, content: bytes) -> web.Response:
        name = f"files/{uuid.uuid4()}"
        self.files[name] = RbmFile(name, agent, self._wall() + KEPT_S, file_url, media_type, content)
        if len(self.files) > FILES_MAX:
            del self.files[next(iter(self.files))]
        return web.json_response({"name": name})
