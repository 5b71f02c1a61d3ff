"""Twin of gatewayd.carriers.rcs_webhook, over real loopback HTTP."""

from __future__ import annotations

import asyncio
import hmac
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Self

import aiohttp
import msgspec
import pytest

from gatewayd.carriers import rcs_webhook
from gatewayd.carriers.rcs_link import RcsLink
from gatewayd.carriers.rcs_webhook import WebhookServer
from gatewayd.carriers.webhook_bodies import SlowBodies
from gatewayd.config import schema
from gatewayd.message import Inbound, Receipt, State
from gatewayd.runtime.tasks import spawn
from tests.gatewayd.carriers.rcs_platform import Listener

TOKEN = "hook-token"
DELIVERED = {"event": "messageStatus", "RCSMessage": {"msgId": "m-1", "status": "delivered"}}
TEXT = {
    "event": "message",
    "messageContact": {"userContact": "+33612345678"},
    "RCSMessage": {"msgId": "u-1", "textMessage": "STOP"},
}


class Bench:
    """A webhook server with one link that nobody started, and a client."""

    def __init__(self, store_timeout_s: float = 5.0) -> None:
        self.listener = Listener()
        self.faults: list[str] = []
        self.ignored: list[tuple[str, str]] = []
        settings = schema.Link(kind="gsma", bot_id="bot-1")
        self.link = RcsLink("orange", settings, None, "secret", self.listener, webhook_token=TOKEN)
        self.server = WebhookServer(
            schema.Webhooks(listen="127.0.0.1:0", body_size_max=2048),
            {"orange": self.link},
            on_fault=self.faults.append,
            on_ignored=lambda link, name: self.ignored.append((link, name)),
            store_timeout_s=store_timeout_s,
        )
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        await self.server.start()
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._session is not None
        await self._session.close()
        await self.server.stop()

    async def call(
        self, body: object = b"", authorization: str = TOKEN, link: str = "orange", method: str = "POST"
    ) -> int:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        assert self._session is not None
        headers = {"Authorization": authorization} if authorization else {}
        url = f"http://127.0.0.1:{self.server.port}/rcs/{link}"
        async with asyncio.timeout(5), self._session.request(method, url, data=raw, headers=headers) as response:
            assert await response.read() == b"" or response.status in (404, 405)
            return response.status


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Bench() as each:
        yield each


async def test_a_receipt_is_reported_and_answered(bench: Bench) -> None:
    assert await bench.call(DELIVERED) == 200
    assert [report.content for report in bench.listener.reports] == [Receipt("m-1", State.DELIVRD)]
    assert bench.faults == []


async def test_a_text_from_a_handset_is_reported(bench: Bench) -> None:
    assert await bench.call(TEXT, authorization=f"Bearer {TOKEN}") == 200
    (report,) = bench.listener.reports
    assert isinstance(report.content, Inbound)
    assert (report.content.source, report.content.payload, report.content.dedup_id) == ("33612345678", b"STOP", "u-1")


async def test_the_answer_waits_until_it_is_stored(bench: Bench) -> None:
    bench.listener.stores = None
    call = spawn(bench.call(DELIVERED), name="call")
    await bench.listener.until(lambda: bench.listener.reports)
    assert not call.done()
    bench.link.acknowledge([bench.listener.reports[0].token], stored=True)
    assert await call == 200


async def test_what_could_not_be_stored_is_to_be_sent_again(bench: Bench) -> None:
    bench.listener.stores = False
    assert await bench.call(DELIVERED) == 503
    assert bench.faults == ["not_stored"]


async def test_what_is_not_stored_in_time_is_to_be_sent_again() -> None:
    async with Bench(store_timeout_s=0.01) as bench:
        bench.listener.stores = None
        assert await bench.call(DELIVERED) == 503
        assert bench.faults == ["not_stored"]


async def test_requests_of_one_loop_turn_are_reported_together(bench: Bench) -> None:
    statuses = await asyncio.gather(*(bench.call(DELIVERED) for _ in range(20)))
    assert statuses == [200] * 20
    assert len(bench.listener.reports) == 20


@pytest.mark.parametrize("body", [{"event": "isTyping"}, {"RCSMessage": {"msgId": "m", "status": "sent"}}])
async def test_what_is_of_no_use_is_answered_and_named(bench: Bench, body: object) -> None:
    assert await bench.call(body) == 200
    assert bench.listener.reports == []
    assert bench.ignored in ([("orange", "isTyping")], [("orange", "status_sent")])


@pytest.mark.parametrize("authorization", ["", "wrong", "Bearer", "Bearer wrong", f"bearer{TOKEN}", f"{TOKEN}x"])
async def test_a_caller_without_the_token_is_turned_away(bench: Bench, authorization: str) -> None:
    assert await bench.call(DELIVERED, authorization) == 401
    assert bench.listener.reports == []
    assert bench.faults == ["unauthorized"]


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"{", 400, "not_json"),
        (b"[]", 400, "bad_shape"),
        ({"event": "party"}, 400, "unknown_event"),
        ({**TEXT, "messageContact": {}}, 400, "bad_contact"),
        (b" " * 2049, 413, "body_too_large"),
    ],
)
async def test_a_body_that_breaks_the_rules(bench: Bench, body: object, status: int, kind: str) -> None:
    assert await bench.call(body) == status
    assert bench.faults == [kind]
    assert bench.listener.reports == []


