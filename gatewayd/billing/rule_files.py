"""Reads rule sets from their files: those that are shipped, and the administrator's own beside them.

Judges the form of a file; what a switch means is the engine's to know.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from gatewayd.config.billing_checks import SHIPPED_RULES, rule_set_names
from gatewayd.policy.billing_rules import RuleBook, RuleSet

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class RulesFault(ValueError):
    """A rule set cannot be used; the text says which, why, and what to do."""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    versions: list[RuleSet]


def names(folder: Path | None = None) -> list[str]:
    """All rule sets that can be named; ``folder`` holds the administrator's own."""
    return rule_set_names(folder)


def find(name: str, folder: Path | None = None) -> RuleBook:
    """A rule set by its name, an own one before a shipped one. Raises RulesFault."""
    if _NAME.fullmatch(name):
        for place in (folder, SHIPPED_RULES):
            if place is not None and (path := place / f"{name}.toml").is_file():
                return read(path)
    raise RulesFault(f"there is no rule set {name!r}; there are {', '.join(names(folder))}")


def read(path: Path) -> RuleBook:
    """A rule set from a file; its name is the file's. Raises RulesFault."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return RuleBook(path.stem, msgspec.convert(content, _File).versions)
    except OSError as error:
        raise RulesFault(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, msgspec.ValidationError) as error:  # TOML's and UTF-8's faults are ValueErrors too
        raise RulesFault(f"{path}: {error}") from error


def books(wanted: Iterable[str], folder: Path | None = None) -> dict[str, RuleBook]:
    """Several rule sets by name. Raises RulesFault."""
    return {name: find(name, folder) for name in wanted}
