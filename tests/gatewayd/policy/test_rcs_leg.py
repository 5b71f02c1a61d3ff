"""The platform's answers and events, the deadline, and the revoke."""

from __future__ import annotations

import pytest

from gatewayd.message import Accepted, Deferred, Refused, State, Unknown
from gatewayd.policy import journey as steps
from gatewayd.policy.journey import (
    REVOKE_TIMEOUT_S,
    REVOKE_WAIT_S,
    SETTLE_S,
    Finish,
    Ignore,
    OnUnknown,
    Progress,
    Queue,
    Revoke,
    Stage,
    Wait,
)
from tests.gatewayd.policy.ways import BOT, BOTH, EXPIRES, NOW, TO_SMS, accepted_rcs, fallen_back, rcs, receipt, result


def test_rcs_accepted_has_until_its_deadline() -> None:
    progress = rcs()
    assert result(progress, Accepted("x")) == Wait()
    assert (progress.stage, progress.rcs_link, progress.rcs_id) == (Stage.SENT, "bot", "x")
    assert progress.due == NOW + BOT.deadline_s


@pytest.mark.parametrize(
    ("left_s", "with_sms_s", "alone_s"),
    [(0.0, 300.0, 300.0), (600.0, 300.0, 300.0), (320.0, 285.0, 300.0), (120.0, 85.0, 120.0), (60.0, 30.0, 60.0),
     (4.0, 2.0, 4.0)],
)  # fmt: skip
def test_rcs_leaves_enough_of_the_validity_for_an_sms(left_s: float, with_sms_s: float, alone_s: float) -> None:
    """A code that is good for two minutes went by RCS for two minutes, and never by SMS."""
    for links, until_s in ((("bot", "carrier"), with_sms_s), (("bot",), alone_s)):
        progress = rcs(links=links)
        result(progress, Accepted("x"), expires_at=NOW + left_s if left_s else 0.0)
        assert progress.due == NOW + until_s


@pytest.mark.parametrize("on_unknown", BOTH)
def test_the_deadline_revokes_first(on_unknown: OnUnknown) -> None:
    progress = accepted_rcs(on_unknown=on_unknown)
    assert steps.on_due(progress, EXPIRES, NOW) == Revoke("bot", "x")
    assert (progress.stage, progress.due) == (Stage.REVOKING, NOW + REVOKE_WAIT_S[on_unknown])
    assert steps.on_revoked(progress, True, EXPIRES, NOW) == TO_SMS


@pytest.mark.parametrize("on_unknown", BOTH)
def test_the_platform_has_its_time_from_when_it_is_asked(on_unknown: OnUnknown) -> None:
    progress = accepted_rcs(on_unknown=on_unknown)
    steps.on_due(progress, 0.0, NOW)
    steps.on_revoke_sent(progress, 0.0, NOW + 70.0)
    assert (progress.stage, progress.due) == (Stage.REVOKING, NOW + 70.0 + REVOKE_TIMEOUT_S)


@pytest.mark.parametrize(
    ("left_s", "waits_s", "then_s"),
    [(20.0, 15.0, 15.0), (50.0, 45.0, 30.0), (5.0, 30.0, 30.0), (0.0, 30.0, 30.0), (-5.0, 30.0, 30.0)],
)
def test_waiting_for_a_revoke_ends_while_an_sms_is_of_use(left_s: float, waits_s: float, then_s: float) -> None:
    progress = accepted_rcs()
    steps.on_due(progress, NOW + left_s, NOW)
    assert progress.due == NOW + waits_s
    steps.on_revoke_sent(progress, NOW + left_s, NOW)
    assert progress.due == NOW + then_s


@pytest.mark.parametrize("on_unknown", BOTH)
def test_a_revoke_that_was_not_looked_at_is_asked_for_again_while_its_time_lasts(on_unknown: OnUnknown) -> None:
    progress = accepted_rcs(on_unknown=on_unknown)
    steps.on_due(progress, 0.0, NOW)
    until = NOW + REVOKE_WAIT_S[on_unknown]
    steps.on_revoke_sent(progress, 0.0, NOW)
    assert steps.on_revoked(progress, None, 0.0, NOW + 1.0, retry_s=60.0) == Wait()
    assert (progress.stage, progress.due) == (Stage.REVOKING, NOW + 61.0)
    assert steps.on_due(progress, 0.0, NOW + 61.0) == Revoke("bot", "x")
    assert progress.due == until, "it may have to wait for its turn once more"
    steps.on_revoke_sent(progress, 0.0, NOW + 62.0)
    assert progress.due == NOW + 62.0 + REVOKE_TIMEOUT_S
    gives_up = steps.on_revoked(progress, None, 0.0, until - 60.0, retry_s=60.0)
    assert gives_up == (TO_SMS if on_unknown == "prefer_duplicate" else Wait())
    assert progress.stage is (Stage.QUEUED if on_unknown == "prefer_duplicate" else Stage.SETTLING)


def test_a_revoke_is_not_asked_for_again_when_no_sms_could_follow() -> None:
    progress = accepted_rcs()
    steps.on_due(progress, NOW + 60.0, NOW)
    assert steps.on_revoked(progress, None, NOW + 60.0, NOW, retry_s=54.0) == Wait()
    progress = accepted_rcs()
    steps.on_due(progress, NOW + 60.0, NOW)
    assert steps.on_revoked(progress, None, NOW + 60.0, NOW, retry_s=55.0) == TO_SMS


