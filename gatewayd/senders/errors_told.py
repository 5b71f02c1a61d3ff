"""What ``err`` says in a receipt for a word of ours or of a carrier. Knows no account."""

from __future__ import annotations

import functools
from typing import Final

from protocol.smpp.constants import Status

_ERROR_SIZE: Final = 3


@functools.lru_cache(maxsize=1024)
def error_code(error: str) -> str:
    """The three characters of ``err`` (appendix B): a carrier's own code, a command_status in hexadecimal, or 000.

    Words of our own and of RCS platforms have no place there: they are in the trail.
    """
    if 0 < len(error) <= _ERROR_SIZE and error.isascii() and error.isalnum():
        return error
    status = Status.__members__.get(error)
    return f"{status:03X}" if status is not None and status < 0x1000 else "000"
