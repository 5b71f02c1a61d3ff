"""Which TLVs of an application's messages are taken, and which of replies it is given.

Knows no message: it looks at tags, and where the account asks for that at what the standard allows them to hold.
"""

from __future__ import annotations

from typing import Final

from gatewayd.config import schema
from gatewayd.message import TAGS_OF_OURS
from gatewayd.senders.submit_rules import Refusal
from protocol.smpp.constants import Status
from protocol.smpp.pdu import Tlvs
from protocol.smpp.tlvs import first_fault, rule_of

_OURS: Final = f"0x{TAGS_OF_OURS.start:04X}-0x{TAGS_OF_OURS.stop - 1:04X}"


def taken(tlvs: Tlvs, account: schema.Account) -> Tlvs:
    """Those of a submit that go on; what the gateway itself is told in them always does. Raises Refusal."""
    if account.tlvs_strict and (fault := first_fault(tlvs)) is not None:
        raise Refusal(Status(fault.status), fault.kind)
    rule = rule_of((*account.tlvs_pass, _OURS))
    return tlvs if rule is None else rule(tlvs)


def told(tlvs: Tlvs, account: schema.Account) -> Tlvs:
    """Those of a handset's message that the application gets."""
    rule = rule_of(account.tlvs_pass)
    return tlvs if rule is None else rule(tlvs)
