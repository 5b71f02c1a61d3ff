"""Twin of protocol.rcs.gsma_files, and of how a dialect takes files."""

from __future__ import annotations

import email.policy
from email.parser import BytesParser
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.rcs.answers import TokenRefused, TryLater
from protocol.rcs.dialects import named
from protocol.rcs.files import FileApi, LocalFile, NotStored, Stored
from protocol.rcs.gsma import platform_of
from protocol.rcs.gsma_files import read_event

UNTIL = 1795342286.0
FILE = LocalFile('a/lo"g\r\no é.png', "image/png", 6, "ab" * 32, UNTIL)
URL = "https://x.example/f-1"


def api(dialect: str = "standard") -> FileApi:
    files = platform_of(named(dialect)).files
    assert files is not None
    return files


def answer(status: int, body: object = None) -> object:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return api().read_upload(status, raw, "5", 0.0)


@pytest.mark.parametrize("dialect", ["standard", "orange", "dotgo", "vi"])
def test_an_upload_is_a_form(dialect: str) -> None:
    posting = api(dialect).upload("bot@x", FILE)
    request = posting.request
    assert (request.method, request.path) == ("POST", "/bot/v1/bot@x/files")
    content = b"\x89PNG\r\n"
    assert len(request.headers["Content-Type"].partition("boundary=")[2]) <= 70
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    form = BytesParser(policy=email.policy.HTTP).parsebytes(head + posting.before + content + posting.after)
    parts = {part.get_param("name", header="content-disposition"): part for part in form.iter_parts()}
    assert list(parts) == ["fileType", "until", "fileContent"]
    assert parts["fileType"].get_payload() == "image/png"
    assert parts["until"].get_payload() == "2026-11-22T10:11:26Z"
    octets = parts["fileContent"]
    assert (octets.get_content_type(), octets.get_filename()) == ("image/png", "lo_g__o__.png")
    assert octets.get_payload(decode=True) == content


def test_a_file_can_be_asked_for() -> None:
    ask = api().status
    assert ask is not None
    request = ask("bot@x", "f/1")
    assert (request.method, request.path) == ("GET", "/bot/v1/bot@x/files/f%2F1")


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        ({"fileId": "f", "fileUrl": URL, "status": "ready"}, Stored(URL, "f")),
        ({"file": {"fileId": "f", "fileUrl": URL, "status": "Ready"}}, Stored(URL, "f")),
        ({"fileId": 7, "fileUrl": URL}, Stored(URL, "7")),
        ({"fileUrl": URL}, Stored(URL)),
        (
            {"fileId": "f", "fileUrl": URL, "status": "pending", "validity": "2026-11-22T10:11:26Z"},
            Stored(URL, "f", False, UNTIL),
        ),
        ({"fileId": "f"}, Stored("", "f", False)),
        ({"fileId": "f", "status": "ready"}, Stored("", "f", False)),
        ({"fileId": "f", "fileUrl": URL, "status": "failed"}, NotStored("file_failed")),
        ({"fileId": "f", "fileUrl": "ftp://x"}, NotStored("bad_url")),
        ({"fileId": "f", "fileUrl": "https://" + "x" * 2048}, NotStored("bad_url")),
        ({}, TryLater("no_file_id")),
        ({"fileId": []}, TryLater("bad_shape")),
        (b"OK", TryLater("bad_shape")),
    ],
)
def test_what_a_file_is_said_to_be(body: Any, stored: object) -> None:
    assert answer(202, body) == stored


def test_what_is_no_success() -> None:
    reason = {"reason": {"code": 42401, "text": "x"}}
    assert answer(400, reason) == NotStored("42401")
    assert answer(404, b"") == NotStored("http_404")
    assert answer(401, b"") == TokenRefused()
    assert answer(503, b"") == TryLater("http_503", 5.0)


def test_an_event_of_a_file() -> None:
    assert read_event({"fileId": "f", "fileUrl": URL, "status": "ready"}) == ("f", Stored(URL, "f"))
    assert read_event({"fileId": 7, "status": "expired"}) == ("7", NotStored("file_expired"))
    for senseless in ({}, {"fileUrl": URL}, {"fileId": ["f"]}, {"fileId": "f", "status": 1}):
        assert read_event(senseless) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(100, 599), st.binary(max_size=80))
def test_nothing_makes_a_reader_raise(status: int, body: bytes) -> None:
    assert answer(status, body)
