"""The ten rules of the way from RCS to SMS, F1 to F10, one after the other, over all of flow.

What each means in detail, and in all orders of events, is tested where it is decided: policy.rcs_leg, policy.journey,
flow.reach.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from gatewayd.carriers.link import Revocation
from gatewayd.carriers.template_rules import read_all
from gatewayd.carriers.templates import Templates, is_plain
from gatewayd.config import schema
from gatewayd.message import Accepted, Deferred, Outcome, Receipt, Refused, State, Unknown
from gatewayd.policy.journey import OnUnknown
from gatewayd.policy.operators import PrefixTable
from tests.gatewayd.flow.scene import HANDSET, LINKS, START, Scene

SetScene = Callable[..., Scene]
GOOGLE = {**LINKS, "google": schema.Link(kind="rbm", bot_id="shop-agent", capability="assume", retry_max=1)}
BOTH: tuple[OnUnknown, ...] = ("prefer_duplicate", "prefer_silence")


async def by_sms(scene: Scene) -> int:
    """Everything that is to go by SMS goes, and arrives; how many that were."""
    await scene.settle()
    count = len(scene.carrier.in_flight)
    for number in range(count):
        scene.carrier.accept(f"sms-{number}")
        scene.carrier.receipt(f"sms-{number}")
    await scene.settle()
    return count


class Blocks(PrefixTable):
    """The operator of one block of numbers."""

    def __init__(self) -> None:
        super().__init__({"33612": "orange", "33698": "sfr"})

    def refresh(self) -> None:
        """It never changes."""


async def test_f1_rcs_or_sms_is_decided_before_anything_is_sent(stage: SetScene) -> None:
    """Is the bot enrolled at the number's operator, is the handset known to take RCS, may it be asked: else SMS."""
    bot = msgspec.structs.replace(LINKS["asked"], operators={"orange": "launched"})
    scene = stage("asked", "carrier", links={**LINKS, "asked": bot})
    scene.dispatcher.know_operators(Blocks())
    await scene.submit(destination="33698765432")
    assert (scene.asked.checked, await by_sms(scene)) == ([], 1), "not enrolled there: not even asked"
    await scene.submit()
    scene.asked.say_capable(False, reason="404")
    assert (scene.asked.checked, await by_sms(scene)) == ([HANDSET], 1)
    await scene.submit()
    assert (scene.asked.checked, await by_sms(scene)) == ([HANDSET], 1), "what was learnt is remembered"
    assert scene.asked.sent == []


@pytest.mark.parametrize(("expires_at", "told"), [(0.0, START + 300.0), (START + 60.0, START + 30.0)])
async def test_f2_every_rcs_message_is_told_when_its_time_is_over(
    stage: SetScene, expires_at: float, told: float
) -> None:
    scene = stage("bot", "carrier")
    await scene.submit(expires_at=expires_at)
    assert scene.bot.expiries == [told]


async def test_f2_a_short_validity_leaves_time_for_the_sms(stage: SetScene) -> None:
    scene = stage("bot", "carrier")
    (message,) = await scene.submit(expires_at=START + 120.0)
    scene.bot.accept("x")
    await scene.wait(86.0)
    assert scene.bot.revoked == ["x"]
    scene.bot.say_revoked("x", True)
    await scene.settle()
    assert scene.carrier.sent == [(message, 0)]
    (waiting,) = await scene.submit(expires_at=scene.now + 120.0)
    scene.bot.answer(Deferred("429", 300.0, pauses=True))
    await scene.settle()
    assert scene.carrier.sent[1:] == [(waiting, 0)], "its pause would leave no time for the other"


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(Refused("http_404", unreachable=True), id="404"),
        pytest.param(Refused("http_403"), id="403"),
        pytest.param(Refused("41008"), id="400 content not supported"),
        pytest.param(Receipt("x", State.UNDELIV, "41200"), id="failed"),
        pytest.param(Receipt("x", State.DELETED), id="TTL_EXPIRATION_REVOKED"),
    ],
)
@pytest.mark.parametrize("on_unknown", BOTH)
async def test_f3_a_clear_no_is_followed_by_sms_at_once(
    stage: SetScene, event: Outcome | Receipt, on_unknown: OnUnknown
) -> None:
    scene = stage("bot", "carrier", on_unknown=on_unknown)
    (message,) = await scene.submit()
    if isinstance(event, Receipt):
        scene.bot.accept("x")
        scene.bot.report(event)
    else:
        scene.bot.answer(event)
    assert await by_sms(scene) == 1
    assert (scene.bot.revoked, scene.outbox.fates) == ([], [(message, "DELIVRD")])


