"""Which TLVs of an application's messages and replies go on, by its account."""

from __future__ import annotations

import pytest

from gatewayd.config import schema
from gatewayd.message import TAG_CONTENT
from gatewayd.senders.submit_rules import Refusal
from gatewayd.senders.tlv_rules import taken, told
from protocol.smpp.constants import Status

SENT = ((0x0204, b"\0\1"), (0x1400, b"a"), (0x1501, b"b"), (TAG_CONTENT, b"{}"))


def test_everything_goes_on_at_first() -> None:
    assert taken(SENT, schema.Account()) is SENT
    assert told(SENT, schema.Account()) is SENT


def test_an_account_says_what_passes_both_ways() -> None:
    account = schema.Account(tlvs_pass=("0x1400-0x14FF",))
    assert taken(SENT, account) == ((0x1400, b"a"), (TAG_CONTENT, b"{}"))
    assert told(SENT[:3], account) == ((0x1400, b"a"),)


def test_what_the_gateway_is_told_and_what_makes_a_part_always_stays() -> None:
    none = schema.Account(tlvs_pass=())
    sar = ((0x020C, b"\0\1"), (0x020E, b"\2"), (0x020F, b"\1"))
    assert taken((*SENT, *sar), none) == ((TAG_CONTENT, b"{}"), *sar)


def test_a_wrong_size_is_only_refused_where_that_is_asked_for() -> None:
    wrong = ((0x0204, b"\1"),)
    assert taken(wrong, schema.Account()) == wrong
    with pytest.raises(Refusal) as refusal:
        taken(wrong, schema.Account(tlvs_strict=True))
    assert (refusal.value.status, refusal.value.kind) == (Status.ESME_RINVPARLEN, "tlv_size")
    with pytest.raises(Refusal) as refusal:
        taken(((0x001E, b"no end"),), schema.Account(tlvs_strict=True))
    assert refusal.value.status == Status.ESME_RINVOPTPARAMVAL
