"""How accounts want their receipts: digits, zone, words, template, TLVs, err, and the message's own text."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gatewayd.config import schema
from gatewayd.config.receipt_templates import APPENDIX_B, FIELDS, fault_of
from gatewayd.message import Encoding, State
from gatewayd.senders.deliver_pdu import deliver_sm
from gatewayd.senders.receipt_form import STATE_NUMBERS, ReceiptForm, form_of
from protocol.smpp.constants import MessageState, Tag
from protocol.smpp.pdu import build, parse
from protocol.smpp.receipt import parse as read
from protocol.smpp.text import encode
from tests.gatewayd.senders.test_deliver_pdu import receipt

DEFAULT = b"id:1234abcd sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:"


def written(delivery: Any = None, **keys: Any) -> bytes:
    account = schema.Account(**keys)
    return deliver_sm(delivery or receipt(), account, form_of(account)).short_message


def test_without_wishes_there_is_no_form_and_both_write_the_same() -> None:
    assert form_of(schema.Account()) is None
    assert ReceiptForm(schema.Account()).text_of(receipt(), "1234abcd") == written() == DEFAULT


@pytest.mark.parametrize(
    ("keys", "old", "new"),
    [
        ({"receipt_dates": 12}, b"date:2601010000 done date:2601010001", b"date:260101000000 done date:260101000101"),
        ({"receipt_zone": "Europe/Paris"}, b"2601010000 done date:2601010001", b"2601010100 done date:2601010101"),
        ({"receipt_zone": "Asia/Kolkata"}, b"2601010000 done date:2601010001", b"2601010530 done date:2601010531"),
        ({"receipt_errors": {"DELIVRD": "0A1"}}, b"err:000", b"err:0A1"),
        ({"receipt_template": "{id}|{state}|{handset}|{sender}"}, DEFAULT, b"1234abcd|2|33600000001|SHOP"),
        ({"receipt_template": "00,{id},{stat}"}, DEFAULT, b"00,1234abcd,DELIVRD"),
    ],
)
def test_one_wish_changes_one_thing(keys: dict[str, Any], old: bytes, new: bytes) -> None:
    assert written(**keys) == DEFAULT.replace(old, new)


@pytest.mark.parametrize(
    ("error", "expected"),
    [("045", b"err:9A1"), ("ESME_RINVDSTADR", b"err:00B"), ("no_receipt", b"err:777"), ("else", b"err:027")],
)
def test_err_by_the_carriers_code_then_by_the_state(error: str, expected: bytes) -> None:
    wishes = {"045": "9A1", "no_receipt": "777", "EXPIRED": "027"}
    state = State.UNDELIV if error == "ESME_RINVDSTADR" else State.EXPIRED
    assert expected in written(receipt(error=error, state=state), receipt_errors=wishes)


@pytest.mark.parametrize(
    ("words", "encoding", "alphabet", "shown"),
    [
        ("Votre code: 4711", "gsm", "gsm", b"Votre code: 4711"),
        ("Votre code est le 4711, merci", "gsm", "gsm", b"Votre code est le 47"),
        ("été", "ucs2", "latin1", b"\xe9t\xe9"),
        ("été", "ucs2", "ascii", b"?t?"),
        ("Привет", "ucs2", "gsm", b"??????"),
        ("a\r\nb", "latin1", "latin1", b"a  b"),
        ("été", "latin1", "ucs2", b"?t?"),
    ],
)
def test_the_messages_own_text_in_the_accounts_alphabet(words: str, encoding: str, alphabet: str, shown: bytes) -> None:
    delivery = receipt(payload=encode(words, encoding), encoding=Encoding(encoding))
    assert written(delivery, receipt_text_chars=20, data_coding_0=alphabet) == DEFAULT + shown
    assert written(delivery, receipt_dates=10, data_coding_0=alphabet) == DEFAULT


@pytest.mark.parametrize("told", [(), ("message_state",), ("receipted_message_id", "network_error_code")])
def test_the_tlvs_that_the_account_wants(told: tuple[str, ...]) -> None:
    account = schema.Account(receipt_tlvs=told)  # type: ignore[arg-type]
    pdu = deliver_sm(receipt(network_error=0x03_0045, user_message_reference=7), account, form_of(account))
    tags = {"receipted_message_id": 0x001E, "message_state": 0x0427, "network_error_code": 0x0423}
    assert [tag for tag, _ in pdu.tlvs] == [*(tags[name] for name in told), Tag.USER_MESSAGE_REFERENCE]


def test_the_carriers_network_error_code_goes_on_as_it_came() -> None:
    pdu = deliver_sm(receipt(network_error=0x03_0045), schema.Account())
    assert dict(pdu.tlvs)[Tag.NETWORK_ERROR_CODE] == b"\x03\x00\x45"
    assert Tag.NETWORK_ERROR_CODE not in dict(deliver_sm(receipt(), schema.Account()).tlvs)


def test_the_carriers_own_tlvs_stand_behind_ours_as_far_as_the_account_lets_them_through() -> None:
    own = ((0x1404, b"01"), (0x1403, b"208"))
    for passing, told in ((("all",), own), (("0x1403",), own[1:]), ((), ())):
        account = schema.Account(tlvs_pass=passing)
        assert deliver_sm(receipt(tlvs=own), account).tlvs == deliver_sm(receipt(), account).tlvs + told


@pytest.mark.parametrize("state", [State.ENROUTE, State.ACCEPTD])
def test_news_from_on_the_way_is_an_intermediate_notification(state: State) -> None:
    pdu = deliver_sm(receipt(state=state), schema.Account())
    assert pdu.esm_class == 0x20  # 3.4 section 5.2.12
    assert dict(pdu.tlvs)[Tag.MESSAGE_STATE] == bytes((STATE_NUMBERS[state],))
    assert f"stat:{state}".encode() in pdu.short_message


def test_states_have_the_numbers_of_the_standard() -> None:
    names = {"DELIVRD": "DELIVERED", "UNDELIV": "UNDELIVERABLE", "ACCEPTD": "ACCEPTED", "REJECTD": "REJECTED"}
    assert {names.get(state, state.value): number for state, number in STATE_NUMBERS.items()} == {
        state.name: state.value for state in MessageState if state.name in {*names.values(), *STATE_NUMBERS}
    }


def test_the_longest_receipt_fits_and_what_we_write_we_read() -> None:
    account = schema.Account(receipt_dates=12, receipt_text_chars=20, receipt_zone="Europe/Paris")
    delivery = receipt(message_id=(1 << 63) - 1, known_as=str((1 << 63) - 1), payload=b"{id}" * 40)
    pdu = deliver_sm(delivery, account, form_of(account))
    pdu.sequence = 1
    back: Any = parse(build(pdu))
    receipted = read(back.short_message, back.tlvs)
    assert receipted is not None
    assert receipted.carrier_id == "9223372036854775807"


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        (APPENDIX_B, ""),
        ("{id} {state}", ""),
        ("{{{id}}} {stat}", ""),
        ("{id}", "it names no {id}, or neither {stat} nor {state}: nobody could tell what became of what"),
        ("stat:{stat}", "it names no {id}, or neither {stat} nor {state}: nobody could tell what became of what"),
        ("{id} {stat} {moon}", "it names {moon}, and there is no such field"),
        ("{id} {stat} {}", "it names {}, and there is no such field"),
        ("{id.__class__} {stat}", "it names {id.__class__}, and there is no such field"),
        ("{id!r} {stat}", "{id} has more in its braces than its name"),
        ("{id:>9999999} {stat}", "{id} has more in its braces than its name"),
        ("{id} {stat} {text} {text}", "it names {text} twice"),
        ("{id} {stat} é", "it has characters that are not printable ASCII"),
        ("{id} {stat}" + "x" * 240, "a receipt could have 268 octets, and 254 is the most"),
        ("{id {stat}", "unexpected '{' in field name"),
    ],
)
def test_templates_are_judged_before_anybody_depends_on_them(template: str, fault: str) -> None:
    assert fault_of(template) == fault
    if not fault:
        assert b"1234abcd" in written(receipt_template=template)
        assert set(FIELDS) >= {"id", "stat"}


def test_a_form_counts_from_the_next_receipt_on() -> None:
    account = schema.Account()
    again = msgspec.structs.replace(account, receipt_dates=12)
    assert len(written(receipt_dates=12)) == len(DEFAULT) + 4
    assert form_of(again) is not None