@pytest.mark.parametrize("on_unknown", BOTH)
async def test_f4_what_is_late_is_revoked_first_and_goes_by_sms_when_that_is_confirmed(
    stage: SetScene, on_unknown: OnUnknown
) -> None:
    scene = stage("bot", "carrier", on_unknown=on_unknown)
    (message,) = await scene.submit()
    scene.bot.accept("x")
    await scene.wait(300.0)
    assert (scene.bot.revoked, await by_sms(scene)) == (["x"], 0)
    scene.bot.say_revoked("x", True)
    assert await by_sms(scene) == 1
    assert scene.outbox.fates == [(message, "DELIVRD")]


@pytest.mark.parametrize("how", ["no answer to the submit", "no answer to the revoke", "revoke refused"])
@pytest.mark.parametrize("on_unknown", BOTH)
async def test_f5_the_route_says_what_follows_an_unknown_outcome(
    stage: SetScene, how: str, on_unknown: OnUnknown
) -> None:
    scene = stage("bot", "carrier", on_unknown=on_unknown)
    (message,) = await scene.submit()
    if how == "no answer to the submit":
        scene.bot.answer(Unknown("timeout"))
        await scene.settle()
    else:
        scene.bot.accept("x")
        await scene.wait(300.0)
        if how == "revoke refused":
            scene.bot.say_revoked("x", False)
    for _ in range(3):
        await scene.wait(301.0)  # longer than anything is waited for
    is_duplicate = on_unknown == "prefer_duplicate"
    assert await by_sms(scene) == int(is_duplicate)
    assert scene.outbox.fates == [(message, "DELIVRD" if is_duplicate else "UNKNOWN")]


@pytest.mark.parametrize("moment", ["while it is revoked", "before the SMS has an end", "after the SMS arrived"])
async def test_f6_delivered_wins_and_is_told_once(stage: SetScene, moment: str) -> None:
    scene = stage("bot", "carrier")
    (message,) = await scene.submit()
    scene.bot.accept("x")
    await scene.wait(300.0)
    if moment == "while it is revoked":
        scene.bot.receipt("x")
        assert await by_sms(scene) == 0
    else:
        scene.bot.say_revoked("x", True)
        await scene.settle()
        scene.carrier.accept("c")
        if moment == "after the SMS arrived":
            scene.carrier.receipt("c")
            await scene.settle()
        scene.bot.receipt("x")
        await scene.settle()
        scene.carrier.receipt("c", State.UNDELIV)
        assert scene.counted("receipt_events", "bot", "late_delivered") == 1, "a duplicate, and known as one"
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]


@pytest.mark.parametrize("on_unknown", BOTH)
async def test_f7_a_gsma_submit_without_an_answer_is_not_repeated(stage: SetScene, on_unknown: OnUnknown) -> None:
    scene = stage("bot", "carrier", on_unknown=on_unknown)
    await scene.submit()
    scene.bot.answer(Unknown("timeout"))
    for _ in range(3):
        await scene.wait(301.0)
    assert len(scene.bot.sent) == 1


