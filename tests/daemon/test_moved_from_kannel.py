"""Applications of Kannel against the real daemon: what their manual shows, and one that moved without being touched."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from gatewayd.simulate.behaviour import Rule
from tests.daemon.conftest import Stage
from tests.daemon.moved_scene import HANDSET, Opened, moved_from, seen
from tests.daemon.scene import WAIT_S
from tests.daemon.test_control import ask

pytestmark = pytest.mark.timeout(120)
ACCEPTED = "0: Accepted for delivery"
USER = "username=shop&password=secret"


@pytest.fixture
async def kannel(stage: Stage) -> AsyncIterator[Opened]:
    """A scene with Kannel's interface, and an application whose pages may be called."""
    async with moved_from("kannel", stage, "dlr", "cgi/*") as opened:
        yield opened


@pytest.mark.parametrize("workers", [1, 2])
async def test_the_manual_s_own_examples(kannel: Opened, workers: int) -> None:
    scene, app = await kannel(workers)
    answer = await app.get(f"/cgi-bin/sendsms?{USER}&from=123&to={HANDSET}&text=Hello+world")
    assert (answer.status, answer.body) == (202, ACCEPTED)
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.headers["Content-Length"] == str(len(ACCEPTED))
    pdu = await seen(scene)
    assert (pdu.short_message, pdu.source_addr, pdu.source_addr_ton) == (b"Hello world", "123", 0)
    # The short names, a plus that became a blank, several numbers with one of them twice.
    answer = await app.get(
        "/cgi-bin/sendsms?user=shop&pass=secret&from=FOO&to=+33620000002+%2B33620000003+33620000002&text=x"
    )
    assert answer.body == ACCEPTED
    assert len(answer.headers["X-Gatewayd-Id"].split(",")) == 2
    assert (await seen(scene, "33620000002")).source_addr_ton == 5
    await seen(scene, "33620000003")
    assert len(scene.smsc.ledger.to("33620000002")) == 1
    # A ringtone of the manual: binary, with a header.
    answer = await app.get(f"/cgi-bin/sendsms?{USER}&from=123&to={HANDSET}&udh=%06%05%04%15%8A%00%00&text=%02%4A%3A")
    assert answer.body == ACCEPTED
    pdu = await seen(scene, count=2)
    assert (pdu.data_coding, pdu.esm_class & 0x40) == (4, 0x40)
    assert pdu.short_message == bytes.fromhex("06050415 8a0000 024a3a")


async def test_texts_in_every_coding_and_class(kannel: Opened) -> None:
    scene, app = await kannel()
    cases = [
        (f"text={quote('déjà vu 5 €')}", 0, "déjà vu 5 €".encode("latin-1", "ignore")),
        ("text=%E9t%E9&charset=iso-8859-1", 0, b"\x05t\x05"),
        (f"text={quote('日本')}", 0, b"??"),
        ("coding=2&text=%04%1F%04%40", 8, "Пр".encode("utf-16-be")),
        (f"coding=2&charset=utf8&text={quote('Пр')}", 8, "Пр".encode("utf-16-be")),
        ("mclass=0&text=flash", 0xF0, b"flash"),
        (f"mclass=0&coding=2&charset=UTF-8&text={quote('Пр')}", 0x18, "Пр".encode("utf-16-be")),
        ("mclass=1&alt-dcs=0&text=x", 0x11, b"x"),
        ("mwi=0&text=voice", 0xD8, b"voice"),
        ("coding=1&text=%00%FF", 4, b"\x00\xff"),
        ("text=50%zz&unknown=1", 0, b"50%zz"),
    ]
    for number, (arguments, data_coding, octets) in enumerate(cases):
        to = f"3362000010{number:02}"
        answer = await app.get(f"/cgi-bin/sendsms?{USER}&from=123&to={to}&{arguments}")
        assert answer.body == ACCEPTED, arguments
        pdu = await seen(scene, to)
        assert pdu.data_coding == data_coding, arguments
        if number:
            assert pdu.short_message == octets, arguments
    fields = "pid=65&rpi=1&priority=3&validity=60&binfo=WAP"
    assert (await app.get(f"/cgi-bin/sendsms?{USER}&from=123&to={HANDSET}&text=x&{fields}")).body == ACCEPTED
    pdu = await seen(scene)
    assert (pdu.protocol_id, pdu.esm_class & 0x80, pdu.priority_flag, pdu.service_type) == (65, 0x80, 3, "WAP")
    assert pdu.validity_period


