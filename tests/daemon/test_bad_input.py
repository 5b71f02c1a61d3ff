"""What strangers and careless applications write on a bind: the answer, the counter, and nobody else harmed.

One daemon serves all rows, and one bystander stays bound through all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.daemon.process import Daemon, password_hash, secret_file
from tests.daemon.raw import (
    BIND_RECEIVER,
    BIND_TRANSCEIVER,
    BIND_TRANSMITTER,
    DELIVER_SM,
    ENQUIRE_LINK,
    GENERIC_NACK,
    HANDSET,
    RESPONSE,
    SECRET,
    SENDER,
    SUBMIT_SM,
    UNBIND,
    Raw,
    bind,
    body,
    pdu,
    submit,
    tlv,
)
from tests.daemon.tap import Conversation

SUBMIT_SM_RESP = SUBMIT_SM | RESPONSE
QUERY_SM, REPLACE_SM, CANCEL_SM, DATA_SM, SUBMIT_MULTI = 0x03, 0x07, 0x08, 0x103, 0x21
MESSAGE_PAYLOAD, SAR_TOTAL = 0x0424, 0x020E
GHOST_PORT = 9  # discard: nobody listens there


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, tapped: list[Conversation]) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("daemon")
    account = {"password_hash": password_hash(), "rate_per_s": 0}
    tables = {
        "smpp": {"listen": ["127.0.0.1:0"]},
        "accounts": {
            "shop": account | {"senders": [SENDER.decode(), "SHOP", "A NAME TOO LONG"], "binds_max": 1_000},
            "bank": account,
            "pair": account | {"binds_max": 2},
            "far": account | {"networks": ["10.0.0.0/8"]},
            "slow": account | {"rate_per_s": 1, "burst": 3},
            "usual": account | {"rate_per_s": 100},
        },
        "links": {
            "carrier": {
                "kind": "smpp",
                "host": "127.0.0.1",
                "port": GHOST_PORT,
                "system_id": "example",
                "password_file": secret_file(folder / "password", "secret"),
                "reconnect_min_s": 60,
            }
        },
        "routes": [{"links": ["carrier"], "prefixes": ["336"]}],
    }
    daemon = Daemon(folder, tables)
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture(scope="module")
def bystander(daemon: Daemon, tapped: list[Conversation]) -> Iterator[Raw]:
    with Raw(daemon.smpp[0], tapped, "bystander") as raw:
        assert raw.bind("bank") == 0
        yield raw


@pytest.fixture(autouse=True)
def unharmed(bystander: Raw, daemon: Daemon) -> Iterator[None]:
    """Whatever a test does: the bystander is served, and no secret is written down."""
    yield
    assert bystander.submits_well()
    assert bystander.is_alive()
    keeps_secrets(daemon)


@pytest.fixture
def stranger(daemon: Daemon, tapped: list[Conversation], request: pytest.FixtureRequest) -> Iterator[Raw]:
    with Raw(daemon.smpp[0], tapped, request.node.name) as raw:
        yield raw


@pytest.fixture
def shop(stranger: Raw) -> Raw:
    assert stranger.bind() == 0
    return stranger


def keeps_secrets(daemon: Daemon) -> None:
    """Neither texts nor numbers are in the log, not even at level debug."""
    log = daemon.log
    assert [secret for secret in (SECRET, SENDER, HANDSET) if secret.decode() in log] == []


class Row(NamedTuple):
    """Octets, the heads of the answers, whether the connection is closed then, and the counters that move."""

    octets: bytes
    answers: tuple[tuple[int, int, int], ...]
    faults: dict[str, int]
    closes: bool = False


def refused(status: int, sequence: int = 2) -> tuple[tuple[int, int, int], ...]:
    return ((SUBMIT_SM_RESP, status, sequence),)


def nacked(status: int, sequence: int = 0) -> tuple[tuple[int, int, int], ...]:
    return ((GENERIC_NACK, status, sequence),)


WIRE = {
    "length of zero": Row(pdu(ENQUIRE_LINK, length=0), nacked(0x02), {"short_length": 1}, closes=True),
    "length below a header": Row(pdu(ENQUIRE_LINK, length=15), nacked(0x02), {"short_length": 1}, closes=True),
    "length of gigabytes": Row(
        pdu(SUBMIT_SM, sequence=7, length=0x7FFFFFFF), nacked(0x02, 7), {"oversized": 1}, closes=True
    ),
    "length above our limit": Row(
        pdu(SUBMIT_SM, sequence=7, length=65_537), nacked(0x02, 7), {"oversized": 1}, closes=True
    ),
    "length that ends too early": Row(
        pdu(SUBMIT_SM, body(), 2, length=20),
        (*refused(0x0A), (GENERIC_NACK, 0x02, int.from_bytes(body()[16:20], "big"))),
        {"unterminated_string": 1, "oversized": 1},
        closes=True,
    ),
    "an unknown command": Row(pdu(0x0000FFFF, b"?", 7), nacked(0x03, 7), {"unknown_command": 1}),
    "an unknown response": Row(pdu(0x8000FFFF, b"?", 7), (), {"unknown_command": 1}),
    "a response to nothing": Row(pdu(SUBMIT_SM_RESP, b"1\0", 7), (), {"unexpected_response": 1}),
    "deliver_sm of an application": Row(
        pdu(DELIVER_SM, body(), 7), ((DELIVER_SM | RESPONSE, 0x03, 7),), {"wrong_role": 1}
    ),
    "query_sm": Row(pdu(QUERY_SM, b"1\0\0\0" + SENDER + b"\0", 7), ((QUERY_SM | RESPONSE, 0x0C, 7),), {}),
    "cancel_sm": Row(
        pdu(CANCEL_SM, b"\0001\0\0\0" + SENDER + b"\0\0\0" + HANDSET + b"\0", 7),
        ((CANCEL_SM | RESPONSE, 0x0C, 7),),
        {},
    ),
    "replace_sm": Row(
        pdu(REPLACE_SM, b"1\0\0\0" + SENDER + b"\0\0\0\0\0" + b"\x01?", 7),
        ((REPLACE_SM | RESPONSE, 0x0C, 7),),
        {},
    ),
    "data_sm": Row(
        pdu(DATA_SM, b"\0\1\1" + SENDER + b"\0\1\1" + HANDSET + b"\0\0\0\0", 7),
        ((DATA_SM | RESPONSE, 0x00, 7),),
        {},
    ),
    "submit_multi": Row(
        pdu(SUBMIT_MULTI, b"\0\1\1" + SENDER + b"\0\1\1", 7),
        ((SUBMIT_MULTI | RESPONSE, 0x02, 7),),
        {"short_pdu": 1},
    ),
    "a second bind": Row(bind(), ((BIND_TRANSCEIVER | RESPONSE, 0x05, 1),), {"wrong_state": 1}),
    "sequence zero": Row(submit(0), ((SUBMIT_SM_RESP, 0, 0),), {"sequence_zero": 1}),
    "a sequence twice": Row(submit(2) * 2, ((SUBMIT_SM_RESP, 0, 2),) * 2, {"sequence_reused": 1}),
}

BODIES = {
    "an unterminated string": Row(submit(2, b"\0\1\1" + SENDER), refused(0x0A), {"unterminated_string": 1}),
    "no body": Row(submit(2, b""), refused(0x02), {"short_pdu": 1}),
    "half a body": Row(submit(2, body()[:30]), refused(0x02), {"short_pdu": 1}),
    "a long service type": Row(submit(2, body(service_type=b"X" * 6)), refused(0x15), {"field_too_long": 1}),
    "a long source": Row(submit(2, body(source=b"3" * 21)), refused(0x0A), {"field_too_long": 1}),
    "a long destination": Row(submit(2, body(destination=b"3" * 21)), refused(0x0B), {"field_too_long": 1}),
    "a long schedule": Row(submit(2, body(schedule=b"0" * 17)), refused(0x61), {"field_too_long": 1}),
    "a long validity": Row(submit(2, body(validity=b"0" * 17)), refused(0x62), {"field_too_long": 1}),
    "sm_length beyond the end": Row(submit(2, body(text_length=200)), refused(0x01), {"message_overrun": 1}),
    "sm_length of 255": Row(submit(2, body(text=b"x" * 255)), refused(0x01), {"field_too_long": 1}),
    "octets after the text": Row(submit(2, body(tlvs=b"\0")), refused(0xC0), {"tlv_overrun": 1}),
    "a TLV beyond the end": Row(
        submit(2, body(tlvs=tlv(0x0204, b"\0\1", length=200))), refused(0xC0), {"tlv_overrun": 1}
    ),
    "a header beyond the text": Row(
        submit(2, body(esm_class=0x40, text=b"\xff\0\3")), refused(0x43), {"udh_overrun": 1}
    ),
    "a header that is not there": Row(submit(2, body(esm_class=0x40, text=b"")), refused(0x43), {"udh_overrun": 1}),
    "an unknown TLV": Row(submit(2, body(tlvs=tlv(0x3FFF, b"?"))), refused(0), {}),
    "an empty TLV": Row(submit(2, body(tlvs=tlv(0x0204, b""))), refused(0), {}),
    "SAR that makes no sense": Row(submit(2, body(tlvs=tlv(SAR_TOTAL, b""))), refused(0), {}),
}

MEANINGS = {
    "octets that are not GSM": Row(submit(2, body(text=b"\xe9\xff")), refused(0x45), {"text_not_in_coding": 1}),
    "octets that are not ASCII": Row(
        submit(2, body(data_coding=1, text=b"\xe9")), refused(0x45), {"text_not_in_coding": 1}
    ),
    "odd UCS2": Row(submit(2, body(data_coding=8, text=b"\0a\0")), refused(0x01), {"odd_ucs2": 1}),
    "odd UCS2 in a part": Row(
        submit(2, body(data_coding=8, esm_class=0x40, text=b"\5\0\3\1\2\1" + b"\0a\0")), refused(0x01), {"odd_ucs2": 1}
    ),
    "half an emoji": Row(submit(2, body(data_coding=8, text=b"\xd8\x3d")), refused(0x45), {"text_not_in_coding": 1}),
    "a payload beyond 255 parts": Row(
        submit(2, body(text=b"", tlvs=tlv(MESSAGE_PAYLOAD, b"x" * 40_000))), refused(0x01), {"too_long": 1}
    ),
    "a name as destination": Row(
        submit(2, body(destination=b"Alice", destination_ton=5)), refused(0x0B), {"invalid_destination": 1}
    ),
    "letters as destination": Row(submit(2, body(destination=b"33X")), refused(0x0B), {"invalid_destination": 1}),
    "no destination": Row(submit(2, body(destination=b"")), refused(0x0B), {"invalid_destination": 1}),
    "a destination without a route": Row(submit(2, body(destination=b"49170000000")), refused(0x0B), {"no_route": 1}),
    "a sender of others": Row(submit(2, body(source=b"33799999999")), refused(0x0A), {"sender_not_allowed": 1}),
    "a sender's name too long": Row(
        submit(2, body(source=b"A NAME TOO LONG", source_ton=5)), refused(0x0A), {"sender_name_length": 1}
    ),
    "a validity that is over": Row(submit(2, body(validity=b"200101000000000+")), refused(0x62), {"expired": 1}),
    "a validity that is no time": Row(submit(2, body(validity=b"tomorrow")), refused(0x62), {"bad_time": 1}),
    "a thirteenth month": Row(submit(2, body(validity=b"991301000000000+")), refused(0x62), {"bad_time": 1}),
    "a delivery in the year 2099": Row(
        submit(2, body(schedule=b"991201000000000+")), refused(0x61), {"schedule_too_far": 1}
    ),
    "a delivery in the past": Row(submit(2, body(schedule=b"200101000000000+")), refused(0x61), {"schedule_past": 1}),
    "a canned message that is none": Row(
        submit(2, body(default_message=1, text=b"")), refused(0x63), {"default_message": 1}
    ),
    "a canned message and a text": Row(
        submit(2, body(default_message=1)), refused(0x63), {"default_message_and_text": 1}
    ),
}

ROWS = {**WIRE, **BODIES, **MEANINGS}


@pytest.mark.parametrize("name", ROWS)
def test_it_is_answered_counted_and_harms_nobody(name: str, shop: Raw, daemon: Daemon) -> None:
    row = ROWS[name]
    before = daemon.scrape()
    shop.write(row.octets)
    assert tuple(shop.read_heads(len(row.answers))) == row.answers
    if row.closes:
        assert shop.read() is None
    else:
        assert shop.is_alive()
        assert shop.submits_well()
    after = daemon.scrape()
    counter = "gatewayd_faults_total"
    moved = {
        sample.labels["kind"]: sample.value - before.value(counter, side="esme", kind=sample.labels["kind"])
        for sample in after.families["gatewayd_faults"].samples
        if sample.name == counter and sample.labels["side"] == "esme"
    }
    assert {kind: count for kind, count in moved.items() if count} == row.faults
    refusals = [status for command, status, _ in row.answers if command == SUBMIT_SM_RESP and status]
    if refusals and name in MEANINGS:
        assert after.value("gatewayd_submits_total", account="shop") > before.value(
            "gatewayd_submits_total", account="shop"
        )


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if not row.closes])
def test_octet_by_octet_makes_no_difference(name: str, shop: Raw) -> None:
    row = ROWS[name]
    for octet in row.octets[:2_000]:
        shop.write(bytes((octet,)))
    shop.write(row.octets[2_000:])
    assert tuple(shop.read_heads(len(row.answers))) == row.answers
    assert shop.is_alive()


def test_half_a_pdu_and_then_nothing(shop: Raw) -> None:
    shop.write(submit()[:40])
    shop.close()


def test_three_hundred_at_once_are_answered_in_order(shop: Raw) -> None:
    shop.write(b"".join(submit(sequence) for sequence in range(1, 301)))
    assert shop.read_heads(300) == [(SUBMIT_SM_RESP, 0, sequence) for sequence in range(1, 301)]


def test_good_and_bad_in_one_write_are_told_apart(shop: Raw) -> None:
    """Sound ones are answered once they are durable, the others at once."""
    shop.write(submit(1) + submit(2, body(source=b"x")) + pdu(0xFFFF, sequence=3) + submit(4))
    heads = shop.read_heads(4)
    assert sorted(heads[:2]) == [(GENERIC_NACK, 0x03, 3), (SUBMIT_SM_RESP, 0x0A, 2)]
    assert heads[2:] == [(SUBMIT_SM_RESP, 0, 1), (SUBMIT_SM_RESP, 0, 4)]


def test_whoever_submits_and_unbinds_at_once_learns_what_became_of_it(shop: Raw) -> None:
    """3.4 section 4.2: an unbind ends the conversation, not the answers that are owed."""
    query = pdu(QUERY_SM, b"1\0\0\0" + SENDER + b"\0", 3)
    shop.write(submit(1) + submit(2, body(source=b"x")) + query + submit(4) + pdu(UNBIND, sequence=5))
    heads = shop.read_heads(5)
    assert sorted(heads[:2]) == [(QUERY_SM | RESPONSE, 0x0C, 3), (SUBMIT_SM_RESP, 0x0A, 2)]
    assert heads[2:] == [(SUBMIT_SM_RESP, 0, 1), (SUBMIT_SM_RESP, 0, 4), (UNBIND | RESPONSE, 0, 5)]
    assert shop.read() is None


@pytest.mark.parametrize(
    ("octets", "answer"),
    [
        (pdu(ENQUIRE_LINK, sequence=7), (ENQUIRE_LINK | RESPONSE, 0, 7)),
        (submit(7), (SUBMIT_SM_RESP, 0x04, 7)),
        (pdu(DATA_SM, b"\0\1\1\0\1\1" + HANDSET + b"\0\0\0\0", 7), (DATA_SM | RESPONSE, 0x04, 7)),
        (pdu(0xFFFF, sequence=7), (GENERIC_NACK, 0x03, 7)),
    ],
    ids=["enquire_link", "submit_sm", "data_sm", "unknown"],
)
def test_before_a_bind(stranger: Raw, octets: bytes, answer: tuple[int, int, int]) -> None:
    assert stranger.ask(octets) == answer
    assert stranger.bind() == 0
    assert stranger.submits_well()


def test_a_submit_right_behind_its_bind_is_refused_not_lost(stranger: Raw) -> None:
    """Nobody may send before the answer (3.4 section 2.3); whoever does is told so."""
    stranger.write(bind() + submit(7))
    heads = stranger.read_heads(2)
    assert sorted(heads) == sorted([(SUBMIT_SM_RESP, 0x04, 7), (BIND_TRANSCEIVER | RESPONSE, 0, 1)])


def test_a_receiver_may_not_submit(stranger: Raw) -> None:
    assert stranger.bind(command=BIND_RECEIVER) == 0
    assert stranger.ask(submit(7)) == (SUBMIT_SM_RESP, 0x04, 7)
    assert stranger.is_alive()


def test_unbind_is_answered_and_closes(shop: Raw) -> None:
    assert shop.ask(pdu(UNBIND, sequence=7)) == (UNBIND | RESPONSE, 0, 7)
    assert shop.read() is None


@pytest.mark.parametrize(
    ("system_id", "password", "status"),
    [
        ("shop", "wrong", 0x0E),
        ("shop", "", 0x0E),
        ("nobody", "secret", 0x0F),
        ("", "", 0x0F),
        ("far", "secret", 0x0D),
    ],
    ids=["password", "no password", "system_id", "nothing", "network"],
)
@pytest.mark.parametrize("command", [BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER])
def test_a_bind_is_refused_and_closed(
    stranger: Raw, daemon: Daemon, system_id: str, password: str, status: int, command: int
) -> None:
    before = daemon.scrape()
    octets = bind(system_id.encode(), password.encode(), command)
    assert stranger.ask(octets) == (command | RESPONSE, status, 1)
    assert stranger.read() is None
    after = daemon.scrape()
    assert after.value("gatewayd_binds_refused_total") == before.value("gatewayd_binds_refused_total") + 1
    assert "secret" not in daemon.log


@pytest.mark.parametrize(
    ("octets", "status"),
    [(bind(b"x" * 16), 0x0F), (bind(password=b"x" * 9), 0x0E), (pdu(BIND_TRANSCEIVER, b"shop"), 0x0F)],
    ids=["system_id", "password", "unterminated"],
)
def test_a_malformed_bind_is_refused_and_can_be_tried_again(stranger: Raw, octets: bytes, status: int) -> None:
    assert stranger.ask(octets) == (BIND_TRANSCEIVER | RESPONSE, status, 1)
    assert stranger.bind() == 0


def test_no_more_binds_than_an_account_may_have(daemon: Daemon, tapped: list[Conversation]) -> None:
    raws = [Raw(daemon.smpp[0], tapped, f"pair {number}") for number in range(4)]
    try:
        for raw in raws[:3]:  # all at once: the password is hashed meanwhile
            raw.write(bind(b"pair"))
        statuses = sorted(head[1] for raw in raws[:3] for head in raw.read_heads(1))
        assert statuses == [0, 0, 0x05]
    finally:
        for raw in raws:
            raw.close()


def test_a_rate_lets_a_burst_through_and_refuses_the_rest(stranger: Raw, daemon: Daemon) -> None:
    assert stranger.bind("slow") == 0
    stranger.write(b"".join(submit(sequence) for sequence in range(1, 6)))
    answers = {sequence: status for _, status, sequence in stranger.read_heads(5)}
    assert answers == {1: 0, 2: 0, 3: 0, 4: 0x58, 5: 0x58}
    assert daemon.scrape().value("gatewayd_submits_total", account="slow", status="ESME_RTHROTTLED") == 2


def test_the_second_message_of_a_usual_rate_is_never_refused(stranger: Raw) -> None:
    assert stranger.bind("usual") == 0
    stranger.write(submit(1) + submit(2))
    assert stranger.read_heads(2) == [(SUBMIT_SM_RESP, 0, 1), (SUBMIT_SM_RESP, 0, 2)]


def test_an_older_version_gets_no_tlv(stranger: Raw) -> None:
    stranger.write(bind().replace(b"\x34\0\0\0", b"\x33\0\0\0"))
    answer = stranger.read()
    assert answer is not None
    assert (answer.status, answer.body) == (0, b"gatewayd\0")
