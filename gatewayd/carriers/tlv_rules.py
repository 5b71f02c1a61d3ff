"""Which TLVs a carrier is given and which are taken from it, and under which tags it knows them.

Knows no message but its TLVs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gatewayd.config import schema
from gatewayd.message import TAGS_OF_OURS
from protocol.smpp.constants import Tag
from protocol.smpp.pdu import SubmitSm, Tlvs
from protocol.smpp.tlvs import ALWAYS_PASS, Rule, rule_of, tag_of

# What a receipt says, which its application is told in its own words, and its own reference.
_TOLD_ANEW: Final = ALWAYS_PASS | {
    int(Tag.RECEIPTED_MESSAGE_ID),
    int(Tag.MESSAGE_STATE),
    int(Tag.NETWORK_ERROR_CODE),
    int(Tag.USER_MESSAGE_REFERENCE),
}


def outgoing(settings: schema.Link) -> Rule | None:
    """What goes to the carrier; None when that is everything, as it is."""
    return rule_of(settings.tlvs_pass, _renames(settings))


def incoming(settings: schema.Link) -> Rule | None:
    """What is taken from its handsets' messages."""
    return rule_of(settings.tlvs_pass, _renames(settings), is_incoming=True)


def of_receipts(settings: schema.Link) -> Rule | None:
    """What the application is told of its receipts beside what they say; None when that is nothing."""
    if not settings.receipt_tlvs_pass:
        return None
    rule = rule_of(settings.receipt_tlvs_pass, _renames(settings), is_incoming=True)

    def apply_to(tlvs: Tlvs) -> Tlvs:
        passed = rule(tlvs) if rule is not None else tlvs
        return tuple(tlv for tlv in passed if tlv[0] not in _TOLD_ANEW and tlv[0] not in TAGS_OF_OURS)

    return apply_to


def apply(rule: Rule, requests: Iterable[SubmitSm]) -> None:
    """Let only what may pass stay in requests."""
    for request in requests:
        if request.tlvs:
            request.tlvs = rule(request.tlvs)


def _renames(settings: schema.Link) -> tuple[tuple[int, int], ...]:
    return tuple((tag_of(ours), tag_of(theirs)) for ours, theirs in settings.tlvs_rename.items())
