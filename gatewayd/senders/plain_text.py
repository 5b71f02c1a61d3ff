"""The text of a message as its application wrote it, where it is kept and may be shown. Knows no file, no terminal."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from protocol.smpp.headers import shift_of
from protocol.smpp.text import decode


def text_of(message: Mapping[str, Any]) -> str | None:
    """The text of a stored message or reply, or None when it is gone, or was none."""
    try:
        payload = base64.b64decode(message.get("payload", ""), validate=True)
        udh = base64.b64decode(message.get("udh", ""), validate=True)
    except binascii.Error:
        return None
    encoding = str(message.get("encoding", "gsm"))
    if not payload or encoding == "binary":
        return None
    return decode(payload, encoding, "replace", shift_of(udh))
