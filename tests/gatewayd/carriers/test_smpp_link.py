"""The SMPP link against a scripted carrier over real sockets: every segment has one fate, every report one answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from gatewayd.carriers import acknowledging, smpp_link
from gatewayd.carriers.link import Capability, Link, LinkListener, Report, Result, Revocation
from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.config import schema
from gatewayd.message import Accepted, Deferred, Encoding, Inbound, Message, Receipt, Refused, State, Unknown
from gatewayd.runtime.tasks import spawn
from gatewayd.runtime.transport import Pump
from protocol.smpp.constants import Command, Status
from protocol.smpp.pdu import DataSm, DeliverSm, GenericNack, SubmitSm
from tests.support.scripted_smsc import ScriptedSmsc, SmscBind, accept_all, say_nothing
from tests.support.watch import Watch

RECEIPT = b"id:id-1 sub:001 dlvrd:001 submit date:2601020304 done date:2601020305 stat:DELIVRD err:000 text:"


class Recorder(LinkListener):
    """Flow, as far as a link can see it."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.results: list[Result] = []
        self.reports: list[Report] = []
        self.told: list[str] = []
        self.revocations: list[Revocation] = []
        self.capabilities: list[Capability] = []

    def _tell(self, word: str) -> None:
        self.told.append(word)
        self.watch.ring()

    def on_results(self, link: Link, results: Sequence[Result]) -> None:
        self.results.extend(results)
        self._tell("results")

    def on_reports(self, link: Link, reports: Sequence[Report]) -> None:
        self.reports.extend(reports)
        self._tell("reports")

    def on_ready(self, link: Link) -> None:
        self._tell("ready")

    def on_revoked(self, link: Link, revocation: Revocation) -> None:
        self.revocations.append(revocation)
        self._tell("revoked")

    def on_capability(self, link: Link, capability: Capability) -> None:
        self.capabilities.append(capability)
        self._tell("capability")

    def outcomes(self) -> list[tuple[int, int, object]]:
        return [(result.message_id, result.segment, result.outcome) for result in self.results]


