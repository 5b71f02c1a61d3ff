"""A message of the HTTP API as a submit_sm, and a door for several at once: each one's result comes to its place."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from gatewayd.config import schema
from gatewayd.message import TAG_CLASS, TAG_CONTENT, TAG_IDEMPOTENCY
from gatewayd.runtime.metrics import Metrics
from gatewayd.senders.http_problems import KINDS, Problem, problem_of
from gatewayd.senders.http_shapes import Send, Template, decoded
from gatewayd.senders.http_submit import CHUNK, Submits, submit_of
from gatewayd.senders.submit_rules import Refusal
from protocol.rcs.content import Location, Text
from protocol.smpp.constants import Status
from protocol.smpp.pdu import SubmitSm

NOW = 1_767_225_600.0  # 2026-01-01 00:00:00 UTC


def fill(name: str, account: str, parameters: Any, text: str, sender: str) -> Text:
    if name != "order":
        raise LookupError(name)
    if "number" not in parameters:
        raise ValueError("the parameter number is missing")
    return Text(f"{text} {parameters['number']} for {account} by {sender}")


def made(key: str = "", alphabet: Any = "gsm", **fields: Any) -> SubmitSm:
    given: dict[str, Any] = {"to": "+33612345678", "sender": "SHOP", "text": "hello"}
    account: Any = SimpleNamespace(name="shop", settings=schema.Account(data_coding_0=alphabet))
    return submit_of(Send(**{**given, **fields}), account, NOW, fill, key)


def test_every_field_arrives() -> None:
    pdu = made(
        "order 1",
        priority=2,
        receipt="failure",
        reference=7,
        traffic_class="otp",
        schedule_at=datetime(2026, 1, 1, 1, tzinfo=UTC),
        validity_s=7_200.5,
    )
    assert (pdu.source_addr_ton, pdu.source_addr, pdu.destination_addr) == (5, "SHOP", "33612345678")
    assert (pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.priority_flag, pdu.registered_delivery) == (1, 1, 2, 2)
    assert (pdu.schedule_delivery_time, pdu.validity_period) == ("260101010000000+", "260101020001000+")
    assert pdu.tlvs == ((0x0204, b"\0\7"), (TAG_CLASS, b"otp"), (TAG_IDEMPOTENCY, b"order 1"))


@pytest.mark.parametrize(
    ("sender", "ton", "npi", "address"),
    [("+33700000001", 1, 1, "33700000001"), ("36179", 0, 1, "36179"), ("SHOP", 5, 0, "SHOP"), ("٣", 5, 0, "٣")],
)
def test_a_sender_is_a_number_a_short_code_or_a_name(sender: str, ton: int, npi: int, address: str) -> None:
    pdu = made(sender=sender)
    assert (pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr) == (ton, npi, address)


@pytest.mark.parametrize(
    ("text", "alphabet", "data_coding", "payload"),
    [
        ("é €", "gsm", 0, b"\x05 \x1be"),
        ("é", "latin1", 0, b"\xe9"),
        ("€", "latin1", 8, b"\x20\xac"),
        ("😀", "gsm", 8, b"\xd8\x3d\xde\x00"),
    ],
)
def test_a_text_goes_in_the_accounts_alphabet_or_in_ucs2(
    text: str, alphabet: str, data_coding: int, payload: bytes
) -> None:
    pdu = made(text=text, alphabet=alphabet)
    assert (pdu.data_coding, pdu.short_message) == (data_coding, payload)


def content_of(pdu: SubmitSm) -> Any:
    return msgspec.json.decode(dict(pdu.tlvs)[TAG_CONTENT])


def test_content_for_rcs() -> None:
    assert content_of(made(rcs_text="other"))["text"] == "other"
    pdu = made(text=None, rcs=Location(48.8566, 2.3522))
    assert pdu.short_message == b"geo:48.856600,2.352200"
    assert content_of(pdu)["type"] == "location"
    pdu = made(template=Template("order", {"number": "17"}))
    assert content_of(pdu)["text"] == "hello 17 for shop by SHOP"
    assert pdu.short_message == b"hello"


@pytest.mark.parametrize(
    ("fields", "kind", "element"),
    [
        ({"text": None}, "invalid-text", "text"),
        ({"text": ""}, "invalid-text", "text"),
        ({"text": "\ud800"}, "invalid-text", "text"),
        ({"rcs": Text("a"), "rcs_text": "b"}, "bad-shape", "rcs"),
        ({"rcs": Text("a" * 70_000)}, "invalid-content", "rcs"),
        ({"template": Template("other")}, "invalid-template", "template.name"),
        ({"template": Template("order")}, "invalid-template", "template.parameters"),
        ({"schedule_at": datetime(1970, 1, 1, tzinfo=UTC)}, "invalid-schedule", "schedule_at"),
    ],
)
def test_what_cannot_be_one(fields: dict[str, Any], kind: str, element: str) -> None:
    with pytest.raises(Problem) as caught:
        made(**fields)
    assert (caught.value.kind, caught.value.document.element) == (kind, element)


class Desk:
    """Keeps what it is given until it is told how that fared."""

    def __init__(self) -> None:
        self.applicant: Any = None
        self.chunks: list[int] = []
        self.awaited = CHUNK + 2
        self.has_all = asyncio.Event()

    def take(self, applicant: Any, pdus: Any) -> None:
        self.applicant = applicant
        self.chunks.append(len(pdus))
        if sum(self.chunks) == self.awaited:
            self.has_all.set()


def submits(desk: Desk, timeout_s: float = 5.0) -> Submits:
    return Submits(cast(Any, desk), Metrics("test"), timeout_s)


async def test_each_has_its_result_in_its_place() -> None:
    desk, account = Desk(), cast(Any, SimpleNamespace(name="shop"))
    pdus = [made() for _ in range(CHUNK + 2)]
    waiting = asyncio.gather(submits(desk).hand_in(account, pdus))
    await asyncio.wait_for(desk.has_all.wait(), 5.0)
    assert desk.chunks == [CHUNK, 2]
    assert [pdu.sequence for pdu in pdus] == list(range(CHUNK + 2))
    refusal = Refusal(Status.ESME_RINVDSTADR, "no_route")
    for pdu in reversed(pdus[1:]):
        desk.applicant.answer_submits([(pdu.sequence, 1_000 + pdu.sequence)])
    assert not waiting.done()
    desk.applicant.refuse_submit(0, refusal)
    ((first, *others),) = await waiting
    assert first is refusal
    assert others == [1_001 + number for number in range(CHUNK + 1)]


async def test_what_is_not_known_in_time_is_not_confirmed() -> None:
    desk = Desk()
    (result,) = await submits(desk, 0.01).hand_in(cast(Any, SimpleNamespace(name="shop")), [made()])
    assert isinstance(result, Refusal)
    assert problem_of(result).kind == "not-confirmed"
    desk.applicant.answer_submits([(0, 7)])  # comes too late, and does no harm
    assert await submits(desk).hand_in(cast(Any, SimpleNamespace(name="shop")), []) == []


@pytest.mark.parametrize(
    ("status", "word", "kind", "has_retry"),
    [
        (Status.ESME_RTHROTTLED, "rate", "rate-limited", True),
        (Status.ESME_RMSGQFUL, "store_full", "busy", True),
        (Status.ESME_RSYSERR, "home_away", "busy", True),
        (Status.ESME_RINVDSTADR, "no_route", "no-route", False),
        (Status.ESME_RINVOPTPARAMVAL, "content_too_long", "invalid-content", False),
        (Status.ESME_RSUBMITFAIL, "whatever", "refused", False),
    ],
)
def test_a_refusal_is_a_problem(status: Status, word: str, kind: str, has_retry: bool) -> None:
    problem = problem_of(Refusal(status, word, "card", "is bad"))
    assert (problem.kind, problem.document.reason) == (kind, word)
    assert ("Retry-After" in problem.headers) is has_retry
    assert problem.status == KINDS[kind].status


@pytest.mark.parametrize(
    ("kind", "element"),
    [
        ("sender_not_allowed", "from"),
        ("no_route", "to"),
        ("class_not_allowed", "class"),
        ("schedule_past", "schedule_at"),
        ("expired", "validity_s"),
        ("rate", ""),
    ],
)
def test_a_problem_says_where_it_is(kind: str, element: str) -> None:
    assert problem_of(Refusal(Status.ESME_RSYSERR, kind)).document.element == element


@pytest.mark.parametrize(
    ("body", "kind", "detail"),
    [
        (b'{"to" 1}', "bad-json", "JSON is malformed: expected ':' (byte 6)"),
        (b'{"to":"06","from":"x"}', "bad-shape", "Expected `str` matching regex '^\\+?[1-9][0-9]{6,14}$'"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(body: bytes, kind: str, detail: str) -> None:
    with pytest.raises(Problem) as caught:
        decoded(msgspec.json.Decoder(Send).decode, body)
    assert (caught.value.kind, caught.value.document.detail) == (kind, detail)
