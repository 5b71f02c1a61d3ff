"""A submit_sm whose handset has its home at another worker: handed over once, answered as that home says."""

from __future__ import annotations

from gatewayd.message import Message
from gatewayd.senders.submit import Waiting
from protocol.smpp.constants import Status
from tests.gatewayd.senders.test_submit import HANDSET, Desk, submit

HERE, THERE = 0, 1


class Others:
    """The other workers: the home of every handset but one."""

    slot = HERE

    def __init__(self) -> None:
        self.handed_over: list[tuple[int, Message, Waiting]] = []

    def home_of(self, handset: str, /) -> int:
        return HERE if handset == HANDSET else THERE

    def submit(self, home: int, message: Message, waiting: Waiting) -> None:
        self.handed_over.append((home, message, waiting))

    @property
    def waiting(self) -> list[Waiting]:
        return [waiting for _, _, waiting in self.handed_over]


def desk_among_others() -> tuple[Desk, Others]:
    desk, others = Desk(), Others()
    desk.desk.elsewhere = others
    return desk, others


def away(number: int) -> str:
    return f"3360000010{number}"


def test_it_is_handed_over_and_what_is_at_home_is_not() -> None:
    desk, others = desk_among_others()
    desk.take(submit(), submit(destination_addr=away(1)))
    assert [(home, message.destination) for home, message, _ in others.handed_over] == [(THERE, away(1))]
    assert [message.destination for message in desk.disk.accepted] == [HANDSET]
    assert desk.answers == []


def test_what_a_home_says_at_once_is_answered_by_the_reads_it_came_in() -> None:
    desk, others = desk_among_others()
    other = Desk()
    for reader, numbers in ((desk, (1, 2)), (other, (3,))):
        reader.desk = desk.desk
        reader.take(*(submit(destination_addr=away(number)) for number in numbers))
    desk.desk.stored_elsewhere(others.waiting)
    assert desk.answers == [(1, 0, "64"), (2, 0, "65")]
    assert other.answers == [(1, 0, "66")]
    assert desk.desk.accepted == 3
    assert [(one.taken.value, one.response_timing.counts[0]) for one in (desk, other)] == [(2, 2), (1, 1)]
    assert desk.account.given_back == 0


def test_a_refusal_is_counted_and_costs_the_account_no_turn() -> None:
    desk, others = desk_among_others()
    desk.take(submit(destination_addr=away(1)))
    desk.desk.answered_elsewhere(others.waiting[0], Status.ESME_RMSGQFUL, "store_full")
    assert desk.answers == [(1, Status.ESME_RMSGQFUL, "")]
    assert desk.account.given_back == 1
    assert desk.metrics.faults.labels("esme", "store_full").value == 1
    assert desk.metrics.submits.labels("shop", "ESME_RMSGQFUL").value == 1
    assert desk.desk.accepted == 0


def test_what_its_home_had_taken_before_is_answered_by_that_id_and_is_no_new_message() -> None:
    desk, others = desk_among_others()
    desk.take(submit(destination_addr=away(1)))
    desk.desk.answered_elsewhere(others.waiting[0], 0, "", known=0xABC)
    assert desk.answers == [(1, 0, "abc")]
    assert desk.desk.accepted == 0
