"""From a path to a daemon: reads and judges a configuration as a start does, and says on stderr what is wrong with it.

Knows no command line, and nothing here may import one: what `gatewayd run` has read stays in the supervisor's memory.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from gatewayd.billing import rule_files
from gatewayd.config import house
from gatewayd.config.faults import ConfigFaults, Fault
from gatewayd.config.load import Loaded, load

DEFAULT_CONFIG: Final = Path("/etc/gatewayd/gatewayd.toml")
EXIT_REFUSED: Final = 2


def run(path: Path) -> int:
    """Run the daemon until SIGTERM or SIGINT; returns the exit code."""
    loaded = read(path) if in_own_house() else None
    if loaded is None:
        return EXIT_REFUSED
    from gatewayd import supervisor

    return supervisor.run(loaded)


def in_own_house() -> bool:
    """Whether the package ``protocol`` is ours; that of a stranger is told."""
    sentence = house.stranger()
    if sentence:
        _say(f"gatewayd: {sentence}")
    return sentence is None


def read(path: Path, credentials: Path | None = None) -> Loaded | None:
    """What a start would run with, after its warnings; None, after its faults, where it could not."""
    try:
        loaded = judged(path, credentials)
    except rule_files.RulesFault as fault:
        _say(f"gatewayd: {fault}")
        return None
    except ConfigFaults as refusal:
        count = "1 fault" if len(refusal.faults) == 1 else f"{len(refusal.faults)} faults"
        _say_warnings(refusal.warnings)
        _say(*refusal.faults, f"{count}: the gateway cannot start with this.")
        return None
    _say_warnings(loaded.warnings)
    return loaded


def judged(path: Path, credentials: Path | None = None) -> Loaded:
    """The configuration, with all that it names.

    Raises ConfigFaults with every fault, templates' included, and RulesFault for a rule set of billing.
    """
    loaded = load(path, credentials)
    folder = loaded.config.billing.rules_dir
    named = {link.billing for link in loaded.config.links.values() if link.billing}
    rule_files.books(named, Path(folder) if folder else None)
    if loaded.templates:
        from gatewayd.carriers.template_rules import read_all  # hundreds of lines that most starts have no use for

        faults = read_all(loaded.templates, frozenset(loaded.config.accounts), loaded.media)[1]
        if faults:
            raise ConfigFaults(faults)
    return loaded


def _say_warnings(warnings: tuple[Fault, ...]) -> None:
    _say(*(f"warning: {warning}" for warning in warnings))


def _say(*lines: object) -> None:
    sys.stderr.writelines(f"{line}\n" for line in lines)
