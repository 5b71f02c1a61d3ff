"""Rules by handset as files and lists, whichever platform's: the first that matches wins, and what all must keep to.

Pure but for reading the file; knows no rule's meaning.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

DELAY_MAX_S = 86_400.0
DUPLICATES_MAX = 100

T = TypeVar("T")


class ByHandset(Protocol):
    """A rule that says for whom it is, and how often webhooks come."""

    @property
    def handset(self) -> str: ...

    @property
    def webhook_duplicates(self) -> int: ...

    @property
    def refuse_status(self) -> int: ...

    @property
    def capability_status(self) -> int: ...


AnyRule = TypeVar("AnyRule", bound=ByHandset)


def check(rule: ByHandset, delays: Iterable[float | None]) -> None:
    """Raise ``ValueError`` for what no rule may say."""
    try:
        re.compile(rule.handset)
    except re.error as error:
        raise ValueError(f"handset is not a regular expression: {error}") from None
    if not 0 <= rule.webhook_duplicates <= DUPLICATES_MAX:
        raise ValueError(f"webhook_duplicates must be 0 to {DUPLICATES_MAX}")
    statuses = (rule.refuse_status, rule.capability_status or rule.refuse_status)
    if not all(400 <= status <= 599 for status in statuses):
        raise ValueError("refuse_status and capability_status are HTTP errors, 400 to 599")
    if any(delay is not None and not 0.0 <= delay <= DELAY_MAX_S for delay in delays):
        raise ValueError("every delay must be 0 to 86400 seconds")


def first_match(rules: Iterable[AnyRule], handset: str, otherwise: AnyRule) -> AnyRule:
    """The first rule that matches the whole handset."""
    for rule in rules:
        if re.fullmatch(rule.handset, handset):
            return rule
    return otherwise


def load(path: Path, kind: type[T]) -> T:
    """Read ``[[rule]]`` tables from a TOML file; raises ``ValueError`` or ``OSError`` with a sentence."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), kind)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}") from error
