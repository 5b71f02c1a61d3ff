"""Parts of a long message become one RCS text whatever their order, and none is lost when they do not."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from gatewayd.message import Encoding, Refused, State
from gatewayd.policy.journey import Stage
from tests.gatewayd.flow.scene import HANDSET, Scene

Stage_ = Callable[..., Scene]

WORDS = {1: "once ", 2: "upon ", 3: "a time"}
UDH = {number: bytes((5, 0, 3, 7, 3, number)) for number in WORDS}


async def part(scene: Scene, number: int, reference: int = 7, **facts: object) -> int:
    (message,) = await scene.submit(
        WORDS[number], concat=(reference, 3, number), udh=UDH[number], esm_class=0x40, **facts
    )
    return message


@pytest.mark.parametrize("order", list(itertools.permutations(WORDS)))
async def test_any_order_is_one_text_and_a_receipt_for_each(order: tuple[int, ...], stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    messages = [await part(scene, number) for number in order]
    assert scene.bot.texts == [b"once upon a time"]
    sent = scene.bot.messages[0]
    assert (sent.udh, sent.concat, sent.esm_class) == (b"", None, 0)
    scene.bot.accept("x")
    scene.bot.receipt("x")
    await scene.settle()
    assert sorted(scene.outbox.fates) == [(message, "DELIVRD") for message in sorted(messages)]
    assert [scene.stage(message) for message in messages] == [None] * 3


async def test_sar_is_dropped_from_the_whole(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    sar = ((0x020C, b"\x00\x07"), (0x020E, b"\x03"), (0x020F, b"\x01"), (0x0204, b"\x00\x05"))
    for number in (1, 2, 3):
        await part(scene, number, tlvs=sar)
    assert scene.bot.messages[0].tlvs == ((0x0204, b"\x00\x05"),)


async def test_the_whole_goes_by_sms_when_rcs_refuses_it(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    messages = [await part(scene, number) for number in (1, 2, 3)]
    scene.bot.answer(Refused("http_404"))
    await scene.settle()
    assert scene.carrier.sent == [(messages[0], 0), (messages[0], 1)], "cut anew, for this link"
    assert scene.carrier.texts[0] == b"once upon a time"
    scene.carrier.accept("1", "2")
    scene.carrier.receipt("1")
    scene.carrier.receipt("2")
    await scene.settle()
    assert sorted(scene.outbox.fates) == [(message, "DELIVRD") for message in messages]


async def test_a_missing_part_is_waited_for_and_then_the_others_go_by_sms(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    messages = [await part(scene, number) for number in (3, 1)]
    await scene.wait(59.0)
    assert scene.carrier.sent == []
    await scene.wait(2.0)
    assert scene.bot.sent == []
    assert sorted(scene.carrier.texts) == sorted([b"once ", b"a time"])
    assert {message.udh for message in scene.carrier.messages} == {UDH[1], UDH[3]}
    assert scene.counted("fallbacks", "bot", "incomplete") == 2
    late = await part(scene, 2)
    assert scene.stage(late) is Stage.JOINING
    await scene.wait(61.0)
    assert len(scene.carrier.sent) == 3
    assert {message for message, _ in scene.carrier.sent} == {*messages, late}


async def test_a_part_that_comes_twice_is_the_same_part(stage: Stage_) -> None:
    """An application that heard no answer sends it again: one text, and a receipt for each of its messages."""
    scene = stage("bot", "carrier")
    messages = [await part(scene, number) for number in (1, 2, 1, 2, 3)]
    assert scene.bot.texts == [b"once upon a time"]
    scene.bot.accept("x")
    scene.bot.receipt("x")
    await scene.settle()
    assert sorted(scene.outbox.fates) == [(message, "DELIVRD") for message in messages]
    assert scene.carrier.sent == []


@pytest.mark.parametrize("ends", ["before", "after"])
async def test_a_part_that_comes_again_after_all_has_gone_shares_its_fate(ends: str, stage: Stage_) -> None:
    """No fragment follows by SMS what was read already."""
    scene = stage("bot", "carrier")
    messages = [await part(scene, number) for number in WORDS]
    scene.bot.accept("x")
    await scene.settle()
    if ends == "before":
        scene.bot.receipt("x", State.UNDELIV, error="rejected")
        await scene.settle()
        scene.carrier.accept("a", "b")
        for name in "ab":
            scene.carrier.receipt(name, State.UNDELIV, error="045")
        await scene.settle()
    again = [await part(scene, number) for number in (3, 1)]
    sent = len(scene.carrier.sent)
    await scene.wait(61.0)
    assert len(scene.carrier.sent) == sent
    if ends == "after":
        assert [scene.stage(message) for message in again] == [Stage.MEMBER] * 2
        scene.bot.receipt("x")
        await scene.settle()
    end = "UNDELIV" if ends == "before" else "DELIVRD"
    assert sorted(scene.outbox.fates) == sorted((message, end) for message in [*messages, *again])
    assert len({owed.error for owed in scene.outbox.deliveries}) == 1
    assert [scene.stage(message) for message in again] == [None] * 2
    assert len(scene.bot.sent) == 1


async def test_all_parts_again_are_said_again(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    for _ in range(2):
        for number in WORDS:
            await part(scene, number)
    assert scene.bot.texts == [b"once upon a time"] * 2


@pytest.mark.parametrize("why", ["words", "late", "crash"])
async def test_what_is_no_part_of_what_has_gone_goes_by_sms(why: str, stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    for number in WORDS:
        await part(scene, number)
    scene.bot.accept("x")
    scene.bot.receipt("x")
    await scene.settle()
    if why == "late":
        await scene.wait(600.0)
    if why == "crash":
        await scene.crash()
    await scene.submit("upin " if why == "words" else WORDS[2], concat=(7, 3, 2), udh=UDH[2], esm_class=0x40)
    await scene.wait(61.0)
    assert scene.carrier.texts == [b"upin " if why == "words" else b"upon "]


async def test_a_part_with_other_words_is_another_message(stage: Stage_) -> None:
    """The sender uses its reference again: what was waiting will not become complete any more."""
    scene = stage("bot", "carrier")
    old = [await part(scene, number) for number in (1, 2)]
    (first,) = await scene.submit("this ", concat=(7, 3, 1), udh=UDH[1], esm_class=0x40)
    assert [message for message, _ in scene.carrier.sent] == old
    for number in (3, 2):
        await part(scene, number)
    assert scene.bot.texts == [b"this upon a time"]
    assert scene.bot.sent == [(first, 0)]
    assert scene.counted("fallbacks", "bot", "reference_reused") == 2


async def test_copies_without_end_are_not_kept_for_ever(stage: Stage_, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewayd.flow.joining._COPIES_MAX", 2)
    scene = stage("bot", "carrier")
    for _ in range(4):
        await part(scene, 1)
    assert scene.counted("fallbacks", "bot", "reference_reused") == 3


async def test_interleaved_messages_of_one_reference_differ_by_their_total(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    await part(scene, 1)
    for number in (1, 2):
        await scene.submit(f"{number}", concat=(7, 2, number), udh=bytes((5, 0, 3, 7, 2, number)), esm_class=0x40)
        await part(scene, number + 1)
    assert scene.bot.texts == [b"12", b"once upon a time"]


async def test_the_alphabet_of_the_parts_is_the_whole_s(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    for number in (2, 1):
        udh = bytes((8, 0, 3, 7, 2, number, 0x24, 1, 1))
        await scene.submit("\x1bs", concat=(7, 2, number), udh=udh, esm_class=0x40)
    sent = scene.bot.messages[0]
    assert (sent.udh, sent.esm_class, sent.payload) == (b"\x03\x24\x01\x01", 0x40, b"\x1bs\x1bs")


async def test_parts_in_different_tables_are_not_joined(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    for number in (1, 2):
        udh = bytes((8, 0, 3, 7, 2, number, 0x24, 1, number))
        await scene.submit("x", concat=(7, 2, number), udh=udh, esm_class=0x40)
    assert scene.bot.sent == []
    assert len(scene.carrier.sent) == 2


@pytest.mark.parametrize(
    "facts",
    [
        {"udh": b"\x06\x05\x04\x0b\x84\x23\xf0", "esm_class": 0x40},
        {"udh": bytes((11, 0, 3, 7, 2, 1, 5, 4, 0x0B, 0x84, 0x23, 0xF0)), "esm_class": 0x40, "concat": (7, 2, 1)},
        {"data_coding": 0x04, "encoding": Encoding.BINARY},
        {"data_coding": 0xC8},
    ],
)
async def test_what_only_a_handset_understands_asks_no_platform(facts: dict[str, object], stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    await scene.submit("\x01", **facts)
    assert scene.bot.sent == []
    assert [(sent.udh, sent.concat) for sent in scene.carrier.messages] == [
        (facts.get("udh", b""), facts.get("concat"))
    ], "untouched"


async def test_messages_of_different_reference_account_sender_or_handset_are_not_mixed(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    await part(scene, 1)
    await part(scene, 2, reference=8)
    await part(scene, 3, account="bank")
    await part(scene, 2, source="99")
    await part(scene, 3, destination=HANDSET + "9")
    assert scene.bot.sent == []
    assert len(scene.dispatcher._joiner) == 5


async def test_parts_in_different_alphabets_are_not_joined(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    await part(scene, 1)
    await part(scene, 2, encoding=Encoding.UCS2)
    await part(scene, 3)
    assert scene.bot.sent == []
    assert len(scene.carrier.sent) == 3


async def test_incomplete_messages_are_bounded(stage: Stage_) -> None:
    scene = stage("bot", "carrier", incomplete_max=2)
    for reference in range(4):
        await part(scene, 1, reference=reference)
    assert len(scene.dispatcher._joiner) == 2
    assert len(scene.carrier.sent) == 2
    await part(scene, 2, reference=0)
    await part(scene, 3, reference=0)
    assert scene.bot.texts == [b"once upon a time"]


async def test_parts_that_go_by_sms_pass_as_they_came(stage: Stage_) -> None:
    scene = stage("carrier")
    await part(scene, 2)
    assert scene.carrier.texts == [b"upon "]
    assert scene.carrier.messages[0].concat == (7, 3, 2)


async def test_validity_ends_while_parts_wait(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    message = await part(scene, 1, expires_at=scene.now + 30.0)
    await scene.wait(61.0)
    await scene.tick()
    assert scene.outbox.fates == [(message, "EXPIRED")]


async def test_parts_with_a_short_validity_leave_for_the_sms_in_time(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    first = await part(scene, 1, expires_at=scene.now + 40.0)
    await scene.wait(19.0)
    assert scene.carrier.sent == []
    await scene.wait(2.0)
    assert scene.carrier.sent == [(first, 0)]


async def test_a_route_without_sms_says_so(stage: Stage_) -> None:
    scene = stage("bot")
    message = await part(scene, 1)
    await scene.wait(61.0)
    assert scene.outbox.fates == [(message, "UNDELIV")]


async def test_a_restart_between_the_parts(stage: Stage_) -> None:
    scene = stage("bot", "carrier")
    messages = [await part(scene, 2), await part(scene, 1)]
    await scene.crash()
    messages.append(await part(scene, 3))
    assert scene.bot.texts == [b"once upon a time"]
    await scene.crash()
    # It was being sent when the process ended, so it may have arrived; a duplicate is preferred here.
    assert scene.carrier.texts[0] == b"once upon a time"
    scene.carrier.accept("1", "2")
    scene.carrier.receipt("1")
    scene.carrier.receipt("2")
    await scene.settle()
    assert sorted(scene.outbox.fates) == [(message, "DELIVRD") for message in sorted(messages)]
