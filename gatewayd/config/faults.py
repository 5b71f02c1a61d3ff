"""Faults and warnings in a configuration: how they are collected and how they are told to a person.

Knows no key and no rule of the configuration.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence

import msgspec

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN_MAX = 60
_CHOICES_MAX = 16


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong: where, what, and what to do about it. ``key`` is empty for the file as a whole."""

    file: str
    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.file}: {self.key}" if self.key else self.file
        return f"{where}: {self.problem}; {self.remedy}"


class ConfigFaults(Exception):
    """The configuration cannot be used. Carries every fault found, and the warnings."""

    def __init__(self, faults: Sequence[Fault], warnings: Sequence[Fault] = ()) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)
        self.warnings = tuple(warnings)


class Findings:
    """Collects faults and warnings about one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []

    def fault(self, key: str, problem: str, remedy: str) -> None:
        """Note something that forbids a start."""
        self.faults.append(Fault(self.file, key, problem, remedy))

    def warn(self, key: str, problem: str, remedy: str) -> None:
        """Note something that is allowed, and probably not meant."""
        self.warnings.append(Fault(self.file, key, problem, remedy))

    def is_faulty(self, key: str) -> bool:
        """Whether this very key has a fault already, so that a second one would only repeat it."""
        return any(fault.key == key for fault in self.faults)

    def raise_if_any(self) -> None:
        """Raise ConfigFaults when at least one fault was noted."""
        if self.faults:
            raise ConfigFaults(self.faults, self.warnings)


def dotted(*names: str) -> str:
    """The TOML name of a key: ``links.orange.port``, with quotes where TOML needs them."""
    return ".".join(name if _BARE_KEY.fullmatch(name) else quoted(name) for name in names)


def quoted(text: str) -> str:
    """A text in quotes, whole: for paths, which help nobody when they are cut."""
    return json.dumps(text, ensure_ascii=False)


def shown(value: object) -> str:
    """A value as it stands in TOML, cut when long."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = quoted(value)
    elif isinstance(value, list):
        text = "[" + ", ".join(shown(item) for item in value) + "]"
    else:
        text = str(value)
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 3] + "..."


def guess(word: str, known: Iterable[str]) -> str:
    """``did you mean orange?`` or, when nothing is near, what there is to choose from."""
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    if len(choices) > _CHOICES_MAX:
        return "conf/gatewayd.toml shows all that there are"
    return f"known are {', '.join(choices)}" if choices else "none is configured"
