"""How the configuration names TLVs, and what is wrong with a word that names none.

The names are those of ``protocol.smpp.tlv_table``, which a test compares: configuration reads no wire format.
"""

from __future__ import annotations

import re
from typing import Final

NAMES: Final = frozenset(
    [
        "dest_addr_subunit",
        "dest_network_type",
        "dest_bearer_type",
        "dest_telematics_id",
        "source_addr_subunit",
        "source_network_type",
        "source_bearer_type",
        "source_telematics_id",
        "qos_time_to_live",
        "payload_type",
        "additional_status_info_text",
        "receipted_message_id",
        "ms_msg_wait_facilities",
        "privacy_indicator",
        "source_subaddress",
        "dest_subaddress",
        "user_message_reference",
        "user_response_code",
        "source_port",
        "destination_port",
        "sar_msg_ref_num",
        "language_indicator",
        "sar_total_segments",
        "sar_segment_seqnum",
        "sc_interface_version",
        "callback_num_pres_ind",
        "callback_num_atag",
        "number_of_messages",
        "callback_num",
        "dpf_result",
        "set_dpf",
        "ms_availability_status",
        "network_error_code",
        "message_payload",
        "delivery_failure_reason",
        "more_messages_to_send",
        "message_state",
        "congestion_state",
        "ussd_service_op",
        "broadcast_channel_indicator",
        "broadcast_content_type",
        "broadcast_content_type_info",
        "broadcast_message_class",
        "broadcast_rep_num",
        "broadcast_frequency_interval",
        "broadcast_area_identifier",
        "broadcast_error_status",
        "broadcast_area_success",
        "broadcast_end_time",
        "broadcast_service_group",
        "billing_identification",
        "source_network_id",
        "dest_network_id",
        "source_node_id",
        "dest_node_id",
        "dest_addr_np_resolution",
        "dest_addr_np_information",
        "dest_addr_np_country",
        "display_time",
        "sms_signal",
        "ms_validity",
        "alert_on_message_delivery",
        "its_reply_type",
        "its_session_info",
        "dest_port",
    ]
)
_TAG: Final = re.compile(r"0x[0-9A-Fa-f]{1,4}")
_RANGE: Final = re.compile(r"(0x[0-9A-Fa-f]{1,4})-(0x[0-9A-Fa-f]{1,4})")


def is_tag(word: str) -> bool:
    """Whether a word names one TLV."""
    return word in NAMES or _TAG.fullmatch(word) is not None


def is_tags(word: str) -> bool:
    """Whether a word names TLVs: one, a range, or all."""
    span = _RANGE.fullmatch(word)
    return word == "all" or is_tag(word) or (span is not None and int(span[1], 16) <= int(span[2], 16))
