"""The RCS link in each dialect of the GSMA API, against the simulator, which shares no code with the link."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from gatewayd.carriers.rcs_link import RcsLink
from gatewayd.carriers.rcs_webhook import WebhookServer
from gatewayd.config import schema
from gatewayd.message import Accepted, Encoding, Inbound, Receipt, Refused, State
from gatewayd.policy.aliases import address_of
from gatewayd.simulate.rcs import Options, RcsPlatform
from gatewayd.simulate.rcs_assertion import new_key
from gatewayd.simulate.rcs_behaviour import Rule, behaviour
from gatewayd.simulate.rcs_dialects import dialect_of
from gatewayd.simulate.rcs_layers import LayerOptions
from protocol.rcs.dialects.orange import AUDIENCE
from protocol.rcs.events import NEW_USER_POSTBACK
from tests.gatewayd.carriers.rcs_platform import Listener, a_message
from tests.protocol.rcs.keys import private_key
from tests.support.watch import Watch

BOT = "bot@rcs.example"
HANDSET = "33612345678"


class Faults(list[str]):
    """The faults that were told, and waiting for the first."""

    def __init__(self) -> None:
        super().__init__()
        self._watch = Watch()

    def append(self, kind: str) -> None:
        super().append(kind)
        self._watch.ring()

    async def until_any(self) -> None:
        await self._watch.until(lambda: self)


@asynccontextmanager
async def linked(
    dialect: str, rule: Rule | None = None, layer: LayerOptions | None = None, key: str = "", **changes: Any
) -> AsyncIterator[tuple[RcsPlatform, RcsLink, Listener, Faults]]:
    """A link that was started, its platform, its listener and its faults."""
    listener, faults, links = Listener(), Faults(), dict[str, RcsLink]()
    server = WebhookServer(schema.Webhooks(listen="127.0.0.1:0"), links, on_fault=faults.append)
    await server.start()
    layer = layer or LayerOptions(bot_keys={"*": private_key()})
    url = f"http://127.0.0.1:{server.port}/rcs/bot"
    platform = RcsPlatform(
        Options(dialect=dialect, webhook_url=url, webhook_authorization="hook", layer=layer),
        behaviour(rule or Rule(sent_after_s=None, delivery="never")),
    )
    base = f"http://127.0.0.1:{await platform.start()}"
    known = dialect_of(dialect)
    facts: dict[str, Any] = {
        "kind": "gsma",
        "dialect": dialect,
        "server_root": f"{base}{known.root}",
        "bot_id": BOT,
        "token_url": f"{base}{known.token_path}",
        "client_id": "gateway",
        **{name: value.replace("BASE", base) if isinstance(value, str) else value for name, value in changes.items()},
    }
    settings = schema.Link(**facts)
    aliases = {address_of(BOT, "tok-1"): "tok-1"}
    link = RcsLink(
        "bot",
        settings,
        None,
        "secret",
        listener,
        webhook_token="hook",
        bot_key=key or (private_key() if dialect == "orange" else ""),
        alias_of=lambda handset: aliases.get(handset, ""),
        on_fault=faults.append,
    )
    links["bot"] = link
    await link.start()
    try:
        yield platform, link, listener, faults
    finally:
        await link.stop(0.0)
        await platform.stop()
        await server.stop()


HEADER = {"assertion_header": "X-Bot-Authorization", "assertion_prefix": "Bearer "}
EXCHANGE = {"assertion_url": "BASE/oauth/bot/token"}


@pytest.mark.parametrize(
    ("dialect", "changes", "layer"),
    [
        ("standard", {}, {}),
        ("orange", HEADER, {}),
        ("orange", {}, {}),
        ("standard", {"token_scope": "-"}, {}),
        ("orange", EXCHANGE, {"strategy": "exchange"}),
        ("orange", {**HEADER, "assertion_issuer_in_list": True}, {"issuer_in_list": True}),
        ("orange", {**HEADER, "assertion_audience": "us"}, {"audience": "us"}),
        ("dotgo", {}, {}),
        ("vi", {}, {}),
    ],
)
async def test_a_message_its_receipts_and_a_reply(dialect: str, changes: Any, layer: Any) -> None:
    keys = LayerOptions(**{"audience": AUDIENCE, "bot_keys": {"*": private_key()}, **layer})
    rule = Rule(sent_after_s=None, display_after_s=0.0)
    async with linked(dialect, rule, keys, **changes) as (platform, link, listener, faults):
        await listener.until(lambda: link.is_up)
        link.submit(a_message(1, "Bonjour", Encoding.UCS2), expires_at=time.time() + 600.0)
        await listener.until(lambda: listener.results)
        outcome = listener.results[0].outcome
        assert isinstance(outcome, Accepted)
        await listener.until(lambda: len(listener.reports) == 2)
        receipts = [report.content for report in listener.reports]
        assert [(each.state, each.displayed) for each in receipts if isinstance(each, Receipt)] == [
            (State.DELIVRD, False),
            (State.DELIVRD, True),
        ]
        platform.send_reply(f"+{HANDSET}", "OK", "ack:42", BOT)
        await listener.until(lambda: len(listener.reports) == 3)
        reply = listener.reports[2].content
        assert isinstance(reply, Inbound)
        assert (reply.source, reply.payload, reply.postback) == (HANDSET, b"OK", "ack:42")
        assert faults == []


async def test_the_scope_that_is_configured_is_asked_for() -> None:
    async with linked("standard", token_scope="another") as (_, link, _listener, faults):
        await faults.until_any()
        assert not link.is_up
        assert set(faults) == {"token_http_400"}  # invalid_scope: the platform has one scope only


@pytest.mark.parametrize("layer", [{"audience": "another"}, {"bot_keys": {"*": new_key()}}], ids=["aud", "signature"])
async def test_an_assertion_that_is_not_believed_brings_no_token(layer: dict[str, Any]) -> None:
    options = LayerOptions(**{"strategy": "exchange", "bot_keys": {"*": private_key()}, **layer})
    async with linked("orange", None, options, **EXCHANGE) as (_, link, listener, faults):
        link.submit(a_message())
        await listener.until(lambda: listener.results)
        assert not link.is_up
        assert set(faults) <= {"token_http_401"}


async def test_a_user_who_hides_the_number_can_be_answered() -> None:
    async with linked("standard") as (platform, link, listener, faults):
        await listener.until(lambda: link.is_up)
        platform.send_text("tok-1", "Oui", BOT)
        await listener.until(lambda: listener.reports)
        said = listener.reports[0].content
        assert isinstance(said, Inbound)
        assert (said.source, said.alias) == (address_of(BOT, "tok-1"), "tok-1")
        for number, destination in enumerate((said.source, address_of(BOT, "tok-2"))):
            link.submit(msgspec.structs.replace(a_message(number, "Merci", Encoding.UCS2), destination=destination))
        await listener.until(lambda: len(listener.results) == 2)
        outcomes = {result.message_id: result.outcome for result in listener.results}
        first = outcomes[0]
        assert isinstance(first, Accepted)
        assert platform.ledger.messages[first.carrier_id].contact == "tok-1"
        assert outcomes[1] == Refused("unknown_alias")
        assert faults == []


@pytest.mark.parametrize(("words", "payloads"), [("NEW USER", [b"NEW USER"]), ("", [])])
async def test_a_user_who_opens_the_conversation(words: str, payloads: list[bytes]) -> None:
    async with linked("standard", new_user_text=words) as (platform, link, listener, faults):
        await listener.until(lambda: link.is_up)
        platform.send_new_user(f"+{HANDSET}", BOT)
        platform.send_typing(f"+{HANDSET}", bot=BOT)
        platform.send_location(f"+{HANDSET}", 48.5, 2.25, "Ici", BOT)
        await listener.until(lambda: len(listener.reports) == len(payloads) + 1)
        said = [report.content for report in listener.reports if isinstance(report.content, Inbound)]
        assert [each.payload for each in said if each.postback == NEW_USER_POSTBACK] == payloads
        assert b"Ici geo:48.500000,2.250000" in [each.payload for each in said]
        assert faults == []