class Stage:
    """A link, its carrier and its listener."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.smsc = ScriptedSmsc(self.watch)
        self.flow = Recorder(self.watch)
        self.faults: list[str] = []
        self.links: list[SmppLink] = []

    def fault(self, kind: str) -> None:
        self.faults.append(kind)
        self.watch.ring()

    def link(self, **settings: Any) -> SmppLink:
        known: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.smsc.port,
            "system_id": "us",
            "reconnect_min_s": 0.01,
        }
        link = SmppLink(
            "carrier", schema.Link(kind="smpp", **(known | settings)), "secret", self.flow, on_fault=self.fault
        )
        self.links.append(link)
        return link

    async def up(self, **settings: Any) -> SmppLink:
        link = self.link(**settings)
        await link.start()
        await self.watch.until(lambda: link.binds_up == settings.get("binds", 1) and "ready" in self.flow.told)
        self.flow.told.clear()
        return link

    def bind(self) -> SmscBind:
        return self.smsc.binds[-1]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    await stage.smsc.start()
    yield stage
    for link in stage.links:
        await link.stop(0.0)
    await stage.smsc.stop()


def message(number: int = 1, size: int = 5, **fields: Any) -> Message:
    known: dict[str, Any] = {
        "id": number,
        "account": "shop",
        "source_ton": 5,
        "source_npi": 0,
        "source": "Shop",
        "destination_ton": 1,
        "destination_npi": 1,
        "destination": "33612345678",
        "payload": b"x" * size,
        "encoding": Encoding.GSM,
        "accepted_at": 0.0,
    }
    return Message(**(known | fields))


async def test_binds_as_configured_and_submits(stage: Stage) -> None:
    link = await stage.up(system_type="sys")
    asked = stage.bind().asked
    assert asked is not None
    assert (asked.command, asked.system_id, asked.password, asked.system_type) == (
        Command.BIND_TRANSCEIVER,
        "us",
        "secret",
        "sys",
    )
    assert (link.is_up, link.capacity(), link.window_up) == (True, 100, 100)
    link.submit(message(7), expires_at=1_767_323_045.0)
    assert stage.flow.results == []
    assert (link.capacity(), link.window_used) == (99, 1)
    await stage.watch.until(lambda: stage.flow.results)
    assert stage.flow.outcomes() == [(7, 0, Accepted("id-1"))]
    assert stage.flow.results[0].latency_s > 0
    assert stage.smsc.submits[0].validity_period == "260102030405000+"
    assert link.window_used == 0


async def test_it_connects_anew_as_often_as_asked(stage: Stage) -> None:
    link = await stage.up(binds=2)
    await asyncio.gather(*(link.reconnect() for _ in range(3)))
    await stage.watch.until(lambda: link.binds_up == 2)
    assert len(stage.smsc.binds) >= 4, "each at least once"


async def test_one_that_stops_does_not_connect_anew(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewayd.carriers.smpp_seat.UNBIND_WAIT_S", 0.01)
    stage.smsc.on_submit = say_nothing
    link = await stage.up(binds=2)
    link.submit(message())
    reconnecting = spawn(link.reconnect(), name="reconnecting")
    await asyncio.sleep(0)
    await link.stop(0.0)
    await reconnecting
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(stage.smsc.binds) == 2


@pytest.mark.parametrize(("mode", "kept"), [("auto", "ff"), ("exact", "00FF"), ("hex_to_decimal", "255")])
async def test_the_carriers_id_is_kept_in_its_canonical_spelling(stage: Stage, mode: Any, kept: str) -> None:
    stage.smsc.on_submit = lambda bind, submit: bind.accept(submit, "00FF")
    link = await stage.up(message_id_mode=mode)
    link.submit(message())
    await stage.watch.until(lambda: stage.flow.results)
    assert stage.flow.results[0].outcome == Accepted(kept)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (Status.ESME_RTHROTTLED, Deferred("ESME_RTHROTTLED", 3.0, pauses=True)),
        (Status.ESME_RSYSERR, Deferred("ESME_RSYSERR", 5.0)),
        (Status.ESME_RINVDSTADR, Refused("ESME_RINVDSTADR", unreachable=True)),
        (0x4FF, Refused("0x000004FF")),
    ],
)
async def test_errors_become_outcomes(stage: Stage, status: int, outcome: object) -> None:
    stage.smsc.on_submit = lambda bind, submit: bind.refuse(submit, status)
    link = await stage.up(throttle_pause_s=3.0)
    link.submit(message())
    await stage.watch.until(lambda: stage.flow.results)
    assert stage.flow.results[0].outcome == outcome


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (Status.ESME_RINVCMDID, Refused("ESME_RINVCMDID")),
        (Status.ESME_ROK, Refused("generic_nack")),
        (Status.ESME_RTHROTTLED, Deferred("ESME_RTHROTTLED", 1.0, pauses=True)),
    ],
)
async def test_generic_nack_is_an_answer(stage: Stage, status: int, outcome: object) -> None:
    stage.smsc.on_submit = lambda bind, submit: bind.respond(GenericNack(sequence=submit.sequence, status=status))
    link = await stage.up()
    link.submit(message())
    await stage.watch.until(lambda: stage.flow.results)
    assert stage.flow.results[0].outcome == outcome


async def test_segments_of_one_message_share_a_bind_and_messages_share_the_binds(stage: Stage) -> None:
    stage.smsc.on_submit = say_nothing
    link = await stage.up(binds=3, window=4)
    assert link.capacity() == 12
    for number in range(3):
        assert link.cost(message(number, size=400)) == 3
        link.submit(message(number, size=400))
    await stage.watch.until(lambda: len(stage.smsc.submits) == 9)
    assert [len(bind.submits) for bind in stage.smsc.binds] == [3, 3, 3]
    for bind in stage.smsc.binds:
        assert len({submit.short_message[3] for submit in bind.submits}) == 1
        assert len({submit.sequence for submit in bind.submits}) == 3
    assert link.capacity() == 3


async def test_a_message_larger_than_any_window_spreads_and_the_rest_is_deferred(stage: Stage) -> None:
    stage.smsc.on_submit = say_nothing
    link = await stage.up(binds=2, window=1)
    link.submit(message(1, size=400))
    await stage.watch.until(lambda: stage.flow.results and len(stage.smsc.submits) == 2)
    assert stage.flow.outcomes() == [(1, 2, Deferred("window_full", 1.0))]


async def test_only_the_segments_asked_for_are_sent_and_they_fit_the_others(stage: Stage) -> None:
    link = await stage.up()
    link.submit(message(9, size=400), segments=(2,))
    link.submit(message(9, size=400), segments=(0, 1))
    await stage.watch.until(lambda: len(stage.flow.results) == 3)
    assert [segment for _, segment, _ in stage.flow.outcomes()] == [2, 0, 1]
    assert [submit.short_message[:6] for submit in stage.smsc.submits] == [
        b"\x05\x00\x03\x09\x03" + bytes((n,)) for n in (3, 1, 2)
    ]
    link.submit(message(9), segments=(1,))
    await stage.watch.until(lambda: len(stage.flow.results) == 4)
    assert stage.flow.outcomes()[3] == (9, 1, Refused("no_such_segment"))


async def test_a_full_window_says_when_it_has_room_again(stage: Stage) -> None:
    stage.smsc.on_submit = say_nothing
    link = await stage.up(window=1)
    link.submit(message(1))
    assert link.capacity() == 0
    await stage.watch.until(lambda: stage.smsc.submits)
    assert stage.flow.told == []
    accept_all(stage.bind(), stage.smsc.submits[0])
    await stage.watch.until(lambda: "ready" in stage.flow.told)
    assert stage.flow.told == ["results", "ready"]
    assert link.capacity() == 1


async def test_a_carrier_that_does_not_read_gets_nothing_more_for_now(stage: Stage) -> None:
    link = await stage.up()
    pump = link._seats[0].pump
    pump.pause_writing()
    assert link.capacity() == 0
    link.submit(message(1))
    await stage.watch.until(lambda: stage.flow.results)
    assert stage.flow.results[0].outcome == Deferred("window_full", 1.0)
    pump.resume_writing()
    await stage.watch.until(lambda: "ready" in stage.flow.told)
    assert link.capacity() == 100


async def test_a_link_that_is_down_defers(stage: Stage) -> None:
    link = stage.link()
    assert (link.is_up, link.capacity(), link.cost(message())) == (False, 0, 1)
    link.submit(message(1, size=200))
    assert stage.flow.results == []
    await stage.watch.until(lambda: stage.flow.results)
    assert stage.flow.outcomes() == [(1, segment, Deferred("link_down", 1.0)) for segment in (0, 1)]


async def test_a_message_that_cannot_be_written_is_refused(stage: Stage) -> None:
    link = await stage.up()
    link.submit(message(1, destination="3" * 30))
    headless = message(2, udh=b"\x86\x70\x84" + bytes(132), size=40, esm_class=0x40)
    assert link.cost(headless) == 1
    link.submit(headless)
    await stage.watch.until(lambda: len(stage.flow.results) == 2)
    assert stage.flow.outcomes() == [(1, 0, Refused("field_too_long")), (2, 0, Refused("part_size"))]
    assert link.window_used == 0


async def test_no_answer_in_time_is_unknown(stage: Stage) -> None:
    stage.smsc.on_submit = say_nothing
    link = await stage.up(response_timeout_s=0.1)
    link.submit(message(1))
    await stage.watch.until(lambda: stage.flow.results)
    assert stage.flow.outcomes() == [(1, 0, Unknown("timeout"))]
    assert stage.flow.results[0].latency_s >= 0.1


async def test_a_lost_connection_gives_back_everything_and_comes_back(stage: Stage) -> None:
    stage.smsc.on_submit = say_nothing
    link = await stage.up()
    for number in range(3):
        link.submit(message(number))
    await stage.watch.until(lambda: len(stage.smsc.submits) == 3)
    stage.bind().pump.abort()
    await stage.watch.until(lambda: "ready" in stage.flow.told)
    assert stage.flow.outcomes() == [(number, 0, Unknown("lost")) for number in range(3)]
    assert len(stage.smsc.binds) == 2
    stage.smsc.on_submit = accept_all
    link.submit(message(9))
    await stage.watch.until(lambda: len(stage.flow.results) == 4)
    assert stage.flow.outcomes()[3] == (9, 0, Accepted("id-1"))


async def test_a_receipt_behind_its_own_answer_is_told_after_it(stage: Stage) -> None:
    def answer_and_report(bind: SmscBind, submit: SubmitSm) -> None:
        bind.connection.request(DeliverSm(esm_class=0x04, short_message=RECEIPT), 0.0, "receipt")
        bind.accept(submit, "id-1")

    stage.smsc.on_submit = answer_and_report
    link = await stage.up()
    link.submit(message(1))
    await stage.watch.until(lambda: stage.flow.reports)
    assert stage.flow.told == ["results", "reports"]
    assert stage.flow.reports[0].content == Receipt("id-1", State.DELIVRD, "000", 1_767_323_100.0, written="id-1")


@pytest.mark.parametrize(("stored", "status"), [(True, Status.ESME_ROK), (False, Status.ESME_RX_T_APPN)])
async def test_reports_are_answered_once_flow_says_so(stage: Stage, stored: bool, status: int) -> None:
    link = await stage.up()
    stage.bind().send(DeliverSm(source_addr="33612345678", short_message=b"Hi"))
    stage.bind().send(DataSm(source_addr="33612345678", tlvs=((0x0424, b"Ho"),)))
    await stage.watch.until(lambda: len(stage.flow.reports) == 2)
    assert stage.bind().answers == []
    contents = [report.content for report in stage.flow.reports]
    assert [content.payload for content in contents if isinstance(content, Inbound)] == [b"Hi", b"Ho"]
    link.acknowledge([report.token for report in stage.flow.reports], stored=stored)
    await stage.watch.until(lambda: len(stage.bind().answers) == 2)
    assert [answer.command for answer in stage.bind().answers] == [Command.DELIVER_SM_RESP, Command.DATA_SM_RESP]
    assert {answer.status for answer in stage.bind().answers} == {status}


async def test_a_carrier_that_leaves_gets_its_answers_and_no_more_messages(stage: Stage) -> None:
    link = await stage.up()
    bind = stage.bind()
    bind.send(DeliverSm(source_addr="33612345678", short_message=b"Hi"))
    bind.connection.unbind(0.0)
    await stage.watch.until(lambda: stage.flow.reports)
    assert link.capacity() == 0
    link.acknowledge([stage.flow.reports[0].token], stored=True)
    await stage.watch.until(lambda: bind.end)
    assert [answer.status for answer in bind.answers] == [0]
    assert bind.end == "unbound"


async def test_a_report_of_a_lost_connection_needs_no_answer(stage: Stage) -> None:
    link = await stage.up()
    stage.bind().send(DeliverSm(short_message=b"Hi"))
    await stage.watch.until(lambda: stage.flow.reports)
    stage.bind().pump.abort()
    await stage.watch.until(lambda: not link.is_up)
    link.acknowledge([stage.flow.reports[0].token, "not a token of ours"], stored=True)


async def test_what_cannot_be_read_is_counted_and_answered_and_never_reported(stage: Stage) -> None:
    await stage.up()
    bind = stage.bind()
    bind.send(DeliverSm(esm_class=0x04, short_message=b"no receipt at all"))
    bind.send(DataSm(esm_class=0x04, tlvs=((0x0424, b"neither"),)))
    bind.send(DeliverSm(esm_class=0x40, short_message=b"\x09\x00"))
    await stage.watch.until(lambda: len(bind.answers) == 3)
    assert [answer.status for answer in bind.answers] == [0, 0, Status.ESME_RINVESMCLASS]
    assert stage.faults == ["receipt_unparsed", "receipt_unparsed", "udh_overrun"]
    assert stage.flow.reports == []


def _spy(monkeypatch: pytest.MonkeyPatch, name: str, calls: list[str]) -> None:
    """Note each call of one of the pump's methods, and make it."""
    method = getattr(Pump, name)

    def noted(pump: Pump) -> None:
        calls.append(name)
        method(pump)

    monkeypatch.setattr(Pump, name, noted)


