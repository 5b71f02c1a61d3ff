"""From whom and to whom a message is by its account's rules, and what of that its application is told."""

from __future__ import annotations

from typing import Any

import pytest

from gatewayd.config.schema import SourceRule
from gatewayd.message import Addresses
from protocol.smpp.constants import Status
from tests.gatewayd.senders.test_submit import HANDSET, Desk

FRANCE = {"country": "FR"}


def test_an_account_without_rules_has_none() -> None:
    desk = Desk()
    assert desk.account.address_rules is None
    assert desk.read().written is None


def test_a_number_with_its_country_code_stays_as_it_came() -> None:
    for destination, ton in ((HANDSET, 1), (f"+{HANDSET}", 1), (HANDSET, 0)):
        message = Desk(**FRANCE).read(destination_addr=destination, dest_addr_ton=ton)
        assert (message.destination, message.destination_ton, message.written) == (destination, ton, None)
        assert message.told is message


def test_a_dialled_number_is_taken_with_its_country_code() -> None:
    message = Desk(**FRANCE).read(destination_addr="06 00 00 00 77", dest_addr_ton=2, dest_addr_npi=8)
    assert (message.destination, message.destination_ton, message.destination_npi) == (HANDSET, 1, 1)
    assert message.written == Addresses(1, 1, "33700000001", 2, 8, "06 00 00 00 77")
    assert message.told.destination == "06 00 00 00 77"


def test_a_short_code_is_cleaned_and_keeps_its_type() -> None:
    message = Desk(**FRANCE).read(destination_addr="36 105", dest_addr_ton=3, dest_addr_npi=0)
    assert (message.destination, message.destination_ton) == ("36105", 3)


def test_sources() -> None:
    rules = {"sources": (SourceRule(match="SHOP*", replace="33700000002"),), "source_default": "36105"}
    message = Desk(**rules).read(source_addr="SHOP 1", source_addr_ton=5, source_addr_npi=0)
    assert (message.source, message.source_ton, message.source_npi) == ("33700000002", 1, 1)
    assert message.told.source == "SHOP 1"
    silent = Desk(**rules).read(source_addr="", source_addr_ton=0)
    assert (silent.source, silent.source_ton, silent.written) == ("36105", 3, None)
    own = Desk(**FRANCE).read(source_addr="0612345678", source_addr_ton=2)
    assert (own.source, own.source_ton, own.told.source) == ("33612345678", 1, "0612345678")
    strange = Desk(check_numbers=True, **FRANCE).read(source_addr="0999", source_addr_ton=0)
    assert (strange.source, strange.written) == ("0999", None)


@pytest.mark.parametrize(
    ("rules", "fields", "status", "word"),
    [
        (FRANCE, {"destination_addr": "06123"}, Status.ESME_RINVDSTADR, "invalid_destination"),
        (FRANCE, {"destination_addr": "06-ab"}, Status.ESME_RINVDSTADR, "invalid_destination"),
        ({"check_numbers": True}, {"destination_addr": "999123456789"}, Status.ESME_RINVDSTADR, "invalid_destination"),
        (FRANCE, {"source_addr": "OTHER"}, Status.ESME_RINVSRCADR, "sender_not_allowed"),
        ({"source_default": "OTHER"}, {"source_addr": ""}, Status.ESME_RINVSRCADR, "sender_not_allowed"),
        (FRANCE, {"source_addr": "A\x07B"}, Status.ESME_RINVSRCADR, "sender_not_allowed"),
        (FRANCE, {"source_addr": "TWELVELETTER", "source_addr_ton": 5}, Status.ESME_RINVSRCADR, "sender_name_length"),
        (
            {"sources": (SourceRule(match="*", replace="TWELVELETTER"),)},
            {},
            Status.ESME_RINVSRCADR,
            "sender_name_length",
        ),
    ],
)
def test_refusals(rules: dict[str, Any], fields: dict[str, Any], status: Status, word: str) -> None:
    assert Desk(**rules).refusal(**fields) == (status, word)


def test_a_name_that_is_too_long_may_be_replaced() -> None:
    rules = {"sources": (SourceRule(match="TWELVE*", replace="TWELVE"),)}
    message = Desk(**rules).read(source_addr="TWELVELETTER", source_addr_ton=5)
    assert (message.source, message.told.source) == ("TWELVE", "TWELVELETTER")
