"""Records: their order, their defaults and what they cost."""

from __future__ import annotations

import gc

import msgspec
import pytest

from protocol.smpp import records
from protocol.smpp.constants import Command
from protocol.smpp.layouts import LAYOUTS
from protocol.smpp.records import Bind, BindResp, GenericNack, Pdu, Response, SubmitSm, SubmitSmResp

RECORDS = sorted({layout.record for layout in LAYOUTS.values()}, key=lambda record: record.__name__)


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_needs_nothing_and_names_its_command(record: type[Pdu]) -> None:
    pdu = record()
    assert pdu.sequence == 0
    assert isinstance(pdu.command, Command)  # type: ignore[attr-defined]
    assert isinstance(pdu, Response) == bool(pdu.command & 0x80000000)  # type: ignore[attr-defined]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_no_work_for_the_garbage_collector(record: type[Pdu]) -> None:
    assert not gc.is_tracked(record())


def test_the_positions_that_people_use() -> None:
    assert SubmitSmResp(5, 0, "id") == SubmitSmResp(sequence=5, status=0, message_id="id")
    assert GenericNack(3).status == 3
    assert Bind(Command.BIND_RECEIVER, "id", "pw") == Bind(command=Command.BIND_RECEIVER, system_id="id", password="pw")
    with pytest.raises(TypeError):
        BindResp(Command.BIND_RECEIVER_RESP)  # type: ignore[call-arg]


def test_submit_and_deliver_have_the_same_fields() -> None:
    assert SubmitSm.__struct_fields__ == records.DeliverSm.__struct_fields__
    assert msgspec.structs.astuple(SubmitSm()) == msgspec.structs.astuple(records.DeliverSm())
