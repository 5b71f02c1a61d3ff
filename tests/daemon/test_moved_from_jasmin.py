"""Applications of Jasmin against the real daemon: what its manual shows, and one that moved without being touched."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from gatewayd.senders.product_ids import id_of
from gatewayd.simulate.behaviour import Rule
from tests.daemon.conftest import Stage
from tests.daemon.moved_scene import HANDSET, Opened, moved_from, seen
from tests.daemon.scene import WAIT_S
from tests.daemon.test_control import run
from tests.support.products import jasmin_id

pytestmark = pytest.mark.timeout(120)
USER = {"username": "shop", "password": "secret"}


@pytest.fixture
async def jasmin(stage: Stage) -> AsyncIterator[Opened]:
    """A scene with Jasmin's interface, and an application whose page may be called, and answers as Jasmin wants."""
    async with moved_from("jasmin", stage, "dlr", said="ACK/Jasmin") as opened:
        yield opened


@pytest.mark.parametrize("workers", [1, 2])
async def test_the_manual_s_own_examples(jasmin: Opened, workers: int) -> None:
    scene, app = await jasmin(workers)
    # GET, as in the manual's first example.
    answer = await app.get(f"/send?username=shop&password=secret&to={HANDSET}&from=123&content=hello")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    message_id = jasmin_id(answer)
    assert len(message_id) == 36
    assert f"{id_of(message_id):x}" == answer.headers["X-Gatewayd-Id"]
    pdu = await seen(scene)
    assert (pdu.short_message, pdu.registered_delivery & 1) == (b"hello", 1)
    # Everything at once, by a form.
    given = USER | {
        "to": f"+{HANDSET}",
        "from": "SunHotel",
        "coding": "0",
        "priority": "2",
        "validity-period": "10",
        "content": "Réservé: 5 € ✓",
        "tags": "hotel,vip",
    }
    jasmin_id(await app.call("POST", "/send", data=given))
    pdu = await seen(scene, count=2)
    assert (pdu.priority_flag, pdu.source_addr_ton) == (2, 5)
    assert pdu.short_message == b"R\x05serv\x05: 5 \x1be ?"
    assert pdu.validity_period
    # UCS-2 as the manual sends it, in hexadecimal, and as octets; JSON.
    arabic = "الحمد".encode("utf-16-be")
    jasmin_id(await app.get("/send", **USER, to=HANDSET, **{"from": "1"}, coding=8, **{"hex-content": arabic.hex()}))
    pdu = await seen(scene, count=3)
    assert (pdu.data_coding, pdu.short_message) == (8, arabic)
    jasmin_id(await app.call("POST", "/send", data=USER | {"to": HANDSET, "from": "1", "coding": "8", "content": "ab"}))
    assert (await seen(scene, count=4)).short_message == b"ab"
    body = json.dumps(USER | {"to": int(HANDSET), "from": "1", "content": "json"})
    jasmin_id(await app.call("POST", "/send", data=body, headers={"Content-Type": "application/json"}))
    assert (await seen(scene, count=5)).short_message == b"json"
    jasmin_id(await app.get("/send", **USER, to=HANDSET, **{"from": "1"}, sdt="000000000001000R", content="later"))
    assert (await seen(scene, count=6)).short_message == b"later"


async def test_rate_balance_and_ping(jasmin: Opened) -> None:
    _, app = await jasmin()
    assert (await app.get("/ping")).body == "Jasmin/PONG"
    answer = await app.get("/balance", **USER)
    assert (answer.status, json.loads(answer.body)) == (200, {"balance": "ND", "sms_count": "ND"})
    answer = await app.get("/rate", **USER, to=HANDSET)
    assert (answer.status, json.loads(answer.body)) == (200, {"unit_rate": 0.0, "submit_sm_count": 1})
    answer = await app.get("/rate", **USER, to=HANDSET, content="x" * 161)
    assert json.loads(answer.body)["submit_sm_count"] == 2
    answer = await app.get("/balance", username="shop", password="wrong")
    assert (answer.status, json.loads(answer.body)) == (403, "Authentication failure for username:shop")


