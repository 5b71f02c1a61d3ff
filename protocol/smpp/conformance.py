"""What is answered to every PDU in every state, for either role: one table for readers, for the page and for the tests.

Nothing runs by it. It says in the words of the standards what the machine in ``connection``, the SMPP server and the
links must do; tests hold all three against it, over real sockets where there are any. Sections are those of 3.4.

A state is that of 2.2; UNBINDING is ours between an unbind of our own and its answer. Statuses are in 5.1.3.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from protocol.smpp.constants import Status, status_name
from protocol.smpp.states import ConnState

STATES: Final = (
    ConnState.OPEN,
    ConnState.BOUND_TX,
    ConnState.BOUND_RX,
    ConnState.BOUND_TRX,
    ConnState.UNBINDING,
)
"""The columns, in order."""


class Answer(NamedTuple):
    """One cell. ``taken``: it is handed on, and its own response says what came of it; ``resp``: its own response with
    ``status``; ``nack``: generic_nack with ``status``; ``none``: no answer. ``closes``: then we hang up."""

    word: Literal["taken", "resp", "nack", "none"]
    status: Status = Status.ESME_ROK
    closes: bool = False

    def __str__(self) -> str:
        words = {"taken": "taken", "none": "no answer", "nack": "generic_nack", "resp": ""}[self.word]
        status = status_name(self.status) if self.word in ("resp", "nack") else ""
        return f"{words} {status}".strip() + (", closed" if self.closes else "")


class Row(NamedTuple):
    """What one PDU is answered, state by state, by us as SMSC and as ESME; ``why`` names the section."""

    name: str
    as_smsc: tuple[Answer, ...]
    as_esme: tuple[Answer, ...]
    why: str


_TAKEN: Final = Answer("taken")
_NONE: Final = Answer("none")
_OK: Final = Answer("resp")
_BYE: Final = Answer("resp", closes=True)
_WRONG_STATE: Final = Answer("resp", Status.ESME_RINVBNDSTS)
_BOUND_ALREADY: Final = Answer("resp", Status.ESME_RALYBND)
_NOT_OFFERED: Final = Answer("resp", Status.ESME_RINVCMDID)
_SMSC_LEAVES: Final = Answer("resp", Status.ESME_RSYSERR)
_ESME_LEAVES: Final = Answer("resp", Status.ESME_RX_T_APPN)
_UNKNOWN: Final = Answer("nack", Status.ESME_RINVCMDID)
_NO_LENGTH: Final = Answer("nack", Status.ESME_RINVCMDLEN, closes=True)
_SHORT: Final = Answer("resp", Status.ESME_RINVCMDLEN)


def _all(answer: Answer) -> tuple[Answer, ...]:
    return (answer,) * len(STATES)


_BINDING: Final = (_TAKEN, *(_BOUND_ALREADY,) * 4)
_SUBMITTING: Final = (_WRONG_STATE, _TAKEN, _WRONG_STATE, _TAKEN, _SMSC_LEAVES)
_DELIVERING: Final = (_WRONG_STATE, _WRONG_STATE, _TAKEN, _TAKEN, _ESME_LEAVES)
_RESPONSES: Final = (
    "bind_transmitter_resp",
    "bind_receiver_resp",
    "bind_transceiver_resp",
    "unbind_resp",
    "submit_sm_resp",
    "submit_multi_resp",
    "deliver_sm_resp",
    "data_sm_resp",
    "query_sm_resp",
    "cancel_sm_resp",
    "replace_sm_resp",
    "enquire_link_resp",
    "broadcast_sm_resp",
    "query_broadcast_sm_resp",
    "cancel_broadcast_sm_resp",
    "generic_nack",
)

TABLE: Final[tuple[Row, ...]] = (
    Row("bind_transmitter", _BINDING, _all(_NOT_OFFERED), "4.1; one bind a connection"),
    Row("bind_receiver", _BINDING, _all(_NOT_OFFERED), "4.1; one bind a connection"),
    Row("bind_transceiver", _BINDING, _all(_NOT_OFFERED), "4.1; one bind a connection"),
    Row("outbind", _all(_NONE), _all(_NONE), "4.1.7; has no response"),
    Row("unbind", _all(_BYE), _all(_BYE), "4.2"),
    Row("enquire_link", _all(_OK), _all(_OK), "4.11; also before a bind"),
    Row("submit_sm", _SUBMITTING, _all(_NOT_OFFERED), "4.4, 2.3"),
    Row("submit_multi", _SUBMITTING, _all(_NOT_OFFERED), "4.5, 2.3"),
    Row("data_sm", _SUBMITTING, _DELIVERING, "4.7, 2.3"),
    Row("query_sm", _SUBMITTING, _all(_NOT_OFFERED), "4.8, 2.3"),
    Row("cancel_sm", _SUBMITTING, _all(_NOT_OFFERED), "4.9, 2.3"),
    Row("replace_sm", _SUBMITTING, _all(_NOT_OFFERED), "4.10, 2.3"),
    Row("deliver_sm", _all(_NOT_OFFERED), _DELIVERING, "4.6, 2.3"),
    Row("alert_notification", _all(_NONE), _all(_NONE), "4.12; has no response"),
    Row("broadcast_sm", _all(_NOT_OFFERED), _all(_NOT_OFFERED), "5.0 section 4.4; not offered"),
    Row("query_broadcast_sm", _all(_NOT_OFFERED), _all(_NOT_OFFERED), "5.0 section 4.6; not offered"),
    Row("cancel_broadcast_sm", _all(_NOT_OFFERED), _all(_NOT_OFFERED), "5.0 section 4.6; not offered"),
    *(Row(name, _all(_NONE), _all(_NONE), "answers nothing of ours: passed over") for name in _RESPONSES),
    Row("an unknown request", _all(_UNKNOWN), _all(_UNKNOWN), "4.3, with its sequence_number"),
    Row("an unknown response", _all(_NONE), _all(_NONE), "a response is never answered"),
    Row("command_length below 16", _all(_NO_LENGTH), _all(_NO_LENGTH), "4.3; nobody knows where the next begins"),
    Row("command_length too large", _all(_NO_LENGTH), _all(_NO_LENGTH), "4.3; above pdu_size_max"),
    Row("a message that ends early", _all(_SHORT), _all(_SHORT), "its own response; the stream survives"),
    Row("command_status in a request", _SUBMITTING, _DELIVERING, "3.2: to be 0, and not looked at"),
    Row("sequence_number 0", _SUBMITTING, _DELIVERING, "5.1.4: from 1; answered as it came, and counted"),
    Row("sequence_number above 0x7FFFFFFF", _SUBMITTING, _DELIVERING, "5.1.4; answered as it came"),
)
"""Every PDU that can come. The last three are submit_sm to us as SMSC and deliver_sm to us as ESME."""
