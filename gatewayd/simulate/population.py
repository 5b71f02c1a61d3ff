"""A country's handsets of every kind: most are easy, some cannot be reached, and some make trouble in each known way.

Pure; says how each handset behaves towards the GSMA platform, and knows no clock.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from gatewayd.simulate.rcs_behaviour import Behaviour, Rule

UNREACHED = "99"
"""Handsets whose numbers end so cannot be reached by SMS."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How slow the slow ones are: webhooks come ``late_s`` late, and some deliver only after ``after_deadline_s``."""

    late_s: float = 40.0
    after_deadline_s: float = 500.0


def kinds(pace: Pace) -> dict[int, Rule]:
    """Of a hundred handsets, by their last two digits: 34 cannot be reached over RCS, 20 are difficult."""
    read = Rule(deliver_after_s=1.0, display_after_s=3.0)
    shares: list[tuple[int, Rule]] = [
        (30, Rule(capable=False)),
        (4, Rule(foreign=True)),
        (2, Rule(delivery="fail", fail_code=41200, deliver_after_s=2.0)),
        (2, Rule(delivery="fail", fail_code=41000, deliver_after_s=2.0)),
        (2, msgspec.structs.replace(read, submit="refuse", refuse_status=503, refuse_code=41000)),
        (3, Rule(deliver_after_s=1.0, webhook_delay_s=pace.late_s)),
        (7, msgspec.structs.replace(read, webhook_duplicates=2)),
        (7, msgspec.structs.replace(read, webhook_reorder=True)),
        (3, Rule(delivery="never", on_expiry="ignore")),
        (1, Rule(deliver_after_s=pace.after_deadline_s, on_expiry="ignore", revoke="raced")),
        (1, Rule(delivery="never", on_expiry="ignore", revoke="too_late")),
        (1, Rule(submit="silent", taken=False)),
        (1, msgspec.structs.replace(read, submit="silent")),
        (1, msgspec.structs.replace(read, submit="reset")),
        (10, Rule(deliver_after_s=1.0, reply_text="OK", reply_after_s=5.0)),
        (5, msgspec.structs.replace(read, submit="slow", answer_after_s=2.5)),
    ]
    rules = [rule for count, rule in shares for _ in range(count)]
    return dict(enumerate([*rules, *[read] * (100 - len(rules))]))


class Population(Behaviour):
    """Handsets by their last digits. Where submits fail, every third one is taken after all; no two replies are alike.

    While ``is_failing`` the platform answers 503 to every message.
    """

    kinds: dict[int, Rule] = msgspec.field(default_factory=lambda: kinds(Pace()))
    asked: Counter[str] = msgspec.field(default_factory=Counter)
    replies: int = 0
    is_failing: bool = False

    def rule_of(self, contact: str) -> Rule:
        """The rule for one contact, now."""
        rule = self.kinds[int(contact[-2:])]
        if self.is_failing:
            return msgspec.structs.replace(rule, submit="refuse", refuse_status=503, refuse_code=41000)
        if rule.submit == "refuse":
            self.asked[contact] += 1
            if self.asked[contact] % 3 == 0:
                return msgspec.structs.replace(rule, submit="accept")
        if rule.reply_text:
            self.replies += 1
            return msgspec.structs.replace(rule, reply_text=f"{rule.reply_text} {self.replies}")
        return rule


def handset_of(number: int) -> str:
    """One of the handsets: four of seven are at the operator whose numbers begin with 3361, the others with 3362."""
    return f"336{1 + number % 7 // 4}{number:07}"
