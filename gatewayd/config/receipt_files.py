"""Reads the dialects that links name for their carriers' receipts: those that are shipped, or a file of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import gatewayd
from gatewayd.config import schema
from gatewayd.config.faults import Findings, dotted, guess, quoted, shown
from gatewayd.config.receipt_dialects import DialectFault, decode

SHIPPED: Final = Path(gatewayd.__file__).parent / "carriers" / "receipts"
SUFFIX: Final = ".toml"
_SIZE_MAX: Final = 65_536


def shipped_names() -> list[str]:
    """The dialects that come with the gateway."""
    return sorted(path.stem for path in SHIPPED.glob(f"*{SUFFIX}"))


def place_of(name: str, folder: Path) -> Path:
    """The file of a dialect: ``NAME`` is one that is shipped, ``PATH.toml`` one in, or relative to, ``folder``."""
    return folder / name if name.endswith(SUFFIX) else SHIPPED / f"{name}{SUFFIX}"


def read_receipt_dialects(config: schema.Config, folder: Path, findings: Findings) -> Mapping[str, str]:
    """The text of every dialect that a link names, by the name that it uses."""
    texts: dict[str, str] = {}
    for link, settings in config.links.items():
        name = settings.receipts
        if not name or name in texts:
            continue
        text = _read(dotted("links", link, "receipts"), name, folder, findings)
        if text is not None:
            texts[name] = text
    return texts


def _read(key: str, name: str, folder: Path, findings: Findings) -> str | None:
    if not name.endswith(SUFFIX) and name not in shipped_names():
        remedy = guess(name, frozenset(shipped_names())) + '; or write the path of a file: "receipts/carrier.toml"'
        findings.fault(key, f"there is no dialect {shown(name)}", remedy)
        return None
    path = place_of(name, folder)
    try:
        octets = path.read_bytes()
        text = octets.decode("utf-8-sig")
    except OSError as error:
        findings.fault(key, f"{quoted(str(path))} cannot be read ({error.strerror})", "check its path and mode")
        return None
    except UnicodeDecodeError as error:
        findings.fault(key, f"{quoted(str(path))} is not UTF-8 text (octet {error.start + 1})", "save it as UTF-8")
        return None
    if len(octets) > _SIZE_MAX:
        findings.fault(key, f"{quoted(str(path))} has more than {_SIZE_MAX} octets", "keep what one carrier writes")
        return None
    try:
        decode(text)
    except DialectFault as fault:
        findings.fault(key, f"{quoted(str(path))}: {fault}", "correct it; try it with: gatewayd receipts try")
        return None
    return text
