"""The RCS link and its webhook against the platform simulator, which shares no code with them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gatewayd.carriers.link import Capability, Revocation
from gatewayd.carriers.rcs_link import RcsLink
from gatewayd.carriers.rcs_webhook import WebhookServer
from gatewayd.config import schema
from gatewayd.message import Accepted, Deferred, Encoding, Inbound, Linked, Outcome, Receipt, Refused, State, Unknown
from gatewayd.simulate.rcs import Options, RcsPlatform
from gatewayd.simulate.rcs_behaviour import Rule, behaviour
from gatewayd.simulate.rcs_webhooks import WebhookPolicy
from tests.gatewayd.carriers.rcs_platform import Listener, a_message

HANDSET = "33612345678"
NEVER = Rule(sent_after_s=None, delivery="never")


class Both:
    """A link that is up, its webhook server, its listener, and the platform at the other end."""

    def __init__(self, platform: RcsPlatform, link: RcsLink, listener: Listener, faults: list[str]) -> None:
        self.platform = platform
        self.link = link
        self.listener = listener
        self.faults = faults

    async def send(self, text: str = "Bonjour", expires_at: float = 0.0) -> Outcome:
        before = len(self.listener.results)
        self.link.submit(a_message(1, text, Encoding.UCS2), expires_at=expires_at)
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
async def both(rule: Rule = NEVER, request_timeout_s: float = 20.0, **options: Any) -> AsyncIterator[Both]:
    listener, faults, links = Listener(), list[str](), dict[str, RcsLink]()
    server = WebhookServer(schema.Webhooks(listen="127.0.0.1:0"), links, on_fault=faults.append)
    await server.start()
    url = f"http://127.0.0.1:{server.port}/rcs/orange"
    platform = RcsPlatform(
        Options(root="/rcs", webhook_url=url, webhook_authorization="hook", **options), behaviour(rule)
    )
    root = f"http://127.0.0.1:{await platform.start()}"
    settings = schema.Link(
        kind="gsma",
        server_root=f"{root}/rcs",
        bot_id="bot@rcs.example",
        token_url=f"{root}/oauth2/v1/token",
        client_id="gateway",
        request_timeout_s=request_timeout_s,
    )
    link = RcsLink("orange", settings, None, "secret", listener, webhook_token="hook", on_fault=faults.append)
    links["orange"] = link
    await link.start()
    await listener.until(lambda: link.is_up)
    try:
        yield Both(platform, link, listener, faults)
    finally:
        await link.stop(0.0)
        await platform.stop()
        await server.stop()


@pytest.mark.parametrize(
    "options",
    [{}, {"names_events": False, "expires_in_text": True}],
    ids=["as the specification says", "with the habits of others"],
)
async def test_a_message_and_its_receipts(options: dict[str, Any]) -> None:
    async with both(Rule(display_after_s=0.0), **options) as it:
        outcome = await it.send("Où est l'été ? 😀", expires_at=4_000_000_000.0)
        assert isinstance(outcome, Accepted)
        record = it.platform.ledger.messages[outcome.carrier_id]
        assert record.contact == f"+{HANDSET}"
        assert record.submission.expiry == 4_000_000_000.0
        await it.until_told(lambda: len(it.told()) == 2)
        receipts = [each for each in it.told() if isinstance(each, Receipt)]
        assert [(each.carrier_id, each.state, each.displayed) for each in receipts] == [
            (outcome.carrier_id, State.DELIVRD, False),
            (outcome.carrier_id, State.DELIVRD, True),
        ]
        assert all(each.at > 1_600_000_000 for each in receipts)


async def test_a_message_that_fails_later() -> None:
    async with both(Rule(sent_after_s=None, delivery="fail", fail_code=41200)) as it:
        msg_id = await it.send_well()
        await it.until_told(it.told)
        (receipt,) = it.told()
        assert isinstance(receipt, Receipt)
        assert (receipt.carrier_id, receipt.state, receipt.error) == (msg_id, State.UNDELIV, "41200")


@pytest.mark.parametrize("names_events", [True, False])
async def test_what_handsets_send(names_events: bool) -> None:
    async with both(names_events=names_events) as it:
        text_id = it.platform.send_text(f"+{HANDSET}", "STOP", "bot@rcs.example")
        await it.until_told(lambda: len(it.told()) == 1)
        tap_id = it.platform.send_reply(f"+{HANDSET}", "OK 😀", "ack:42", "bot@rcs.example")
        await it.until_told(lambda: len(it.told()) == 2)
        text, tap = it.told()
        assert isinstance(text, Inbound)
        assert (text.source, text.destination, text.payload) == (HANDSET, "bot@rcs.example", b"STOP")
        assert (text.dedup_id, text.postback) == (text_id, "")
        assert isinstance(tap, Inbound)
        assert tap.payload.decode("utf-16-be") == "OK 😀"
        assert (tap.dedup_id, tap.postback) == (tap_id, "ack:42")


async def test_tokens_taken_back_cost_nothing() -> None:
    async with both() as it:
        await it.send_well()
        it.platform.tokens.revoke_all()
        await it.send_well()
        assert it.link.is_up


async def test_throttling_says_how_long() -> None:
    async with both() as it:
        it.platform.throttle_next(2, 7.0)
        assert await it.send() == Deferred("41003", 7.0, pauses=True)
        it.platform.throttle_next(1)
        assert await it.send() == Deferred("41003", 60.0, pauses=True)
        await it.send_well()


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        (Rule(capable=False), Refused("41200", unreachable=True)),
        (Rule(submit="refuse", refuse_status=400, refuse_code=42009), Refused("42009")),
        (Rule(submit="reset"), Unknown("reset")),
        (Rule(submit="silent"), Unknown("timeout")),
    ],
    ids=["unreachable", "refused", "reset", "silent"],
)
async def test_messages_that_are_not_taken(rule: Rule, outcome: Outcome) -> None:
    async with both(rule, request_timeout_s=0.3) as it:
        assert await it.send() == outcome


async def test_an_expiry_in_the_past_is_refused() -> None:
    async with both() as it:
        assert await it.send(expires_at=1_000_000_000.0) == Refused("42208")


@pytest.mark.parametrize(
    ("rule", "capable", "reason"),
    [
        (Rule(), True, "chatbot"),
        (Rule(capabilities=("chat",)), False, "no_chatbot"),
        (Rule(capable=False), False, "41200"),
        (Rule(capability_status=405), None, "41000"),
    ],
)
async def test_capabilities(rule: Rule, capable: bool | None, reason: str) -> None:
    async with both(rule) as it:
        it.link.check_capability(HANDSET)
        await it.listener.until(lambda: it.listener.capabilities)
        assert it.listener.capabilities == [Capability(HANDSET, capable, reason)]


@pytest.mark.parametrize("cancel_word", ["cancelled", "canceled", "revoked"])
async def test_a_message_taken_back(cancel_word: str) -> None:
    async with both(cancel_word=cancel_word) as it:
        msg_id = await it.send_well()
        it.link.revoke(1, msg_id)
        await it.until_told(lambda: it.listener.revocations and it.told())
        assert it.listener.revocations == [Revocation(1, msg_id, True, "")]
        (receipt,) = it.told()
        assert isinstance(receipt, Receipt)
        assert (receipt.carrier_id, receipt.state) == (msg_id, State.DELETED)


@pytest.mark.parametrize(
    ("how", "revoked", "error"),
    [("too_late", False, "41002"), ("already", True, "41011"), ("error", None, "41000")],
)
async def test_a_message_that_cannot_be_taken_back(how: Any, revoked: bool | None, error: str) -> None:
    async with both(Rule(sent_after_s=None, delivery="never", revoke=how)) as it:
        msg_id = await it.send_well()
        it.link.revoke(1, msg_id)
        await it.until_told(lambda: it.listener.revocations)
        (told,) = it.listener.revocations
        assert (told.revoked, told.error, told.retry_s is not None) == (revoked, error, how == "error")


async def test_what_could_not_be_stored_comes_again() -> None:
    async with both(Rule(sent_after_s=None), webhooks=WebhookPolicy(backoff_s=0.0)) as it:
        it.listener.stores = False
        msg_id = await it.send_well()
        await it.listener.until(it.told)
        it.listener.stores = True
        stored = ("delivered", 200)
        await it.platform.ledger.wait_for(
            lambda ledger: any((each.status, each.http_status) == stored for each in ledger.attempts(msg_id))
        )
        assert len(it.told()) >= 2
        assert set(it.faults) == {"not_stored"}
