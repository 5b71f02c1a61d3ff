"""A bot's files over the GSMA chatbot API (FNW.11): the form that uploads one, and how a file is described.

Knows no server root and no token. What platforms answer to an upload is not public, so every shape that was seen of a
described file is read.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from protocol.rcs import timestamps
from protocol.rcs.answers import JSON_FAULTS, MsgId, TryLater
from protocol.rcs.exchange import Request
from protocol.rcs.files import FileAnswer, LocalFile, NotStored, Posting, Stored, read_refusal

URL_MAX = 2048

_READY = frozenset({"ready"})
_GONE = frozenset({"failed", "error", "rejected", "expired", "deleted"})
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class _Described(msgspec.Struct, rename="camel"):
    file_id: MsgId | None = None
    file_url: str | None = None
    status: str | None = None
    validity: str | None = None


class _Nested(msgspec.Struct):
    file: _Described | None = None


_described = msgspec.json.Decoder(_Described)
_nested = msgspec.json.Decoder(_Nested)


def upload(path: str, file: LocalFile) -> Posting:
    """POST a form of fileType, until and fileContent to the path of a bot's files."""
    # What holds its own SHA-256 has not been found yet: the boundary cannot be in the content (RFC 2046: 70 at most).
    boundary = f"gatewayd-{file.digest[:48]}"
    name = _UNSAFE.sub("_", file.name.rpartition("/")[2])[:100]
    before = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="fileType"\r\n\r\n{file.mime_type}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="until"\r\n\r\n{timestamps.write(file.until)}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="fileContent"; filename="{name}"\r\n'
        f"Content-Type: {file.mime_type}\r\n\r\n"
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return Posting(Request("POST", path, headers=headers), before.encode(), f"\r\n--{boundary}--\r\n".encode())


def read_answer(status: int, body: bytes, retry_after: str | None, code: str) -> FileAnswer:
    """What the answer to an upload, or to a question about a file, means; ``code`` is the platform's, if any."""
    if not 200 <= status < 300:
        return read_refusal(status, retry_after, code)
    try:
        described = _nested.decode(body).file or _described.decode(body)
    except JSON_FAULTS:
        return TryLater("bad_shape")
    return _answer_of(described)


def read_event(file: dict[str, Any]) -> tuple[str, Stored | NotStored] | None:
    """The id of a file and its state, as ``fileStatus`` tells them; None when it makes no sense."""
    try:
        described = msgspec.convert(file, _Described)
    except msgspec.ValidationError:
        return None
    answer = _answer_of(described)
    if described.file_id in (None, "") or isinstance(answer, TryLater):
        return None
    return str(described.file_id), answer


def _answer_of(described: _Described) -> Stored | NotStored | TryLater:
    file_id = "" if described.file_id is None else str(described.file_id)
    url = described.file_url or ""
    word = (described.status or "").lower()
    if word in _GONE:
        return NotStored(f"file_{word}")
    if not (file_id or url):
        return TryLater("no_file_id")
    if url and not (len(url) <= URL_MAX and url.startswith(("https://", "http://"))):
        return NotStored("bad_url")
    # A platform that gives an address and no state has nothing more to say.
    is_ready = bool(url) and (word in _READY or not word)
    return Stored(url, file_id, is_ready, timestamps.read(described.validity))
