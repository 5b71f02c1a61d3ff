"""The server's own texts, which applications ask for by their number (SMPP 3.4 section 5.2.20).

Knows no message but the one submit_sm that asks.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gatewayd.config import schema
from gatewayd.senders.own_alphabet import coded
from gatewayd.senders.submit_rules import Refusal
from protocol.smpp.constants import ESM_UDHI, Status, Tag
from protocol.smpp.pdu import SubmitSm


def with_text(pdu: SubmitSm, settings: schema.Account, common: Mapping[str, str]) -> SubmitSm:
    """The submit_sm as if its application had written the text; the account's own texts come before the ``common``.

    Raises Refusal for a number without a text, and where the application has written one of its own.
    """
    if pdu.short_message or any(tag == Tag.MESSAGE_PAYLOAD for tag, _ in pdu.tlvs):
        raise Refusal(Status.ESME_RINVDFTMSGID, "default_message_and_text")
    words = text_of(pdu.sm_default_msg_id, settings, common)
    data_coding, payload = coded(words, settings.data_coding_0)
    return msgspec.structs.replace(
        pdu,
        sm_default_msg_id=0,
        data_coding=data_coding,
        esm_class=pdu.esm_class & ~ESM_UDHI,
        short_message=payload,
    )


def text_of(number: int, settings: schema.Account, common: Mapping[str, str]) -> str:
    """The text of a number. Raises Refusal."""
    words = settings.default_messages.get(str(number)) or common.get(str(number), "")
    if not words:
        raise Refusal(Status.ESME_RINVDFTMSGID, "default_message")
    return words
