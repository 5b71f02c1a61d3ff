"""Questions about many contacts, and what the answers of three platforms mean."""

from __future__ import annotations

import json

import pytest

from protocol.rcs.bulk import (
    ANSWER_SIZE_MAX,
    APIS,
    BulkAnswer,
    Closed,
    Found,
    Later,
    Lost,
    NotAnswered,
    Ordered,
    Running,
    ask_request,
    fetch_request,
    read_ask_response,
    read_fetch_response,
)

ORANGE, DOTGO, RBM = APIS["orange"], APIS["dotgo"], APIS["rbm"]
ROOT = "https://rcs.example"


def test_the_questions() -> None:
    orange = ask_request(ORANGE, "bot 1@x", ["33612345678", "33712345678"])
    assert (orange.method, orange.target(ROOT)) == ("POST", f"{ROOT}/bot/v2/bot%201@x/bulkContactCapabilities")
    assert json.loads(orange.body) == {"users": ["+33612345678", "+33712345678"]}
    assert orange.answer_size_max == ANSWER_SIZE_MAX
    assert ask_request(DOTGO, "b", ["1"]).target(ROOT) == f"{ROOT}/bot/v1/b/rcsEnabledContacts"
    assert ask_request(RBM, "b", ["1"]).target(ROOT) == f"{ROOT}/v1/users:batchGet?agentId=b"
    fetch = fetch_request(ORANGE, "b", "r/1")
    assert (fetch.method, fetch.target(ROOT)) == ("GET", f"{ROOT}/bot/v2/b/bulkContactCapabilities?requestId=r%2F1")


def test_ten_thousand_contacts_fit_an_answer() -> None:
    body = json.dumps({"rcsEnabledContacts": [f"+{33600000000 + n}" for n in range(10_000)]}, indent=4).encode()
    assert len(body) < ANSWER_SIZE_MAX
    answer = read_fetch_response(ORANGE, 200, body, None)
    assert isinstance(answer, Found)
    assert len(answer.contacts) == 10_000


CONTACTS = b'{"rcsEnabledContacts": ["+33612345678", "33712345678"]}'
FOUND = Found(frozenset({"33612345678", "33712345678"}))


@pytest.mark.parametrize(
    ("api", "status", "body", "answer"),
    [
        ("orange", 202, b'{"requestId": "r-1"}', Ordered("r-1")),
        ("orange", 202, b'{"requestId": 17}', Ordered("17")),
        ("orange", 200, CONTACTS, FOUND),
        ("orange", 202, b"{}", Later("bad_shape")),
        ("orange", 202, b"\xff", Later("bad_shape")),
        ("orange", 405, b'{"reason": {"code": 42602, "text": "from 22:00"}}', Closed("42602")),
        ("orange", 405, b"", Closed("http_405")),
        ("orange", 401, b"", Later("http_401")),
        ("orange", 503, b"", Later("http_503", 30.0)),
        ("orange", 429, b"", Later("http_429", 30.0, throttled=True)),
        ("orange", 400, b"", NotAnswered("http_400")),
        ("orange", 403, b"", NotAnswered("http_403")),
        ("dotgo", 200, CONTACTS, FOUND),
        ("dotgo", 200, b'{"rcsEnabledContacts": []}', Found(frozenset())),
        ("dotgo", 200, b"{}", Later("bad_shape")),
        ("dotgo", 200, b"[]", Later("bad_shape")),
        ("dotgo", 200, b'{"rcsEnabledContacts": [1]}', Later("bad_shape")),
        ("rbm", 200, b'{"reachableUsers": ["+33612345678"], "x": 1}', Found(frozenset({"33612345678"}))),
        ("rbm", 200, b'{"totalRandomSampleUserCount": 75}', Found(frozenset())),
        ("rbm", 400, b"", NotAnswered("http_400", too_few=True)),
    ],
)
def test_answers_to_a_question(api: str, status: int, body: bytes, answer: BulkAnswer) -> None:
    retry_after = "30" if status in (429, 503) else None
    assert read_ask_response(APIS[api], status, body, retry_after) == answer


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (202, b'{"requestId": "r-1"}', Running()),
        (200, CONTACTS, FOUND),
        (404, b"", Lost("http_404")),
        (410, b"", Lost("http_410")),
        (405, b"", Closed()),
        (500, b"", Later("http_500")),
        (429, b"", Later("http_429", throttled=True)),
        (403, b"", NotAnswered("http_403")),
        (200, b"{}", Later("bad_shape")),
    ],
)
def test_answers_to_a_fetch(status: int, body: bytes, answer: BulkAnswer) -> None:
    assert read_fetch_response(ORANGE, status, body, None) == answer


def test_a_platform_may_say_how_long_it_takes() -> None:
    assert read_fetch_response(ORANGE, 202, b"", "5") == Running(5.0)
