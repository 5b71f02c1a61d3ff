"""What flow tells the ledger, what the ledger keeps, and what comes out: once, over crashes and late words."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import msgspec
import pytest

from gatewayd.billing import invoice, rule_files
from gatewayd.billing.outbox import CdrOutbox
from gatewayd.billing.reconcile import reconcile
from gatewayd.billing.record_files import RecordFiles, read_lines
from gatewayd.carriers.link import Revocation
from gatewayd.config import schema
from gatewayd.flow.ledger import Ledger
from gatewayd.message import Accepted, Encoding, Inbound, Outcome, State, Unknown
from gatewayd.policy.journey import OnUnknown
from gatewayd.policy.routing import RouteTable, Rule
from gatewayd.store.kinds import BILLING
from tests.gatewayd.flow.scene import HANDSET, LINKS, START, Scene

HOUR_S = 3_600.0
LATE_S = 301.0
NUMBER = "33939000001"


def links(**billing: str) -> dict[str, schema.Link]:
    return {name: msgspec.structs.replace(link, billing=billing.get(name, "")) for name, link in LINKS.items()}


class BilledScene(Scene):
    """Flow with a ledger."""

    ledger: Ledger

    def open(self) -> None:
        super().open()
        books = rule_files.books(rule_files.names())
        files = RecordFiles(self.folder / "cdr", 1_000_000)
        files.prepare()
        outbox = CdrOutbox(self.journal, files, 0)
        self.ledger = Ledger(self.journal, self.desk.settings, books, outbox, self.metrics, self.clock)
        self.desk.ledger = self.ledger

    async def records(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """Class, account and messages of what is in the files."""
        await self.settle()
        await self.ledger.close()
        return [(line.class_name, line.account, line.message_ids) for line in read_lines(self.folder / "cdr")]

    def mo(self, text: str = "yes", **facts: Any) -> Inbound:
        facts.setdefault("destination", "shop-bot")
        facts.setdefault("dedup_id", f"mo-{self.now}")
        return Inbound(1, 1, HANDSET, 5, 0, payload=text.encode(), encoding=Encoding.GSM, **facts)

    async def not_taken_back(self, carrier_id: str) -> None:
        """What had no answer is revoked, and that has no clear one either."""
        await self.settle()
        assert self.bot.revoked == [carrier_id]
        (message_id,) = {message_id for message_id, _ in self.bot.sent}
        self.dispatcher.on_revoked(self.bot, Revocation(message_id, carrier_id, None, "timeout"))
        await self.settle()

    async def hour(self, hours: float) -> None:
        """Go on to so many hours after the start."""
        await self.wait(START + hours * HOUR_S - self.now)


Stage = Callable[..., BilledScene]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    scenes: list[BilledScene] = []

    def set_scene(*route: str, on_unknown: OnUnknown = "prefer_duplicate", **billing: str) -> BilledScene:
        scenes.append(BilledScene(tmp_path, *route, links=links(**billing), on_unknown=on_unknown))
        return scenes[-1]

    yield set_scene
    for scene in scenes:
        await scene.close()


async def test_a_message_that_is_answered_and_the_next_one(stage: Stage) -> None:
    scene = stage("bot", "carrier", bot="google_std")
    (first,) = await scene.submit()
    scene.bot.accept("a")
    scene.bot.receipt("a", at=START)
    await scene.hour(2)
    assert not scene.ledger.is_active("shop-bot", HANDSET)
    scene.bot.report(scene.mo(at=scene.now))
    assert scene.ledger.is_active("shop-bot", HANDSET)
    assert list(scene.ledger.open_conversations()) == [(("bot",), 1.0)]
    (second,) = await scene.submit()
    scene.bot.accept("b")
    scene.bot.receipt("b", at=scene.now)
    await scene.hour(26)
    assert not scene.ledger.is_active("shop-bot", HANDSET)
    assert await scene.records() == []
    await scene.wait(LATE_S)
    assert await scene.records() == [("a2p_conversation", "shop", (f"{first:x}", f"{second:x}"))]
    assert scene.counted("billing_records", "a2p_conversation", "bot") == 1


async def test_a_message_that_nobody_answers(stage: Stage) -> None:
    scene = stage("bot", "carrier", bot="google_std")
    (short,) = await scene.submit("x" * 160)
    scene.bot.accept("a")
    scene.bot.receipt("a")
    (long,) = await scene.submit("x" * 161, destination="33612345679")
    scene.bot.accept("b")
    scene.bot.receipt("b", displayed=True)
    await scene.hour(24)
    await scene.wait(LATE_S)
    assert sorted(await scene.records()) == [
        ("basic_message", "shop", (f"{short:x}",)),
        ("single_message", "shop", (f"{long:x}",)),
    ]
    assert list(scene.journal.scan(BILLING)) == [], "nothing is left of it"


async def test_what_is_billed_on_delivery_and_never_delivered(stage: Stage) -> None:
    scene = stage("bot", "carrier", bot="google_std")
    await scene.submit("one", "two", "three")
    scene.bot.accept("a", "b", "c")
    scene.bot.receipt("a", State.UNDELIV)
    await scene.wait(301.0)
    scene.bot.say_revoked("b", True)
    scene.bot.say_revoked("c", False)
    await scene.settle()
    ((_, pair),) = scene.journal.scan(BILLING)
    assert len(pair.awaited) == 2, "a revoke proves nothing: either may arrive still"


async def test_what_is_billed_when_it_is_sent(stage: Stage) -> None:
    scene = stage("bot", "carrier", bot="orange_fr")
    (message_id,) = await scene.submit()
    scene.bot.accept("a")
    await scene.wait(301.0)
    scene.bot.say_revoked("a", True)
    await scene.hour(24)
    await scene.wait(LATE_S)
    assert await scene.records() == [("single_message", "shop", (f"{message_id:x}",))]


@pytest.mark.parametrize("revoked", [True, None])
async def test_a_delivery_after_the_end_by_sms_is_billed_too(stage: Stage, revoked: bool | None) -> None:
    scene = stage("bot", "carrier", bot="google_std")
    (message_id,) = await scene.submit()
    scene.bot.accept("a")
    await scene.wait(301.0)
    scene.bot.say_revoked("a", revoked)
    await scene.settle()
    scene.carrier.accept("s")
    scene.carrier.receipt("s")
    await scene.settle()
    assert scene.stage(message_id) is None
    for _ in range(2):
        scene.bot.receipt("a", handset=f"tel:+{HANDSET}")
    await scene.hour(25)
    await scene.wait(LATE_S)
    assert await scene.records() == [("basic_message", "shop", (f"{message_id:x}",))]


async def test_an_open_conversation_survives_a_crash(stage: Stage) -> None:
    scene = stage("bot", "carrier", bot="orange_fr")
    (message_id,) = await scene.submit()
    scene.bot.accept("a")
    await scene.wait(1.0)
    scene.bot.report(scene.mo())
    scene.bot.receipt("a")
    await scene.settle()
    await scene.crash()
    assert scene.ledger.is_active("shop-bot", HANDSET)
    await scene.hour(25)
    await scene.wait(LATE_S)
    await scene.crash()
    assert await scene.records() == [("conversation", "shop", (f"{message_id:x}",))]
    await scene.crash()
    assert len(await scene.records()) == 1


async def test_while_they_talk_messages_stay_on_the_bot(stage: Stage) -> None:
    """Even where the route names SMS first, and without asking whether the handset takes RCS."""
    scene = stage("asked", bot="orange_fr", asked="orange_fr")
    await scene.submit("first")
    scene.asked.say_capable(True)
    await scene.settle()
    scene.asked.accept("a")
    await scene.settle()
    scene.bot.report(scene.mo(destination="asked-bot"))
    scene.dispatcher.reconfigure(RouteTable([Rule(("carrier", "bot", "asked"))]), 24.0)
    await scene.wait(HOUR_S)
    (message_id,) = await scene.submit("second")
    assert scene.asked.texts == [b"first", b"second"]
    assert scene.progress(message_id).reason.endswith("open conversation")
    assert scene.asked.checked == [HANDSET]
    await scene.submit("third", destination="33612345679")
    assert scene.carrier.texts == [b"third"]


@pytest.mark.parametrize("reply", [{"is_silent": True}, {"destination": "other-bot"}])
async def test_what_is_no_answer(stage: Stage, reply: dict[str, Any]) -> None:
    scene = stage("bot", "carrier", bot="orange_fr")
    await scene.submit()
    scene.bot.accept("a")
    await scene.settle()
    scene.bot.report(scene.mo(**reply))
    assert not scene.ledger.is_active("shop-bot", HANDSET)


async def test_long_numbers_and_names(stage: Stage) -> None:
    scene = stage("carrier", carrier="time2chat")
    (message_id,) = await scene.submit("x" * 25, source=NUMBER)
    await scene.submit("x", source="SHOP", source_ton=5)
    scene.carrier.accept("a", "b", "c", "d")
    await scene.settle()
    assert scene.ledger.is_active(NUMBER, HANDSET)
    assert not scene.ledger.is_active("SHOP", HANDSET)
    await scene.hour(24)
    await scene.wait(LATE_S)
    assert await scene.records() == [("session", "shop", (f"{message_id:x}",))]
    (line,) = read_lines(scene.folder / "cdr")
    assert (line.segments, line.credits, line.agent, line.user) == (3, 6.0, NUMBER, HANDSET)


async def test_a_rule_set_that_is_gone_leaves_what_it_began(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    scene = stage("bot", bot="orange_fr")
    await scene.submit()
    scene.bot.accept("a")
    await scene.settle()
    books, scene.ledger._books = scene.ledger._books, {}
    await scene.hour(24)
    await scene.wait(LATE_S)
    assert "there is no rule set orange_fr any more" in caplog.text
    assert await scene.records() == []
    scene.ledger.learn_rules(books)
    await scene.wait(HOUR_S)
    assert len(await scene.records()) == 1


async def test_links_without_rules_are_not_accounted_for(stage: Stage) -> None:
    scene = stage("bot", "carrier")
    await scene.submit()
    scene.bot.accept("a")
    scene.bot.receipt("a")
    scene.bot.report(scene.mo())
    await scene.settle()
    assert list(scene.journal.scan(BILLING)) == []


async def test_a_conversation_ends_under_the_rules_that_it_began_with(stage: Stage) -> None:
    scene = stage("bot", "carrier", bot="orange_fr")
    await scene.submit()
    scene.bot.accept("a")
    await scene.wait(1.0)
    scene.bot.report(scene.mo())
    scene.desk.settings["bot"] = links(bot="google_std")["bot"]
    (second,) = await scene.submit()
    scene.bot.accept("b")
    await scene.hour(25)
    await scene.wait(LATE_S)
    (third,) = await scene.submit()
    scene.bot.accept("c")
    scene.bot.receipt("c")
    await scene.wait(24 * HOUR_S)
    await scene.wait(LATE_S)
    records = await scene.records()
    assert [(name, ids[-1]) for name, _, ids in records] == [
        ("conversation", f"{second:x}"),
        ("basic_message", f"{third:x}"),
    ]


async def test_billing_hears_once_of_what_was_taken(stage: Stage) -> None:
    scene = stage("bot")
    ledger = scene.desk.ledger = MagicMock(spec=Ledger, open={}, watches=lambda link: True)
    await scene.submit()
    scene.bot.accept("x")
    await scene.settle()
    assert ledger.on_mt_sent.call_count == 1


@pytest.mark.parametrize(
    ("outcome", "plain"),
    [(Accepted("x"), True), (Accepted("x", is_plain=False), False), (Unknown("timeout", "x", is_plain=False), False)],
)
async def test_billing_hears_whether_it_was_but_a_text(stage: Stage, outcome: Outcome, plain: bool) -> None:
    scene = stage("bot", on_unknown="prefer_silence")
    ledger = scene.desk.ledger = MagicMock(spec=Ledger, open={}, watches=lambda link: True)
    await scene.submit()
    scene.bot.answer(outcome)
    await scene.settle()
    assert ledger.on_mt_sent.call_args.args[3] is plain


async def test_billing_does_not_take_the_name_from_what_may_have_been_taken(stage: Stage) -> None:
    scene = stage("bot", on_unknown="prefer_silence")
    scene.desk.ledger = MagicMock(spec=Ledger, open={}, watches=lambda link: True)
    (message,) = await scene.submit()
    scene.bot.answer(Unknown("timeout", "x"))
    await scene.settle()
    named = scene.spool.named("bot", "x")
    assert named is not None
    assert named.message_id == message


@pytest.mark.parametrize(("is_plain", "class_name"), [(True, "basic_message"), (False, "single_message")])
async def test_what_arrives_although_nobody_awaited_it_is_billed_as_what_it_was(
    stage: Stage, is_plain: bool, class_name: str
) -> None:
    scene = stage("bot", "carrier", bot="google_std")
    (message,) = await scene.submit()
    scene.bot.answer(Unknown("timeout", "n-1", is_plain))
    await scene.not_taken_back("n-1")  # so it goes by SMS as well
    scene.carrier.accept("c-1")
    await scene.settle()
    await scene.crash()
    scene.bot.receipt("n-1", at=scene.now)
    await scene.hour(25)
    assert await scene.records() == [(class_name, "shop", (f"{message:x}",))]


async def test_what_had_no_answer_and_arrives_after_the_end_by_sms_is_billed(stage: Stage) -> None:
    scene = stage("bot", "carrier", bot="google_std")
    (message,) = await scene.submit()
    scene.bot.answer(Unknown("timeout", "n-1", is_plain=False))
    await scene.not_taken_back("n-1")
    scene.carrier.accept("c-1")
    scene.carrier.receipt("c-1")
    await scene.settle()
    assert scene.outbox.fates == [(message, "DELIVRD")]
    await scene.crash()
    scene.bot.receipt("n-1", at=scene.now, handset=HANDSET)
    await scene.hour(25)
    assert await scene.records() == [("single_message", "shop", (f"{message:x}",))]
    assert scene.ledger.unwritten == 0


async def test_what_had_no_answer_and_never_arrives_is_not_billed(stage: Stage) -> None:
    scene = stage("bot", "carrier", bot="google_std")
    await scene.submit()
    scene.bot.answer(Unknown("timeout", "n-1"))
    await scene.not_taken_back("n-1")
    scene.carrier.accept("c-1")
    scene.carrier.receipt("c-1")
    await scene.hour(25)
    assert await scene.records() == []


@pytest.mark.parametrize("on_unknown", ["prefer_duplicate", "prefer_silence"])
async def test_a_name_that_was_lost_in_a_crash_is_in_no_record_and_reconcile_says_so(
    stage: Stage, on_unknown: OnUnknown
) -> None:
    """The crash comes between the POST and the commit of its answer; the platform delivers, and charges."""
    scene = stage("bot", "carrier", on_unknown=on_unknown, bot="google_std")
    (message,) = await scene.submit()
    await scene.crash()
    delivered_at = datetime.datetime.fromtimestamp(scene.now, datetime.UTC)
    scene.bot.receipt("never-learned", at=scene.now, handset=HANDSET)
    if on_unknown == "prefer_duplicate":
        await scene.settle()
        scene.carrier.accept("c-1")
        scene.carrier.receipt("c-1")
    await scene.hour(1)
    assert scene.outbox.fates == [(message, "DELIVRD" if on_unknown == "prefer_duplicate" else "UNKNOWN")]
    assert scene.counted("link_results", "bot", "unknown", "restart") == 1, "how many such lines there can be"
    await scene.hour(25)
    assert await scene.records() == []
    charged = f"class,agent,user,start\nbasic,shop-bot,+{HANDSET},{delivered_at.isoformat()}\n"
    found = reconcile(invoice.read(charged, datetime.UTC), read_lines(scene.folder / "cdr"), 300.0, datetime.UTC)
    (difference,) = found.differences
    assert difference.text == f"basic_message shop-bot {HANDSET} {delivered_at.isoformat()}: not in our records"


async def test_what_was_joined_and_nobody_awaited_is_billed_for_all_of_its_text(stage: Stage) -> None:
    scene = stage("bot", "carrier", bot="google_std")
    parts = [scene.message("x" * 100, concat=(7, 2, number)) for number in (1, 2)]
    for part in parts:
        progress = scene.dispatcher.plan(part)
        assert progress is not None
        scene.journal.then(scene.dispatcher.accepted, scene.spool.accept(part, progress))
    await scene.settle()
    scene.bot.answer(Unknown("timeout", "n-1"))
    await scene.settle()
    scene.bot.receipt("n-1", at=scene.now)
    await scene.hour(25)
    assert [record[0] for record in await scene.records()] == ["single_message"]
