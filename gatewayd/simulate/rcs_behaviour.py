"""What the simulated network does, told as rules by handset; the first rule that matches wins.

Pure; knows nothing of HTTP, clocks or messages under way.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gatewayd.simulate.rule_files import check, first_match

CAPABILITIES = ("chat", "fileTransfer", "chatBotCommunication")

Submit = Literal["accept", "refuse", "throttle", "silent", "slow", "reset"]
Delivery = Literal["deliver", "fail", "never"]
Revoke = Literal["ok", "raced", "too_late", "already", "error", "throttle", "silent"]
OnExpiry = Literal["fail", "revoke", "ignore"]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    r"""How the handsets that match ``handset`` behave, and what the platform says of them.

    ``handset`` is a regular expression that must match the whole contact (``\+33600\d+``).

    *Capability*: ``capable`` False answers 404 to a capability question and to a message that would be accepted;
    ``foreign`` True does the same, since the number is another operator's; ``capability_status`` other than 0 answers
    a capability question with that HTTP status.

    *Submit*: ``accept``; ``refuse`` with ``refuse_status`` and ``refuse_code``; ``throttle`` (429, with Retry-After
    when ``retry_after_s`` is given); ``slow`` (taken at once, answered after ``answer_after_s``, so that events may
    come before the answer); ``silent`` (no answer at all) and ``reset`` (the connection breaks), both having taken
    the message or not as ``taken`` says.

    *Afterwards*, seconds counted from the acceptance: ``sent_after_s`` (None: not reported); then ``deliver``, ``fail``
    with ``fail_code``, or ``never``, after ``deliver_after_s``; and, counted from the delivery, ``display_after_s``
    (None: not read) and a reply after ``reply_after_s``: the text ``reply_text``, or a tap on suggestion number
    ``reply_suggestion`` (from 1). ``on_expiry`` says how an undelivered message ends when its expiry passes.

    *Revoke*: ``ok``; ``raced`` (answered as ok, delivered all the same); ``too_late`` (404, and delivered now);
    ``already`` (409); ``error`` (500); ``throttle`` (429); ``silent``; with ``revoke_times``
    above 0 only the first so many, and ``ok`` then.

    *Webhooks*: each leaves ``webhook_delay_s`` late and ``webhook_duplicates`` more times; those whose event or status
    is in ``webhook_lost`` (``*``: all) never leave; ``webhook_reorder`` swaps each with the one that follows it.
    """

    handset: str = ".*"
    capable: bool = True
    foreign: bool = False
    capabilities: tuple[str, ...] = CAPABILITIES
    capability_status: int = 0
    submit: Submit = "accept"
    refuse_status: int = 400
    refuse_code: int = 42002
    retry_after_s: float | None = None
    answer_after_s: float = 0.0
    taken: bool = True
    sent_after_s: float | None = 0.0
    delivery: Delivery = "deliver"
    deliver_after_s: float = 0.0
    display_after_s: float | None = None
    fail_code: int = 41200
    on_expiry: OnExpiry = "fail"
    revoke: Revoke = "ok"
    revoke_times: int = 0
    reply_text: str = ""
    reply_suggestion: int = 0
    reply_after_s: float = 0.0
    webhook_delay_s: float = 0.0
    webhook_duplicates: int = 0
    webhook_lost: tuple[str, ...] = ()
    webhook_reorder: bool = False

    def __post_init__(self) -> None:
        if self.reply_suggestion < 0:
            raise ValueError("reply_suggestion counts from 1")
        delays = (
            self.retry_after_s,
            self.answer_after_s,
            self.sent_after_s,
            self.deliver_after_s,
            self.display_after_s,
            self.reply_after_s,
            self.webhook_delay_s,
        )
        check(self, delays)

    @property
    def is_reachable(self) -> bool:
        """Whether the handset takes RCS, and is this operator's."""
        return self.capable and not self.foreign

    def loses(self, event: str, status: str) -> bool:
        """Whether the webhook of this event is lost on the way."""
        return bool(self.webhook_lost) and any(word in self.webhook_lost for word in ("*", event, status or event))


DEFAULT_RULE = Rule()


class Behaviour(msgspec.Struct, forbid_unknown_fields=True):
    """The rules in order. A contact that none matches is accepted and delivered at once."""

    rule: list[Rule] = msgspec.field(default_factory=list)

    def rule_of(self, contact: str) -> Rule:
        """The first rule that matches the whole contact."""
        return first_match(self.rule, contact, DEFAULT_RULE)


def behaviour(*rules: Rule) -> Behaviour:
    """Rules in the order given."""
    return Behaviour(list(rules))
