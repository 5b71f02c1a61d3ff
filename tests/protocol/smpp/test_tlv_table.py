"""The table of TLVs against one that was typed from the standards a second time, in another shape."""

from __future__ import annotations

from itertools import pairwise

import pytest

from protocol.smpp.constants import Command, Tag
from protocol.smpp.tlv_table import DEFINITIONS, RANGES, Form

# tag, octets, form (i integer, b bit mask, c C-octet string, o octet string), name. 3.4 table 5-7 and sections
# 5.3.2.1 to 5.3.2.44; then what 5.0 table 4-60 adds.
BY_HAND = """
0005 1 i dest_addr_subunit
0006 1 i dest_network_type
0007 1 i dest_bearer_type
0008 2 i dest_telematics_id
000D 1 i source_addr_subunit
000E 1 i source_network_type
000F 1 i source_bearer_type
0010 1 i source_telematics_id
0017 4 i qos_time_to_live
0019 1 i payload_type
001D 1-256 c additional_status_info_text
001E 1-65 c receipted_message_id
0030 1 b ms_msg_wait_facilities
0201 1 i privacy_indicator
0202 2-23 o source_subaddress
0203 2-23 o dest_subaddress
0204 2 i user_message_reference
0205 1 i user_response_code
020A 2 i source_port
020B 2 i destination_port
020C 2 i sar_msg_ref_num
020D 1 i language_indicator
020E 1 i sar_total_segments
020F 1 i sar_segment_seqnum
0210 1 i sc_interface_version
0302 1 b callback_num_pres_ind
0303 0-65 o callback_num_atag
0304 1 i number_of_messages
0381 4-19 o callback_num
0420 1 i dpf_result
0421 1 i set_dpf
0422 1 i ms_availability_status
0423 3 o network_error_code
0424 0-65535 o message_payload
0425 1 i delivery_failure_reason
0426 1 i more_messages_to_send
0427 1 i message_state
0501 1 i ussd_service_op
1201 1 i display_time
1203 2 i sms_signal
1204 1-4 o ms_validity
130C 0-1 i alert_on_message_delivery
1380 1 i its_reply_type
1383 2 o its_session_info
----
0428 1 i congestion_state
0600 1 i broadcast_channel_indicator
0601 3 o broadcast_content_type
0602 1-255 o broadcast_content_type_info
0603 1 i broadcast_message_class
0604 2 i broadcast_rep_num
0605 3 o broadcast_frequency_interval
0606 1-101 o broadcast_area_identifier
0607 4 i broadcast_error_status
0608 1 i broadcast_area_success
0609 1-17 c broadcast_end_time
060A 1-255 o broadcast_service_group
060B 1-1024 o billing_identification
060D 7-65 c source_network_id
060E 7-65 c dest_network_id
060F 6 o source_node_id
0610 6 o dest_node_id
0611 1 i dest_addr_np_resolution
0612 10 o dest_addr_np_information
0613 1-5 o dest_addr_np_country
"""
OLD, NEW = (part.strip().splitlines() for part in BY_HAND.split("----"))
FORMS = {"i": Form.INTEGER, "b": Form.BITS, "c": Form.C_STRING, "o": Form.OCTETS}


@pytest.mark.parametrize("line", OLD + NEW)
def test_a_row_is_what_the_standard_says(line: str) -> None:
    tag, octets, form, name = line.split()
    least, _, most = octets.partition("-")
    row = DEFINITIONS[int(tag, 16)]
    assert (row.name, row.form, row.size_min, row.size_max) == (name, FORMS[form], int(least), int(most or least))


def test_there_is_a_row_for_every_tag_and_no_other() -> None:
    assert set(DEFINITIONS) == set(Tag) == {int(line.split()[0], 16) for line in OLD + NEW}


def test_each_section_is_that_of_one_row() -> None:
    """3.4 has 44 of them; 5.0 the same 44 and 20 more, in the order of the alphabet."""
    old = [row.section_3_4 for row in DEFINITIONS.values() if row.section_3_4]
    assert sorted(old) == sorted(f"5.3.2.{number}" for number in range(1, 45))
    new = {int(row.section_5_0.removeprefix("4.8.4.")): row.name for row in DEFINITIONS.values()}
    assert sorted(new) == list(range(1, 65))
    # Two stand a little out of it there: the broadcast channel's and the port that had another name.
    strays = ("broadcast_content_type_info", "destination_port")
    names = [new[number] for number in sorted(new) if new[number] not in strays]
    assert names == sorted(names)


def test_what_is_new_in_5_0_says_so() -> None:
    assert {f"{row.tag:04X}" for row in DEFINITIONS.values() if row.version == 0x50} == {line[:4] for line in NEW}


def test_every_place_is_a_pdu() -> None:
    names = {command.name.lower() for command in Command}
    assert {place for row in DEFINITIONS.values() for place in row.places} - names == set()


# 5.0 tables 4-26 and 4-28, 4-29, 4-37 to 4-40; failed_broadcast_area_identifier has the tag of the other one.
BROADCASTING = {
    "broadcast_sm": """alert_on_message_delivery broadcast_area_identifier broadcast_channel_indicator
        broadcast_content_type broadcast_content_type_info broadcast_frequency_interval broadcast_message_class
        broadcast_rep_num broadcast_service_group callback_num callback_num_atag callback_num_pres_ind
        dest_addr_subunit dest_subaddress destination_port display_time language_indicator message_payload ms_validity
        payload_type privacy_indicator sms_signal source_addr_subunit source_port source_subaddress
        user_message_reference""",
    "broadcast_sm_resp": "broadcast_area_identifier broadcast_error_status",
    "query_broadcast_sm": "user_message_reference",
    "query_broadcast_sm_resp": """broadcast_area_identifier broadcast_area_success broadcast_end_time message_state
        user_message_reference""",
    "cancel_broadcast_sm": "broadcast_content_type user_message_reference",
}


@pytest.mark.parametrize("place", BROADCASTING)
def test_what_5_0_lists_for_broadcasting(place: str) -> None:
    assert {row.name for row in DEFINITIONS.values() if place in row.places} == set(BROADCASTING[place].split())


def test_masks_and_pieces_cover_their_value() -> None:
    for row in DEFINITIONS.values():
        sizes = [piece.size for piece in row.pieces]
        if row.form is Form.OCTETS and sizes and 0 not in sizes:
            assert sum(sizes) == row.size_max, row.name
        assert all(0 < piece.mask <= 0xFF for piece in row.pieces) or row.form is not Form.BITS


def test_every_tag_belongs_to_one_range() -> None:
    assert RANGES[0][0] == 0
    assert RANGES[-1][1] == 0xFFFF
    assert all(last + 1 == first for (_, last, _), (first, _, _) in pairwise(RANGES))
