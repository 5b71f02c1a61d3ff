"""What strangers post to the webhook listener: the HTTP status, the counter, and no word of it in the log."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.daemon.process import Daemon, password_hash, secret_file

BOT, TOKEN, SECRET, HANDSET = "bot@example.com", "hook-token", "TOP-SECRET-TEXT", "33610000077"
BODY_MAX = 4_096


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("daemon")
    tables = {
        "smpp": {"listen": ["127.0.0.1:0"]},
        "webhooks": {"listen": "127.0.0.1:0", "body_size_max": BODY_MAX},
        "accounts": {"shop": {"password_hash": password_hash(), "numbers": [BOT]}},
        "links": {
            "rcs": {
                "kind": "gsma",
                "server_root": "http://127.0.0.1:9/rcs",
                "bot_id": BOT,
                "token_url": "http://127.0.0.1:9/token",
                "client_id": "gateway",
                "client_secret_file": secret_file(folder / "secret", "platform"),
                "webhook_token_file": secret_file(folder / "webhook", TOKEN),
            }
        },
        "routes": [{"links": ["rcs"]}],
    }
    daemon = Daemon(folder, tables)
    daemon.start()
    yield daemon
    daemon.stop()


def text_event(contact: str = f"+{HANDSET}", event: str = "message", **more: object) -> dict[str, object]:
    return {
        "RCSMessage": {"msgId": "m1", "textMessage": SECRET, "timestamp": "2026-01-01T00:00:00Z"},
        "messageContact": {"userContact": contact},
        "event": event,
        **more,
    }


class Post(NamedTuple):
    """One request, and what it leads to."""

    status: int
    kind: str
    body: bytes = json.dumps(text_event()).encode()
    authorization: str = TOKEN
    path: str = "/rcs/rcs"


POSTS = {
    "no authorization": Post(401, "unauthorized", authorization=""),
    "a forged authorization": Post(401, "unauthorized", authorization="hook-tokem"),
    "a forged bearer": Post(401, "unauthorized", authorization=f"Bearer {SECRET}"),
    "the token and more": Post(401, "unauthorized", authorization=f"{TOKEN} "[::-1]),
    "an unknown link": Post(404, "unknown_link", path="/rcs/carrier"),
    "no JSON": Post(400, "", f'{{"RCSMessage": "{SECRET}'.encode()),
    "nothing": Post(400, "", b""),
    "no object": Post(400, "", b"[]"),
    "no UTF-8": Post(400, "", b'{"event": "\xff\xfe"}'),
    "a body too large": Post(413, "body_too_large", b"{" + b" " * BODY_MAX + b"}"),
    "a contact that is no number": Post(400, "bad_contact", json.dumps(text_event("+33TOP-SECRET-TEXT")).encode()),
    "depth": Post(400, "", b"[" * 4_000),
}


def post(daemon: Daemon, it: Post) -> int:
    connection = http.client.HTTPConnection(*daemon.webhooks, timeout=10)
    try:
        headers = {"Authorization": it.authorization} if it.authorization else {}
        connection.request("POST", it.path, it.body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("name", POSTS)
def test_it_is_answered_and_counted(name: str, daemon: Daemon) -> None:
    it = POSTS[name]
    labels = {"side": "webhook"} | ({"kind": it.kind} if it.kind else {})
    before = daemon.scrape().value("gatewayd_faults_total", **labels)
    assert post(daemon, it) == it.status
    assert daemon.scrape().value("gatewayd_faults_total", **labels) == before + 1
    assert SECRET not in daemon.log
    assert HANDSET not in daemon.log
    assert TOKEN not in daemon.log
    assert post(daemon, Post(200, "")) == 200, "a sound one is taken afterwards"


def test_a_chunked_body_is_bounded_as_well(daemon: Daemon) -> None:
    connection = http.client.HTTPConnection(*daemon.webhooks, timeout=10)
    try:
        chunks = (b" " * 1_024 for _ in range(8))
        connection.request("POST", "/rcs/rcs", chunks, {"Authorization": TOKEN}, encode_chunked=True)
        assert connection.getresponse().status == 413
    finally:
        connection.close()


def test_no_http_at_all(daemon: Daemon) -> None:
    with socket.create_connection(daemon.webhooks, 10) as stranger:
        stranger.sendall(b"\x16\x03\x01 no HTTP \r\n\r\n")
        assert b"400" in stranger.recv(1_024)
    begins_at = len(daemon.lines)
    with socket.create_connection(daemon.webhooks, 10) as stranger:
        stranger.sendall(f"POST /rcs/rcs?{TOKEN} {HANDSET} {SECRET} HTTP/1.1\r\n\r\n".encode())
        assert b"400" in stranger.recv(1_024)
    daemon.hear(re.compile("no HTTP, "), begins_at=begins_at)
    assert [word for word in (SECRET, TOKEN, HANDSET, "Traceback") if word in daemon.log] == []
    assert post(daemon, Post(200, "")) == 200


@pytest.mark.parametrize("length", ["Content-Length: 99", "Transfer-Encoding: chunked"])
def test_a_caller_that_hangs_up_within_its_body_is_counted_and_no_trouble(daemon: Daemon, length: str) -> None:
    before = daemon.scrape().value("gatewayd_faults_total", side="webhook", kind="body_broken")
    with socket.create_connection(daemon.webhooks, 10) as stranger:
        head = f"POST /rcs/rcs HTTP/1.1\r\nHost: x\r\nAuthorization: {TOKEN}\r\n{length}\r\n\r\n"
        stranger.sendall(head.encode() + b"9\r\n{")
        assert post(daemon, Post(200, "")) == 200, "it has read so far"
    while daemon.scrape().value("gatewayd_faults_total", side="webhook", kind="body_broken") == before:
        assert post(daemon, Post(200, "")) == 200
    assert "Traceback" not in daemon.log


@pytest.mark.parametrize(("path", "status"), [("/rcs/rcs", 200), ("/rcs/other", 404), ("/", 404), ("/metrics", 404)])
def test_a_get_finds_only_what_is_there(daemon: Daemon, path: str, status: int) -> None:
    connection = http.client.HTTPConnection(*daemon.webhooks, timeout=10)
    try:
        connection.request("GET", path)
        assert connection.getresponse().status == status
    finally:
        connection.close()
