"""Numbers as people of a country dial them, and their one form with the country code (E.164).

Pure: what is dialled in which country comes in as patterns. Knows no message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from gatewayd.policy.numbering import (
    E164_MAX,
    INTERNATIONAL_MIN,
    SHORT_CODE_MAX,
    SHORT_CODE_MIN,
    TON_ALPHANUMERIC,
    TON_INTERNATIONAL,
    TON_NATIONAL,
    TON_UNKNOWN,
)

_CALLING_CODE_MAX: Final = 3
# What people put between digits (E.123 section 4 and custom); a slash or a letter is none of it.
_SPACING: Final = str.maketrans("", "", " .-()\u00a0")


class Plan(Protocol):
    """One country's numbers."""

    @property
    def calling_code(self) -> str:
        """Digits."""

    @property
    def trunk(self) -> str:
        """What stands before a national number, or empty."""

    @property
    def trunk_rule(self) -> re.Pattern[str] | None:
        """Finds what stands before a national number."""

    @property
    def trunk_form(self) -> str:
        """What the match becomes in a number without it; empty: it is dropped."""

    @property
    def exit_rule(self) -> re.Pattern[str] | None:
        """Finds what is dialled to leave the country."""

    @property
    def valid(self) -> re.Pattern[str]:
        """Takes a national number, without what stands before it, if there is such a number."""

    @property
    def heads(self) -> frozenset[str]:
        """The first three digits of such numbers; of a family's others that have a calling code of their own."""


class Place(NamedTuple):
    """A number in its one form: ``digits`` with country code where ``is_international``, else a short code, or a number
    that says nothing to the rules and stays as it was written."""

    digits: str
    is_international: bool


class Dialling:
    """How the numbers of one application are read.

    ``family``: the plan of its country, then those whose numbers are written there as its own; empty where it has no
    country. ``plans_of`` gives all that share a calling code. ``checks``: numbers that nobody can have are refused.
    """

    __slots__ = ("_by_code", "_checks", "_family", "_heads", "_home", "_is_open", "_plans_of", "_start")

    def __init__(
        self, family: Sequence[Plan], plans_of: Callable[[str], Sequence[Plan]], *, checks: bool = False
    ) -> None:
        self._family = tuple(family)
        self._home = self._family[0] if family else None
        self._plans_of = plans_of
        self._checks = checks
        # Where nothing need be dialled before a number of one's own country, one without is more likely of here.
        self._is_open = self._home is not None and self._home.trunk in ("", self._home.calling_code)
        # Numbers of others behind the home's code begin so: all that come with their own code are let by with one look.
        self._by_code = self._home.calling_code if self._home is not None else "x"
        self._start = len(self._by_code)
        self._heads = frozenset(head for plan in self._family for head in plan.heads)

    def read(self, address: str, ton: int) -> Place | None:
        """The one form of a destination; None for what is no number, or cannot be one."""
        if ton == TON_INTERNATIONAL and address.isdigit() and address[0] != "0" and address.isascii():
            return self._international(address)
        if ton == TON_ALPHANUMERIC:
            return None
        if self._home is not None:
            address = address.translate(_SPACING)
        has_plus = address.startswith("+")
        digits = address[1:] if has_plus else address
        if not digits or not (digits.isascii() and digits.isdigit()):
            return None
        if has_plus:
            return self._international(digits)
        if ton in (TON_INTERNATIONAL, TON_UNKNOWN) and (rest := self._without_exit(digits, ton)):
            return self._international(rest)
        if ton in (TON_UNKNOWN, TON_INTERNATIONAL, TON_NATIONAL) and self._home is not None:
            return self._at_home(digits, ton)
        return self._as_it_is(digits, ton)

    def _without_exit(self, digits: str, ton: int) -> str:
        """What follows the digits that leave the country; 00 does so everywhere where the type says international."""
        rule = self._home.exit_rule if self._home is not None else None
        match = rule.match(digits) if rule is not None else None
        if match is not None and len(digits) - match.end() >= INTERNATIONAL_MIN:
            return digits[match.end() :]
        return digits[2:] if ton == TON_INTERNATIONAL and digits.startswith("00") else ""

    def _international(self, digits: str) -> Place | None:
        if not INTERNATIONAL_MIN <= len(digits) <= E164_MAX or digits[0] == "0":
            return None
        start = self._start
        if digits[start : start + 3] in self._heads and digits.startswith(self._by_code):
            digits = self._strayed(digits) or digits
        if self._checks and not self._is_valid(digits):
            return None
        return Place(digits, True)

    def _strayed(self, digits: str) -> str:
        """A number of an overseas territory behind the country's own code: +33 690… is +590 690…"""
        assert self._home is not None
        national = digits[len(self._by_code) :]
        code = self._code_of(national)
        return code + national if code not in ("", self._by_code) else ""

    def _at_home(self, digits: str, ton: int) -> Place | None:
        assert self._home is not None
        national = self._national(digits)
        if national and (ton == TON_NATIONAL or self._is_open or not national.endswith(digits)):
            return Place(national, True)
        is_full = len(digits) >= INTERNATIONAL_MIN
        if is_full and ton != TON_NATIONAL and digits[0] != "0" and self._is_valid(digits):
            return self._international(digits)
        if national:
            return Place(national, True)
        if digits.startswith(self._by_code) and is_full and (strayed := self._strayed(digits)):
            return Place(strayed, True)
        return self._as_it_is(digits, ton)

    def _national(self, digits: str) -> str:
        """With the code of the country whose number it is, or nothing."""
        assert self._home is not None
        rule = self._home.trunk_rule
        match = rule.match(digits) if rule is not None else None
        if match is not None and match.end():
            kept = match.expand(self._home.trunk_form) if self._home.trunk_form and match.group(match.re.groups) else ""
            if code := self._code_of(kept + digits[match.end() :]):
                return code + kept + digits[match.end() :]
        code = self._code_of(digits)
        return code + digits if code else ""

    def _code_of(self, national: str) -> str:
        """Of the first country of the family that has such a number. Nobody dials an island's shortest ones so."""
        assert self._home is not None
        if self._home.valid.match(national):
            return self._home.calling_code
        others = self._family[1:] if len(national) >= INTERNATIONAL_MIN else ()
        return next((plan.calling_code for plan in others if plan.valid.match(national)), "")

    def _as_it_is(self, digits: str, ton: int) -> Place | None:
        """A short code, or a number that the rules cannot place."""
        is_short = SHORT_CODE_MIN <= len(digits) <= SHORT_CODE_MAX and ton != TON_INTERNATIONAL
        if is_short and not (self._checks and digits[0] == "0"):
            return Place(digits, False)
        if ton == TON_INTERNATIONAL or len(digits) > E164_MAX or len(digits) < SHORT_CODE_MIN:
            return None
        if self._checks and not (digits[0] != "0" and self._is_valid(digits)):
            return None
        return Place(digits, False)

    def _is_valid(self, digits: str) -> bool:
        """Whether a number with its country code can be somebody's."""
        for size in range(1, _CALLING_CODE_MAX + 1):
            if any(plan.valid.match(digits, size) for plan in self._plans_of(digits[:size])):
                return True
        return False


def national_of(plan: Plan, digits: str) -> str:
    """A number with country code as it is written within its country, or nothing where it is none of that country."""
    code = plan.calling_code
    if not digits.startswith(code) or not plan.valid.match(digits, len(code)):
        return ""
    trunk = plan.trunk if plan.trunk != code else ""
    return trunk + digits[len(code) :]
