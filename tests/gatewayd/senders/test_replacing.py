"""Which messages replace, and which may be replaced."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gatewayd.senders.test_submit import Desk

PART = {"esm_class": 0x40, "short_message": b"\x05\x00\x03\x2a\x02\x01x"}


@pytest.mark.parametrize(
    ("account", "fields", "replaces", "is_replaceable"),
    [
        ({}, {}, False, False),
        ({}, {"replace_if_present_flag": 1}, True, True),
        ({}, {"service_type": "CMT"}, False, False),
        ({"replace_service_types": ("CMT",)}, {"service_type": "CMT"}, True, True),
        ({"replace_service_types": ("CMT",)}, {"service_type": "USSD"}, False, False),
        ({"replace_any": True}, {}, False, True),
        ({"replace_any": True}, {"replace_if_present_flag": 1}, True, True),
        ({}, {"replace_if_present_flag": 1, **PART}, False, False),
    ],
)
def test_who_replaces(account: dict[str, Any], fields: dict[str, Any], replaces: bool, is_replaceable: bool) -> None:
    desk = Desk(**account)
    message = desk.read(**fields)
    assert (message.replaces, message.is_replaceable) == (replaces, is_replaceable)
    assert desk.flow.superseding == ([message] if is_replaceable else [])
