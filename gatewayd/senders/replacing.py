"""Which messages take the place of a waiting one: by their flag, or by their service_type (SMPP 3.4 sections 5.2.11 and
5.2.18).

Says it of a message; what then waits is for the handset's home to find.
"""

from __future__ import annotations

import msgspec

from gatewayd.config import schema
from gatewayd.message import Message


def replacing(message: Message, is_asked: bool, settings: schema.Account) -> Message:
    """A message with what its account says of replacing. A part of a long one takes nobody's place."""
    replaces = is_asked or message.service_type in settings.replace_service_types
    if message.concat is not None or not (replaces or settings.replace_any):
        return message
    return msgspec.structs.replace(message, replaces=replaces, is_replaceable=True)
