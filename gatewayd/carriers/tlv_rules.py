"""Which TLVs a carrier is given and which are taken from it, and under which tags it knows them.

Knows no message but its TLVs.
"""

from __future__ import annotations

from collections.abc import Iterable

from gatewayd.config import schema
from protocol.smpp.pdu import SubmitSm
from protocol.smpp.tlvs import Rule, rule_of, tag_of


def outgoing(settings: schema.Link) -> Rule | None:
    """What goes to the carrier; None when that is everything, as it is."""
    return rule_of(settings.tlvs_pass, _renames(settings))


def incoming(settings: schema.Link) -> Rule | None:
    """What is taken from its handsets' messages."""
    return rule_of(settings.tlvs_pass, _renames(settings), is_incoming=True)


def apply(rule: Rule, requests: Iterable[SubmitSm]) -> None:
    """Let only what may pass stay in requests."""
    for request in requests:
        if request.tlvs:
            request.tlvs = rule(request.tlvs)


def _renames(settings: schema.Link) -> tuple[tuple[int, int], ...]:
    return tuple((tag_of(ours), tag_of(theirs)) for ours, theirs in settings.tlvs_rename.items())
