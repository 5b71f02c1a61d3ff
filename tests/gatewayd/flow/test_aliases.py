"""A user who hides the number has an address that an application can answer to, and nobody else has it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gatewayd.config import schema
from gatewayd.flow import aliases as module
from gatewayd.flow.aliases import Aliases, alias_of
from gatewayd.message import Encoding, Inbound, State, Unknown
from gatewayd.policy.aliases import address_of
from gatewayd.policy.journey import Stage
from gatewayd.store.kinds import ALIAS
from gatewayd.store.records import Alias
from tests.gatewayd.flow.scene import LINKS, Scene

Stage_ = Callable[..., Scene]
ADDRESS = address_of("shop-bot", "tok-1")


def said(alias: str = "tok-1") -> Inbound:
    return Inbound(1, 1, address_of("shop-bot", alias), 5, 0, "shop-bot", b"yes", Encoding.GSM, alias=alias)


async def opened(scene: Scene) -> None:
    """The bot is written to, so that its replies have an owner."""
    await scene.submit("hello", destination=ADDRESS)
    scene.bot.accept("17")
    await scene.settle()


async def test_what_an_alias_said_comes_from_an_address_that_leads_back_to_it(stage: Stage_) -> None:
    scene = stage("bot")
    await opened(scene)
    scene.bot.report(said())
    await scene.settle()
    (delivery,) = [each for each in scene.outbox.deliveries if each.kind == "mo"]
    assert delivery.source == ADDRESS
    assert alias_of(scene.journal, "bot", ADDRESS) == "tok-1"
    assert alias_of(scene.journal, "asked", ADDRESS) == ""
    await scene.crash()
    assert alias_of(scene.journal, "bot", ADDRESS) == "tok-1"


async def test_a_stranger_at_the_address_gets_another(stage: Stage_) -> None:
    scene = stage("bot")
    aliases = Aliases(scene.journal, scene.clock)
    scene.journal.put(ALIAS, f"bot|{ADDRESS}", Alias(alias="somebody", due=scene.now + 10.0))
    other = aliases.addressed("bot", said())
    assert other.source == address_of("shop-bot", "tok-1", 1)
    aliases.keep("bot", other.source, "tok-1")
    assert aliases.addressed("bot", said()).source == other.source


async def test_it_is_forgotten_long_after_the_last_word_and_written_once_a_day(stage: Stage_) -> None:
    scene = stage("bot")
    aliases = Aliases(scene.journal, scene.clock)
    aliases.keep("bot", ADDRESS, "tok-1")
    first = scene.journal.get(ALIAS, f"bot|{ADDRESS}").due
    scene.now += 3_600.0
    aliases.keep("bot", ADDRESS, "tok-1")
    assert scene.journal.get(ALIAS, f"bot|{ADDRESS}").due == first
    scene.now += 86_400.0
    aliases.keep("bot", ADDRESS, "tok-1")
    assert scene.journal.get(ALIAS, f"bot|{ADDRESS}").due == scene.now + module.KEEP_S
    await scene.wait(module.KEEP_S + 1.0)
    assert alias_of(scene.journal, "bot", ADDRESS) == ""


async def test_a_report_finds_what_was_sent_without_an_answer_by_its_name(stage: Stage_) -> None:
    """The platform lets us name messages: what it says of one that we hold for lost is still heard."""
    google = msgspec.structs.replace(LINKS["bot"], kind="rbm")
    links: dict[str, schema.Link] = {**LINKS, "bot": google}
    scene = stage("bot", links=links)
    (message,) = await scene.submit("hello")
    scene.bot.answer(Unknown("timeout", "name-1"))
    await scene.settle()
    assert scene.stage(message) is Stage.POSTPONED
    scene.bot.receipt("name-1", State.DELIVRD)
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]


async def test_what_was_sent_without_an_answer_is_sent_again(stage: Stage_) -> None:
    google = msgspec.structs.replace(LINKS["bot"], kind="rbm")
    scene = stage("bot", "carrier", links={**LINKS, "bot": google})
    (message,) = await scene.submit("hello")
    scene.bot.answer(Unknown("timeout", "name-1"))
    await scene.settle()
    await scene.wait(2.0)
    assert scene.bot.sent == [(message, 0)] * 2
    await scene.crash()
    await scene.wait(5.0)
    assert scene.bot.sent == [(message, 0)]
    assert scene.carrier.sent == []
