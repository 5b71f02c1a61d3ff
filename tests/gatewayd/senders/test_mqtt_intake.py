"""The intake, between a connection and a desk that do what a test tells them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, Literal, cast

import pytest

from gatewayd.runtime.metrics import Metrics
from gatewayd.senders.accounts import Account
from gatewayd.senders.http_submit import Result, Submits
from gatewayd.senders.mqtt_intake import Intake
from gatewayd.senders.mqtt_topics import Topics
from gatewayd.senders.mqtt_wire import Wire
from gatewayd.senders.submit_rules import Refusal
from protocol.smpp.constants import Status
from protocol.smpp.pdu import SubmitSm
from tests.support.fake_wire import FakeWire, incoming
from tests.support.watch import Watch

RESULTS = "gatewayd/accounts/shop/results"
THROTTLED = Refusal(Status.ESME_RTHROTTLED, "rate")
FULL = Refusal(Status.ESME_RMSGQFUL, "store_full")


def message(number: int = 1, **more: Any) -> dict[str, Any]:
    return {"to": f"+33612{number:06}", "from": "SHOP", "text": f"{number}"} | more


class Desk:
    """Takes everything once it is let, or answers with what is in ``refusals`` first."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.refusals: list[Refusal] = []
        self.may_go = asyncio.Event()
        self.watch = Watch()

    async def hand_in(self, account: Account, pdus: list[SubmitSm]) -> list[Result]:
        self.batches.append([pdu.short_message.decode() for pdu in pdus])
        self.watch.ring()
        await self.may_go.wait()
        return [self.refusals.pop(0) if self.refusals else 0x1000 + len(self.batches) for _ in pdus]


class Room:
    """An intake with all that is around it."""

    def __init__(self, over_rate: Literal["wait", "refuse"] = "wait") -> None:
        self.desk = Desk()
        self.wire = FakeWire()
        self.metrics = Metrics("0")
        self.rooms: list[tuple[int, float]] = []
        self.accounts = {
            name: SimpleNamespace(
                name=name, settings=SimpleNamespace(mqtt_send=name != "bank", data_coding_0="gsm"), room=self.room
            )
            for name in ("shop", "other", "bank")
        }
        self.intake = Intake(
            Topics("gatewayd"), cast("dict[str, Account]", self.accounts), cast("Submits", self.desk),
            cast("Any", None), self.metrics, lambda: 1_800_000_000.0, window=5, size_max=2_000, over_rate=over_rate,
            shares=True,
        )  # fmt: skip

    def room(self) -> tuple[int, float]:
        return self.rooms.pop(0) if self.rooms else (-1, 0.0)

    def come(self, content: Any, number: int = 1, **more: Any) -> None:
        assert self.intake.received(cast("Wire", self.wire), incoming(content, number, **more))

    def fault(self, kind: str) -> float:
        return self.metrics.faults.labels("mqtt", kind).value

    async def acknowledged(self, *numbers: int) -> None:
        await self.wire.watch.until(lambda: self.wire.acknowledged == [*numbers])


@pytest.fixture
async def room() -> Room:
    return Room()


async def test_nothing_is_acknowledged_before_it_is_durable(room: Room) -> None:
    for number in (1, 2, 3):
        room.come(message(number), number)
    await room.desk.watch.until(lambda: room.desk.batches)
    assert (room.desk.batches, room.wire.acknowledged, room.intake.unacknowledged) == ([["1", "2", "3"]], [], 3)
    room.desk.may_go.set()
    await room.acknowledged(1, 2, 3)
    assert (room.wire.published, room.intake.unacknowledged) == ([], 0)


async def test_answers_go_where_they_are_wanted_and_before_the_acknowledgement(room: Room) -> None:
    room.desk.may_go.set()
    room.wire.code = None
    room.come(message(correlation="c", idempotency_key="k"), response_topic=f"{RESULTS}/me", correlation=b"7")
    await room.wire.watch.until(lambda: room.wire.waiting)
    assert room.wire.published == [
        (f"{RESULTS}/me", {"status": 202, "id": "1001", "idempotency_key": "k", "correlation": "c"})
    ]
    assert (room.wire.correlations, room.wire.acknowledged) == ([b"7"], [])
    room.wire.waiting[0].set_result(0x87)
    await room.acknowledged(1)
    assert room.fault("answer_refused") == 1


