"""Where a platform lets us name messages: what had no answer is sent again, and revoked before it goes elsewhere."""

from __future__ import annotations

import pytest

from gatewayd.message import Accepted, Channel, Deferred, Receipt, State, Unknown
from gatewayd.policy import journey as steps
from gatewayd.policy.journey import (
    REPEAT_S,
    REVOKE_DOUBT_S,
    Finish,
    LinkTerms,
    OnUnknown,
    Progress,
    Queue,
    Revoke,
    Stage,
    Wait,
)

NOW, EXPIRES = 1_000.0, 5_000.0
BOT = LinkTerms("bot", Channel.RCS, retry_max=2, deadline_s=300.0, repeats_safely=True)
BOTH: tuple[OnUnknown, ...] = ("prefer_duplicate", "prefer_silence")
LOST = Unknown("timeout", "name-1")


def sending(on_unknown: OnUnknown = "prefer_silence", **facts: float) -> Progress:
    return Progress(1, "shop", Stage.SENDING, ("bot", "carrier"), on_unknown=on_unknown, **facts)  # type: ignore[arg-type]


def lost(progress: Progress, times: int) -> steps.Step:
    step: steps.Step = Wait()
    for _ in range(times):
        progress.stage = Stage.SENDING
        step = steps.on_result(progress, BOT, 0, LOST, EXPIRES, NOW)
    return step


@pytest.mark.parametrize("on_unknown", BOTH)
def test_it_is_sent_again_under_its_name_whatever_the_route_prefers(on_unknown: OnUnknown) -> None:
    progress = sending(on_unknown)
    assert lost(progress, 1) == Wait()
    assert (progress.stage, progress.due, progress.rcs_id) == (Stage.POSTPONED, NOW + REPEAT_S, "name-1")
    assert steps.on_due(progress, EXPIRES, progress.due) == Queue("bot")
    assert steps.on_result(progress, BOT, 0, Accepted("name-1"), EXPIRES, NOW) == Wait()
    assert progress.stage is Stage.SENT


def test_after_its_tries_it_is_revoked_at_once_where_a_duplicate_is_preferred() -> None:
    """A code must not be later than it is already, but a revoke that is answered costs a second."""
    progress = sending("prefer_duplicate")
    assert lost(progress, 3) == Revoke("bot", "name-1")
    assert (progress.stage, progress.due) == (Stage.REVOKING, NOW + REVOKE_DOUBT_S)
    steps.on_revoke_sent(progress, EXPIRES, NOW + 1.0)
    assert progress.due == NOW + 1.0 + REVOKE_DOUBT_S
    assert steps.on_revoked(progress, True, EXPIRES, NOW + 2.0) == Queue("carrier", moved=True)


def test_a_platform_that_is_silent_to_the_revoke_as_well_is_not_waited_for() -> None:
    progress = sending("prefer_duplicate")
    lost(progress, 3)
    steps.on_revoke_sent(progress, EXPIRES, NOW)
    assert steps.on_due(progress, EXPIRES, progress.due) == Queue("carrier", moved=True)
    assert progress.due <= EXPIRES
    busy = sending("prefer_duplicate")
    lost(busy, 3)
    assert steps.on_revoked(busy, None, EXPIRES, NOW, retry_s=60.0) == Queue("carrier", moved=True)


def test_after_its_tries_it_is_revoked_at_its_deadline_where_silence_is_preferred() -> None:
    progress = sending()
    assert lost(progress, 3) == Wait()
    assert (progress.stage, progress.due) == (Stage.SENT, NOW + 300.0)
    assert steps.on_due(progress, EXPIRES, progress.due) == Revoke("bot", "name-1")
    assert steps.on_revoked(progress, True, EXPIRES, NOW) == Queue("carrier", moved=True)


def test_one_that_may_have_arrived_is_revoked_before_it_is_given_up() -> None:
    progress = sending()
    lost(progress, 2)
    progress.stage = Stage.SENDING
    step = steps.on_result(progress, BOT, 0, Deferred("http_429", 1.0), EXPIRES, NOW)
    assert step == Revoke("bot", "name-1")
    late = sending(rcs_until=NOW + 60.0)
    lost(late, 1)
    steps.on_due(late, EXPIRES, late.due)
    assert steps.on_due(late, EXPIRES, NOW + 60.0) == Revoke("bot", "name-1")


def test_a_delivery_ends_it_while_it_waits_to_be_sent_again() -> None:
    progress = sending()
    lost(progress, 1)
    assert steps.on_receipt(progress, True, 0, Receipt("name-1", State.DELIVRD), EXPIRES) == Finish(State.DELIVRD)


def test_it_is_not_sent_again_beyond_its_time() -> None:
    progress = sending("prefer_duplicate", rcs_until=NOW + REPEAT_S)
    assert lost(progress, 1) == Revoke("bot", "name-1")


def test_without_a_name_nothing_is_repeated() -> None:
    plain = LinkTerms("bot", Channel.RCS, retry_max=2, deadline_s=300.0)
    progress = sending()
    assert steps.on_result(progress, plain, 0, Unknown("timeout"), EXPIRES, NOW) == Wait()
    assert progress.stage is Stage.SETTLING


def test_after_a_crash_it_is_sent_again_too() -> None:
    progress = sending()
    assert steps.on_result(progress, BOT, 0, Unknown("restart"), EXPIRES, NOW) == Wait()
    assert (progress.stage, progress.rcs_id) == (Stage.POSTPONED, "")
