"""From a submit_sm to a durable message: what is read, what is refused, and that no answer comes before the disk's."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.config import schema
from gatewayd.message import TAG_CLASS, TAG_CONTENT, TAG_IDEMPOTENCY, Encoding, Message
from gatewayd.policy.journey import Progress, Stage
from gatewayd.runtime.instruments import Tally, Timing
from gatewayd.runtime.metrics import Metrics
from gatewayd.senders.address_rules import rules_of
from gatewayd.senders.submit import FLOOD, FLOOD_REST_S, PAYLOAD_OCTETS_MAX, SubmitDesk
from gatewayd.senders.submit_rules import Refusal, check_text
from gatewayd.store.repeats import Repeats
from gatewayd.store.spool import Journey
from protocol.smpp import text
from protocol.smpp.constants import Status, Tag
from protocol.smpp.pdu import SubmitSm

NOW = 1_767_225_600.0  # 2026-01-01 00:00:00 UTC
TEXT, HANDSET = b"TOP SECRET TEXT", "33600000077"


class Disk:
    """A journal and a spool on it that commit when a test says so."""

    def __init__(self) -> None:
        self.is_failing = False
        self.pending = 0
        self.waiting: list[tuple[Callable[[list[Any]], None], Any]] = []
        self.accepted: list[Message] = []
        self.last_id = 99
        self.repeats: Repeats

    @property
    def journal(self) -> Disk:
        return self

    def then(self, callback: Callable[[list[Any]], None], item: Any) -> None:
        self.waiting.append((callback, item))

    def new_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def accept(self, message: Message, progress: Progress) -> Journey:
        self.accepted.append(message)
        return Journey(message, progress)

    def commit(self) -> None:
        waiting, self.waiting = self.waiting, []
        if waiting:
            waiting[0][0]([item for _, item in waiting])


class Table:
    """One kind of record, in memory."""

    def __init__(self) -> None:
        self.values: dict[Any, Any] = {}

    def get(self, kind: Any, key: Any) -> Any:
        return self.values.get(key)

    def put(self, kind: Any, key: Any, value: Any) -> None:
        self.values[key] = value


class Flow:
    """Takes every message but those for 49…."""

    def __init__(self) -> None:
        self.journeys: list[Journey] = []
        self.superseding: list[Message] = []

    def plan(self, message: Message) -> Progress | None:
        if message.destination.startswith("49"):
            return None
        return Progress(id=message.id, account=message.account, stage=Stage.QUEUED, links=("carrier",))

    def supersede(self, message: Message) -> None:
        self.superseding.append(message)

    def accepted(self, journeys: list[Journey]) -> None:
        self.journeys += journeys


class Account:
    """An account that may send what its test says."""

    def __init__(self, **fields: Any) -> None:
        self.name = "shop"
        self.settings = schema.Account(**fields)
        self.address_rules = rules_of(self.settings)
        self.granted = 1_000_000
        self.given_back = 0

    def take(self, wanted: int) -> int:
        return min(wanted, self.granted)

    def give_back(self, unused: int) -> None:
        self.given_back += unused

    def may_send_as(self, sender: str) -> bool:
        return sender != "OTHER"


class Desk:
    """A submit desk with one bind, which keeps its answers."""

    def __init__(self, **account: Any) -> None:
        self.disk, self.flow, self.metrics = Disk(), Flow(), Metrics("test")
        self.account = Account(**account)
        self.answers: list[tuple[int, int, str]] = []
        self.rests: list[float] = []
        self.taken, self.response_timing = Tally(), Timing((1.0,))
        self.repeats = Repeats(cast(Any, Table()), lambda: NOW)
        self.disk.repeats = self.repeats
        self.desk = SubmitDesk(cast(Any, self.disk), self.flow, self.metrics, pending_max=10, clock=lambda: NOW)

    def take(self, *pdus: SubmitSm) -> None:
        for number, pdu in enumerate(pdus, 1):
            pdu.sequence = number
        self.desk.take(cast(Any, self), pdus)

    def read(self, **fields: Any) -> Message:
        """The message that a submit_sm becomes."""
        self.take(submit(**fields))
        self.disk.commit()
        assert [status for _, status, _ in self.answers] == [0]
        return self.disk.accepted[0]

    def refusal(self, **fields: Any) -> tuple[int, str]:
        """The status and the word of a submit_sm that is refused."""
        self.take(submit(**fields))
        assert self.disk.accepted == []
        ((_, status, _),) = self.answers
        (word,) = [kind for (_, kind), tally in self.metrics.faults.items() if tally.value]
        assert self.metrics.submits.labels("shop", Status(status).name).value == 1
        return status, word

    # What the desk asks of a connection.

    def rest(self, rest_s: float) -> None:
        self.rests.append(rest_s)

    def refuse_submit(self, sequence: int, refusal: Refusal) -> None:
        self.answers.append((sequence, refusal.status, ""))

    def answer_submits(self, taken: Sequence[tuple[int, int]]) -> None:
        self.answers += [(sequence, 0, f"{message_id:x}") for sequence, message_id in taken]


def submit(**fields: Any) -> SubmitSm:
    known: dict[str, Any] = {
        "source_addr_ton": 1,
        "source_addr_npi": 1,
        "source_addr": "33700000001",
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": HANDSET,
        "short_message": TEXT,
    }
    return SubmitSm(**(known | fields))


def test_nothing_is_answered_before_it_is_durable() -> None:
    desk = Desk()
    desk.take(submit(), submit())
    assert desk.answers == []
    assert desk.flow.journeys == []
    desk.disk.commit()
    assert desk.answers == [(1, 0, "64"), (2, 0, "65")]
    assert [journey.message.id for journey in desk.flow.journeys] == [100, 101]
    assert (desk.taken.value, desk.response_timing.counts[0]) == (2, 2)


def test_good_and_bad_of_one_read_are_told_apart() -> None:
    desk = Desk()
    desk.take(submit(), submit(source_addr="OTHER"), submit())
    assert desk.answers == [(2, Status.ESME_RINVSRCADR, "")]
    assert len(desk.disk.accepted) == 2, "of what was refused there will be no receipt either"
    desk.disk.commit()
    assert [(sequence, status) for sequence, status, _ in desk.answers[1:]] == [(1, 0), (3, 0)]


def test_every_field_arrives() -> None:
    desk = Desk(traffic_class="otp")
    message = desk.read(
        service_type="CMT",
        protocol_id=0x41,
        priority_flag=2,
        registered_delivery=0x11,
        data_coding=8,
        short_message=b"\0h\0i",
        validity_period="260101000100000+",
        tlvs=((Tag.USER_MESSAGE_REFERENCE, b"\0\7"), (0x1501, b"x")),
    )
    assert message == Message(
        id=100,
        account="shop",
        source_ton=1,
        source_npi=1,
        source="33700000001",
        destination_ton=1,
        destination_npi=1,
        destination=HANDSET,
        payload=b"\0h\0i",
        encoding=Encoding.UCS2,
        accepted_at=NOW,
        expires_at=NOW + 60.0,
        data_coding=8,
        protocol_id=0x41,
        priority=2,
        registered_delivery=0x11,
        service_type="CMT",
        traffic_class="otp",
        tlvs=((Tag.USER_MESSAGE_REFERENCE, b"\0\7"), (0x1501, b"x")),
    )


@pytest.mark.parametrize(
    ("alphabet", "data_coding", "payload", "encoding"),
    [
        ("gsm", 0, b"\x05", Encoding.GSM),
        ("latin1", 0, b"\xe9", Encoding.LATIN1),
        ("ascii", 0, b"a", Encoding.ASCII),
        ("latin1", 1, b"a", Encoding.ASCII),
        ("gsm", 3, b"\xe9", Encoding.LATIN1),
        ("gsm", 4, b"\xff", Encoding.BINARY),
        ("gsm", 8, b"\0a", Encoding.UCS2),
        ("utf8", 0, "é€".encode(), Encoding.UTF8),
        ("ucs2", 0, b"\0a", Encoding.UCS2),
        ("gsm", 6, b"\xbf", Encoding.CYRILLIC),
        ("gsm", 0x0E, b"\xc7\xd1", Encoding.EUCKR),
        ("gsm", 0x0E, b"\xc7", Encoding.BINARY),  # no Korean: octets, as such applications mean them
        ("latin1", 0x10, b"\x05", Encoding.GSM),  # flash
        ("latin1", 0xF0, b"\x05", Encoding.GSM),
        ("latin1", 0xE8, b"\0a", Encoding.UCS2),  # a message waits
        ("latin1", 0x20, b"\xff", Encoding.BINARY),  # compressed
    ],
)
def test_octets_are_read_as_the_account_means_them(
    alphabet: Any, data_coding: int, payload: bytes, encoding: Encoding
) -> None:
    message = Desk(data_coding_0=alphabet).read(data_coding=data_coding, short_message=payload)
    assert (message.encoding, message.payload, message.data_coding) == (encoding, payload, data_coding)


def test_text_in_national_tables_is_kept_as_it_came_with_its_header() -> None:
    udh = b"\x03\x24\x01\x01"
    message = Desk(transliterate="full").read(esm_class=0x40, short_message=udh + b"\x1bs")
    assert (message.udh, message.payload, message.concat, message.transliterate) == (udh, b"\x1bs", None, "full")
    assert Desk().read().transliterate == ""
    refusal = Desk().refusal(esm_class=0x40, short_message=udh + b"\x80")
    assert refusal == (Status.ESME_RSUBMITFAIL, "text_not_in_coding")


def test_a_part_may_end_within_a_character() -> None:
    udh = b"\x05\x00\x03\x2a\x02\x01"
    message = Desk(data_coding_0="utf8").read(esm_class=0x40, short_message=udh + b"a\xc3")
    assert (message.encoding, message.concat) == (Encoding.UTF8, (0x2A, 2, 1))
    assert Desk(data_coding_0="utf8").refusal(short_message=b"a\xc3")[1] == "text_not_in_coding"


def test_a_relative_validity_counts_from_now() -> None:
    assert Desk().read(validity_period="000000010000000R").expires_at == NOW + 3_600.0


def test_a_message_may_be_for_later() -> None:
    message = Desk().read(schedule_delivery_time="000000020000000R", validity_period="000000030000000R")
    assert (message.deliver_at, message.expires_at) == (NOW + 7_200.0, NOW + 10_800.0)
    assert Desk().read(schedule_delivery_time="260101010000000+").deliver_at == NOW + 3_600.0
    assert Desk(schedule_max_h=0).refusal(schedule_delivery_time="000000020000000R") == (
        Status.ESME_RINVSCHED,
        "schedule_not_allowed",
    )


def test_a_class_may_be_asked_for_by_those_who_have_it() -> None:
    desk = Desk(traffic_class="campaign", traffic_classes=("otp",))
    assert desk.read(tlvs=((TAG_CLASS, b"otp\0"),)).traffic_class == "otp"


def test_rich_content_is_judged_and_kept() -> None:
    content = b'{"type":"text","text":"Hello","suggestions":[]}'
    assert Desk().read(tlvs=((TAG_CONTENT, content),)).tlvs == ((TAG_CONTENT, content),)


def test_a_refused_content_says_where(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Desk().refusal(tlvs=((TAG_CONTENT, b'{"type":"rich_card","card":{"title":5}}'),))
    assert "reason=content_bad_shape at=card.title" in caplog.text


def test_a_submit_that_comes_again_is_taken_once() -> None:
    desk = Desk()
    key = ((TAG_IDEMPOTENCY, b"order 1"),)
    desk.take(submit(tlvs=key), submit(tlvs=key), submit(tlvs=((TAG_IDEMPOTENCY, b"order 2"),)))
    assert desk.answers == []
    assert len(desk.disk.accepted) == 2
    for callback, item in desk.disk.waiting:
        callback([item])
    assert sorted(desk.answers) == [(1, 0, "64"), (2, 0, "64"), (3, 0, "66")]
    assert [journey.message.id for journey in desk.flow.journeys] == [100, 102]


def test_a_key_is_for_one_message() -> None:
    desk = Desk()
    key = ((TAG_IDEMPOTENCY, b"order 1"),)
    desk.take(submit(tlvs=key))
    desk.take(submit(tlvs=key, short_message=b"another"))
    assert desk.answers == [(1, Status.ESME_RINVOPTPARAMVAL, "")]


def test_a_part_is_told_from_its_header() -> None:
    message = Desk().read(esm_class=0x40, short_message=b"\5\0\3\7\2\1abc")
    assert (message.concat, message.udh, message.payload) == ((7, 2, 1), b"\5\0\3\7\2\1", b"abc")
    sar = ((Tag.SAR_MSG_REF_NUM, b"\1\2"), (Tag.SAR_TOTAL_SEGMENTS, b"\3"), (Tag.SAR_SEGMENT_SEQNUM, b"\2"))
    message = Desk().read(tlvs=sar)
    assert (message.concat, message.udh, message.payload, message.tlvs) == ((0x102, 3, 2), b"", TEXT, sar)


def test_a_part_may_end_within_an_emoji() -> None:
    half = b"\5\0\3\7\2\1" + "😀".encode("utf-16-be")[:2]
    assert Desk().read(esm_class=0x40, data_coding=8, short_message=half).payload == half[6:]


@pytest.mark.parametrize("payload", [b"abc", b""])
def test_one_text_in_two_places_is_one_text(payload: bytes) -> None:
    assert Desk().read(short_message=b"abc", tlvs=((Tag.MESSAGE_PAYLOAD, payload),)).payload == b"abc"


def test_message_payload_becomes_the_payload() -> None:
    message = Desk().read(short_message=b"", tlvs=((Tag.MESSAGE_PAYLOAD, b"x" * 500), (0x1501, b"y")))
    assert (message.payload, message.tlvs) == (b"x" * 500, ((0x1501, b"y"),))


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({"source_addr": "OTHER"}, Status.ESME_RINVSRCADR, "sender_not_allowed"),
        ({"source_addr": "SHOP\n"}, Status.ESME_RINVSRCADR, "sender_not_allowed"),
        ({"source_addr_ton": 5, "source_addr": "TWELVE CHARS"}, Status.ESME_RINVSRCADR, "sender_name_length"),
        ({"source_addr_ton": 5, "source_addr": ""}, Status.ESME_RINVSRCADR, "sender_name_length"),
        ({"destination_addr": "12345"}, Status.ESME_RINVDSTADR, "invalid_destination"),
        ({"destination_addr": "4917000000"}, Status.ESME_RINVDSTADR, "no_route"),
        ({"schedule_delivery_time": "soon"}, Status.ESME_RINVSCHED, "bad_time"),
        ({"schedule_delivery_time": "251231235959000+"}, Status.ESME_RINVSCHED, "schedule_past"),
        ({"schedule_delivery_time": "000008000000000R"}, Status.ESME_RINVSCHED, "schedule_too_far"),
        (
            {"schedule_delivery_time": "000001000000000R", "validity_period": "000001000000000R"},
            Status.ESME_RINVEXPIRY,
            "expires_before_schedule",
        ),
        ({"tlvs": ((TAG_CLASS, b"otp"),)}, Status.ESME_RINVOPTPARAMVAL, "class_not_allowed"),
        ({"tlvs": ((TAG_IDEMPOTENCY, b""),)}, Status.ESME_RINVPARLEN, "idempotency_key_length"),
        ({"tlvs": ((TAG_CONTENT, b"{"),)}, Status.ESME_RINVOPTPARAMVAL, "content_bad_shape"),
        ({"tlvs": ((TAG_CONTENT, b"[" * 60_000),)}, Status.ESME_RINVOPTPARAMVAL, "content_bad_shape"),
        ({"tlvs": ((TAG_CONTENT, b'{"type":"text","text":""}'),)}, Status.ESME_RINVOPTPARAMVAL, "content_empty"),
        ({"sm_default_msg_id": 1, "short_message": b""}, Status.ESME_RINVDFTMSGID, "default_message"),
        ({"sm_default_msg_id": 1}, Status.ESME_RINVDFTMSGID, "default_message_and_text"),
        ({"validity_period": "251231235959000+"}, Status.ESME_RINVEXPIRY, "expired"),
        ({"validity_period": "000000000000000R"}, Status.ESME_RINVEXPIRY, "expired"),
        ({"validity_period": "soon"}, Status.ESME_RINVEXPIRY, "bad_time"),
        ({"esm_class": 0x40, "short_message": b"\x50x"}, Status.ESME_RINVESMCLASS, "udh_overrun"),
        ({"data_coding": 8, "short_message": b"\0a\0"}, Status.ESME_RINVMSGLEN, "odd_ucs2"),
        ({"data_coding": 8, "short_message": b"\xd8\0"}, Status.ESME_RSUBMITFAIL, "text_not_in_coding"),
        ({"short_message": b"\x80"}, Status.ESME_RSUBMITFAIL, "text_not_in_coding"),
        (
            {"short_message": b"", "tlvs": ((Tag.MESSAGE_PAYLOAD, b"x" * (PAYLOAD_OCTETS_MAX + 1)),)},
            Status.ESME_RINVMSGLEN,
            "too_long",
        ),
        # One of two would go, and nobody would hear of the other (5.3.2.32: short_message is empty then).
        ({"short_message": b"abc", "tlvs": ((Tag.MESSAGE_PAYLOAD, b"d"),)}, Status.ESME_RINVMSGLEN, "two_texts"),
    ],
)
def test_each_refusal_has_its_status_and_its_word(fields: dict[str, Any], status: Status, word: str) -> None:
    assert Desk().refusal(**fields) == (status, word)


@pytest.mark.parametrize("trouble", ["failing", "behind"])
def test_a_store_that_cannot_keep_up_takes_nothing(trouble: str) -> None:
    desk = Desk()
    desk.disk.is_failing = trouble == "failing"
    desk.disk.pending = 11 if trouble == "behind" else 0
    assert desk.refusal() == (Status.ESME_RMSGQFUL, "store_full")


def test_a_rate_refuses_what_comes_last_and_is_no_fault() -> None:
    desk = Desk()
    desk.account.granted = 2
    desk.take(submit(), submit(), submit())
    assert desk.answers == [(3, Status.ESME_RTHROTTLED, "")]
    assert desk.metrics.submits.labels("shop", "ESME_RTHROTTLED").value == 1
    assert list(desk.metrics.faults.items()) == []
    desk.disk.commit()
    assert len(desk.answers) == 3
    assert desk.account.given_back == 0


def test_what_is_refused_for_what_it_is_counts_for_no_day() -> None:
    desk = Desk()
    desk.take(submit(), submit(source_addr="OTHER"), submit())
    assert desk.account.given_back == 1


def test_who_asked_for_its_limits_already_is_not_asked_again() -> None:
    desk = Desk()
    desk.account.granted = 0
    desk.desk.take(cast(Any, desk), [submit(), submit()], None, 1)
    assert [status for _, status, _ in desk.answers] == [Status.ESME_RTHROTTLED]


def test_a_refusal_is_logged_without_text_or_number(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        Desk().refusal(short_message=TEXT + b"\x80")
    assert "reason=text_not_in_coding" in caplog.text
    assert TEXT.decode() not in caplog.text
    assert HANDSET not in caplog.text


@settings(max_examples=100, deadline=None)
@given(
    st.builds(
        SubmitSm,
        source_addr=st.text(st.characters(max_codepoint=255), max_size=20),
        source_addr_ton=st.integers(0, 255),
        destination_addr=st.one_of(st.just(HANDSET), st.text(st.characters(max_codepoint=255), max_size=20)),
        dest_addr_ton=st.integers(0, 255),
        esm_class=st.integers(0, 255),
        data_coding=st.integers(0, 255),
        priority_flag=st.integers(0, 255),
        validity_period=st.one_of(st.just(""), st.text("0123456789R+-", min_size=16, max_size=16)),
        short_message=st.binary(max_size=60),
        tlvs=st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=5)), max_size=3).map(tuple),
    )
)
def test_whatever_an_application_submits_has_one_answer(pdu: SubmitSm) -> None:
    desk = Desk()
    desk.take(pdu)
    desk.disk.commit()
    ((sequence, status, _),) = desk.answers
    assert sequence == 1
    assert Status(status) == status
    assert len(desk.flow.journeys) == (status == 0)


@pytest.mark.parametrize(("beyond", "rests"), [(FLOOD, []), (FLOOD + 1, [FLOOD_REST_S])])
def test_who_floods_is_not_listened_to_for_a_while(beyond: int, rests: list[float]) -> None:
    desk = Desk()
    desk.account.granted = 3
    desk.take(*(submit() for _ in range(3 + beyond)))
    assert desk.rests == rests
    assert Counter(status for _, status, _ in desk.answers) == {Status.ESME_RTHROTTLED: beyond}


@pytest.mark.parametrize(
    ("account", "fields", "expires_in"),
    [
        ({}, {}, None),
        ({"validity_default_h": 2}, {}, 7_200),
        ({"validity_default_h": 2}, {"validity_period": "000000030000000R"}, 10_800),
        ({"validity_default_h": 2}, {"schedule_delivery_time": "000000010000000R"}, 3_600 + 7_200),
        ({"validity_max_h": 1}, {}, 3_600),
        ({"validity_max_h": 1}, {"validity_period": "000000030000000R"}, 3_600),
        ({"validity_max_h": 1}, {"validity_period": "000000001000000R"}, 600),
        ({"validity_max_h": 1, "validity_default_h": 0.5}, {}, 1_800),
    ],
)
def test_lives_have_a_default_and_a_bound(
    account: dict[str, Any], fields: dict[str, Any], expires_in: float | None
) -> None:
    assert Desk(**account).read(**fields).expires_at == (NOW + expires_in if expires_in is not None else 0.0)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text("abc \x1b\x1b<e\x65\x0a", max_size=40).map(str.encode))
def test_the_short_look_at_a_gsm_text_says_what_the_long_one_does(payload: bytes) -> None:
    try:
        text.decode(payload, "gsm")
    except text.TextFault:
        with pytest.raises(Refusal) as refused:
            check_text(payload, Encoding.GSM, False)
        assert refused.value.kind == "text_not_in_coding"
    else:
        assert check_text(payload, Encoding.GSM, False) is Encoding.GSM
