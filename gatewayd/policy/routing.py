"""Which links a message may take, in order of preference, and why: the first rule that matches decides.

Knows neither whether a link is up nor what a handset can do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from gatewayd.policy.numbering import matches

OnUnknown = Literal["prefer_duplicate", "prefer_silence"]

# Decisions remembered at once. Only accounts, senders, classes and the rules' own prefixes distinguish them, never
# single handsets, so that few gateways ever come near it.
_REMEMBERED_MAX = 10_000


class Rule(msgspec.Struct, frozen=True):
    """One rule: every condition that is not empty must hold. In ``senders``, ``*`` ends a prefix.

    ``prefixes`` are the first digits of canonical handsets (no plus); a ``*`` at their end says nothing new.
    """

    links: tuple[str, ...]
    accounts: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    on_unknown: OnUnknown | None = None


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What a rule said, with the reason in words for people. ``on_unknown`` None leaves it to each link."""

    links: tuple[str, ...]
    reason: str
    on_unknown: OnUnknown | None


class RouteTable:
    """The rules, compiled once. The same question always gets the same answer."""

    __slots__ = ("_asks_sender", "_prefixes", "_remembered", "_rules", "_sizes")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(msgspec.structs.replace(rule, prefixes=_digits_of(rule.prefixes)) for rule in rules)
        self._prefixes = frozenset(prefix for rule in self._rules for prefix in rule.prefixes)
        self._sizes = tuple(sorted({len(prefix) for prefix in self._prefixes}, reverse=True))
        self._asks_sender = any(rule.senders for rule in self._rules)
        self._remembered: dict[tuple[str, str, str, str], Decision | None] = {}

    def decide(self, account: str, sender: str, handset: str, traffic_class: str = "") -> Decision | None:
        """The decision for a message, or None when no rule matches. ``handset`` is canonical, without a plus."""
        # The longest of all prefixes that fits a handset stands for it: any other that fits is a prefix of that one.
        prefix = ""
        for size in self._sizes:
            head = handset[:size]
            if head in self._prefixes:
                prefix = head
                break
        key = (account, sender if self._asks_sender else "", prefix, traffic_class)
        try:
            return self._remembered[key]
        except KeyError:
            return self._remember(key)

    def links_for(self, account: str) -> frozenset[str]:
        """Every link that any rule gives to messages of an account."""
        return frozenset(
            link for rule in self._rules if account in rule.accounts or not rule.accounts for link in rule.links
        )

    def _remember(self, key: tuple[str, str, str, str]) -> Decision | None:
        if len(self._remembered) >= _REMEMBERED_MAX:
            self._remembered.clear()
        decision = self._remembered[key] = self._first_match(*key)
        return decision

    def _first_match(self, account: str, sender: str, prefix: str, traffic_class: str) -> Decision | None:
        for number, rule in enumerate(self._rules, 1):
            grounds = _grounds(rule, account, sender, prefix, traffic_class)
            if grounds is not None:
                return Decision(rule.links, f"rule {number}: {', '.join(grounds) or 'any'}", rule.on_unknown)
        return None


def _grounds(rule: Rule, account: str, sender: str, prefix: str, traffic_class: str) -> list[str] | None:
    """The conditions that a rule gave and that hold, in words; None when one does not hold."""
    grounds = []
    if rule.accounts:
        if account not in rule.accounts:
            return None
        grounds.append(f"account {account}")
    if rule.senders:
        pattern = _longest(pattern for pattern in rule.senders if matches(pattern, sender))
        if pattern is None:
            return None
        grounds.append(f"sender {pattern}")
    if rule.prefixes:
        fitting = _longest(known for known in rule.prefixes if prefix.startswith(known))
        if fitting is None:
            return None
        grounds.append(f"prefix {fitting}")
    if rule.classes:
        if traffic_class not in rule.classes:
            return None
        grounds.append(f"class {traffic_class}")
    return grounds


def _longest(texts: Iterable[str]) -> str | None:
    return max(texts, key=len, default=None)


def _digits_of(prefixes: Sequence[str]) -> tuple[str, ...]:
    return tuple(prefix.removeprefix("+").removesuffix("*") for prefix in prefixes)
