"""Our ids in the form that applications of other products expect: a UUID, of which nobody can tell that it is ours.

Both ways, so that a person who has one finds the message.
"""

from __future__ import annotations

_VERSION, _VARIANT = "4", "8"


def uuid_of(message_id: int) -> str:
    """An id of at most 64 bits as the text of a random UUID (RFC 9562, version 4): its last digits are the id's."""
    digits = f"{message_id:016x}"
    return f"0000000{digits[0]}-0000-{_VERSION}000-{_VARIANT}{digits[1:4]}-{digits[4:]}"


def id_of(uuid: str) -> int | None:
    """The id in such a UUID, or None."""
    digits = uuid.replace("-", "").lower()
    try:
        message_id = int(digits[7] + digits[17:], 16)
    except (IndexError, ValueError):
        return None
    return message_id if uuid_of(message_id) == uuid.lower() else None
