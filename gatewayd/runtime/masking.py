"""Numbers as people may see them: masked, with a short keyed hash by which one can be followed without knowing it.

The key lies beside the spools, so that all workers and the commands of one daemon mask alike. Knows no log.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Final

KEY_FILE: Final = "mask.key"
_KEY_OCTETS: Final = 32
_HASH_OCTETS: Final = 3
_MASK_HEAD: Final = 4
_MASK_TAIL: Final = 2
_SHORT_CODE_MAX: Final = 6
# Shorter ones are somebody's national or short number, which may begin with 00 by itself.
_DIALLED_MIN: Final = 11


class Masker:
    """Masks numbers with one key; without a key it gives no hash."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes = b"") -> None:
        self._key = key

    def __call__(self, number: str) -> str:
        """``33612345678`` as ``3361*****78#a1b2c3``; a plus or 00 before it makes no other number of it."""
        bare = bare_of(number)
        if not self._key or not bare:
            return mask(bare)
        return f"{mask(bare)}#{blake2b(bare.encode(), key=self._key, digest_size=_HASH_OCTETS).hexdigest()}"


def shown_address(address: str, show: Callable[[str], str]) -> str:
    """An address as ``show`` says, if it may be a handset's: names and short codes of applications stay as they are."""
    digits = address.removeprefix("+")
    return show(address) if digits.isdigit() and len(digits) > _SHORT_CODE_MAX else address


def mask(number: str) -> str:
    """A number's first four and last two digits, nothing of one too short for that."""
    hidden = len(number) - _MASK_HEAD - _MASK_TAIL
    if hidden <= 0:
        return "*" * len(number)
    return f"{number[:_MASK_HEAD]}{'*' * hidden}{number[-_MASK_TAIL:]}"


def bare_of(number: str) -> str:
    """One spelling for a number however it was dialled."""
    if number.startswith("00") and len(number) >= _DIALLED_MIN:
        return number[2:]
    return number.removeprefix("+")


def read_key(folder: Path) -> bytes:
    """The key of a spool folder; empty when there is none, or it is not for our eyes."""
    try:
        return bytes.fromhex((folder / KEY_FILE).read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return b""


def made_key(folder: Path) -> bytes:
    """The same, made if it is not there; whoever comes first makes it for all. Empty when the folder takes no file."""
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / KEY_FILE).exists():
            descriptor, spare = tempfile.mkstemp(dir=folder, prefix=KEY_FILE)  # for nobody else's eyes
            try:
                with os.fdopen(descriptor, "w") as file:
                    file.write(secrets.token_hex(_KEY_OCTETS) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                os.link(spare, folder / KEY_FILE)  # unlike a rename, it never replaces another's
            finally:
                Path(spare).unlink()
    return read_key(folder)
