"""What becomes of messages over Google's platform: delivered, out of time, taken back, answered, and signed."""

from __future__ import annotations

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
AGENT = "shop_agent"
CLIENT_TOKEN = "client-token"
# An expiry is told in whole seconds, so a deadline below one would have passed before it is read.
SOON_S = 1.05


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

    async def opened(deadline_s: float = 300.0) -> Google:
        link = {
            "kind": "rbm",
            "server_root": root,
            "bot_id": AGENT,
            "service_account_file": secret_file(tmp_path / "google.json", key),
            "webhook_token_file": secret_file(tmp_path / "google.webhook", CLIENT_TOKEN),
            "deadline_s": deadline_s,
        }
        routes = [{"links": ["google", "carrier"], "prefixes": ["3362"]}, {"links": ["carrier"]}]
        return Google(await stage({"links": {"google": link}, "routes": routes}), platform)

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


@pytest.mark.parametrize("at_expiry", ["revoked", "revoke_failed", "neither"])
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
