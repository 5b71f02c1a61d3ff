"""Whether the rule sets that links name are there, and whether links that share an agent agree on one.

Reads no rule set: what stands in a file is judged where it is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import gatewayd
from gatewayd.config import schema
from gatewayd.config.faults import Findings, dotted, guess, quoted, shown

SHIPPED_RULES: Final = Path(gatewayd.__file__).parent / "billing" / "rules"


def rule_set_names(rules_dir: Path | None) -> list[str]:
    """All rule sets that a link may name: the shipped ones, and those in a folder of the administrator's own."""
    folders = [SHIPPED_RULES] if rules_dir is None else [SHIPPED_RULES, rules_dir]
    return sorted({path.stem for folder in folders for path in folder.glob("*.toml")})


def check_rule_sets(config: schema.Config, folder: Path, findings: Findings) -> None:
    """Note every fault; ``folder`` is where relative paths begin."""
    rules_dir = folder / config.billing.rules_dir if config.billing.rules_dir else None
    if rules_dir is not None and not rules_dir.is_dir():
        findings.fault("billing.rules_dir", f"there is no folder {quoted(str(rules_dir))}", "create it")
        return
    names = rule_set_names(rules_dir)
    by_bot: dict[str, tuple[str, str]] = {}
    for link, settings in config.links.items():
        key = dotted("links", link, "billing")
        if settings.billing and settings.billing not in names:
            problem = f"there is no rule set {shown(settings.billing)}"
            findings.fault(key, problem, guess(settings.billing, frozenset(names)))
        if settings.kind == "smpp" or not settings.bot_id:
            continue
        other, rules = by_bot.setdefault(settings.bot_id, (key, settings.billing))
        if rules != settings.billing:
            findings.fault(key, f"is not what {other} says for the same bot", "give both the same rule set")