@pytest.mark.parametrize("revoked", [False, None])
def test_silence_waits_when_the_revoke_is_not_confirmed(revoked: bool | None) -> None:
    progress = accepted_rcs(Stage.REVOKING, on_unknown="prefer_silence")
    assert steps.on_revoked(progress, revoked, EXPIRES, NOW) == Wait()
    assert (progress.stage, progress.due) == (Stage.SETTLING, NOW + SETTLE_S)
    assert steps.on_due(progress, EXPIRES, progress.due) == Finish(State.UNKNOWN, "settled_unknown")


def test_a_late_confirmation_is_a_confirmation() -> None:
    progress = accepted_rcs(Stage.REVOKING, on_unknown="prefer_silence")
    assert steps.on_due(progress, EXPIRES, NOW) == Wait()
    assert steps.on_revoked(progress, True, EXPIRES, NOW) == TO_SMS


def test_a_duplicate_is_preferred_once_the_platform_had_its_say() -> None:
    progress = accepted_rcs(Stage.REVOKING)
    assert steps.on_revoked(progress, None, EXPIRES, NOW) == TO_SMS
    progress = accepted_rcs(Stage.REVOKING)
    assert steps.on_revoked(progress, False, EXPIRES, NOW) == Wait(), "too late: delivered may be on its way"
    assert steps.on_due(progress, EXPIRES, progress.due) == TO_SMS


@pytest.mark.parametrize("stage", [Stage.SENT, Stage.SENDING, Stage.QUEUED])
@pytest.mark.parametrize("revoked", [True, False, None])
def test_a_revocation_nobody_waits_for(stage: Stage, revoked: bool | None) -> None:
    assert steps.on_revoked(accepted_rcs(stage), revoked, EXPIRES, NOW) == Ignore("late_revocation")


def test_a_revocation_of_what_was_never_named() -> None:
    progress = rcs(Stage.SETTLING, on_unknown="prefer_silence")
    assert steps.on_revoked(progress, True, EXPIRES, NOW) == Ignore("late_revocation")


@pytest.mark.parametrize("stage", [Stage.SENT, Stage.REVOKING, Stage.SETTLING])
@pytest.mark.parametrize(
    ("state", "error", "word"), [(State.UNDELIV, "ABC", "failed_ABC"), (State.DELETED, "000", "revoked")]
)
def test_the_platforms_own_no_is_as_good_as_a_revoke(stage: Stage, state: State, error: str, word: str) -> None:
    progress = accepted_rcs(stage, on_unknown="prefer_silence")
    assert steps.on_receipt(progress, True, 0, receipt(state, error=error), EXPIRES) == TO_SMS
    assert progress.fallback == word
    assert steps.on_receipt(progress, True, 0, receipt(state, error=error), EXPIRES) == Ignore("duplicate")


@pytest.mark.parametrize(
    "progress",
    [accepted_rcs(stage) for stage in (Stage.SENT, Stage.REVOKING, Stage.SETTLING)]
    + [fallen_back(stage) for stage in (Stage.QUEUED, Stage.SENDING, Stage.SENT, Stage.POSTPONED)],
    ids=lambda progress: f"{progress.link} {progress.stage}",
)
def test_delivered_always_wins(progress: Progress) -> None:
    assert steps.on_receipt(progress, True, 0, receipt(State.DELIVRD, 9.0), EXPIRES) == Finish(State.DELIVRD, at=9.0)


def test_rcs_refused_is_sms_at_once() -> None:
    progress = rcs(on_unknown="prefer_silence")
    assert result(progress, Refused("http_404", unreachable=True)) == TO_SMS
    assert result(rcs(links=("bot",)), Refused("http_403")) == Finish(State.UNDELIV, "http_403")


def test_rcs_unknown() -> None:
    assert result(rcs(), Unknown("timeout")) == TO_SMS
    assert result(rcs(links=("bot",)), Unknown("timeout")) == Finish(State.UNKNOWN, "timeout")
    progress = rcs(on_unknown="prefer_silence")
    assert result(progress, Unknown("timeout")) == Wait()
    assert progress.stage is Stage.SETTLING
    assert steps.on_due(progress, EXPIRES, progress.due) == Finish(State.UNKNOWN, "settled_unknown")


def test_rcs_deferred() -> None:
    progress = rcs()
    assert result(progress, Deferred("429", 60.0, pauses=True)) == Queue("bot", front=True)
    for _ in range(2):
        assert result(progress, Deferred("http_503", 2.0)) == Wait()
    assert result(progress, Deferred("http_503", 2.0)) == TO_SMS
    assert result(rcs(), Deferred("429", 60.0, pauses=True), expires_at=NOW + 60.0) == TO_SMS, "it would be too late"


def test_a_handset_that_takes_rcs_is_not_asked_again() -> None:
    progress = rcs(Stage.CHECKING)
    assert steps.on_capability(progress, True, "", EXPIRES) == Queue("bot", front=True)
    assert progress.is_checked
    steps.next_link(progress, "http_404", State.UNDELIV, "http_404", EXPIRES)
    assert not progress.is_checked


@pytest.mark.parametrize("capable", [False, None])
def test_a_handset_that_is_not_known_to_take_rcs_gets_an_sms(capable: bool | None) -> None:
    progress = rcs(Stage.CHECKING)
    assert steps.on_capability(progress, capable, "404", EXPIRES) == TO_SMS
    assert progress.fallback == "not_rcs_404"
    assert steps.on_capability(progress, True, "", EXPIRES) == Ignore("late_capability")
    progress = rcs(Stage.CHECKING)
    assert steps.on_due(progress, EXPIRES, NOW) == TO_SMS
    assert steps.on_capability(rcs(Stage.CHECKING, links=("bot",)), capable, "404", EXPIRES) == Finish(
        State.UNDELIV, "not_rcs"
    )
