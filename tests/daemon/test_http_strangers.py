"""Strangers at the HTTP listener: wrong keys, broken octets, bodies too big, too deep, too slow; and TLS."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gatewayd.config.api_keys import hash_key
from tests.daemon.process import Daemon, merged, password_hash, secret_file
from tests.daemon.test_tls import certificate
from tests.support.api import KEY, OTHER_KEY, Api, tables

BODY = {"to": "+33620000001", "from": "SHOP", "text": "x"}
SECRET_TEXT = "TOP-SECRET-TEXT"


def tables_of(folder: Path, **http: Any) -> dict[str, Any]:
    carrier = {
        "kind": "smpp",
        "host": "127.0.0.1",
        "port": 9,
        "system_id": "example",
        "password_file": secret_file(folder / "password", "secret"),
        "reconnect_min_s": 60,
    }
    account = {"password_hash": password_hash(), "rate_per_s": 0}
    old = {"old": {"hash": hash_key("gwk_old"), "expires": "2020-01-31"}}
    own = {
        "smpp": {"listen": ["127.0.0.1:0"]},
        "accounts": {"shop": account | {"api_keys": old}, "bank": account | {"networks": ["192.0.2.0/24"]}},
        "links": {"carrier": carrier},
        "routes": [{"links": ["carrier"]}],
    }
    return merged(own, tables(**http))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("strangers")
    daemon = Daemon(folder, tables_of(folder, body_size_max=65_536, connections_max=20, request_timeout_s=1.0))
    daemon.start()
    yield daemon
    daemon.stop()
    assert SECRET_TEXT not in daemon.log
    assert KEY not in daemon.log


def base(daemon: Daemon, scheme: str = "http", at: int = 0) -> str:
    host, port = daemon.http[at]
    return f"{scheme}://{host}:{port}"


async def test_whoever_has_no_key_gets_nothing(daemon: Daemon) -> None:
    for key, problem in (
        ("", "unauthorized"),
        ("x", "unauthorized"),
        ("gwk_old", "unauthorized"),
        ("gwk_" + "A" * 10_000, "headers"),
    ):
        api = Api(base(daemon), key)
        try:
            answer = await api.call("POST", "/v1/messages", BODY | {"text": SECRET_TEXT})
            if problem == "headers":
                assert answer.status == 400
            else:
                assert (answer.problem, answer.headers["WWW-Authenticate"][:6]) == (problem, "Bearer")
        finally:
            await api.close()
    wrong, right = Api(base(daemon), "gwk_wrong"), Api(base(daemon))
    elsewhere = Api(base(daemon), "gwk_elsewhere")
    try:
        answers = [await wrong.call("GET", "/v1/messages/1") for _ in range(30)]
        assert {answer.problem for answer in answers[-5:]} == {"too-many-failures"}
        assert int(answers[-1].headers["Retry-After"]) <= 60
        # Who has a key is not locked out by a neighbour who has none.
        assert (await right.call("POST", "/v1/messages", BODY)).status == 202
        assert (await elsewhere.call("GET", "/openapi.json")).status == 200
    finally:
        for api in (wrong, right, elsewhere):
            await api.close()
    samples = await asyncio.to_thread(daemon.scrape)
    assert samples.value("gatewayd_faults_total", side="http", kind="unauthorized") > 0


async def test_an_account_calls_from_its_networks_alone(daemon: Daemon) -> None:
    api = Api(base(daemon), OTHER_KEY)
    try:
        assert (await api.call("POST", "/v1/messages", BODY)).problem == "address-not-allowed"
    finally:
        await api.close()


async def test_readiness_is_about_links_too(daemon: Daemon) -> None:
    api = Api(base(daemon))
    try:
        assert (await api.call("GET", "/healthz")).status == 200
        ready = await api.call("GET", "/readyz")
        assert (ready.status, ready.body) == (503, "no link is up\n")
    finally:
        await api.close()


HEAD = f"Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\nHost: x\r\nConnection: close\r\n"


def said(daemon: Daemon, octets: bytes) -> bytes:
    """What the daemon answers to these octets, until it closes."""
    with socket.create_connection(daemon.http[0], 10) as connection:
        connection.sendall(octets)
        return everything(connection)


def everything(connection: socket.socket) -> bytes:
    found = b""
    connection.settimeout(15)
    try:
        while octets := connection.recv(65_536):
            found += octets
    except ConnectionResetError:
        pass
    return found


def post(body: bytes, *headers: str) -> bytes:
    head = f"POST /v1/messages HTTP/1.1\r\n{HEAD}" + "".join(f"{header}\r\n" for header in headers)
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        (b"", 400, "bad-json"),
        (b"{", 400, "bad-json"),
        (b"\xff\xfe", 400, "bad-json"),
        (b"[" * 50_000, 422, "bad-shape"),
        (b'{"to":' * 10_000, 422, "bad-shape"),
        (b"[]", 422, "bad-shape"),
        (b'{"to":"+33620000001","from":"SHOP","text":"\\ud800"}', 400, "bad-json"),
        (b'{"to":"+33620000001","from":"SHOP","text":1e400}', 422, "bad-shape"),
        (json.dumps(BODY | {"text": "x" * 60_000}).encode(), 422, "invalid-text"),
        (
            json.dumps(BODY | {"text": SECRET_TEXT, "rcs": {"type": "text", "text": ""}}).encode(),
            422,
            "invalid-content",
        ),
        (json.dumps(BODY | {"validity_s": 1e300}).encode(), 422, "bad-shape"),
        (json.dumps(BODY | {"schedule_at": "9999-12-31T23:59:59-12:00"}).encode(), 422, "invalid-schedule"),
        (json.dumps(BODY | {"from": "a\x00b"}).encode(), 403, "sender-not-allowed"),
        (json.dumps(BODY | {"class": "\u00e9"}).encode(), 403, "class-not-allowed"),
    ],
    ids=range(14),
)
def test_bodies_that_are_no_message(daemon: Daemon, body: bytes, status: int, problem: str) -> None:
    head, _, content = said(daemon, post(body)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), (head, content)
    assert json.loads(content)["type"] == f"/docs#{problem}"
    assert SECRET_TEXT.encode() not in content


def test_what_is_too_big_or_no_json_is_not_read(daemon: Daemon) -> None:
    assert b" 413 " in said(daemon, post(b"x" * 70_000))
    chunked = f"POST /v1/messages HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode()
    assert b" 413 " in said(daemon, chunked + b"ffff\r\n" + b" " * 0xFFFF + b"\r\nffff\r\n" + b" " * 0xFFFF + b"\r\n")
    form = post(b"to=1").replace(b"application/json", b"application/x-www-form-urlencoded")
    assert b" 415 " in said(daemon, form)
    assert b" 415 " in said(daemon, post(b"x" * 100, "Content-Encoding: gzip"))


@pytest.mark.parametrize("deep", [b"[", b'{"a":'])
def test_a_batch_is_not_read_for_ever(daemon: Daemon, deep: bytes) -> None:
    octets = post(b'{"messages":[' + deep * 10_000).replace(b"/v1/messages", b"/v1/messages/batch")
    assert b" 400 " in said(daemon, octets)


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 60,
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0" * 1_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"H%d: x\r\n" % number for number in range(500)) + b"\r\n",
        b"POST /v1/messages HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /v1/messages/%00%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
    ids=range(8),
)
def test_octets_that_are_no_http(daemon: Daemon, octets: bytes) -> None:
    answer = said(daemon, octets)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer


def test_whoever_says_nothing_or_too_slowly_is_let_go(daemon: Daemon) -> None:
    began = time.monotonic()
    slow = [socket.create_connection(daemon.http[0], 10) for _ in range(3)]
    slow[1].sendall(b"POST /v1/messages HTTP/1.1\r\nHost: x")
    slow[2].sendall(post(b"x" * 1_000)[:-500])
    answer = everything(slow[2])
    assert b" 408 " in answer
    assert time.monotonic() - began < 8
    assert everything(slow[0]) == everything(slow[1]) == b""
    assert time.monotonic() - began < 14
    for connection in slow:
        connection.close()


async def test_so_many_connections_and_no_more(daemon: Daemon) -> None:
    idle = [await asyncio.to_thread(socket.create_connection, daemon.http[0], 10) for _ in range(20)]
    late = await asyncio.to_thread(socket.create_connection, daemon.http[0], 10)
    assert await asyncio.to_thread(everything, late) == b""
    for connection in (*idle, late):
        connection.close()
    api = Api(base(daemon))
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    assert (await api.call("POST", "/v1/messages", BODY)).status == 202
                    break
                except (OSError, aiohttp.ServerDisconnectedError):  # the daemon has not seen yet that they are gone
                    pass
    finally:
        await api.close()
    samples = await asyncio.to_thread(daemon.scrape)
    assert samples.value("gatewayd_faults_total", side="http", kind="too_many_connections") >= 1


async def test_tls_beside_plain(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path)
    daemon = Daemon(
        tmp_path,
        tables_of(tmp_path, tls_listen=["127.0.0.1:0"], tls_certificate=pem, tls_key=key, ready_without_links=True),
    )
    await asyncio.to_thread(daemon.start)
    trusting = ssl.create_default_context(cafile=pem)
    api = Api(base(daemon, "https", 1), tls=trusting)
    try:
        answer = await api.call("POST", "/v1/messages", BODY)
        assert answer.status == 202
        assert (await api.call("GET", "/readyz")).status == 200
        plain = Api(base(daemon))
        assert (await plain.call("GET", f"/v1/messages/{answer.body['id']}")).status == 200
        await plain.close()
        with socket.create_connection(daemon.http[1], 10) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert await asyncio.to_thread(everything, stranger) == b""
    finally:
        await api.close()
        await asyncio.to_thread(daemon.stop)
