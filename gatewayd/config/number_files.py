"""Whether the paths of files of numbers can be those of files.

Reads none of them: one that is not there yet is made or put there later, and is taken up then.
"""

from __future__ import annotations

from pathlib import Path

from gatewayd.config import schema
from gatewayd.config.faults import Findings, quoted


def check_number_files(config: schema.Config, folder: Path, findings: Findings) -> None:
    """Note every fault; ``folder`` is where relative paths begin."""
    numbers = config.numbers
    for key, name, remedy in (
        ("ported", numbers.ported, "which gatewayd numbers import makes"),
        ("prefixes", numbers.prefixes, "with lines of prefix;operator"),
        ("names", numbers.names, "with lines of code;operator"),
    ):
        path = folder / name
        if name and path.is_dir():
            example = path / (key if key == "ported" else f"{key}.csv")
            problem = f"{quoted(str(path))} is a folder"
            findings.fault(f"numbers.{key}", problem, f"name a file, such as {quoted(str(example))}, {remedy}")
