"""From a text to its PDUs: address types, alphabets, and the ways of a long one."""

from __future__ import annotations

import pytest

from gatewayd.simulate.composing import LongStyle, address_of, compose
from gatewayd.simulate.esme_ledger import joined, part_of
from protocol.smpp.constants import Tag
from protocol.smpp.records import DeliverSm, SubmitSm

ACCENTS = "Déjà vu à l'été, ça coûte 5 € [ça va]. "


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("+33612345678", (1, 1, "33612345678")),
        ("33612345678", (1, 1, "33612345678")),
        ("36105", (3, 0, "36105")),
        ("Shop", (5, 0, "Shop")),
    ],
)
def test_an_address_tells_its_type(written: str, typed: tuple[int, int, str]) -> None:
    assert address_of(written) == typed


def test_a_short_text_is_one_pdu() -> None:
    (pdu,) = compose(SubmitSm, "Shop", "+33612345678", "Hello @", registered_delivery=1)
    assert (pdu.short_message, pdu.data_coding, pdu.registered_delivery) == (b"Hello \0", 0, 1)


def test_an_emoji_asks_for_ucs2() -> None:
    (pdu,) = compose(SubmitSm, "Shop", "33612345678", "👍")
    assert (pdu.short_message, pdu.data_coding) == (b"\xd8\x3d\xdc\x4d", 8)


def test_an_alphabet_may_be_asked_for() -> None:
    (pdu,) = compose(SubmitSm, "Shop", "33612345678", "été", encoding="latin1")
    assert (pdu.short_message, pdu.data_coding) == (b"\xe9t\xe9", 3)


@pytest.mark.parametrize("long", ["udh", "udh16", "sar", "payload"])
@pytest.mark.parametrize("text", [ACCENTS * 10, "🙂 " * 100], ids=["gsm", "ucs2"])
def test_a_long_text_comes_together_again(long: LongStyle, text: str) -> None:
    pdus = compose(DeliverSm, "33612345678", "Shop", text, long=long, reference=0x42)
    places = [part_of(pdu) for pdu in pdus]
    if long == "payload":
        assert [dict(pdu.tlvs).keys() for pdu in pdus] == [{Tag.MESSAGE_PAYLOAD}]
        assert places == [(0, 1, 1)]
    else:
        assert places == [(0x42, len(pdus), at) for at in range(1, len(pdus) + 1)]
        assert len(pdus) > 2
    assert joined(pdus) == text