async def test_what_is_refused_and_how(jasmin: Opened) -> None:
    more = {"accounts": {"shop": {"senders": ["1"]}}, "routes": [{"links": ["carrier"], "prefixes": ["336"]}]}
    _, app = await jasmin(more=more)
    good = USER | {"to": HANDSET, "from": "1", "content": "x"}
    cases: list[tuple[dict[str, str], int, str]] = [
        ({"password": "wrong"}, 403, "Authentication failure for username:shop"),
        ({"username": "nobody"}, 403, "Authentication failure for username:nobody"),
        ({"colour": "red"}, 400, "Argument [colour] is unknown."),
        ({"to": "abc"}, 400, "Argument [to] has an invalid value: [abc]."),
        ({"to": " 33620000001"}, 400, "Argument [to] has an invalid value: [ 33620000001]."),
        ({"coding": "11"}, 400, "Argument [coding] has an invalid value: [11]."),
        ({"priority": "4"}, 400, "Argument [priority] has an invalid value: [4]."),
        ({"dlr-level": "4"}, 400, "Argument [dlr-level] has an invalid value: [4]."),
        ({"dlr-url": "ftp://x"}, 400, "Argument [dlr-url] has an invalid value: [ftp://x]."),
        (
            {"dlr-url": "http://elsewhere.example/"},
            400,
            "Argument [dlr-url] has an invalid value: [http://elsewhere.example/].",
        ),
        ({"hex-content": "41"}, 400, "content and hex-content cannot be used both in same request."),
        ({"from": "other"}, 400, "Value filter failed for user [shop] (source_address filter mismatch)."),
        ({"to": "4915100000000"}, 412, "No route found"),
        ({"sdt": "991231235959000+"}, 400, "Argument [sdt] has an invalid value: [991231235959000+]."),
    ]
    for changes, status, problem in cases:
        answer = await app.get("/send", **(good | changes))
        assert (answer.status, answer.body) == (status, f'Error "{problem}"'), changes
    for name in ("to", "username", "password"):
        answer = await app.get("/send", **{key: value for key, value in good.items() if key != name})
        assert (answer.status, answer.body) == (400, f'Error "Mandatory argument [{name}] is not found."')
    answer = await app.get("/send", **USER, to=HANDSET)
    assert answer.body == 'Error "content or hex-content not present."'
    answer = await app.get("/send", **USER, to=HANDSET, **{"hex-content": "4"})
    assert answer.body == "Error \"Invalid hex-content data: '4'\""
    assert (await app.get("/cgi-bin/sendsms")).status == 404


async def test_an_application_that_moved_hears_of_its_messages(jasmin: Opened) -> None:
    rules = (Rule(destination="33620000009", answer="refuse", status="ESME_RINVDSTADR"),)
    scene, app = await jasmin(2, carrier={"rules": rules})
    good = USER | {"from": "33700000001", "content": "x", "dlr-url": app.url}
    both = jasmin_id(await app.get("/send", **good, to=HANDSET, **{"dlr-level": "3", "dlr-method": "POST"}))
    await app.watch.until(lambda: len(app.calls) == 2, WAIT_S)
    first, second = app.calls
    assert first == {"method": "POST", "id": both, "level": "1", "message_status": "ESME_ROK", "connector": "carrier"}
    assert {key: second[key] for key in ("method", "id", "level", "message_status", "sub", "dlvrd", "err", "text")} == {
        "method": "POST", "id": both, "level": "2", "message_status": "DELIVRD", "sub": "001", "dlvrd": "001",
        "err": "000", "text": "ND",
    }  # fmt: skip
    carrier_id = scene.smsc.ledger.to(HANDSET)[0].message_id
    assert second["id_smsc"] == second["connector"] == carrier_id
    assert len(second["subdate"]) == len(second["donedate"]) == 10
    # The first level is the usual one; GET; what a carrier refuses is of it too.
    refused = jasmin_id(await app.get("/send", **good, to="33620000009", **{"dlr-method": "GET"}))
    await app.watch.until(lambda: len(app.calls) == 3, WAIT_S)
    assert app.calls[2] == {
        "method": "GET", "id": refused, "level": "1", "message_status": "ESME_RINVDSTADR", "connector": "carrier",
    }  # fmt: skip
    # By RCS it is the same for the application.
    rcs = jasmin_id(await app.get("/send", **good, to="33610000001", **{"dlr-level": "2", "dlr-method": "GET"}))
    await app.watch.until(lambda: len(app.calls) == 4, WAIT_S)
    assert (app.calls[3]["id"], app.calls[3]["message_status"]) == (rcs, "DELIVRD")
    # A person finds it by the id that the application has.
    done = await run(scene, "trace", rcs, "--json")
    assert done.code == 0, done.err
    assert "DELIVRD" in done.out


@pytest.mark.long
async def test_what_is_not_acknowledged_comes_again_and_is_a_dead_letter_in_the_end(jasmin: Opened) -> None:
    scene, app = await jasmin()
    app.said = "OK, saved"
    good = USER | {"from": "1", "content": "x", "dlr-url": app.url, "dlr-level": "2"}
    jasmin_id(await app.get("/send", **good, to=HANDSET))
    await app.watch.until(lambda: len(app.calls) >= 2, WAIT_S)
    app.said = " ACK/Jasmin\n"
    await scene.until_samples(
        lambda s: s.value("gatewayd_deliveries_total", account="shop", sink="callback", outcome="delivered") == 1
    )