async def test_by_post(kannel: Opened) -> None:
    scene, app = await kannel()
    headers = {
        "X-Kannel-Username": "shop",
        "X-Kannel-Password": "secret",
        "X-Kannel-From": "123",
        "X-Kannel-To": HANDSET,
        "Content-Type": "text/plain",
    }
    answer = await app.call("POST", "/cgi-bin/sendsms", headers=headers, data="été".encode("latin-1"))
    assert (answer.status, answer.body) == (202, ACCEPTED)
    assert (await seen(scene)).short_message == b"\x05t\x05"
    binary = headers | {"Content-Type": "application/octet-stream", "X-Kannel-UDH": "06050415 8a0000".replace(" ", "")}
    assert (await app.call("POST", "/cgi-bin/sendsms", headers=binary, data=b"\x01\x02")).body == ACCEPTED
    pdu = await seen(scene, count=2)
    assert (pdu.data_coding, pdu.short_message) == (4, bytes.fromhex("060504158a00000102"))
    form = {"username": "shop", "password": "secret", "from": "123", "to": HANDSET, "text": "form"}
    assert (await app.call("POST", "/cgi-bin/sendsms", data=form)).body == ACCEPTED
    assert (await seen(scene, count=3)).short_message == b"form"
    for kind, status, body in [
        ("text/xml", 415, "Unsupported content-type, rejected"),
        ("application/json", 400, "Invalid content-type"),
    ]:
        answer = await app.call("POST", "/cgi-bin/sendsms", headers={"Content-Type": kind}, data=b"x")
        assert (answer.status, answer.body) == (status, body)


async def test_what_is_refused_and_how(kannel: Opened) -> None:
    _, app = await kannel(
        more={
            "accounts": {"shop": {"senders": ["123", "FOO"]}},
            "routes": [{"links": ["carrier"], "prefixes": ["336"]}],
        }
    )
    good = f"{USER}&from=123&to={HANDSET}&text=x"
    cases = [
        (good.replace("secret", "wrong"), 403, "Authorization failed for sendsms"),
        (good.replace("shop", "nobody"), 403, "Authorization failed for sendsms"),
        ("", 403, "Authorization failed for sendsms"),
        (f"{USER}&from=123&text=x", 400, "Missing receiver number, rejected"),
        (f"{USER}&from=123&to=&text=x", 400, "Empty receiver number not allowed, rejected"),
        (good.replace(HANDSET, "abc"), 400, "Number(s) has/have been denied by white- and/or black-lists."),
        (good.replace(HANDSET, "49151000000"), 403, "Not routable. Do not try again."),
        (f"{good}&udh=0500030a0201", 400, "UDH field misformed, rejected"),
        (f"{good}&udh={'x' * 141}", 400, "UDH field is too long, rejected"),
        (f"{good}&dlr-mask=67", 400, "DLR-Mask field misformed, rejected"),
        (f"{good}&dlr-url=ftp://x&dlr-mask=1", 400, "DLR-URL field misformed, rejected"),
        (f"{good}&dlr-url=http://elsewhere.example/&dlr-mask=1", 400, "DLR-URL field misformed, rejected"),
        (f"{good}&mclass=4", 400, "MClass field misformed, rejected"),
        (f"{good}&coding=3", 400, "Coding field misformed, rejected"),
        (f"{good}&priority=9", 400, "Priority field misformed, rejected"),
        (f"{good}&charset=none", 400, "Charset or body misformed, rejected"),
        (f"{good}&compress=1", 400, "Compress field misformed, rejected"),
        (f"{good}&account=[x]", 400, "Account field misformed or too long, rejected"),
        (f"{good}&deferred=999999999", 400, "Deferred field misformed, rejected"),
        (f"{good}&meta-data=%3Fsmpp%3Fx%3D1", 400, "Meta-Data is not supported, rejected"),
    ]
    for query, status, body in cases:
        answer = await app.get(f"/cgi-bin/sendsms?{query}")
        assert (answer.status, answer.body) == (status, body), query
    assert (await app.get("/cgi-bin/xmlrpc")).body == "Unknown request."
    assert (await app.get("/cgi-bin/sendota?x=1")).status == 501
    assert (await app.call("HEAD", f"/cgi-bin/sendsms?{good}")).status == 405
    # What one of several lacks is not told, as Kannel does not.
    assert (await app.get(f"/cgi-bin/sendsms?{good}".replace(HANDSET, f"{HANDSET}+abc+4915"))).body == ACCEPTED


