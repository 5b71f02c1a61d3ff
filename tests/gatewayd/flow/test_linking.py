"""Twin of gatewayd.flow.linking: a conversation goes on when its user shows the number, or hides it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gatewayd.message import Encoding, Inbound, Linked
from gatewayd.policy.aliases import address_of
from gatewayd.policy.homes import home_of
from gatewayd.store.kinds import ALIAS
from gatewayd.store.records import Alias
from tests.gatewayd.flow.scene import HANDSET, Scene
from tests.gatewayd.flow.several import city_of

Stage_ = Callable[..., Scene]
BOT = "shop-bot"
PSEUDONYM = address_of(BOT, "tok-1")


def linked(number: str = HANDSET) -> list[Linked]:
    return [
        Linked(number, BOT, "tok-1", number, to_number=False),
        Linked(PSEUDONYM, BOT, "tok-1", number, to_number=True),
    ]


def said(number: str = "") -> Inbound:
    """A word of the user's, under a number or under the alias."""
    source, alias = (number, "") if number else (PSEUDONYM, "tok-1")
    return Inbound(1, 1, source, 5, 0, BOT, b"yes", Encoding.GSM, alias=alias)


async def wrote_to(scene: Scene, handset: str, account: str = "bank") -> None:
    await scene.submit("hello", destination=handset, account=account)
    scene.bot.accept(f"to-{handset}")
    await scene.settle()


def heard(scene: Scene) -> list[tuple[str, str]]:
    """Who was told what whom said."""
    return [(each.account, each.source) for each in scene.outbox.deliveries if each.kind == "mo"]


@pytest.mark.parametrize("number", ["", HANDSET])
async def test_a_reply_finds_who_wrote_to_the_other_address(stage: Stage_, number: str) -> None:
    scene = stage("bot")
    await wrote_to(scene, PSEUDONYM if number else HANDSET)
    scene.bot.report(said(number))
    await scene.settle()
    assert heard(scene) == []
    scene.bot.report(*linked())
    await scene.settle()
    assert [stored for _, stored in scene.bot.acknowledged] == [False, True, True]
    scene.bot.report(said(number), said("" if number else HANDSET))
    await scene.settle()
    expected = [("bank", number or PSEUDONYM), ("bank", PSEUDONYM if number else HANDSET)]
    assert heard(scene) == expected
    mos = [each for each in scene.outbox.deliveries if each.kind == "mo"]
    assert mos[0].session_id == mos[1].session_id
    assert [each.session_sequence for each in mos] == [1, 1], "each address counts its own replies"


async def test_who_wrote_to_an_address_itself_goes_before(stage: Stage_) -> None:
    scene = stage("bot")
    await wrote_to(scene, PSEUDONYM, "bank")
    await wrote_to(scene, HANDSET, "shop")
    scene.bot.report(*linked(), said(), said(HANDSET))
    await scene.settle()
    assert heard(scene) == [("bank", PSEUDONYM), ("shop", HANDSET)]


async def test_an_alias_that_met_another_is_at_its_own_address(stage: Stage_) -> None:
    scene = stage("bot")
    scene.journal.put(ALIAS, f"bot|{PSEUDONYM}", Alias(alias="somebody", due=scene.now + 1e6))
    await wrote_to(scene, HANDSET)
    scene.bot.report(*linked(), said())
    await scene.settle()
    assert heard(scene) == [("bank", address_of(BOT, "tok-1", 1))]


async def test_without_a_conversation_nothing_is_kept(stage: Stage_) -> None:
    scene = stage("bot")
    scene.bot.report(*linked())
    await scene.settle()
    assert scene.spool.session(BOT, HANDSET) is None
    assert scene.spool.session(BOT, PSEUDONYM) is None
    assert [stored for _, stored in scene.bot.acknowledged] == [True, True]


@pytest.mark.parametrize("at", [0, 1])
async def test_the_two_addresses_may_have_different_homes(tmp_path: Path, at: int) -> None:
    async with city_of(tmp_path, 2, "bot") as city:
        there = 1 - home_of(PSEUDONYM, 2)
        number = city.handset(there)
        submitted = city[there].submit(destination=number, account="bank")
        await city.until(lambda: submitted.status is not None)
        await city.until(lambda: any(worker.bot.in_flight for worker in city))
        for worker in city:
            worker.bot.accept_all()
        await city.settle()
        city[at].bot.report(*linked(number))
        await city.until(lambda: city[1 - there].spool.session(BOT, PSEUDONYM) is not None)
