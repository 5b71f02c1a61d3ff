"""The machine against the conformance table, row by row and state by state, with octets typed by hand."""

from __future__ import annotations

import struct

import pytest

from protocol.smpp.conformance import STATES, TABLE, Answer, Row
from protocol.smpp.connection import BindAsked, Connection, ConnState, Role
from protocol.smpp.constants import Command
from protocol.smpp.pdu import Bind, Pdu
from tests.protocol.smpp.by_hand import RESPONSE, sample
from tests.protocol.smpp.conversation import LIMITS, esme, smsc

MODES = {ConnState.BOUND_TX: "tx", ConnState.BOUND_RX: "rx", ConnState.BOUND_TRX: "trx", ConnState.UNBINDING: "trx"}


def brought_to(role: Role, state: ConnState) -> Connection:
    if state is ConnState.OPEN:
        connection = Connection(role, LIMITS, 100.0)
        if role is Role.ESME:
            connection.bind(Bind(), 100.0)
    else:
        connection = (smsc if role is Role.SMSC else esme)(MODES[state])
    if state is ConnState.UNBINDING:
        connection.unbind(100.0)
    connection.data_to_send()
    return connection


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
@pytest.mark.parametrize("role", Role)
def test_the_machine_answers_as_the_table_says(role: Role, row: Row) -> None:
    for state, expected in zip(STATES, row.as_smsc if role is Role.SMSC else row.as_esme, strict=True):
        command, sequence, octets = sample(row.name, role)
        connection = brought_to(role, state)
        events = connection.receive(octets, 101.0)
        said = connection.data_to_send()
        assert connection.wants_close == expected.closes, state
        if expected.word in ("taken", "none"):
            assert said == b"", state
            if expected.word == "taken":
                assert any(isinstance(event, Pdu | BindAsked) for event in events), state
            continue
        assert len(said) >= 16
        answered = command | RESPONSE if expected.word == "resp" else int(Command.GENERIC_NACK)
        assert struct.unpack(">III", said[4:16]) == (answered, expected.status, sequence), state


def test_the_table_has_a_row_for_every_command_and_a_cell_for_every_state() -> None:
    names = {row.name for row in TABLE}
    assert {command.name.lower() for command in Command} <= names
    assert len(names) == len(TABLE)
    assert all(len(row.as_smsc) == len(row.as_esme) == len(STATES) for row in TABLE)


def test_a_cell_reads_well() -> None:
    assert str(Answer("taken")) == "taken"
    assert str(TABLE[4].as_smsc[0]) == "ESME_ROK, closed"
    assert {str(answer) for row in TABLE for answer in row.as_esme} == {
        "taken",
        "no answer",
        "ESME_ROK",
        "ESME_ROK, closed",
        "ESME_RINVBNDSTS",
        "ESME_RINVCMDID",
        "ESME_RINVCMDLEN",
        "ESME_RX_T_APPN",
        "generic_nack ESME_RINVCMDID",
        "generic_nack ESME_RINVCMDLEN, closed",
    }