async def test_an_application_that_moved_hears_of_its_messages(kannel: Opened) -> None:
    scene, app = await kannel(2)
    esme = await scene.esme()
    url = f"http://127.0.0.1:{app.port}/cgi/report?type=%d&slid=42&to=%p&from=%P&at=%T&reply=%A&smsc=%i&x=%z&pc=%%"
    query = f"{USER}&from=33700000001&to=%2B{HANDSET}&text=x&dlr-mask=31&dlr-url={quote(url, safe='')}"
    answer = await app.get(f"/cgi-bin/sendsms?{query}")
    assert answer.body == ACCEPTED
    await app.watch.until(lambda: len(app.calls) == 2, WAIT_S)
    taken, delivered = app.calls
    assert (taken["method"], taken["type"], taken["slid"], taken["reply"]) == ("GET", "8", "42", "ACK/")
    assert (taken["to"], taken["from"], taken["smsc"]) == (f"+{HANDSET}", "33700000001", "carrier")
    assert (delivered["type"], delivered["slid"]) == ("1", "42")
    assert "stat:DELIVRD" in delivered["reply"]
    assert "&x=%z&pc=%" in app.queries[0]
    # By RCS it is the same for the application.
    query = f"{USER}&from=33700000001&to=33610000001&text=x&dlr-mask=3&dlr-url={quote(app.url + '?s=%d&i=%i', safe='')}"
    assert (await app.get(f"/cgi-bin/sendsms?{query}")).body == ACCEPTED
    await app.watch.until(lambda: len(app.calls) == 3, WAIT_S)
    assert (app.calls[2]["s"], app.calls[2]["i"]) == ("1", "rcs")
    assert not esme.ledger.receipts
    # Without an address of its own, the account's sinks hear of it.
    answer = await app.get(f"/cgi-bin/sendsms?{USER}&from=33700000001&to={HANDSET}&text=x&dlr-mask=1")
    assert await scene.final(esme, answer.headers["X-Gatewayd-Id"]) == "DELIVRD"
    assert len(app.calls) == 3


async def test_calls_outlive_the_daemon_and_the_application(kannel: Opened) -> None:
    scene, app = await kannel()
    await app.leave()
    url = quote(f"{app.url}?n=%p&d=%d", safe="")
    for number in range(20):
        to = f"3362000020{number:02}"
        answer = await app.get(f"/cgi-bin/sendsms?{USER}&from=123&to={to}&text=x&dlr-mask=1&dlr-url={url}")
        assert answer.body == ACCEPTED
    await scene.until_samples(lambda s: s.value("gatewayd_outbox_deliveries", account="shop", sink="callback") == 20)
    await scene.kill()
    await scene.start()
    await app.start()
    await app.watch.until(lambda: len({call["n"] for call in app.calls}) == 20, WAIT_S * 2)
    assert {call["d"] for call in app.calls} == {"1"}
    samples = await scene.until_samples(
        lambda s: s.value("gatewayd_outbox_deliveries", account="shop", sink="callback") == 0
    )
    assert samples.value("gatewayd_deliveries_total", account="shop", sink="callback", outcome="delivered") == 20


async def test_private_addresses_are_not_called_and_a_list_can_be_cut(kannel: Opened) -> None:
    scene, app = await kannel(more={"accounts": {"shop": {"dlr_urls": ["http://localtest.example:1/*"]}}})
    url = quote(app.url, safe="")
    refused = await app.get(f"/cgi-bin/sendsms?{USER}&from=1234&to={HANDSET}&text=x&dlr-mask=1&dlr-url={url}")
    assert refused.body == "DLR-URL field misformed, rejected"
    await asyncio.to_thread(scene.daemon.hear, re.compile("callback_not_allowed"))  # the log comes by a pipe
    assert "secret" not in scene.daemon.log.replace("secret_file", "")