@pytest.mark.parametrize("on_unknown", BOTH)
async def test_f7_a_google_submit_is_repeated_under_its_name_and_revoked_in_the_end(
    stage: SetScene, on_unknown: OnUnknown
) -> None:
    scene = stage("google", "carrier", links=GOOGLE, on_unknown=on_unknown)
    (message,) = await scene.submit()
    scene.google.answer(Unknown("timeout", "name"))
    await scene.wait(2.0)
    assert scene.google.sent == [(message, 0)] * 2
    scene.google.answer(Unknown("timeout", "name"))
    await scene.wait(300.0 if on_unknown == "prefer_silence" else 0.0)
    assert (scene.google.revoked, await by_sms(scene)) == (["name"], 0)
    scene.google.say_revoked("name", True)
    assert await by_sms(scene) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Deferred("http_429", 60.0, pauses=True), id="429"),
        pytest.param(Deferred("http_503", 1.0), id="5xx"),
        pytest.param(Deferred("link_down", 1.0), id="link down"),
    ],
)
async def test_f8_what_is_not_taken_now_is_tried_again_and_goes_by_sms_at_its_deadline(
    stage: SetScene, answer: Outcome
) -> None:
    scene = stage("bot", "carrier")
    await scene.submit()
    scene.bot.answer(answer)
    await scene.wait(61.0)
    assert (len(scene.bot.sent), len(scene.carrier.sent)) == (2, 0)
    scene.bot.answer(answer)
    await scene.settle()
    scene.bot.is_up = False
    await scene.wait(240.0)
    await scene.tick()
    assert (len(scene.bot.sent), await by_sms(scene)) == (2, 1)


async def test_f8_a_delay_that_doubles_does_not_outlast_the_deadline(stage: SetScene) -> None:
    scene = stage("bot", "carrier")
    await scene.submit()
    for wait_s in (60.0, 120.0, 120.0):  # it would be 240 s the third time
        scene.bot.answer(Deferred("http_503", 60.0))
        await scene.settle()
        await scene.wait(wait_s)
    await scene.tick()
    assert (len(scene.bot.sent), await by_sms(scene)) == (3, 1)


async def test_f8_a_revoke_that_is_not_taken_now_is_asked_for_again(stage: SetScene) -> None:
    scene = stage("bot", "carrier")
    (message,) = await scene.submit()
    scene.bot.accept("x")
    await scene.wait(300.0)
    scene.dispatcher.on_revoked(scene.bot, Revocation(message, "x", None, "http_503", None, 1.0))
    await scene.wait(2.0)
    assert (scene.bot.revoked, await by_sms(scene)) == (["x", "x"], 0)


@pytest.mark.parametrize("way", ["rcs", "sms", "both"])
async def test_f9_one_message_has_one_receipt_under_the_id_that_was_given(stage: SetScene, way: str) -> None:
    scene = stage("bot", "carrier")
    (message,) = await scene.submit()
    scene.bot.answer(Refused("http_404") if way == "sms" else Accepted("x"))
    if way == "both":
        await scene.wait(300.0)
        scene.bot.say_revoked("x", None)
    await by_sms(scene)
    if way != "sms":
        scene.bot.receipt("x")
        scene.bot.receipt("x", displayed=True)
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]
    assert scene.stage(message) is None


async def test_f10_beside_whatever_goes_over_rcs_there_is_the_text_for_sms(stage: SetScene) -> None:
    """A template makes a card of the text; the text itself stays what the SMS is."""
    card = '[match]\npattern = "Parcel (?P<number>[A-Z0-9]+)"\n[content]\ntype = "rich_card"\n'
    templates = Templates()
    templates.learn(read_all({"10-card.toml": card + '[content.card]\ntitle = "{number}"\n'})[0])
    scene = stage("bot", "carrier")
    await scene.submit("Parcel AB1")
    (sent,) = scene.bot.messages
    assert not is_plain(templates.content_of(sent)), "which the link asks for"
    scene.bot.answer(Refused("41008"))
    assert await by_sms(scene) == 1
    assert b"".join(scene.carrier.texts) == b"Parcel AB1"
