"""Twin of protocol.rcs.rbm_files."""

from __future__ import annotations

import msgspec
import pytest

from protocol.rcs.answers import TokenRefused, TryLater
from protocol.rcs.files import LocalFile, NotStored, Stored
from protocol.rcs.rbm import PLATFORM
from protocol.rcs.rbm_files import FILES, KEPT_S

NAME = "files/0b6f3a52-8f0e-4c1d-9a3e-5f1f2f0a9d11"


def test_an_upload_is_the_octets_alone() -> None:
    posting = FILES.upload("shop", LocalFile("a.png", "image/png", 6, "ab" * 32, 1.0))
    assert (posting.before, posting.after) == (b"", b"")
    request = posting.request
    assert request.target("https://g.example") == "https://g.example/upload/v1/files?agentId=shop"
    assert (request.method, request.headers["Content-Type"]) == ("POST", "image/png")
    assert PLATFORM.files is FILES
    assert (FILES.status, FILES.kept_s) == (None, KEPT_S)
    assert FILES.read_status(404, b"", None, 0.0) == NotStored("not_asked")


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, {"name": NAME}, Stored(f"uploaded:{NAME}", until=7.0 + KEPT_S)),
        (200, {"name": "elsewhere/1"}, NotStored("bad_name")),
        (200, {"name": 'files/a"b'}, NotStored("bad_name")),
        (200, {}, NotStored("bad_shape")),
        (400, {"error": {"code": 400, "message": "x", "status": "INVALID_ARGUMENT"}}, NotStored("http_400")),
        (401, {}, TokenRefused()),
        (429, {}, TryLater("http_429", 3.0, throttled=True)),
        (500, {}, TryLater("http_500", 3.0)),
    ],
)
def test_answers(status: int, body: object, answer: object) -> None:
    assert FILES.read_upload(status, msgspec.json.encode(body), "3", 7.0) == answer