async def test_a_refused_one_is_always_told(room: Room) -> None:
    room.desk.may_go.set()
    room.desk.refusals = [Refusal(Status.ESME_RINVDSTADR, "no_route")]
    room.come(message(), 1, response_topic="gatewayd/links/carrier")
    await room.acknowledged(1)
    ((topic, report),) = room.wire.published
    assert (topic, report["status"], report["problem"]["type"]) == (RESULTS, 422, "/docs#no-route")
    assert room.fault("response_topic") == 1


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 400), (b"{", 400), (b"[]", 422), ({"to": "x"}, 422), (message(surprise=1), 422), (b"x" * 2_001, 413),
     (message(correlation="x" * 1_001), 422), (message(text=""), 422),
     (message(validity_s=1e7, schedule_at="2200-01-01T00:00:00Z"), 422)],
)  # fmt: skip
async def test_what_is_no_message_is_told_and_forgotten(room: Room, content: Any, status: int) -> None:
    room.come(content)
    await room.acknowledged(1)
    assert [report["status"] for _, report in room.wire.published] == [status]
    assert room.intake.unacknowledged == 0


async def test_what_is_too_big_names_the_key_of_this_side(room: Room) -> None:
    room.come(b"x" * 2_001)
    await room.acknowledged(1)
    ((_, report),) = room.wire.published
    assert "mqtt.message_size_max" in report["problem"]["title"]


async def test_only_accounts_that_may(room: Room) -> None:
    room.come(message(), 1, account="bank")
    room.come(message(), 2, account="nobody")
    await room.acknowledged(1, 2)
    assert (room.fault("not_allowed"), room.wire.published, room.desk.batches) == (2, [], [])
    assert not room.intake.received(cast("Wire", room.wire), incoming({}, account="a/b"))


async def test_what_the_broker_keeps_is_not_sent_with_each_connection(room: Room) -> None:
    room.come(message(), 1, is_old=True)
    await room.acknowledged(1)
    assert (room.fault("retained"), room.wire.published, room.desk.batches) == (1, [], [])


async def test_what_is_too_fast_waits_in_its_order(room: Room) -> None:
    room.desk.may_go.set()
    room.rooms = [(0, 0.001), (2, 0.001), (0, 0.001), (1, 0.001)]
    room.desk.refusals = [cast("Refusal", 0x7), THROTTLED]
    for number in (1, 2, 3):
        room.come(message(number), number)
    await room.acknowledged(1, 2, 3)
    assert room.desk.batches[:3] == [["1", "2"], ["2"], ["3"]]
    assert room.wire.published == []


async def test_or_is_refused_where_that_is_wanted() -> None:
    room = Room("refuse")
    room.desk.may_go.set()
    room.desk.refusals = [THROTTLED]
    room.come(message())
    await room.acknowledged(1)
    assert [report["status"] for _, report in room.wire.published] == [429]


async def test_a_store_that_takes_nothing_is_waited_for(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewayd.senders.mqtt_intake.BUSY_S", 0.001)
    room.desk.may_go.set()
    room.desk.refusals = [FULL, FULL, Refusal(Status.ESME_RSYSERR, "not_confirmed")]
    room.come(message())
    await room.acknowledged(1)
    assert room.desk.batches == [["1"]] * 4


async def test_one_account_does_not_wait_for_another(room: Room) -> None:
    room.rooms = [(0, 3_600.0)]
    room.desk.may_go.set()
    room.come(message(1), 1)
    room.come(message(2), 2, account="other")
    await room.acknowledged(2)
    assert room.intake.unacknowledged == 1


async def test_what_a_lost_connection_brought_is_forgotten(room: Room) -> None:
    room.come(message(1), 1)
    await room.desk.watch.until(lambda: room.desk.batches)
    room.come(message(2), 2)
    room.wire.lose()
    room.intake.disconnected()
    room.desk.refusals = [FULL]
    assert room.intake.unacknowledged == 1
    room.desk.may_go.set()
    again = FakeWire()
    assert room.intake.received(cast("Wire", again), incoming(message(2), 1))
    await again.watch.until(lambda: again.acknowledged == [1])
    assert [text for batch in room.desk.batches for text in batch] == ["1", "2"]
    assert room.intake.unacknowledged == 0


async def test_qos_0_is_bounded_by_us(room: Room) -> None:
    for number in range(20):
        room.come(message(number), 0)
    await room.desk.watch.until(lambda: room.desk.batches)
    assert room.intake.unacknowledged <= 10
    assert room.fault("qos_0_overflow") >= 10
    room.wire.code = None
    for _ in range(20):
        room.come(b"{", 0)
    assert len(room.wire.published) == 5


async def test_after_closing_nothing_is_taken_nor_acknowledged(room: Room) -> None:
    room.intake.close()
    room.come(message())
    assert (room.intake.unacknowledged, room.wire.acknowledged, room.desk.batches) == (0, [], [])


async def test_it_subscribes_if_anybody_may_send(room: Room) -> None:
    await room.intake.connected(cast("Wire", room.wire))
    assert room.wire.subscribed == []
    room.intake.is_wanted = True
    await room.intake.connected(cast("Wire", room.wire))
    assert room.wire.subscribed == ["$share/gatewayd/gatewayd/accounts/+/send"]
