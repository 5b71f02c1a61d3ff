"""The RCS link over Google's platform, against the simulator of it, which shares no code with the link."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from gatewayd.carriers.link import Capability, Revocation
from gatewayd.carriers.rcs_link import RcsLink
from gatewayd.carriers.rcs_webhook import WebhookServer
from gatewayd.config import schema
from gatewayd.message import (
    Accepted,
    Deferred,
    Encoding,
    Inbound,
    Linked,
    Message,
    Outcome,
    Receipt,
    Refused,
    State,
    Unknown,
)
from gatewayd.simulate.rbm import RbmOptions, RbmPlatform
from gatewayd.simulate.rbm_behaviour import RbmRule, rbm_behaviour
from gatewayd.simulate.rbm_pushes import PushOptions
from protocol.rcs import rbm
from protocol.rcs.content import Content, check
from tests.gatewayd.carriers.rcs_platform import Listener, a_message
from tests.protocol.rcs.contents import CONTENTS

HANDSET = "33612345678"
TOKEN = "client-token"
NEVER = RbmRule(delivery="never")


class Both:
    """A link that is up, its webhook server, its listener, and the platform at the other end."""

    def __init__(self, platform: RbmPlatform, link: RcsLink, listener: Listener, faults: list[str]) -> None:
        self.platform = platform
        self.link = link
        self.listener = listener
        self.faults = faults

    async def send(self, message: Message | None = None, expires_at: float = 0.0) -> Outcome:
        before = len(self.listener.results)
        self.link.submit(message or a_message(1, "Bonjour", Encoding.UCS2), expires_at=expires_at)
        await self.listener.until(lambda: len(self.listener.results) > before)
        return self.listener.results[-1].outcome

    async def send_well(self) -> str:
        outcome = await self.send()
        assert isinstance(outcome, Accepted)
        return outcome.carrier_id

    def told(self) -> list[Receipt | Inbound | Linked]:
        return [report.content for report in self.listener.reports]

    async def until_told(self, condition: Callable[[], object]) -> None:
        await self.listener.until(condition)
        assert self.faults == []


@asynccontextmanager
async def both(
    rule: RbmRule = NEVER, settings: dict[str, Any] | None = None, grace_s: float = 0.0, **more: Any
) -> AsyncIterator[Both]:
    listener, faults, links = Listener(), list[str](), dict[str, RcsLink]()
    server = WebhookServer(schema.Webhooks(listen="127.0.0.1:0"), links, on_fault=faults.append)
    await server.start()
    url = f"http://127.0.0.1:{server.port}/rcs/google"
    platform = RbmPlatform(RbmOptions(webhook_url=url, push=PushOptions(client_token=TOKEN)), rbm_behaviour(rule))
    root = f"http://127.0.0.1:{await platform.start()}"
    known = {"kind": "rbm", "server_root": root, "bot_id": "shop", "request_timeout_s": 5.0, **(settings or {})}
    link = RcsLink(
        "google",
        schema.Link(**known),
        None,
        platform.new_client(f"{root}/token").decode(),
        listener,
        webhook_token=TOKEN,
        platform=msgspec.structs.replace(rbm.PLATFORM, revoke_grace_s=grace_s),
        on_fault=faults.append,
        **more,
    )
    links["google"] = link
    await link.start()
    await listener.until(lambda: link.is_up)
    try:
        yield Both(platform, link, listener, faults)
    finally:
        await link.stop(0.0)
        await platform.stop()
        await server.stop()


async def test_a_message_and_its_receipts() -> None:
    async with both(RbmRule(display_after_s=0.0)) as it:
        name = await it.send_well()
        assert name == rbm.message_name(1, HANDSET)
        assert it.platform.ledger.message(name).phone == f"+{HANDSET}"
        await it.until_told(lambda: len(it.told()) == 2)
        receipts = [each for each in it.told() if isinstance(each, Receipt)]
        assert sorted((each.carrier_id, each.state, each.displayed) for each in receipts) == [
            (name, State.DELIVRD, False),
            (name, State.DELIVRD, True),
        ]
        assert {each.handset for each in receipts} == {f"+{HANDSET}"}


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: type(content).__name__)
async def test_all_content_passes_a_strict_reading(content: Content) -> None:
    check(content, rbm.PLATFORM.limits)
    async with both(content_of=lambda message: content) as it:
        assert isinstance(await it.send(), Accepted)


async def test_what_handsets_send() -> None:
    async with both() as it:
        platform, phone = it.platform, f"+{HANDSET}"
        platform.send_text(phone, "Oui", "shop")
        await it.until_told(lambda: len(it.told()) == 1)
        platform.send_reply(phone, "OK", "ack:42", "shop")
        await it.until_told(lambda: len(it.told()) == 2)
        platform.send_location(phone, 48.5, 2.25, "shop")
        await it.until_told(lambda: len(it.told()) == 3)
        platform.send_event(phone, "UNSUBSCRIBE", "shop")
        await it.until_told(lambda: len(it.told()) == 4)
        said = [each for each in it.told() if isinstance(each, Inbound)]
        assert [each.payload for each in said] == [b"Oui", b"OK", b"geo:48.500000,2.250000", b"STOP"]
        assert [each.postback for each in said] == ["", "ack:42", "", ""]
        assert {each.source for each in said} == {HANDSET}


async def test_what_had_no_answer_arrives_once_however_often_it_is_sent() -> None:
    async with both(RbmRule(submit="reset", submit_times=1)) as it:
        name = rbm.message_name(1, HANDSET)
        assert await it.send() == Unknown("reset", name)
        assert await it.send() == Accepted(name)
        record = it.platform.ledger.message(name)
        assert record.repeats == 1
        await it.until_told(lambda: len(it.told()) == 1)


async def test_what_is_given_up_half_way_keeps_its_name() -> None:
    async with both(RbmRule(submit="silent")) as it:
        message = a_message(1, "Bonjour", Encoding.UCS2)
        it.link.submit(message)
        await it.until_told(it.told)  # so it was taken
        await it.link.stop(0.0)
        outcome = it.listener.results[-1].outcome
        assert outcome == it.link.unseen(message, "stopped") == Unknown("stopped", rbm.message_name(1, HANDSET))


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        (RbmRule(reach="no_rcs"), Refused("http_404", unreachable=True)),
        (RbmRule(reach="not_tester"), Refused("http_403")),
        (RbmRule(submit="refuse", refuse_status=400), Refused("http_400")),
        (
            RbmRule(submit="throttle_agent", retry_after_s=7.0),
            Deferred("http_429", 7.0, pauses=True, scope="agent"),
        ),
    ],
)
async def test_messages_that_are_not_taken(rule: RbmRule, outcome: Outcome) -> None:
    async with both(rule) as it:
        assert await it.send() == outcome


async def test_a_user_who_is_full_stops_that_user_and_many_of_them_the_agent() -> None:
    async with both(RbmRule(submit="throttle_user"), {"traffic_type": "PROMOTION"}) as it:
        outcomes = [await it.send() for _ in range(4)]
        assert outcomes == [Deferred("http_429", 60.0, scope="user")] * 3 + [
            Deferred("http_429", 60.0, pauses=True, scope="agent")
        ]


@pytest.mark.parametrize(("traffic_class", "word"), [("otp", "AUTHENTICATION"), ("", "TRANSACTION")])
async def test_traffic_has_its_word(traffic_class: str, word: str) -> None:
    async with both() as it:
        message = msgspec.structs.replace(a_message(), traffic_class=traffic_class)
        outcome = await it.send(message)
        assert isinstance(outcome, Accepted)
        assert it.platform.ledger.message(outcome.carrier_id).message.traffic == word


@pytest.mark.parametrize(
    ("rule", "capable", "reason"),
    [(RbmRule(), True, "reachable"), (RbmRule(reach="no_rcs"), False, "http_404")],
)
async def test_capabilities(rule: RbmRule, capable: bool, reason: str) -> None:
    async with both(rule) as it:
        it.link.check_capability(HANDSET)
        await it.listener.until(lambda: it.listener.capabilities)
        assert it.listener.capabilities == [Capability(HANDSET, capable, reason)]


async def test_a_message_taken_back() -> None:
    async with both() as it:
        name = await it.send_well()
        it.link.revoke(1, name)
        await it.until_told(lambda: it.listener.revocations)
        assert it.listener.revocations == [Revocation(1, name, True, "")]
        assert it.platform.ledger.message(name).status == "revoked"


async def test_a_yes_to_a_revoke_waits_for_a_delivery_that_may_contradict_it() -> None:
    async with both(RbmRule(deliver_after_s=0.5, revoke="raced"), grace_s=60.0) as it:
        name = await it.send_well()
        it.link.revoke(1, name)
        await it.until_told(it.told)
        assert isinstance(it.told()[0], Receipt)
        assert it.listener.revocations == [], "delivered came first"
    assert it.listener.revocations == [Revocation(1, name, True, "")], "and the yes is not lost at the end"


async def test_a_name_that_is_not_ours_is_not_asked_about() -> None:
    async with both() as it:
        it.link.revoke(1, "m-1")
        await it.listener.until(lambda: it.listener.revocations)
        assert it.listener.revocations == [Revocation(1, "m-1", None, "bad_contact")]


async def test_the_platform_is_shown_that_we_know_the_token() -> None:
    async with both() as it:
        assert await it.platform.validate_webhook() == "text"
        it.platform.set_webhook(f"{it.platform._webhooks.url}", client_token="another")
        assert await it.platform.validate_webhook() == ""
        assert it.faults == ["unauthorized"]


async def test_a_key_file_that_is_none_is_counted() -> None:
    listener, faults, counted = Listener(), list[str](), asyncio.Event()

    def on_fault(kind: str) -> None:
        faults.append(kind)
        counted.set()

    settings = schema.Link(kind="rbm", server_root="http://127.0.0.1:1", bot_id="shop")
    link = RcsLink("google", settings, None, "{}", listener, on_fault=on_fault)
    await link.start()
    async with asyncio.timeout(5):
        await counted.wait()
    await link.stop(0.0)
    assert faults == ["bad_key"]
