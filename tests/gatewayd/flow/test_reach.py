"""Where an agent may be used; and a platform is asked once about a handset, for as long as its answer holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gatewayd.config import values
from gatewayd.flow.reach import ASK_TIMEOUT_S, REFUSED_KEEP_H, RESERVE_S
from gatewayd.message import Deferred, Refused, State
from gatewayd.policy.journey import Stage
from gatewayd.policy.operators import PrefixTable
from tests.gatewayd.flow.scene import HANDSET, LINKS, Scene

Stage_ = Callable[..., Scene]


async def test_one_question_for_many_messages(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    messages = await scene.submit(*"abc")
    other = await scene.submit("d", destination=HANDSET + "9")
    assert scene.asked.checked == [HANDSET, HANDSET + "9"]
    assert {scene.stage(message) for message in messages} == {Stage.CHECKING}
    scene.asked.say_capable(True)
    await scene.settle()
    assert scene.asked.sent == [(message, 0) for message in messages]
    assert scene.stage(other[0]) is Stage.CHECKING
    await scene.submit("e")
    assert scene.asked.checked == [HANDSET, HANDSET + "9"]
    assert len(scene.asked.sent) == 4


async def test_not_capable_is_sms_now_and_later(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    first = await scene.submit("a")
    scene.asked.say_capable(False, reason="404")
    await scene.settle()
    second = await scene.submit("b")
    assert scene.carrier.sent == [(message, 0) for message in (*first, *second)]
    assert scene.asked.sent == []
    assert scene.asked.checked == [HANDSET]
    assert scene.counted("fallbacks", "asked", "not_rcs_404") == 2


async def test_an_answer_that_could_not_be_learned_is_not_kept(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    await scene.submit("a")
    scene.asked.say_capable(None, reason="timeout")
    await scene.settle()
    assert len(scene.carrier.sent) == 1
    await scene.submit("b")
    assert scene.asked.checked == [HANDSET] * 2


async def test_no_answer_is_sms_and_a_late_one_is_kept(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    (message,) = await scene.submit("a")
    await scene.wait(ASK_TIMEOUT_S)
    assert scene.carrier.sent == [(message, 0)]
    scene.asked.say_capable(True)
    await scene.settle()
    assert scene.asked.sent == []
    await scene.submit("b")
    assert len(scene.asked.sent) == 1


async def test_answers_grow_old(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    await scene.submit("a")
    scene.asked.say_capable(False)
    await scene.settle()
    await scene.wait(LINKS["asked"].capability_no_h * 3_600.0)
    await scene.submit("b")
    assert scene.asked.checked == [HANDSET] * 2


async def test_an_answer_that_may_not_be_kept_is_good_for_those_who_asked(stage: Stage_) -> None:
    forgetful = msgspec.structs.replace(LINKS["asked"], capability_yes_h=0.0, capability_no_h=0.0)
    scene = stage("asked", "carrier", links={**LINKS, "asked": forgetful})
    messages = await scene.submit("a", "b")
    scene.asked.say_capable(True)
    await scene.settle()
    assert scene.asked.sent == [(message, 0) for message in messages]
    assert scene.asked.checked == [HANDSET]
    await scene.submit("c")
    assert scene.asked.checked == [HANDSET] * 2


async def test_nobody_is_asked_where_all_are_assumed_capable(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    await scene.submit("a")
    assert scene.bot.checked == []
    assert len(scene.bot.sent) == 1


async def test_answers_outlive_a_restart(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    await scene.submit("a")
    scene.asked.say_capable(False)
    await scene.settle()
    await scene.crash()
    await scene.submit("b")
    assert scene.asked.checked == []


@pytest.mark.parametrize("spelling", ["33612345678", "+33612345678", "0033612345678"])
async def test_one_handset_however_it_is_written(spelling: str, stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    await scene.submit("a", destination=spelling)
    assert scene.asked.checked == [HANDSET]


# -- agents and operators -------------------------------------------------------------------------------------------

OPERATORS: dict[str, values.AgentState] = {"orange": "launched", "sfr": "suspended", "free": "draft"}


class Blocks(PrefixTable):
    """What is known of operators."""

    looks = 0

    def __init__(self) -> None:
        super().__init__({"33607": "orange", "33609": "sfr", "33651": "free", "33660": "bouygues"})

    def refresh(self) -> None:
        self.looks += 1


def enrolled(stage: Stage_, **facts: Any) -> Scene:
    """A scene whose bot is launched with one operator, suspended by another, and a draft elsewhere."""
    bot = msgspec.structs.replace(LINKS["bot"], operators=OPERATORS, **facts)
    scene = stage("bot", "carrier", links={**LINKS, "bot": bot})
    scene.dispatcher.know_operators(Blocks())
    return scene


@pytest.mark.parametrize(
    ("handset", "reason"),
    [
        ("33609000001", "agent_suspended_sfr"),
        ("33651000001", "agent_draft_free"),
        ("33660000001", "agent_draft_bouygues"),
        ("34600000001", "operator_unknown"),
    ],
)
async def test_where_the_agent_is_not_launched_it_is_sms(stage: Stage_, handset: str, reason: str) -> None:
    scene = enrolled(stage)
    launched = await scene.submit("a", destination="33607000001")
    (message,) = await scene.submit("b", destination=handset)
    assert scene.bot.sent == [(launched[0], 0)]
    assert scene.carrier.sent == [(message, 0)]
    assert scene.progress(message).fallback == reason
    assert scene.counted("fallbacks", "bot", reason) == 1


async def test_messages_are_counted_by_operators_that_have_a_name(stage: Stage_) -> None:
    scene = enrolled(stage, test_numbers=())
    scene.dispatcher.count_operators({"orange", "free"})
    for handset in ("33651000001", "33609000001", "34600000001", "33651000002"):
        await scene.submit("a", destination=handset)
    scene.carrier.answer(*[Refused("ESME_RSUBMITFAIL")] * 4)
    await scene.settle()
    ended = {values[0]: tally.value for values, tally in scene.metrics.operator_messages.items()}
    assert ended == {"free": 2, "other": 1, "unknown": 1}


async def test_files_that_were_replaced_are_looked_for(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    blocks = Blocks()
    scene.dispatcher.know_operators(blocks)
    await scene.tick()
    await scene.tick()
    assert blocks.looks == 2


async def test_a_draft_reaches_its_test_numbers(stage: Stage_) -> None:
    scene = enrolled(stage, test_numbers=("+33651000001",))
    (message,) = await scene.submit("a", destination="33651000001")
    assert scene.bot.sent == [(message, 0)]


async def test_without_another_link_it_is_the_end(stage: Stage_) -> None:
    bot = msgspec.structs.replace(LINKS["bot"], operators=OPERATORS)
    scene = stage("bot", links={"bot": bot})
    (message,) = await scene.submit("a")
    assert scene.outbox.fates == [(message, "UNDELIV")]
    assert scene.bot.sent == []


async def test_the_platform_is_not_asked_about_another_operator_s_handset(stage: Stage_) -> None:
    asked = msgspec.structs.replace(LINKS["asked"], operators=OPERATORS)
    scene = stage("asked", "carrier", links={**LINKS, "asked": asked})
    await scene.submit("a")
    assert scene.asked.checked == []
    assert len(scene.carrier.sent) == 1


async def test_what_was_suspended_meanwhile_is_not_sent_again(stage: Stage_) -> None:
    """A message that was put off finds the agent suspended when its turn comes."""
    scene = enrolled(stage)
    (message,) = await scene.submit("a", destination="33607000001")
    scene.desk.settings["bot"] = msgspec.structs.replace(
        scene.desk.settings["bot"], operators={**OPERATORS, "orange": "suspended"}
    )
    scene.bot.answer(Deferred("http_503", 1.0))
    await scene.wait(2.0)
    assert scene.bot.sent == [(message, 0)]
    assert scene.carrier.sent == [(message, 0)]
    assert scene.progress(message).fallback == "agent_suspended_orange"


# -- what a refusal teaches -----------------------------------------------------------------------------------------


async def test_a_handset_that_was_refused_is_not_tried_again_for_a_day(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    await scene.submit("a")
    scene.asked.say_capable(True)
    await scene.settle()
    scene.asked.answer(Refused("http_404", unreachable=True))
    await scene.settle()
    second = await scene.submit("b")
    assert scene.carrier.sent[-1] == (second[0], 0)
    assert scene.counted("fallbacks", "asked", "not_rcs_http_404") == 1
    await scene.wait(REFUSED_KEEP_H * 3_600.0)
    await scene.submit("c")
    assert scene.asked.checked == [HANDSET] * 2


async def test_a_handset_that_was_called_unreachable_later_is_not_tried_again_either(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    await scene.submit("a")
    scene.asked.say_capable(True)
    await scene.settle()
    scene.asked.accept("x")
    scene.asked.receipt("x", State.UNDELIV, error="41200", unreachable=True)
    await scene.settle()
    second = await scene.submit("b")
    assert scene.carrier.sent[-1] == (second[0], 0)
    assert scene.counted("fallbacks", "asked", "not_rcs_41200") == 1
    assert scene.counted("capability_answers", "asked", "refusal", "no") == 1


async def test_another_failure_says_nothing_of_the_handset(stage: Stage_) -> None:
    scene = stage("asked", "carrier")
    await scene.submit("a")
    scene.asked.say_capable(True)
    await scene.settle()
    scene.asked.accept("x")
    scene.asked.receipt("x", State.UNDELIV, error="41000")
    await scene.settle()
    await scene.submit("b")
    assert len(scene.asked.sent) == 2


async def test_where_all_are_assumed_capable_and_nobody_guards_nothing_is_learned(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    for _ in range(2):
        await scene.submit("a")
        scene.bot.answer(Refused("http_404", unreachable=True))
        await scene.settle()
    assert len(scene.bot.sent) == 2


# -- platforms that are asked in bulk -------------------------------------------------------------------------------

DAY_S = 86_400.0


def bulk(stage: Stage_, **facts: Any) -> Scene:
    facts.setdefault("capability_new_h", 0.0)
    link = msgspec.structs.replace(LINKS["asked"], capability="bulk", **facts)
    return stage("asked", "carrier", links={**LINKS, "asked": link})


@pytest.mark.parametrize(("policy", "is_sms"), [("sms", True), ("try", False)])
async def test_whoever_was_not_asked_about_waits_for_nobody(stage: Stage_, policy: str, is_sms: bool) -> None:
    scene = bulk(stage, capability_unknown=policy)
    (message,) = await scene.submit("a")
    assert scene.asked.checked == []
    assert (scene.carrier.sent if is_sms else scene.asked.sent) == [(message, 0)]
    assert scene.counted("fallbacks", "asked", "not_rcs_untested") == int(is_sms)


async def test_those_who_were_seen_are_handed_out_once_and_again_when_no_answer_came(stage: Stage_) -> None:
    scene = bulk(stage)
    reach = scene.dispatcher._reach
    for last in "1235":
        await scene.submit("a", "b", destination=f"3361234567{last}")
    await scene.wait(1.0)
    first = reach.due("asked", 3)
    assert first == [f"3361234567{last}" for last in "123"]
    assert reach.due("asked", 3) == ["33612345675"]
    assert reach.due("asked", 3) == []
    await scene.wait(RESERVE_S + 1.0)
    assert sorted(reach.due("asked", 9)) == sorted([*first, "33612345675"])


async def test_new_handsets_are_gathered_for_their_common_turn(stage: Stage_) -> None:
    scene = bulk(stage, capability_new_h=720.0)
    reach = scene.dispatcher._reach
    await scene.submit("a")
    await scene.wait(1.0)
    assert reach.due("asked", 9) == []
    await scene.wait(30 * DAY_S)
    assert reach.due("asked", 9) == [HANDSET]


async def test_answers_are_kept_and_come_up_again_at_their_ages(stage: Stage_) -> None:
    scene = bulk(stage)
    reach = scene.dispatcher._reach
    reach.learn("asked", ["33612345671"], ["33612345672"])
    yes = await scene.submit("a", destination="33612345671")
    no = await scene.submit("b", destination="33612345672")
    assert scene.asked.sent == [(yes[0], 0)]
    assert scene.carrier.sent == [(no[0], 0)]
    assert scene.counted("capability_answers", "asked", "bulk", "yes") == 1
    assert scene.counted("fallbacks", "asked", "not_rcs_bulk") == 1
    await scene.wait(60 * DAY_S - 10.0)
    assert reach.due("asked", 9) == []
    await scene.wait(20.0)
    assert reach.due("asked", 9) == ["33612345672"]
    await scene.wait(30 * DAY_S)
    assert "33612345671" in reach.due("asked", 9)
    again = await scene.submit("c", destination="33612345671")
    assert scene.asked.sent[-1] == (again[0], 0), "an answer serves until the next one, for some days"
    await scene.wait(8 * DAY_S)
    late = await scene.submit("d", destination="33612345671")
    assert scene.carrier.sent[-1] == (late[0], 0)


async def test_a_list_asks_for_what_is_not_known(stage: Stage_) -> None:
    scene = bulk(stage)
    reach = scene.dispatcher._reach
    reach.learn("asked", ["33612345671"], [])
    reach.want("asked", ["33612345671", "33612345672"])
    reach.want("bot", ["33612345673"])
    reach.want("gone", ["33612345673"])
    await scene.wait(1.0)
    assert reach.due("asked", 9) == ["33612345672"]


async def test_a_refusal_asks_again(stage: Stage_) -> None:
    scene = bulk(stage)
    reach = scene.dispatcher._reach
    reach.learn("asked", [HANDSET], [])
    await scene.submit("a")
    scene.asked.answer(Refused("http_404", unreachable=True))
    await scene.wait(1.0)
    assert reach.due("asked", 9) == [HANDSET]


async def test_whom_nobody_asks_about_is_forgotten(stage: Stage_) -> None:
    scene = bulk(stage)
    await scene.submit("a")
    await scene.wait(1.0)
    scene.desk.settings["asked"] = LINKS["asked"]
    await scene.wait(1.0)
    await scene.wait(1.0)
    scene.desk.settings["asked"] = msgspec.structs.replace(LINKS["asked"], capability="bulk")
    assert scene.dispatcher._reach.due("asked", 9) == []
    scene.dispatcher._reach.learn("gone", ["1"], [])
