"""What the simulated network does with an agent's messages, told as rules by handset; the first that matches wins.

Pure; knows nothing of HTTP, clocks or messages under way.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Literal

import msgspec

FEATURES = (
    "RICHCARD_STANDALONE",
    "RICHCARD_CAROUSEL",
    "ACTION_CREATE_CALENDAR_EVENT",
    "ACTION_DIAL",
    "ACTION_OPEN_URL",
    "ACTION_OPEN_URL_IN_WEBVIEW",
    "ACTION_SHARE_LOCATION",
    "ACTION_VIEW_LOCATION",
    "PDF_IN_RICH_CARDS",
)

Reach = Literal["reachable", "no_rcs", "not_launched", "not_tester"]
Submit = Literal["accept", "refuse", "throttle_agent", "throttle_user", "silent", "slow", "reset"]
Delivery = Literal["deliver", "never"]
AtExpiry = Literal["revoked", "revoke_failed", "both", "neither"]
Revoke = Literal["ok", "raced", "too_late", "error", "silent"]
Opinion = Literal["", "SUBSCRIBE", "UNSUBSCRIBE"]


class RbmRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    r"""How the handsets that match ``handset`` behave, and what Google says of them.

    ``handset`` is a regular expression that must match the whole number (``\+33600\d+``).

    *Reach*: ``no_rcs`` and ``not_launched`` answer 404 to a message and a capability question, ``not_tester`` 403;
    ``capability_status`` other than 0 answers a capability question with that HTTP status. A message that needs a
    feature which is not in ``features`` is answered 400.

    *Submit*: ``accept``; ``refuse`` with ``refuse_status``; ``throttle_agent`` and ``throttle_user`` (429 of either
    meaning, with Retry-After when ``retry_after_s`` is given); ``slow`` (taken at once, answered after
    ``answer_after_s``); ``silent`` (no answer) and ``reset`` (the connection breaks), both having taken the message or
    not as ``taken`` says. ``submit_times`` above 0 does so the first few times for each handset, then accepts.
    ``promotions_max`` above 0 answers 429 to every further promotion for the handset.

    *Afterwards*, seconds counted from the acceptance: ``deliver`` or ``never`` after ``deliver_after_s``; and, counted
    from the delivery, ``display_after_s`` (None: not read), a reply after ``reply_after_s`` (the text ``reply_text``,
    or a tap on suggestion number ``reply_suggestion`` from 1), and an ``opinion`` at the same time. ``at_expiry`` says
    which events come when the life time of an undelivered message is over; after ``revoke_failed`` a delivery that is
    still to come does come.

    *Revoke*: ``ok``; ``raced`` (answered as ok, delivered all the same); ``too_late`` (delivered now, then answered as
    the platform does for delivered messages); ``error`` (500); ``silent``.

    *Webhooks*: each leaves ``webhook_delay_s`` late and ``webhook_duplicates`` more times; those whose type is in
    ``webhook_lost`` (``*``: all) never leave; ``webhook_reorder`` swaps each with the one that follows it.
    """

    handset: str = ".*"
    reach: Reach = "reachable"
    features: tuple[str, ...] = FEATURES
    capability_status: int = 0
    submit: Submit = "accept"
    submit_times: int = 0
    refuse_status: int = 400
    retry_after_s: float | None = None
    answer_after_s: float = 0.0
    taken: bool = True
    promotions_max: int = 0
    delivery: Delivery = "deliver"
    deliver_after_s: float = 0.0
    display_after_s: float | None = None
    at_expiry: AtExpiry = "revoked"
    revoke: Revoke = "ok"
    reply_text: str = ""
    reply_suggestion: int = 0
    reply_after_s: float = 0.0
    opinion: Opinion = ""
    webhook_delay_s: float = 0.0
    webhook_duplicates: int = 0
    webhook_lost: tuple[str, ...] = ()
    webhook_reorder: bool = False

    def __post_init__(self) -> None:
        try:
            re.compile(self.handset)
        except re.error as error:
            raise ValueError(f"handset is not a regular expression: {error}") from None
        if not 0 <= self.webhook_duplicates <= 100:
            raise ValueError("webhook_duplicates must be 0 to 100")
        if not 400 <= self.refuse_status <= 599 or not (
            self.capability_status == 0 or 400 <= self.capability_status <= 599
        ):
            raise ValueError("refuse_status and capability_status are HTTP errors, 400 to 599")
        if min(self.reply_suggestion, self.submit_times, self.promotions_max) < 0:
            raise ValueError("reply_suggestion, submit_times and promotions_max are not negative")
        delays = (
            self.retry_after_s,
            self.answer_after_s,
            self.deliver_after_s,
            self.display_after_s,
            self.reply_after_s,
            self.webhook_delay_s,
        )
        if any(delay is not None and not 0.0 <= delay <= 86400.0 for delay in delays):
            raise ValueError("every delay must be 0 to 86400 seconds")

    def loses(self, event: str) -> bool:
        """Whether a webhook of this type is lost on the way."""
        return event in self.webhook_lost or "*" in self.webhook_lost


DEFAULT_RULE = RbmRule()


class RbmBehaviour(msgspec.Struct, forbid_unknown_fields=True):
    """The rules in order. A handset that none matches takes RCS, and is delivered to at once."""

    rule: list[RbmRule] = msgspec.field(default_factory=list)

    def rule_of(self, handset: str) -> RbmRule:
        """The first rule that matches the whole number."""
        for rule in self.rule:
            if re.fullmatch(rule.handset, handset):
                return rule
        return DEFAULT_RULE


def rbm_behaviour(*rules: RbmRule) -> RbmBehaviour:
    """Rules in the order given."""
    return RbmBehaviour(list(rules))


def load_rbm_behaviour(path: Path) -> RbmBehaviour:
    """Read ``[[rule]]`` tables from a TOML file; raises ``ValueError`` or ``OSError`` with a sentence."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), RbmBehaviour)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}") from error