async def test_a_carrier_is_not_read_while_too_many_reports_wait(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[str] = []
    for module in (smpp_link, acknowledging):
        monkeypatch.setattr(module, "REPORTS_PER_SEAT_MAX", 2)
    for name in ("pause_reading", "resume_reading"):
        _spy(monkeypatch, name, pauses)
    link = await stage.up()
    for _ in range(3):
        stage.bind().send(DeliverSm(short_message=b"Hi"))
    await stage.watch.until(lambda: len(stage.flow.reports) == 3)
    stage.bind().send(DeliverSm(short_message=b"last"))
    link.acknowledge([stage.flow.reports[0].token], stored=True)
    assert pauses == ["pause_reading"]
    link.acknowledge([report.token for report in stage.flow.reports[1:]], stored=True)
    assert pauses[:2] == ["pause_reading", "resume_reading"]
    await stage.watch.until(lambda: len(stage.flow.reports) == 4)


async def test_stop_waits_for_answers_then_unbinds(stage: Stage) -> None:
    stage.smsc.on_submit = say_nothing
    link = await stage.up()
    link.submit(message(1))
    await stage.watch.until(lambda: stage.smsc.submits)
    accept_all(stage.bind(), stage.smsc.submits[0])
    await link.stop(5.0)
    assert stage.flow.outcomes() == [(1, 0, Accepted("id-1"))]
    await stage.watch.until(lambda: stage.bind().end)
    assert stage.bind().end == "unbound_by_peer"
    assert (link.is_up, link.capacity()) == (False, 0)
    link.submit(message(2))
    await stage.watch.until(lambda: len(stage.flow.results) == 2)
    assert stage.flow.results[1].outcome == Deferred("link_down", 1.0)


async def test_stop_gives_back_what_was_never_answered(stage: Stage) -> None:
    stage.smsc.on_submit = say_nothing
    link = await stage.up(binds=2)
    link.submit(message(1))
    link.submit(message(2, destination="3" * 30))
    await link.stop(0.0)
    assert sorted(stage.flow.outcomes(), key=lambda item: item[0]) == [
        (1, 0, Unknown("lost")),
        (2, 0, Refused("field_too_long")),
    ]


async def test_a_receiver_submits_nothing(stage: Stage) -> None:
    link = stage.link(bind="receiver")
    await link.start()
    await stage.watch.until(lambda: stage.smsc.binds and stage.bind().connection.state.value == "bound_rx")
    stage.bind().send(DeliverSm(short_message=b"Hi"))
    await stage.watch.until(lambda: stage.flow.reports)
    assert (link.is_up, link.capacity()) == (True, 0)


async def test_what_sms_cannot_do_is_said(stage: Stage) -> None:
    link = await stage.up()
    link.revoke(1, "x")
    link.check_capability("33612345678")
    assert stage.flow.told == []
    await stage.watch.until(lambda: len(stage.flow.told) == 2)
    assert stage.flow.revocations == [Revocation(1, "x", None, "unsupported")]
    assert stage.flow.capabilities == [Capability("33612345678", None, "unsupported")]


async def test_faults_of_the_carrier_are_counted(stage: Stage) -> None:
    await stage.up()
    stage.bind().respond(GenericNack(sequence=4711, status=3))
    await stage.watch.until(lambda: stage.faults)
    assert stage.faults == ["unexpected_response"]


def test_it_keeps_the_contract() -> None:
    contract: type[Link] = SmppLink
    assert contract is SmppLink
