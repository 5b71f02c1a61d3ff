"""An application that speaks HTTP to the real daemon: sends, asks, cancels, schedules, over SMS and RCS."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gatewayd.config.api_keys import hash_key
from gatewayd.runtime.tasks import spawn
from gatewayd.simulate.rcs_behaviour import Rule
from tests.daemon.conftest import Stage
from tests.daemon.process import merged
from tests.daemon.scene import WAIT_S, Scene
from tests.daemon.test_control import ask
from tests.support.api import OTHER_KEY, Api, tables

SMS, RCS = "+33620000001", "+33610000001"
pytestmark = pytest.mark.timeout(120)

Clients = Callable[..., Awaitable[tuple[Scene, Api]]]


@pytest.fixture
async def http(stage: Stage) -> AsyncIterator[Clients]:
    """A scene with the HTTP API, and a client of the account shop."""
    apis: list[Api] = []

    async def opened(workers: int = 1, more: Any = None, **neighbours: Any) -> tuple[Scene, Api]:
        scene = await stage(merged(tables(workers), more or {}), **neighbours)
        await scene.carrier_is_bound()
        apis.append(client(scene))
        return scene, apis[-1]

    yield opened
    for api in apis:
        await api.close()


def client(scene: Scene, **how: Any) -> Api:
    host, port = scene.daemon.http[0]
    return Api(f"http://{host}:{port}", **how)


def in_hours(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


@pytest.mark.parametrize("workers", [1, 2])
async def test_messages_are_sent_told_and_receipted(http: Clients, workers: int) -> None:
    scene, api = await http(workers)
    esme = await scene.esme()
    for number in range(4):
        sms = await api.send(f"+3362000001{number}", "Il a été payé 5 €", reference=number)
        rcs = await api.send(f"+3361000001{number}", "Bonjour")
        state = await api.until(sms, lambda state: state["status"] == "delivered")
        assert (state["channel"], state["state"], state["reference"]) == ("sms", "DELIVRD", number)
        assert state["to"] == f"3362000001{number}"
        state = await api.until(rcs, lambda state: state["status"] == "delivered")
        assert (state["channel"], state["from"]) == ("rcs", "33700000001")
        # Receipts go to the account's sinks, over SMPP as usual.
        assert await scene.final(esme, sms) == "DELIVRD"
        assert await scene.final(esme, rcs) == "DELIVRD"
    assert [submit.pdu.source_addr for submit in scene.smsc.ledger.submits] == ["33700000001"] * 4
    assert [record.submission.text for record in scene.platform.ledger.to("+33610000010")] == ["Bonjour"]
    samples = await scene.samples()
    assert samples.value("gatewayd_submits_total", account="shop", status="ESME_ROK") == 8
    assert samples.value("gatewayd_http_calls_total", path="/v1/messages", code="202") == 8


async def test_rich_content_and_another_text_for_rcs(http: Clients) -> None:
    scene, api = await http()
    card = {
        "type": "rich_card",
        "card": {
            "title": "Your order",
            "description": "It is here",
            "suggestions": [
                {"type": "open_url", "display_text": "Track", "postback": "t", "url": "https://example.com/1"}
            ],
        },
    }
    rich = await api.send(RCS, "Your order is here: https://example.com/1", rcs=card)
    other = await api.send(RCS, "SMS words", rcs_text="RCS words")
    for message_id in (rich, other):
        assert (await api.until(message_id, lambda state: "done_at" in state))["channel"] == "rcs"
    first, second = scene.platform.ledger.to(RCS)
    assert "Your order" in str(first.submission)
    assert second.submission.text == "RCS words"
    # Where there is no RCS, the text goes, and nothing of ours with it.
    sms = await api.send(SMS, "SMS words", rcs=card, reference=7)
    await api.until(sms, lambda state: state["status"] == "delivered")
    (submit,) = scene.smsc.ledger.to(SMS.removeprefix("+"))
    assert submit.pdu.short_message == b"SMS words"
    assert {tag for tag, _ in submit.pdu.tlvs} == {0x0204}
    # Without a text, the SMS says the content's words.
    own = {"to": SMS, "from": "33700000001", "rcs": {"type": "location", "latitude": 48.8566, "longitude": 2.3522}}
    answer = await api.call("POST", "/v1/messages", own)
    assert answer.status == 202
    await api.until(answer.body["id"], lambda state: state["status"] == "delivered")
    assert scene.smsc.ledger.to(SMS.removeprefix("+"))[1].pdu.short_message == b"geo:48.856600,2.352200"


async def test_a_template_by_its_name(http: Clients, tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "order.toml").write_text(
        '[match]\npattern = "order (?P<number>[0-9]+)"\n[content]\ntype = "rich_card"\n'
        '[content.card]\ntitle = "Order {number}"\ndescription = "{text}"\n'
    )
    scene, api = await http(more={"rcs": {"templates_dir": str(folder)}})
    template = {"name": "order", "parameters": {"number": "17"}}
    message_id = await api.send(RCS, "It is here", template=template)
    await api.until(message_id, lambda state: state["status"] == "delivered")
    (record,) = scene.platform.ledger.to(RCS)
    assert "Order 17" in str(record.submission)
    for wrong in ({"name": "other"}, {"name": "order"}):
        body = {"to": RCS, "from": "33700000001", "text": "x", "template": wrong}
        assert (await api.call("POST", "/v1/messages", body)).problem == "invalid-template"


async def test_cancelled_before_it_left_and_too_late(http: Clients) -> None:
    scene, api = await http(more={"links": {"rcs": {"deadline_s": 600}}})
    esme = await scene.esme()
    later = await api.send(SMS, schedule_at=in_hours(2), validity_s=3 * 3600)
    state = await api.state(later)
    assert (state["status"], "scheduled_at" in state) == ("scheduled", True)
    answer = await api.call("DELETE", f"/v1/messages/{later}")
    assert (answer.status, answer.body) == (200, {"id": later, "outcome": "cancelled"})
    assert (await api.state(later))["status"] == "cancelled"
    assert await scene.final(esme, later) == "DELETED"
    gone = await api.send(SMS)
    await api.until(gone, lambda state: state["status"] == "delivered")
    assert (await api.call("DELETE", f"/v1/messages/{gone}")).problem == "too-late"
    scene.tell_handsets(Rule(sent_after_s=0.0, delivery="never", on_expiry="ignore"))
    waiting = await api.send(RCS)
    await api.until(waiting, lambda state: state["status"] == "sent")
    answer = await api.call("DELETE", f"/v1/messages/{waiting}")
    assert (answer.status, answer.body["outcome"]) == (202, "under_way")
    assert (await api.until(waiting, lambda state: "done_at" in state))["status"] == "cancelled"
    assert scene.smsc.ledger.to(RCS.removeprefix("+")) == []


async def test_scheduled_messages_go_in_time_and_over_a_restart(http: Clients) -> None:
    scene, api = await http()
    soon = await api.send(SMS, "soon", schedule_at=in_hours(2 / 3600))
    far = await api.send(SMS, "far", schedule_at=in_hours(24))
    await scene.kill()
    await scene.start()
    again = client(scene)
    try:
        assert (await again.until(soon, lambda state: "done_at" in state))["status"] == "delivered"
        assert (await again.state(far))["status"] == "scheduled"
    finally:
        await again.close()
    for schedule in (in_hours(-1), in_hours(24 * 8)):
        body = {"to": SMS, "from": "33700000001", "text": "x", "schedule_at": schedule}
        assert (await api_of(scene, body)).problem == "invalid-schedule"
    sooner: Any = {"to": SMS, "from": "33700000001", "text": "x", "schedule_at": in_hours(1), "validity_s": 60}
    assert (await api_of(scene, sooner)).problem == "invalid-validity"


async def api_of(scene: Scene, body: Any) -> Any:
    api = client(scene)
    try:
        return await api.call("POST", "/v1/messages", body)
    finally:
        await api.close()


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_batch_has_a_result_for_each(http: Clients, workers: int) -> None:
    scene, api = await http(workers)
    good: list[Any] = [
        {"to": f"+3362000{number:04}", "from": "33700000001", "text": f"{number}"} for number in range(2_000)
    ]
    bad: list[Any] = [
        {"to": "12", "from": "33700000001", "text": "x"},
        {"to": SMS, "from": "33700000001"},
        {"to": SMS, "from": "33700000001", "text": "x", "colour": "red"},
        {"to": SMS, "from": "x" * 12, "text": "x"},
        "what",
    ]
    answer = await api.call("POST", "/v1/messages/batch", {"messages": [*bad, *good]})
    assert (answer.status, answer.body["accepted"], answer.body["refused"]) == (200, 2_000, 5)
    results = answer.body["results"]
    kinds = [result["problem"]["type"] for result in results[:5]]
    assert kinds == [
        "/docs#bad-shape",
        "/docs#invalid-text",
        "/docs#bad-shape",
        "/docs#invalid-sender",
        "/docs#bad-shape",
    ]
    assert [result["problem"].get("element") for result in results[:4]] == ["to", "text", None, "from"]
    assert all(result["status"] == 202 for result in results[5:])
    assert len({result["id"] for result in results[5:]}) == 2_000
    await scene.smsc.ledger.wait_for(lambda: len(scene.smsc.ledger.submits) == 2_000, WAIT_S)
    too_many = await api.call("POST", "/v1/messages/batch", {"messages": good[:1] * 5_001})
    assert too_many.problem == "batch-too-large"


@pytest.mark.parametrize("workers", [1, 2])
async def test_an_idempotency_key_is_taken_once_over_concurrency_and_kill(http: Clients, workers: int) -> None:
    scene, api = await http(workers)
    apis = [client(scene) for _ in range(5)]
    bodies = {number: {"to": f"+336200000{number:02}", "from": "33700000001", "text": "once"} for number in range(20)}
    try:
        calls = [
            one.call("POST", "/v1/messages", body, Idempotency_Key=f"order {number}")
            for number, body in bodies.items()
            for one in apis
        ]
        answers = await asyncio.gather(*calls)
        assert {answer.status for answer in answers} == {202}
        ids = {number: {answer.body["id"] for answer in answers[number * 5 : number * 5 + 5]} for number in bodies}
        assert all(len(of_one) == 1 for of_one in ids.values()), ids
        assert len(set.union(*ids.values())) == 20
        other = bodies[0] | {"text": "another"}
        refused = await api.call("POST", "/v1/messages", other, Idempotency_Key="order 0")
        assert refused.problem == "idempotency-key-reused"
        # Calls that a kill cuts off are repeated by a client that does not know how they fared.
        keyed = [
            one.call("POST", "/v1/messages", body | {"text": "cut"}, Idempotency_Key=f"cut {number}")
            for number, body in bodies.items()
            for one in apis
        ]
        cut = [spawn(call, name="a call that is cut off") for call in keyed]
        await asyncio.wait(cut, return_when=asyncio.FIRST_COMPLETED)
        await scene.kill()
        before = await asyncio.gather(*cut, return_exceptions=True)
    finally:
        for one in apis:
            await one.close()
    await scene.start()
    again = client(scene)
    try:
        for number, body in bodies.items():
            answer = await again.call("POST", "/v1/messages", body | {"text": "cut"}, Idempotency_Key=f"cut {number}")
            assert answer.status == 202
            told = {one.body["id"] for one in before[number * 5 : number * 5 + 5] if not isinstance(one, BaseException)}
            assert told <= {answer.body["id"]}
            await again.until(answer.body["id"], lambda state: state["status"] == "delivered")
        answer = await again.call("POST", "/v1/messages", bodies[3], Idempotency_Key="order 3")
        assert {answer.body["id"]} == ids[3]
    finally:
        await again.close()
    # A message in flight when the daemon was killed goes again, as its route says; it is one message all the same.
    assert len({submit.pdu.destination_addr for submit in scene.smsc.ledger.submits}) == 20
    assert b"another" not in {submit.pdu.short_message for submit in scene.smsc.ledger.submits}


async def test_conversations_and_reach(http: Clients) -> None:
    scene, api = await http(2)
    await api.until_ready()
    nothing = await api.call("GET", f"/v1/sessions?handset={RCS.removeprefix('+')}")
    assert (nothing.status, nothing.body) == (200, {"sessions": []})
    unknown = await api.call("GET", f"/v1/capabilities/{RCS}")
    assert unknown.body == {"number": RCS[1:], "links": [{"link": "rcs", "reason": "not_asked"}]}
    message_id = await api.send(RCS)
    await api.until(message_id, lambda state: state["status"] == "delivered")
    answer = await api.call("GET", f"/v1/sessions?handset=%2B{RCS[1:]}")
    (session,) = answer.body["sessions"]
    assert (session["from"], session["message_id"], session["handset"]) == ("33700000001", message_id, RCS[1:])
    answer = await api.call("GET", f"/v1/sessions?handset={RCS[1:]}&from=33700000001")
    assert answer.body == {"sessions": [session]}
    bare = await api.call("GET", f"/v1/sessions?handset=+{RCS[1:]}&from=+33700000001")
    assert bare.body == answer.body, "a plus that is not escaped is a blank"
    assert (await api.call("GET", f"/v1/sessions?handset=x{RCS[1:]}")).problem == "bad-request"
    known = await api.call("GET", f"/v1/capabilities/{RCS}")
    assert known.body["rcs"] is True
    assert known.body["links"][0]["rcs"] is True
    assert (await api.call("GET", "/v1/sessions")).problem == "bad-request"
    assert (await api.call("GET", "/v1/capabilities/12")).problem == "bad-request"

    assert (await api.call("GET", f"/v1/capabilities/{RCS}?ask=perhaps")).problem == "bad-request"
    fresh = "+33610000077"
    await ask(scene, "links", "pause", "rcs")
    not_yet = await api.call("GET", f"/v1/capabilities/{fresh}?ask=true")
    assert (not_yet.status, not_yet.headers["Retry-After"]) == (202, "5")
    assert not_yet.body["links"] == [{"link": "rcs", "reason": "paused"}]
    await ask(scene, "links", "resume", "rcs")
    asked = await api.call("GET", f"/v1/capabilities/{fresh}?ask=true")
    assert (asked.status, asked.body["rcs"], asked.body["links"][0]["rcs"]) == (200, True, True)
    assert asked.body["links"][0]["checked_at"] < asked.body["links"][0]["valid_until"]


async def test_rates_rights_and_other_accounts(http: Clients) -> None:
    more = {
        "accounts": {
            "shop": {"rate_per_s": 5, "senders": ["33700000001", "SHOP"], "traffic_classes": ["otp"]},
            "bank": {"api_keys": {"main": {"scopes": ["query"]}}, "networks": ["127.0.0.0/8"]},
        }
    }
    scene, api = await http(more=more)
    body = {"to": SMS, "from": "SHOP", "text": "x"}
    first = await api.call("POST", "/v1/messages", body)
    assert first.headers["RateLimit-Policy"] == '"account";q=5;w=1'
    assert first.headers["RateLimit"].startswith('"account";r=')
    answers = await asyncio.gather(*(api.call("POST", "/v1/messages", body) for _ in range(20)))
    throttled = [answer for answer in answers if answer.status == 429]
    assert throttled
    assert {answer.problem for answer in throttled} == {"rate-limited"}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in throttled)
    # The same bucket as SMPP's: what HTTP used up is missing there.
    esme = await scene.esme()
    submitted = [*esme.send("33700000001", SMS, "x"), *(one for _ in range(20) for one in esme.send("SHOP", SMS, "x"))]
    await esme.wait_for(lambda: all(one.status is not None for one in submitted))
    assert 0x58 in {one.status for one in submitted}
    async with asyncio.timeout(WAIT_S):
        while (answer := await api.call("POST", "/v1/messages", body | {"from": "OTHER"})).status == 429:
            pass
        assert answer.problem == "sender-not-allowed"
        while (answer := await api.call("POST", "/v1/messages", body | {"class": "bulk"})).status == 429:
            pass
        assert answer.problem == "class-not-allowed"
        while (answer := await api.call("POST", "/v1/messages", body | {"class": "otp"})).status == 429:
            pass
        assert answer.status == 202
    bank = client(scene, key=OTHER_KEY)
    try:
        assert (await bank.call("GET", f"/v1/messages/{first.body['id']}")).problem == "not-found"
        assert (await bank.call("POST", "/v1/messages", body)).problem == "insufficient-scope"
        assert (await bank.call("DELETE", f"/v1/messages/{first.body['id']}")).problem == "insufficient-scope"
    finally:
        await bank.close()


async def test_keys_are_exchanged_by_a_reload(http: Clients) -> None:
    scene, api = await http()
    message_id = await api.send(SMS)
    await asyncio.to_thread(exchange_key, scene)
    new = client(scene, key="gwk_the_new_one")
    try:
        async with asyncio.timeout(WAIT_S):
            while (await new.call("GET", f"/v1/messages/{message_id}")).status != 200:
                pass
        assert (await api.call("GET", f"/v1/messages/{message_id}")).problem == "unauthorized"
    finally:
        await new.close()


def exchange_key(scene: Scene) -> None:
    begins_at = len(scene.daemon.lines)
    main = {"main": {"hash": hash_key("gwk_the_new_one")}}
    scene.daemon.configure({"accounts": {"shop": {"api_keys": main}}})
    scene.daemon.tell(signal.SIGHUP)
    scene.daemon.hear(re.compile("= reloaded"), begins_at=begins_at)
