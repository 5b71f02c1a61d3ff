"""What becomes of messages over Google's platform: delivered, out of time, taken back, answered, and signed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from gatewayd.simulate.rbm import RbmPlatform
from gatewayd.simulate.rbm_behaviour import RbmBehaviour, RbmRule
from gatewayd.simulate.rbm_http import TOKEN_PATH
from tests.daemon.conftest import Stage
from tests.daemon.process import secret_file
from tests.daemon.scene import WAIT_S, Scene

HANDSET = "+33620000001"
AGENT, SISTER = "shop_agent", "bank_agent"
CLIENT_TOKEN = "client-token"
POSTBACK, MEDIA_TYPE, MEDIA_SIZE, MEDIA_NAME, PLACE = range(0x1491, 0x1496)
# An expiry is told in whole seconds, so a deadline below one would have passed before it is read.
SOON_S = 1.05
SLOW = 1_100


class Google:
    """The platform, and the scene beside it."""

    def __init__(self, scene: Scene, platform: RbmPlatform) -> None:
        self.scene = scene
        self.platform = platform
        host, port = scene.daemon.webhooks
        self.url = f"http://{host}:{port}/rcs/google"
        platform.set_webhook(self.url, CLIENT_TOKEN)

    def tell(self, rule: RbmRule) -> None:
        """How handsets behave from now on."""
        self.platform.set_behaviour(RbmBehaviour([rule]))

    def carried(self) -> list[bytes]:
        """What the SMS carrier was given."""
        return [submit.pdu.short_message for submit in self.scene.smsc.ledger.submits]


Open = Callable[..., Awaitable[Google]]


@pytest.fixture
async def google(stage: Stage, tmp_path: Path) -> AsyncIterator[Open]:
    platform = RbmPlatform()
    port = await platform.start()
    root = f"http://127.0.0.1:{port}"
    key = platform.new_client(root + TOKEN_PATH).decode()

    async def opened(deadline_s: float = 300.0, numbers: tuple[str, ...] = (), **more: object) -> Google:
        link = {
            "kind": "rbm",
            "server_root": root,
            "bot_id": AGENT,
            "service_account_file": secret_file(tmp_path / "google.json", key),
            "webhook_token_file": secret_file(tmp_path / "google.webhook", CLIENT_TOKEN),
            "deadline_s": deadline_s,
            **more,
        }
        sister = link | {"bot_id": SISTER}
        routes = [
            {"links": ["google", "carrier"], "prefixes": ["3362"]},
            {"links": ["sister", "carrier"], "prefixes": ["3363"]},
            {"links": ["carrier"]},
        ]
        tables = {
            "links": {"google": link, "sister": sister},
            "accounts": {"shop": {"numbers": ["33700000001", *numbers]}},
            "routes": routes,
        }
        return Google(await stage(tables), platform)

    yield opened
    await platform.stop()


async def test_a_message_is_delivered(google: Open) -> None:
    it = await google()
    esme = await it.scene.esme()
    assert await it.scene.final(esme, await it.scene.send(esme, HANDSET, "Il a été payé 5 €")) == "DELIVRD"
    (record,) = it.platform.ledger.to(HANDSET)
    assert (record.status, record.agent, record.repeats) == ("delivered", AGENT, 0)
    assert it.carried() == []


async def test_a_handset_without_rcs_gets_an_sms(google: Open) -> None:
    it = await google()
    it.tell(RbmRule(reach="no_rcs"))
    esme = await it.scene.esme()
    assert await it.scene.final(esme, await it.scene.send(esme, HANDSET, "?")) == "DELIVRD"
    assert it.carried() == [b"?"]


@pytest.mark.parametrize(
    "at_expiry", ["revoked", *(pytest.param(word, marks=pytest.mark.long) for word in ("revoke_failed", "neither"))]
)
async def test_what_is_not_delivered_in_time_goes_by_sms(google: Open, at_expiry: str) -> None:
    """Whether the platform takes it back by its life time, or we do."""
    it = await google(SOON_S)
    it.tell(RbmRule(delivery="never", at_expiry=at_expiry))  # type: ignore[arg-type]  # one of the literals
    esme = await it.scene.esme()
    assert await it.scene.final(esme, await it.scene.send(esme, HANDSET, "?")) == "DELIVRD"
    (record,) = it.platform.ledger.to(HANDSET)
    assert record.status != "delivered"
    assert it.carried() == [b"?"]


async def test_what_arrives_while_it_is_taken_back_goes_once(google: Open) -> None:
    it = await google(SOON_S)
    it.tell(RbmRule(delivery="never", at_expiry="neither", revoke="too_late"))
    esme = await it.scene.esme()
    assert await it.scene.final(esme, await it.scene.send(esme, HANDSET, "?")) == "DELIVRD"
    assert it.carried() == []


async def test_an_unanswered_message_is_repeated_under_its_own_name(google: Open) -> None:
    it = await google()
    it.tell(RbmRule(submit="reset", submit_times=1))
    esme = await it.scene.esme()
    assert await it.scene.final(esme, await it.scene.send(esme, HANDSET, "?")) == "DELIVRD"
    (record,) = it.platform.ledger.to(HANDSET)
    assert (record.status, it.carried()) == ("delivered", [])


async def test_what_was_perhaps_taken_is_taken_back_before_the_sms_even_where_a_duplicate_is_preferred(
    google: Open,
) -> None:
    it = await google(retry_max=0)
    it.tell(RbmRule(submit="reset", submit_times=1, delivery="never"))
    esme = await it.scene.esme()
    assert await it.scene.final(esme, await it.scene.send(esme, HANDSET, "?")) == "DELIVRD"
    (record,) = it.platform.ledger.to(HANDSET)
    assert (record.status, it.carried()) == ("revoked", [b"?"])


async def test_a_reply_finds_who_wrote(google: Open) -> None:
    it = await google()
    it.tell(RbmRule(reply_text="Oui", webhook_duplicates=1))
    bank = await it.scene.esme("bank")
    shop = await it.scene.esme("shop")
    message_id = await it.scene.send(bank, HANDSET, "?", source="33700000002")
    assert await it.scene.final(bank, message_id) == "DELIVRD"
    await it.scene.until_samples(lambda s: s.value("gatewayd_mo_total", link="google", fate="duplicate") == 1)
    await bank.wait_for(lambda: bool(bank.ledger.texts), WAIT_S)
    assert [text.text for text in bank.ledger.texts] == ["Oui"]
    assert not shop.ledger.texts


async def test_a_webhook_proves_itself_and_takes_only_what_is_signed(google: Open) -> None:
    it = await google()
    assert await it.platform.validate_webhook() != ""
    it.platform.set_webhook(it.url, "another-token")
    assert await it.platform.validate_webhook() == ""
    it.tell(RbmRule(deliver_after_s=0.0))
    esme = await it.scene.esme()
    message_id = await it.scene.send(esme, HANDSET, "?")
    await it.platform.ledger.wait_for(lambda ledger: any(hook.http_status for hook in ledger.webhooks), WAIT_S)
    assert {hook.http_status for hook in it.platform.ledger.webhooks} <= {401, 403}
    assert esme.ledger.receipts_of(message_id) == []
    async with aiohttp.ClientSession() as session, session.post(it.url, json={"message": {}}) as response:
        assert response.status in (400, 401, 403)
    it.platform.set_webhook(it.url, CLIENT_TOKEN)
    it.platform.report(it.platform.ledger.to(HANDSET)[0].id, "DELIVERED")
    assert await it.scene.final(esme, message_id) == "DELIVRD"


async def test_a_strangers_slow_bodies_are_in_nobodys_way(google: Open) -> None:
    """More than there are places for requests, and more than may be waited for."""
    it = await google(numbers=(AGENT,))
    esme = await it.scene.esme()
    host, port = it.scene.daemon.webhooks
    head = b"POST /rcs/google HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
    writers = []
    try:
        for _ in range(SLOW):
            _, writer = await asyncio.open_connection(host, port, local_addr=("127.0.0.2", 0))
            writer.write(head)
            writers.append(writer)
        await it.scene.until_samples(
            lambda s: s.value("gatewayd_faults_total", side="webhook", kind="too_many_bodies") >= SLOW - 200
        )
        it.platform.send_text(HANDSET, "Oui", AGENT)
        await esme.wait_for(lambda: bool(esme.ledger.texts), WAIT_S)
        assert {hook.http_status for hook in it.platform.ledger.webhooks} == {200}
        samples = await it.scene.samples()
        assert samples.value("gatewayd_faults_total", side="webhook", kind="too_many_requests") == 0
    finally:
        for writer in writers:
            writer.close()


async def test_what_users_send_is_words_with_facts_beside_them(google: Open) -> None:
    it = await google(numbers=(AGENT,))
    esme = await it.scene.esme()
    it.platform.send_event(HANDSET, "IS_TYPING", AGENT)
    await it.scene.until_samples(
        lambda s: s.value("gatewayd_webhook_ignored_total", link="google", event="isTyping") == 1
    )
    it.platform.send_reply(HANDSET, "Oui", "answer=oui", AGENT)
    await esme.wait_for(lambda: len(esme.ledger.texts) == 1, WAIT_S)
    it.platform.send_location(HANDSET, 48.8566, 2.3522, AGENT)
    await esme.wait_for(lambda: len(esme.ledger.texts) == 2, WAIT_S)
    it.platform.send_file(HANDSET, "https://files.example/1", "image/png", 9, "a.png", AGENT)
    await esme.wait_for(lambda: len(esme.ledger.texts) == 3, WAIT_S)
    assert [(each.text, dict(each.pdus[0].tlvs)) for each in esme.ledger.texts] == [
        ("Oui", {POSTBACK: b"answer=oui"}),
        ("geo:48.856600,2.352200", {PLACE: b"geo:48.856600,2.352200"}),
        (
            "https://files.example/1",
            {MEDIA_TYPE: b"image/png", MEDIA_SIZE: (9).to_bytes(4), MEDIA_NAME: b"a.png"},
        ),
    ]


async def test_one_address_serves_all_agents_of_a_partner(google: Open) -> None:
    """The platform calls the address of one link; receipts and replies find the link of the agent that they name."""
    it = await google()
    it.tell(RbmRule(reply_text="Oui"))
    esme = await it.scene.esme()
    handset = HANDSET.replace("+3362", "+3363")
    message_id = await it.scene.send(esme, handset, "?")
    assert await it.scene.final(esme, message_id) == "DELIVRD"
    assert [record.agent for record in it.platform.ledger.to(handset)] == [SISTER]
    await esme.wait_for(lambda: bool(esme.ledger.texts), WAIT_S)
    samples = await it.scene.samples()
    assert samples.value("gatewayd_mo_total", link="sister", fate="session") == 1
    assert samples.value("gatewayd_receipts_total", link="sister", state="DELIVRD") == 1
    assert it.carried() == []


async def test_what_is_for_an_agent_of_nobody_s_does_not_hold_up_the_others(google: Open) -> None:
    it = await google(numbers=(AGENT,))
    esme = await it.scene.esme()
    it.platform.send_text(HANDSET, "lost", "strange_agent")
    await it.scene.until_samples(
        lambda s: s.value("gatewayd_webhook_ignored_total", link="google", event="other_agent") == 1
    )
    it.platform.send_text(HANDSET, "Oui", AGENT)
    await esme.wait_for(lambda: bool(esme.ledger.texts), WAIT_S)
    assert [text.text for text in esme.ledger.texts] == ["Oui"]
    assert {hook.http_status for hook in it.platform.ledger.webhooks} == {200}
