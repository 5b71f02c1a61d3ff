"""What the simulated network does with an agent's messages, told as rules by handset; the first that matches wins.

Pure; knows nothing of HTTP, clocks or messages under way.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gatewayd.simulate.rule_files import check, first_match

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
Revoke = Literal["ok", "raced", "too_late", "error", "throttle", "silent"]
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
    the platform does for delivered messages); ``error`` (500); ``throttle`` (429); ``silent``; with ``revoke_times``
    above 0 only the first so many, and ``ok`` then.

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
    revoke_times: int = 0
    reply_text: str = ""
    reply_suggestion: int = 0
    reply_after_s: float = 0.0
    opinion: Opinion = ""
    webhook_delay_s: float = 0.0
    webhook_duplicates: int = 0
    webhook_lost: tuple[str, ...] = ()
    webhook_reorder: bool = False

    def __post_init__(self) -> None:
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
        check(self, delays)

    def loses(self, event: str) -> bool:
        """Whether a webhook of this type is lost on the way."""
        return event in self.webhook_lost or "*" in self.webhook_lost


DEFAULT_RULE = RbmRule()


class RbmBehaviour(msgspec.Struct, forbid_unknown_fields=True):
    """The rules in order. A handset that none matches takes RCS, and is delivered to at once."""

    rule: list[RbmRule] = msgspec.field(default_factory=list)

    def rule_of(self, handset: str) -> RbmRule:
        """The first rule that matches the whole number."""
        return first_match(self.rule, handset, DEFAULT_RULE)


def rbm_behaviour(*rules: RbmRule) -> RbmBehaviour:
    """Rules in the order given."""
    return RbmBehaviour(list(rules))