async def test_who_guesses_is_stopped_and_others_go_on(kannel: Opened) -> None:
    scene, app = await kannel()
    good = f"/cgi-bin/sendsms?{USER}&from=123&to={HANDSET}&text=x"
    assert (await app.get(good)).body == ACCEPTED
    answers = await asyncio.gather(*(app.get(good.replace("secret", f"wrong{n}")) for n in range(40)))
    assert {answer.status for answer in answers} == {403}
    assert (await app.get(good)).status == 403, "from this address, the name is not even looked at any more"
    other = good.replace("username=shop", "username=bank")
    assert (await app.get(other)).body == ACCEPTED
    samples = await scene.samples()
    assert samples.value("gatewayd_faults_total", side="http", kind="unauthorized") in (20, 21)
    assert samples.value("gatewayd_faults_total", side="http", kind="too_many_failures") in (20, 21)


async def test_what_a_carrier_refuses_and_what_it_cannot_deliver(kannel: Opened) -> None:
    rules = (
        Rule(destination="33620000001", answer="refuse", status="ESME_RINVDSTADR"),
        Rule(destination="33620000002", receipt_state="UNDELIV", receipt_error="034"),
    )
    scene, app = await kannel(carrier={"rules": rules})
    url = quote(f"{app.url}?n=%p&d=%d&said=%A&id=%F", safe="")
    for number in ("33620000001", "33620000002"):
        answer = await app.get(f"/cgi-bin/sendsms?{USER}&from=123&to={number}&text=x&dlr-mask=2&dlr-url={url}")
        assert answer.body == ACCEPTED
    await app.watch.until(lambda: len(app.calls) == 2, WAIT_S)
    by_number = {call["n"]: call for call in app.calls}
    refused, failed = by_number["33620000001"], by_number["33620000002"]
    assert (refused["d"], refused["said"], refused["id"]) == ("16", "NACK/0x0000000b/ESME_RINVDSTADR", "")
    assert (failed["d"], failed["id"]) == ("2", scene.smsc.ledger.to("33620000002")[0].message_id)
    assert "stat:UNDELIV err:034" in failed["said"]


async def test_a_raw_client_of_http_1_0_reads_the_very_octets(kannel: Opened) -> None:
    scene, _ = await kannel()
    reader, writer = await asyncio.open_connection(*scene.daemon.http[0])
    writer.write(f"GET /cgi-bin/sendsms?{USER}&from=123&to={HANDSET}&text=x HTTP/1.0\r\n\r\n".encode())
    async with asyncio.timeout(WAIT_S):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")  # it closes the connection
    writer.close()
    await writer.wait_closed()
    assert body == ACCEPTED.encode()
    assert b"chunked" not in head.lower()
    assert b" 202 " in head.split(b"\r\n")[0]


async def test_calls_that_nobody_took_are_dead_letters_and_a_list_may_be_cut(kannel: Opened) -> None:
    scene, app = await kannel(more={"accounts": {"shop": {"outbox_ttl_h": 0.001}}})  # 3.6 s
    await app.leave()
    url = quote(f"{app.url}?d=%d", safe="")
    query = f"/cgi-bin/sendsms?{USER}&from=123&to={HANDSET}&text=x&dlr-mask=1&dlr-url={url}"
    answer = await app.get(query)
    await scene.until_samples(
        lambda s: s.value("gatewayd_outbox_dead_letters", account="shop", sink="callback") == 1, 40
    )
    (row,) = (await ask(scene, "outbox", "dead", "list", "shop"))["rows"]
    assert (row["sink"], row["message"], row["reason"]) == ("callback", answer.headers["X-Gatewayd-Id"], "expired")
    await app.start()
    assert (await ask(scene, "outbox", "dead", "replay", "shop"))["replayed"] == 1
    await app.watch.until(lambda: app.calls, WAIT_S)
    begins_at = len(scene.daemon.lines)
    scene.daemon.configure({"accounts": {"shop": {"dlr_urls": []}}})
    scene.daemon.tell(signal.SIGHUP)
    await asyncio.to_thread(scene.daemon.hear, re.compile("= reloaded"), begins_at=begins_at)
    assert (await app.get(query)).body == "DLR-URL field misformed, rejected"
