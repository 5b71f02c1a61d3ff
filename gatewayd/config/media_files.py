"""Lists the folder of local files that templates may name, with their sizes.

Opens none of them, and judges none: what a platform takes is for those who know.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gatewayd.config import schema
from gatewayd.config.faults import Findings, quoted

_KEY: Final = "rcs.media_dir"
_FILES_MAX: Final = 10_000


def read_media(config: schema.Config, folder: Path, findings: Findings) -> Mapping[str, int]:
    """The size of every file in octets, by its path below the folder; ``folder`` is where relative paths begin."""
    if not config.rcs.media_dir:
        return {}
    place = folder / config.rcs.media_dir
    if not place.is_dir():
        findings.fault(_KEY, f"there is no folder {quoted(str(place))}", "create it")
        return {}
    sizes: dict[str, int] = {}
    for path in _files(place):
        if len(sizes) == _FILES_MAX:
            findings.fault(_KEY, f"holds more than {_FILES_MAX} files: {quoted(str(place))}", "give it its own folder")
            break
        try:
            sizes[path.relative_to(place).as_posix()] = path.stat().st_size
        except OSError:
            continue  # a link to nowhere is no file
        if not os.access(path, os.R_OK):
            findings.warn(_KEY, f"{quoted(str(path))} cannot be read", "let the daemon's user read it")
    return sizes


def _files(place: Path) -> list[Path]:
    """Regular files in order; what begins with a dot is somebody else's."""
    found: list[Path] = []
    for above, folders, names in os.walk(place):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = [Path(above, name) for name in sorted(names) if not name.startswith(".")]
        found += [path for path in paths if path.is_file()]
        if len(found) > _FILES_MAX:
            break
    return found
