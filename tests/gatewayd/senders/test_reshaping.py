"""A deliver_sm in other shapes: nothing is lost but what the shape has no place for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.message import State
from gatewayd.policy.answers import Fate, NamedFate
from gatewayd.policy.homes import id_of
from gatewayd.senders.joint import Joint
from gatewayd.senders.names import ids_of, message_id_text, name_of, short_name
from gatewayd.senders.query_answer import error_octet, query_answer
from gatewayd.senders.reshaping import bare_parts, data_sm_of
from gatewayd.store.records import Delivery
from protocol.smpp.constants import ESM_UDHI, MessageState, Tag
from protocol.smpp.errors import LocalFault
from protocol.smpp.parts import concat_of
from protocol.smpp.pdu import DataSm, DeliverSm, QuerySm
from protocol.smpp.versions import build_bare

PAYLOAD = int(Tag.MESSAGE_PAYLOAD)


def test_a_text_becomes_a_payload_and_the_rest_stays() -> None:
    own = ((0x1490, b"session"),)
    pdu = DeliverSm("CMT", 1, 1, "336", 5, 0, "SHOP", esm_class=4, data_coding=8, short_message=b"\0h", tlvs=own)
    assert data_sm_of(pdu) == DataSm("CMT", 1, 1, "336", 5, 0, "SHOP", 4, 0, 8, ((PAYLOAD, b"\0h"), *own))
    already = DeliverSm(tlvs=((PAYLOAD, b"long"), *own))
    assert data_sm_of(already).tlvs == already.tlvs


@given(st.text(st.characters(codec="utf-16-be"), min_size=130, max_size=900), st.integers(0, 1 << 20))
@settings(max_examples=60, deadline=None)
def test_parts_for_a_peer_without_tlvs_are_the_whole_text_again(words: str, reference: int) -> None:
    payload = words.encode("utf-16-be")
    parts = bare_parts(DeliverSm(data_coding=8, tlvs=((PAYLOAD, payload), (0x1490, b"x"))), "ucs2", reference)
    read = [concat_of(part.esm_class, part.short_message, part.tlvs) for part in parts]
    assert [concat for concat, _, _ in read] == [
        (reference & 0xFF, len(parts), number) for number in range(1, len(parts) + 1)
    ]
    assert b"".join(piece for _, _, piece in read) == payload
    for part, (_, _, piece) in zip(parts, read, strict=True):
        piece.decode("utf-16-be")
        assert part.esm_class & ESM_UDHI
        assert build_bare(part)


def test_what_cannot_be_said_without_tlvs_is_refused() -> None:
    for esm_class, payload in ((ESM_UDHI, b"\0" * 300), (0, b"x" * 255 * 160)):
        with pytest.raises(LocalFault):
            bare_parts(DeliverSm(esm_class=esm_class, tlvs=((PAYLOAD, payload),)), "gsm", 1)
    plain = DeliverSm(short_message=b"hello")
    assert bare_parts(plain, "gsm", 1) == [plain]


def test_a_delivery_in_parts_is_taken_when_all_of_them_are() -> None:
    delivery = Delivery(1, "shop", "mo", 1, 1, "336", 1, 1, "337", 0.0, 0.0)
    joint = Joint(delivery, 3)
    assert [joint.take(*told) for told in ((0, ""), (0x64, ""), (0, ""))] == [False, False, True]
    assert (joint.status, joint.reason) == (0x64, "")
    lost = Joint(delivery, 2)
    assert [lost.take(0, "lost"), lost.take(0x64, "timeout")] == [False, True]
    assert lost.reason == "lost"


def test_names_are_read_as_people_write_them() -> None:
    long_id = 1_790_000_000_000 << 18 | 5
    now = 1_790_000_000_000 << 10
    name = message_id_text(long_id)
    assert ids_of(f" 00{name.upper()}", now) == (name, (long_id,))
    assert name_of(long_id, "") == name
    assert name_of(long_id, "group") == "group"
    short = short_name(id_of(now, 0))
    written, ids = ids_of(short.lstrip("0").upper(), now)
    assert written == short
    assert id_of(now, 0) in ids
    for nonsense in ("", "0", "xyz", "-1", "1_0", "f" * 17, "é"):
        assert ids_of(nonsense, now) == ("", ())


def fate(state: State, done_at: float = 0.0, **facts: object) -> NamedFate:
    return NamedFate(Fate(1, "337", "336", state, 0.0, done_at=done_at, **facts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("states", "told", "final"),
    [
        ((State.DELIVRD,), MessageState.DELIVERED, True),
        ((State.DELIVRD, State.ENROUTE), MessageState.ENROUTE, False),
        ((State.DELIVRD, State.EXPIRED, State.DELIVRD), MessageState.EXPIRED, True),
        ((State.UNKNOWN,), MessageState.UNKNOWN, True),
        ((State.REJECTD,), MessageState.REJECTED, True),
    ],
)
def test_several_messages_have_one_state(states: tuple[State, ...], told: int, final: bool) -> None:
    answer = query_answer(QuerySm("id", sequence=3), [fate(state, 1_790_000_000.0) for state in states], 0x34)
    assert (answer.sequence, answer.message_id, answer.message_state) == (3, "id", told)
    assert answer.final_date == ("260921141320000+" if final else "")


def test_scheduled_is_a_state_of_5_0() -> None:
    waiting = [fate(State.ENROUTE, stage="scheduled")]
    assert query_answer(QuerySm("id"), waiting, 0x50).message_state == MessageState.SCHEDULED
    assert query_answer(QuerySm("id"), waiting, 0x34).message_state == MessageState.ENROUTE


@pytest.mark.parametrize(
    ("error", "octet"),
    [("000", 0), ("042", 42), ("300", 0), ("ESME_RINVDSTADR", 0x0B), ("ESME_RPROHIBITED", 0), ("no_route", 0), ("", 0)],
)
def test_an_error_fits_an_octet_or_is_none(error: str, octet: int) -> None:
    assert error_octet(error) == octet