async def test_a_platform_may_look_whether_the_address_is_there(bench: Bench) -> None:
    assert await bench.call(method="GET", authorization="") == 200
    assert await bench.call(method="GET", authorization="", link="nobody") == 404
    assert bench.faults == []


async def test_nobody_is_at_any_other_address(bench: Bench) -> None:
    assert await bench.call(DELIVERED, link="nobody") == 404
    assert await bench.call(DELIVERED, link="orange/more") == 404
    assert await bench.call(DELIVERED, method="PUT") == 405
    assert bench.faults == ["unknown_link", "unknown_link"]


async def test_an_address_that_is_taken_is_said_so(bench: Bench) -> None:
    other = WebhookServer(schema.Webhooks(listen=f"127.0.0.1:{bench.server.port}"), {})
    with pytest.raises(OSError, match="address"):
        await other.start()


async def test_a_number_that_was_not_to_be_reached_is_told_from_other_failures(bench: Bench) -> None:
    for code in (41200, 41000):
        message = {"msgId": "m-1", "status": "failed", "reason": {"code": code}}
        assert await bench.call({"event": "messageStatus", "RCSMessage": message}) == 200
    assert [report.content for report in bench.listener.reports] == [
        Receipt("m-1", State.UNDELIV, "41200", unreachable=True),
        Receipt("m-1", State.UNDELIV, "41000"),
    ]


# -- one address for all agents of a partner ---------------------------------------------------------------------------


class Partner:
    """Google's agents ``shop`` and ``bank`` share a secret, ``other`` has one of its own; ``away`` is being changed."""

    def __init__(self) -> None:
        self.listener = Listener()
        self.faults: list[str] = []
        self.ignored: list[tuple[str, str]] = []
        secrets = {"shop": TOKEN, "bank": TOKEN, "other": "another-token"}
        links = {name: self._link(name, token) for name, token in secrets.items()}
        settings = schema.Link(kind="gsma", bot_id="maap")
        links["maap"] = RcsLink("maap", settings, None, "secret", self.listener, webhook_token=TOKEN)
        self.server = WebhookServer(
            schema.Webhooks(listen="127.0.0.1:0"),
            links,
            on_fault=self.faults.append,
            on_ignored=lambda link, name: self.ignored.append((link, name)),
            bots=lambda: {"shop-agent@rbm.goog", "bank-agent", "other-agent", "away-agent"},
        )

    def _link(self, name: str, token: str) -> RcsLink:
        settings = schema.Link(kind="rbm", bot_id=f"{name}-agent", service_account_file="x")
        return RcsLink(name, settings, None, "{}", self.listener, webhook_token=token)

    async def call(self, link: str, agent: str, token: str = TOKEN) -> int:
        data = msgspec.json.encode(
            {"senderPhoneNumber": "+33612345678", "agentId": agent, "messageId": "u-1", "text": "Oui"}
        )
        signature = b64encode(hmac.digest(token.encode(), data, "sha512")).decode()
        body = msgspec.json.encode({"message": {"data": b64encode(data).decode()}})
        url = f"http://127.0.0.1:{self.server.port}/rcs/{link}"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers={"X-Goog-Signature": signature}) as response,
        ):
            return response.status

    @property
    def told(self) -> list[str]:
        """Whom texts were for."""
        contents = [report.content for report in self.listener.reports]
        return [content.destination for content in contents if isinstance(content, Inbound)]


@pytest.fixture
async def partner() -> AsyncIterator[Partner]:
    it = Partner()
    await it.server.start()
    yield it
    await it.server.stop()


async def test_what_is_for_another_agent_goes_to_its_link(partner: Partner) -> None:
    assert await partner.call("shop", "bank-agent") == 200
    assert await partner.call("bank", "shop-agent@rbm.goog") == 200
    assert await partner.call("shop", "shop-agent") == 200
    assert partner.told == ["bank-agent", "shop-agent", "shop-agent"]
    assert (partner.faults, partner.ignored) == ([], [])


async def test_what_is_for_nobody_s_agent_is_taken_and_counted(partner: Partner) -> None:
    assert await partner.call("shop", "strange-agent") == 200
    assert (partner.told, partner.faults, partner.ignored) == ([], [], [("shop", "other_agent")])


@pytest.mark.parametrize("agent", ["other-agent", "away-agent"])
async def test_an_agent_with_another_secret_or_without_its_link_is_to_be_told_again(
    partner: Partner, agent: str
) -> None:
    assert await partner.call("shop", agent) == 503
    assert (partner.told, partner.faults, partner.ignored) == ([], ["other_agent"], [])


async def test_slow_bodies_take_no_place_among_the_requests(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rcs_webhook, "REQUESTS_MAX", 1)
    partner.server._bodies = SlowBodies(1, 60.0)
    head = b"POST /rcs/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
    strangers = []
    for _ in range(2):
        reader, writer = await asyncio.open_connection("127.0.0.1", partner.server.port)
        writer.write(head)
        strangers.append((reader, writer))
        assert await partner.call("shop", "shop-agent") == 200
    async with asyncio.timeout(5):
        assert (await strangers[0][0].readline()).startswith(b"HTTP/1.1 503")
    assert partner.faults == ["too_many_bodies"]
    for _, writer in strangers:
        writer.close()


async def test_a_stranger_cannot_name_an_agent(partner: Partner) -> None:
    assert await partner.call("shop", "other-agent", "another-token") == 401
    assert partner.told == []
