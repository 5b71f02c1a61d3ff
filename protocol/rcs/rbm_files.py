"""An agent's files at Google's RCS for Business (v1 upload/files): octets in, a name out, kept for 60 days.

Knows no server root and no token.
"""

from __future__ import annotations

import re

import msgspec

from protocol.rcs.answers import JSON_FAULTS, read_error_code
from protocol.rcs.exchange import Request
from protocol.rcs.files import FileAnswer, FileApi, LocalFile, NotStored, Posting, Stored, read_refusal
from protocol.rcs.limits import UPLOADED

KEPT_S = 60 * 86_400.0

_NAME = re.compile(r"files/[A-Za-z0-9_.-]{1,200}", re.ASCII)


class _Uploaded(msgspec.Struct):
    name: str


_uploaded = msgspec.json.Decoder(_Uploaded)


def upload(agent_id: str, file: LocalFile) -> Posting:
    """POST the octets alone; their media type is the request's."""
    headers = {"Content-Type": file.mime_type}
    return Posting(Request("POST", "/upload/v1/files", query=(("agentId", agent_id),), headers=headers))


def read_upload(status: int, body: bytes, retry_after: str | None, now_unix: float) -> FileAnswer:
    """What the answer to an upload means. A file is ready as soon as it has its name."""
    if not 200 <= status < 300:
        return read_refusal(status, retry_after, read_error_code(body))
    try:
        name = _uploaded.decode(body).name
    except JSON_FAULTS:
        return NotStored("bad_shape")
    if not _NAME.fullmatch(name):
        return NotStored("bad_name")
    return Stored(UPLOADED + name, until=now_unix + KEPT_S)


FILES = FileApi(upload=upload, read_upload=read_upload, kept_s=KEPT_S)
