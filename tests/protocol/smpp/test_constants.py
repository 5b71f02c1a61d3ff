"""The numbers, and their names for people."""

from __future__ import annotations

import pytest

from protocol.smpp.constants import RESPONSE_BIT, Command, MessageState, Status, command_name, status_name


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (0, "ESME_ROK"),
        (0x58, "ESME_RTHROTTLED"),
        (Status.ESME_RINVSRCADR, "ESME_RINVSRCADR"),
        (0x101, "ESME_RPROHIBITED"),
        (0x112, "ESME_RINVBCASTCHANIND"),
        (0xC4, "ESME_RINVOPTPARAMVAL"),
        (0x4FF, "0x000004FF"),
        (0xFFFFFFFF, "0xFFFFFFFF"),
    ],
)
def test_a_status_has_a_name_even_when_a_vendor_made_it_up(status: int, name: str) -> None:
    assert status_name(status) == name


def test_a_command_has_a_name() -> None:
    assert command_name(4) == "submit_sm"
    assert command_name(0x80000004) == "submit_sm_resp"
    assert command_name(0x00010200) == "0x00010200"


def test_every_response_is_its_request_with_the_first_bit_set() -> None:
    for command in Command:
        if command.name.endswith("_RESP"):
            assert Command[command.name.removesuffix("_RESP")] == command & ~RESPONSE_BIT


def test_both_names_of_a_broken_tlv_stream_are_one_number() -> None:
    assert Status["ESME_RINVTLVSTREAM"] is Status["ESME_RINVOPTPARSTREAM"]


def test_the_states_of_both_versions_are_those_of_their_tables() -> None:
    """3.4 section 5.2.28; 5.0 section 4.7.15 adds the first and the last."""
    names = "SCHEDULED ENROUTE DELIVERED EXPIRED DELETED UNDELIVERABLE ACCEPTED UNKNOWN REJECTED SKIPPED"
    assert [MessageState(number).name for number in range(10)] == names.split()
