"""Rules: which one a contact meets, how they read from a file, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.simulate.rcs_behaviour import DEFAULT_RULE, Behaviour, Rule, behaviour
from gatewayd.simulate.rule_files import load


def test_the_first_rule_that_matches_the_whole_contact_wins() -> None:
    first, second = Rule(handset=r"\+336\d+", capable=False), Rule(handset=r"\+33\d+")
    told = behaviour(first, second)
    assert told.rule_of("+33612345678") is first
    assert told.rule_of("+33712345678") is second
    assert told.rule_of("x+33712345678") is DEFAULT_RULE


def test_rules_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(
        "[[rule]]\nhandset = '\\+33600\\d+'\nsubmit = 'refuse'\nrefuse_status = 404\nrefuse_code = 41200\n"
        "[[rule]]\ndelivery = 'never'\nsent_after_s = 2\nwebhook_lost = ['sent']\n"
    )
    told = load(path, Behaviour)
    assert told.rule_of("+33600000001") == Rule(
        handset=r"\+33600\d+", submit="refuse", refuse_status=404, refuse_code=41200
    )
    assert told.rule_of("+33700000001") == Rule(delivery="never", sent_after_s=2.0, webhook_lost=("sent",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[rule]]\nhandset = '('\n", "not a regular expression"),
        ("[[rule]]\nsubmitt = 'accept'\n", "unknown field `submitt`"),
        ("[[rule]]\nsubmit = 'perhaps'\n", "Invalid enum value 'perhaps'"),
        ("[[rule]]\ndeliver_after_s = -1\n", "every delay"),
        ("[[rule]]\nrefuse_status = 200\n", "HTTP errors"),
        ("[[rule]]\nwebhook_duplicates = 1000\n", "webhook_duplicates"),
        ("[[rule]]\nreply_suggestion = -1\n", "counts from 1"),
        ("rule = 7\n", "Expected `array`"),
        ("[[rule\n", "Expected"),
    ],
)
def test_a_broken_file_is_explained(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=words) as caught:
        load(path, Behaviour)
    assert str(path) in str(caught.value)


def test_lost_webhooks_are_named_by_event_or_status() -> None:
    rule = Rule(webhook_lost=("delivered", "message"))
    assert rule.loses("messageStatus", "delivered")
    assert rule.loses("message", "")
    assert not rule.loses("messageStatus", "sent")
    assert Rule(webhook_lost=("messageStatus",)).loses("messageStatus", "sent")
    assert Rule(webhook_lost=("*",)).loses("response", "")
    assert not Rule().loses("response", "")
