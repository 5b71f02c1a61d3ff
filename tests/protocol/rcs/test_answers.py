"""Twin of protocol.rcs.answers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.rcs.answers import (
    CapabilityAnswer,
    NotTaken,
    RevokeAnswer,
    SendAnswer,
    Taken,
    TokenRefused,
    TryLater,
    Unclear,
    read_capability_response,
    read_error_code,
    read_retry_after,
    read_revoke_response,
    read_send_response,
)

FNW11 = b'{"reason":{"code":%s,"text":"no"}}'
TAKEN = b'{"RCSMessage":{"msgId":"7f0c3d1e-5a","status":"pending"}}'


@pytest.mark.parametrize(
    ("status", "body", "retry_after", "answer"),
    [
        (202, TAKEN, None, Taken("7f0c3d1e-5a")),
        (200, TAKEN, None, Taken("7f0c3d1e-5a")),
        (202, b'{"RCSMessage":{"msgId":881}}', None, Taken("881")),
        (202, b"", None, Unclear("no_msg_id")),
        (202, b'{"RCSMessage":{"msgId":""}}', None, Unclear("no_msg_id")),
        (202, b'{"RCSMessage":{"msgId":null}}', None, Unclear("no_msg_id")),
        (202, b'{"RCSMessage":{"msgId":"%s"}}' % (b"x" * 256), None, Unclear("no_msg_id")),
        (202, b"[]", None, Unclear("no_msg_id")),
        (400, FNW11 % b"42005", None, NotTaken("42005")),
        (400, b"", None, NotTaken("http_400")),
        (401, FNW11 % b"40004", None, TokenRefused()),
        (403, b"<html>", None, NotTaken("http_403")),
        (404, b"", None, NotTaken("http_404", unreachable=True)),
        (400, FNW11 % b'"41200"', None, NotTaken("41200", unreachable=True)),
        (302, b"", None, NotTaken("http_302")),
        (408, b"", None, TryLater("http_408")),
        (429, b"", None, TryLater("http_429", throttled=True)),
        (429, b"", "30", TryLater("http_429", 30.0, throttled=True)),
        (403, FNW11 % b"41003", None, TryLater("41003", throttled=True)),
        (403, FNW11 % b"41005", "5", TryLater("41005", 5.0)),
        (500, b"", None, TryLater("http_500")),
        (503, b"", "7", TryLater("http_503", 7.0)),
        (504, b"", None, Unclear("http_504")),
    ],
)
def test_answers_to_a_send(status: int, body: bytes, retry_after: str | None, answer: SendAnswer) -> None:
    assert read_send_response(status, body, retry_after) == answer


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"reason":{"code":42005,"text":"bad contact"}}', "42005"),
        (b'{"reason":{"code":"SVC0002","text":"x"}}', "SVC0002"),
        (b'{"error":{"code":400,"message":"m","status":"Bad Request"}}', "400"),
        (b'{"status":"failed","error":{"code":"42009","message":"m"}}', "42009"),
        (b'{"reason":{"text":"no code"}}', ""),
        (b'{"reason":{"code":"call +33612345678 now"}}', ""),
        (b'{"reason":{"code":{"a":1}}}', ""),
        (b'{"reason":{"code":true}}', ""),
        (b'{"error":"nope"}', ""),
        (b"[1]", ""),
        (b"\xff", ""),
        (b'"\xff"', ""),
        (b"[" * 100_000, ""),
        (b"", ""),
    ],
)
def test_error_bodies_have_three_shapes(body: bytes, code: str) -> None:
    assert read_error_code(body) == code


def test_a_code_that_repeats_the_status_adds_nothing() -> None:
    body = b'{"error":{"code":400,"message":"m","status":"Bad Request"}}'
    assert read_send_response(400, body, None) == NotTaken("http_400")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("60", 60.0),
        (" 5 ", 5.0),
        ("999999", 3600.0),
        ("9" * 5000, 3600.0),
        ("-1", None),
        ("٣", None),
        ("1.5", None),
        ("Sun, 22 Nov 2026 10:00:00 GMT", None),
    ],
)
def test_retry_after_is_bounded(header: str | None, seconds: float | None) -> None:
    assert read_retry_after(header) == seconds


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, b'{"capabilities":["chat","fileTransfer","chatBotCommunication"]}', CapabilityAnswer(True, "chatbot")),
        (200, b'{"capabilities":["chat"]}', CapabilityAnswer(False, "no_chatbot")),
        (200, b'{"capabilities":[]}', CapabilityAnswer(False, "no_chatbot")),
        (200, b'{"capabilities":null}', CapabilityAnswer(None, "bad_shape")),
        (200, b"", CapabilityAnswer(None, "bad_shape")),
        (404, b"", CapabilityAnswer(False, "http_404")),
        (400, FNW11 % b"41200", CapabilityAnswer(False, "41200")),
        (403, b"", CapabilityAnswer(None, "http_403")),
        (405, b"", CapabilityAnswer(None, "http_405")),
        (429, b"", CapabilityAnswer(None, "http_429")),
        (500, b"", CapabilityAnswer(None, "http_500")),
    ],
)
def test_answers_to_a_capability_question(status: int, body: bytes, answer: CapabilityAnswer) -> None:
    assert read_capability_response(status, body) == answer


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (204, b"", RevokeAnswer(True)),
        (200, b"{}", RevokeAnswer(True)),
        (404, b"", RevokeAnswer(False, "http_404")),
        (409, b"", RevokeAnswer(False, "http_409")),
        (400, FNW11 % b"41010", RevokeAnswer(False, "41010")),
        (400, FNW11 % b"41011", RevokeAnswer(True, "41011")),
        (400, FNW11 % b"41002", RevokeAnswer(None, "41002")),
        (400, FNW11 % b"41005", RevokeAnswer(None, "41005", again=True)),
        (401, b"", RevokeAnswer(None, "http_401", again=True)),
        (429, b"", RevokeAnswer(None, "http_429", again=True)),
        (500, b"", RevokeAnswer(None, "http_500", again=True)),
    ],
)
def test_answers_to_a_revoke(status: int, body: bytes, answer: RevokeAnswer) -> None:
    assert read_revoke_response(status, body) == answer


@settings(max_examples=100, deadline=None)
@given(st.integers(100, 599), st.binary(max_size=200), st.none() | st.text(max_size=10))
def test_no_answer_is_a_surprise(status: int, body: bytes, retry_after: str | None) -> None:
    read_send_response(status, body, retry_after)
    read_capability_response(status, body)
    read_revoke_response(status, body)
