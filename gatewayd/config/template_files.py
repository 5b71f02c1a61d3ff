"""Reads the files of a folder of templates, whole and in the order of their names.

Judges no template: what stands in a file is for those who know what can be sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gatewayd.config import schema
from gatewayd.config.faults import Findings, quoted

_KEY: Final = "rcs.templates_dir"
_SIZE_MAX: Final = 262_144


def read_templates(config: schema.Config, folder: Path, findings: Findings) -> Mapping[str, str]:
    """The text of every file, by its path; ``folder`` is where relative paths begin."""
    if not config.rcs.templates_dir:
        return {}
    place = folder / config.rcs.templates_dir
    if not place.is_dir():
        findings.fault(_KEY, f"there is no folder {quoted(str(place))}", "create it")
        return {}
    texts = {str(path): _read(path, findings) for path in sorted(place.glob("*.toml"))}
    if not texts:
        findings.warn(_KEY, f"holds no template: {quoted(str(place))}", "put files NAME.toml there")
    return texts


def _read(path: Path, findings: Findings) -> str:
    try:
        octets = path.read_bytes()
        if len(octets) > _SIZE_MAX:
            findings.fault(_KEY, f"{quoted(str(path))} has more than {_SIZE_MAX} octets", "cut it in several")
            return ""
        return octets.decode("utf-8-sig")
    except OSError as error:
        remedy = "check that this user may read it"
        findings.fault(_KEY, f"{quoted(str(path))} cannot be read ({error.strerror})", remedy)
    except UnicodeDecodeError as error:
        findings.fault(_KEY, f"{quoted(str(path))} is not UTF-8 text (octet {error.start + 1})", "save it as UTF-8")
    return ""
