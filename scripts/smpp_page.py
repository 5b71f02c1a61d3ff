"""docs/smpp.md: which requests are taken and what each is answered with, its tables made of the one that tests use.

Knows how the page reads; what is answered when is ``protocol.smpp.conformance``'s.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from made_page import keep

from protocol.smpp.conformance import STATES, TABLE, Answer, Row
from protocol.smpp.constants import MessageState, Status, status_name

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "smpp.md"

HEAD: Final = """\
# SMPP, request by request

Made by `scripts/smpp-page`; its tables are those that tests hold the gateway against, over real sockets. What a
submit_sm must be, what receipts and replies look like, and the statuses of submit_sm are in the
[README](../README.md#bind-an-application).

## Versions

| interface_version of the bind | spoken | what that changes |
|---|---|---|
| 0x00 to 0x33 | 3.3 | told no TLVs, no data_sm and no alert_notification; short message ids, replies in parts |
| 0x34 | 3.4 | all of this page; the answer to the bind says 0x34 in sc_interface_version |
| 0x50 and above | 5.0 | as 3.4, and congestion_state with answers to submits, and the state SCHEDULED |

For 3.3 a message id has eight hexadecimal digits, and a reply that is too long for one deliver_sm comes in parts with a
UDH, as its handset would have sent it.

An application that says one thing and means another gets `interface_version = "3.4"` (or another) in its table: many
leave the field at 0 and know TLVs all the same. A data_sm and TLVs that a bind of 3.3 sends are taken.

A short id is the same on every bind of the account, in receipts, and in query_sm, cancel_sm and replace_sm. It comes
again after three days at the earliest, or after 67 million messages of one worker.

To carriers, `links.*.interface_version` is what our binds ask for. An older version in the carrier's answer counts.
Many of 3.4 say nothing there, and are taken to speak what was asked for (3.4 section 5.3.2.25 would have them without
TLVs: then write `"3.3"`). To a carrier of 3.3 no TLV goes, so a long message goes there in parts with headers, whatever
way its application has.
A carrier of 5.0 that tells 100 in congestion_state makes its link half as fast, and from 90 on no faster, see
[links](links.md).

congestion_state to an application of 5.0 is the larger of two shares: of `smpp.window` in use on its bind, and of
`store.pending_max` waiting for the disk. From 90 on it should send less; at 100 it gets ESME_RMSGQFUL.

## submit_multi

One message to at most 254 addresses. Each address is a message of its own, with its own way and its own receipt, and
counts as one against all limits of the account. All have one message_id, that of the answer: their receipts bear it,
and a receipt's source says which address it is about. The answer comes when every one of them is on disk or refused;
those that were not taken are in unsuccess_sme, each with the status that a submit_sm would have got. A distribution
list is refused by itself with ESME_RINVDLNAME: we keep none. When nothing was taken the command_status is theirs, or
ESME_RSUBMITFAIL where they differ.

query_sm of it tells the least that is true of all: ENROUTE while one is under way, then that of one that was not
delivered, else DELIVERED. cancel_sm takes all back that can be; replace_sm changes all that still wait; either succeeds
if it did for one.

## data_sm

Taken like a submit_sm whose text is in message_payload; qos_time_to_live is its validity. Addresses may have 64
characters here, but a number still at most 15 digits. The answer says that the message is on disk, whatever mode
esm_class asks for: there is no waiting for the handset. `deliver_as = "data_sm"` has an account's receipts and replies
brought as data_sm. Carriers may send data_sm in place of deliver_sm.

## query_sm

| | |
|---|---|
| message_id | as it was given; capitals and leading zeros do not matter |
| source_addr | that of the message, or empty |
| final_date | when it ended, in UTC; empty before |
| message_state | see below |
| error_code | the carrier's code or the command_status, where it fits an octet; else 0 |
| ESME_RINVMSGID | there is no such message of this account, or no more |
| ESME_RINVSRCADR | it came from another address |
| ESME_RSYSERR | the worker that may know is away: ask again |

How a message ended is told for `accounts.*.results_h` after its end, which is 0 at first (or, with keys for the HTTP
API, `http.results_h`). Set it for applications that ask for ends instead of waiting for receipts.

"""

BETWEEN: Final = """
## cancel_sm

With message_id: that message, if source_addr and destination_addr, where they are given, are its own. Without: all
messages of this account from source_addr to destination_addr, of service_type if that is given.

| status | means |
|---|---|
| ESME_ROK | it is taken back, and that is on disk; its receipt, if it asked for one, says DELETED |
| ESME_RCANCELFAIL | too late: a carrier has it, or it has ended; or nothing waits between the two |
| ESME_RINVMSGID, ESME_RINVSRCADR, ESME_RINVDSTADR | no such message; another source; another destination, or none |

What an RCS platform has is revoked first. Then ESME_ROK says that this was asked for, and the receipt how it ended:
DELETED; DELIVRD, where it had arrived; UNKNOWN, where the platform could not say. Of a message whose parts are leaving,
no further one is sent.

## replace_sm

Another text, in the data_coding of the first, or that of an sm_default_msg_id, and another registered_delivery; also
other times, where schedule_delivery_time or validity_period is not empty. The change is on disk when it is answered,
and `gatewayd trace` tells it.

| status | means |
|---|---|
| ESME_ROK | the new text is what will be sent |
| ESME_RREPLACEFAIL | it no longer waits; or it is a part of a long message; or it is held and was to be scheduled |
| ESME_RINVMSGID, ESME_RINVSRCADR | no such message; another source |
| ESME_RSUBMITFAIL, ESME_RINVMSGLEN | the text is none in that data_coding |
| ESME_RINVEXPIRY, ESME_RINVSCHED, ESME_RINVDFTMSGID | as for submit_sm |

Rich content that the first one brought for RCS is dropped: it was made for the old text.

## alert_notification and outbind

A carrier's alert_notification goes to one receiver of the account that has an open conversation with the handset under
that address, else of the one that has the address in its `numbers`. SMPP has no answer to it, so it is not kept: when
nobody is bound it is counted (`gatewayd_faults_total{side="carrier",kind="alert_untold"}`). outbind has no answer
either: what follows one is in accounts.md and links.md.

## Broadcasting

broadcast_sm, query_broadcast_sm and cancel_broadcast_sm (5.0) are answered by their own responses with ESME_RINVCMDID.

## What is answered to what, and when

*taken*: it is looked at, and its own response says what came of it. A status alone: its own response with that status.
States are those of 3.4 section 2.2; *unbinding* is between an unbind of ours and its answer, in which a message is
refused in a way that has it sent again. A response that belongs to a request of ours is no matter of states and is not
in these tables; the rows are about those that belong to nothing.

Broken bodies cost one PDU and are answered with the status that names the field; a command_length that cannot be true
costs the connection. Whoever has sent unbind still gets every answer that it is owed, and unbind_resp last.

"""


def page() -> str:
    """The whole page."""
    lines = [
        *_states(),
        BETWEEN.rstrip("\n"),
        "",
        *_answers("From an application to us", [(row, row.as_smsc) for row in TABLE]),
        *_answers("From a carrier to us", [(row, row.as_esme) for row in TABLE]),
        *_statuses(),
    ]
    return HEAD + "\n".join(lines).rstrip("\n") + "\n"


def _states() -> Iterator[str]:
    """message_state by number."""
    words = {
        MessageState.SCHEDULED: "its time has not come; told to binds of 5.0, to others as ENROUTE",
        MessageState.ENROUTE: "under way, or waiting",
        MessageState.DELIVERED: "it arrived",
        MessageState.EXPIRED: "its validity was over first",
        MessageState.DELETED: "it was taken back",
        MessageState.UNDELIVERABLE: "it cannot arrive",
        MessageState.UNKNOWN: "nobody can say",
        MessageState.REJECTED: "the carrier refused it",
    }
    yield from ("| message_state | | means |", "|---|---|---|")
    yield from (f"| {int(state)} | {state.name} | {meaning} |" for state, meaning in words.items())


def _answers(title: str, rows: list[tuple[Row, tuple[Answer, ...]]]) -> Iterator[str]:
    names = " | ".join(state.value.replace("_", " ") for state in STATES)
    yield from (f"### {title}", "", f"| | {names} | 3.4 section |", "|---" * (len(STATES) + 2) + "|")
    for row, answers in rows:
        yield f"| {row.name} | {' | '.join(map(str, answers))} | {row.why} |"
    yield ""


def _statuses() -> Iterator[str]:
    """Every status by number; a name that 5.0 gave to an old one is shown by the old one's."""
    yield from ("## Statuses by number", "", "Those from 0x100 on came with 5.0; 0x400 to 0x4FF are carriers' own.", "")
    yield from ("| | |", "|---|---|")
    yield from (f"| 0x{int(status):08X} | {status_name(status)} |" for status in sorted(set(Status)))


if __name__ == "__main__":
    sys.exit(keep(PAGE, lambda _: page()))
