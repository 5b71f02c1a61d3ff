"""The SMPP link against the simulated carrier, which shares no code with it: ids in every style, answers gone wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from gatewayd.carriers.link import Capability, Link, LinkListener, Report, Result, Revocation
from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.config import schema
from gatewayd.message import Accepted, Encoding, Inbound, Linked, Message, Receipt, Unknown
from gatewayd.simulate.behaviour import Behaviour, Rule
from gatewayd.simulate.smsc import Smsc
from protocol.smpp.text import decode
from tests.support.watch import Watch


class Flow(LinkListener):
    """Joins receipts to the segments they name, as the daemon does; acknowledges everything."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.sent: dict[str, int] = {}
        self.outcomes: list[object] = []
        self.received: list[Receipt | Inbound | Linked] = []

    def on_results(self, link: Link, results: Sequence[Result]) -> None:
        for result in results:
            self.outcomes.append(result.outcome)
            if isinstance(result.outcome, Accepted):
                self.sent[result.outcome.carrier_id] = result.message_id
        self.watch.ring()

    def on_reports(self, link: Link, reports: Sequence[Report]) -> None:
        contents = [report.content for report in reports]
        self.received += [link.spelt_out(each) if isinstance(each, Receipt) else each for each in contents]
        link.acknowledge([report.token for report in reports], stored=True)
        self.watch.ring()

    def on_ready(self, link: Link) -> None:
        self.watch.ring()

    def on_revoked(self, link: Link, revocation: Revocation) -> None:
        raise AssertionError

    def on_capability(self, link: Link, capability: Capability) -> None:
        raise AssertionError

    def messages_of(self, receipt: Receipt) -> set[int]:
        return {self.sent[key] for key in (receipt.carrier_id, *receipt.aliases) if key in self.sent}


class Stage:
    """A simulated carrier and a link to it."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.flow = Flow(self.watch)
        self._smsc: Smsc | None = None
        self._link: SmppLink | None = None

    async def up(self, behaviour: Behaviour, response_timeout_s: float = 5.0) -> tuple[Smsc, SmppLink]:
        self._smsc = Smsc(behaviour)
        port = await self._smsc.start()
        settings = schema.Link(
            kind="smpp",
            host="127.0.0.1",
            port=port,
            system_id="us",
            response_timeout_s=response_timeout_s,
            reconnect_min_s=0.01,
        )
        self._link = SmppLink("carrier", settings, "secret", self.flow)
        await self._link.start()
        await self.watch.until(lambda: self._link is not None and self._link.is_up)
        return self._smsc, self._link

    async def down(self) -> None:
        if self._link is not None:
            await self._link.stop(0.0)
        if self._smsc is not None:
            await self._smsc.stop()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.down()


def message(number: int) -> Message:
    return Message(
        id=number,
        account="shop",
        source_ton=5,
        source_npi=0,
        source="Shop",
        destination_ton=1,
        destination_npi=1,
        destination=f"336{number:08d}",
        payload=b"Hello",
        encoding=Encoding.GSM,
        accepted_at=0.0,
    )


@pytest.mark.parametrize("tlvs", [True, False])
@pytest.mark.parametrize(
    "styles", ["decimal", "hex", "HEX", "uuid", "hex/decimal", "HEX/decimal", "decimal/hex", "decimal/HEX", "HEX/hex"]
)
async def test_receipts_find_their_messages_without_being_told_the_style(stage: Stage, styles: str, tlvs: bool) -> None:
    _, link = await stage.up(Behaviour(message_ids=styles, receipt_tlvs=tlvs))
    for number in range(20):
        link.submit(message(number))
    await stage.watch.until(lambda: len(stage.flow.received) == len(stage.flow.outcomes) == 20)
    found = [stage.flow.messages_of(receipt) for receipt in stage.flow.received if isinstance(receipt, Receipt)]
    assert sorted(found, key=min) == [{number} for number in range(20)]


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        (Rule(answer="silent"), "timeout"),
        (Rule(answer="wrong_sequence"), "timeout"),
        (Rule(answer="half"), "lost"),
        (Rule(answer="close"), "lost"),
    ],
)
async def test_what_was_perhaps_taken_is_unknown(stage: Stage, rule: Rule, word: str) -> None:
    _, link = await stage.up(Behaviour(rules=(rule,)), response_timeout_s=0.1)
    link.submit(message(1))
    await stage.watch.until(lambda: stage.flow.outcomes)
    assert stage.flow.outcomes == [Unknown(word)]


async def test_a_receipt_before_its_response_still_names_the_message(stage: Stage) -> None:
    _, link = await stage.up(Behaviour(rules=(Rule(receipt="before", receipt_copies=2),)))
    link.submit(message(1))
    await stage.watch.until(lambda: stage.flow.outcomes and len(stage.flow.received) == 2)
    assert all(
        isinstance(receipt, Receipt) and stage.flow.messages_of(receipt) == {1} for receipt in stage.flow.received
    )


async def test_a_long_text_of_a_handset_arrives_in_its_parts(stage: Stage) -> None:
    smsc, _ = await stage.up(Behaviour())
    text = "Où est mon colis ? 😀 " * 12
    parts = len(smsc.send_mo("33612345678", "38100", text))
    assert parts > 1
    await stage.watch.until(lambda: len(stage.flow.received) == parts)
    inbound = [content for content in stage.flow.received if isinstance(content, Inbound)]
    assert {content.concat[1:] for content in inbound if content.concat} == {(parts, n + 1) for n in range(parts)}
    assert "".join(decode(content.payload, content.encoding) for content in inbound) == text
