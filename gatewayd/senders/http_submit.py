"""Messages of the HTTP API as submits: made into what a submit_sm is, handed in, and each one's result awaited.

``Submits.hand_in`` is for every HTTP interface: these submits, for this account, give me each one's result.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from gatewayd.message import TAG_CLASS, TAG_CONTENT, TAG_IDEMPOTENCY
from gatewayd.policy.numbering import SHORT_CODE_MAX, TON_ALPHANUMERIC, TON_INTERNATIONAL, TON_UNKNOWN
from gatewayd.runtime.instruments import Tally, Timing
from gatewayd.runtime.metrics import Metrics
from gatewayd.senders.accounts import Account
from gatewayd.senders.http_problems import Problem, problem_of
from gatewayd.senders.http_shapes import Outcome, Send
from gatewayd.senders.names import message_id_text
from gatewayd.senders.own_alphabet import coded
from gatewayd.senders.submit import SubmitDesk
from gatewayd.senders.submit_rules import Refusal
from protocol.rcs.content import Content, Text, plain_text
from protocol.smpp.constants import Status
from protocol.smpp.pdu import SubmitSm
from protocol.smpp.text import TextFault
from protocol.smpp.times import format_absolute
from protocol.smpp.tlvs import write

ACCEPTED: Final = 202
CHUNK: Final = 100
CONTENT_OCTETS_MAX: Final = 65_535
_CENTURY_BEGINS, _CENTURY_ENDS = 946_684_800, 4_102_444_800
_RECEIPTS: Final[Mapping[str, int]] = {"none": 0, "final": 1, "failure": 2}

Result = int | Refusal
"""The id of a message that is durable, or why it was not taken."""

TemplateFiller = Callable[[str, str, Mapping[str, str], str, str], Content]
"""(template, account, parameters, text, sender): the content; raises LookupError, or ValueError with a sentence."""


class _Call:
    """An applicant that hands in once: a slot for each result."""

    def __init__(self, account: Account, count: int, response_timing: Timing, taken: Tally) -> None:
        self.account: Account | None = account
        self.response_timing = response_timing
        self.taken = taken
        self.results: list[Result | None] = [None] * count
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._left = count

    def answer_submits(self, taken: Sequence[tuple[int, int]]) -> None:
        """These are durable."""
        for sequence, message_id in taken:
            self._settle(sequence, message_id)

    def refuse_submit(self, sequence: int, refusal: Refusal) -> None:
        """One was not taken."""
        self._settle(sequence, refusal)

    def rest(self, rest_s: float) -> None:
        """It has said all that it will."""

    def _settle(self, sequence: int, result: Result) -> None:
        self.results[sequence] = result
        self._left -= 1
        if not self._left:
            self.end()

    def end(self) -> None:
        """All is settled, or nobody waits any longer."""
        if not self.done.done():
            self.done.set_result(None)


class Submits:
    """The submit desk for those who ask once and wait for the answer."""

    def __init__(self, desk: SubmitDesk, metrics: Metrics, timeout_s: float) -> None:
        self._desk = desk
        self._metrics = metrics
        self._timeout_s = timeout_s

    async def hand_in(self, account: Account, pdus: Sequence[SubmitSm]) -> list[Result]:
        """Hand in these for an account, under its rate and rights; each one's result, in their order.

        One that is not known to be durable in time is refused as ``not_confirmed``: it may be taken yet. Sequence
        numbers are set here.
        """
        timing = self._metrics.submit_response.labels(account.name)
        call = _Call(account, len(pdus), timing, self._metrics.submits.labels(account.name, Status.ESME_ROK.name))
        for number, pdu in enumerate(pdus):
            pdu.sequence = number
        for first in range(0, len(pdus), CHUNK):
            self._desk.take(call, pdus[first : first + CHUNK])
            if first + CHUNK < len(pdus):
                await asyncio.sleep(0)  # others have messages too
        if pdus:
            # A timer of its own is a third of what asyncio.timeout costs, and this is asked for each single message.
            timer = asyncio.get_running_loop().call_later(self._timeout_s, call.end)
            try:
                await call.done
            finally:
                timer.cancel()
        late = Refusal(Status.ESME_RSYSERR, "not_confirmed")
        return [late if result is None else result for result in call.results]


def outcome_of(result: Result | Problem) -> Outcome:
    """A result, as it is told where each message has one of its own."""
    if isinstance(result, int):
        return Outcome(ACCEPTED, message_id_text(result))
    problem = problem_of(result) if isinstance(result, Refusal) else result
    return Outcome(problem.status, problem=problem.document)


def submit_of(send: Send, account: Account, now: float, fill: TemplateFiller, key: str = "") -> SubmitSm:
    """The submit_sm that a message is. ``key`` makes it idempotent; ``now`` is in Unix seconds. Raises Problem."""
    content = _content_of(send, account, fill)
    words = send.text if send.text is not None else plain_text(content) if content is not None else ""
    if not words:
        raise Problem("invalid-text", "the message has no text", element="text")
    try:
        data_coding, payload = coded(words, account.settings.data_coding_0)
    except TextFault:
        raise Problem("invalid-text", "a character of it is none", element="text") from None
    ton, npi, source = source_of(send.sender)
    return SubmitSm(
        source_addr_ton=ton,
        source_addr_npi=npi,
        source_addr=source,
        dest_addr_ton=TON_INTERNATIONAL,
        dest_addr_npi=1,
        destination_addr=send.to.removeprefix("+"),
        priority_flag=send.priority,
        schedule_delivery_time=_moment(send.schedule_at.timestamp(), "schedule_at") if send.schedule_at else "",
        validity_period=_moment(now + send.validity_s, "validity_s") if send.validity_s is not None else "",
        registered_delivery=_RECEIPTS[send.receipt],
        data_coding=data_coding,
        short_message=payload,
        tlvs=_tlvs_of(send, content, key),
    )


def _content_of(send: Send, account: Account, fill: TemplateFiller) -> Content | None:
    if sum(given is not None for given in (send.rcs, send.rcs_text, send.template)) > 1:
        raise Problem("bad-shape", "give one of rcs, rcs_text and template", element="rcs")
    if send.rcs_text is not None:
        return Text(send.rcs_text)
    if send.template is None:
        return send.rcs
    name, parameters = send.template.name, send.template.parameters
    try:
        return fill(name, account.name, parameters, send.text or "", send.sender)
    except LookupError:
        raise Problem("invalid-template", "there is no such template", element="template.name") from None
    except ValueError as error:
        raise Problem("invalid-template", str(error), element="template.parameters") from None


def source_of(sender: str) -> tuple[int, int, str]:
    """TON, NPI and source address (SMPP 3.4 section 5.2.5): a short code, a number, or a name."""
    digits = sender.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return TON_ALPHANUMERIC, 0, sender
    return (TON_UNKNOWN if len(digits) <= SHORT_CODE_MAX else TON_INTERNATIONAL), 1, digits


def moment_of(unix: float) -> str | None:
    """A moment as SMPP tells it, in whole seconds; None when it is not in this century: SMPP knows no other."""
    return format_absolute(unix) if _CENTURY_BEGINS <= unix < _CENTURY_ENDS else None


def _moment(unix: float, element: str) -> str:
    moment = moment_of(math.ceil(unix))
    if moment is None:
        kind = "invalid-schedule" if element == "schedule_at" else "invalid-validity"
        raise Problem(kind, "is not in this century", element=element)
    return moment


def _tlvs_of(send: Send, content: Content | None, key: str) -> tuple[tuple[int, bytes], ...]:
    tlvs: list[tuple[int, bytes]] = []
    if send.reference is not None:
        tlvs.append(write("user_message_reference", send.reference))
    if content is not None:
        octets = msgspec.json.encode(content)
        if len(octets) > CONTENT_OCTETS_MAX:
            raise Problem("invalid-content", f"is longer than {CONTENT_OCTETS_MAX} octets", element="rcs")
        tlvs.append((TAG_CONTENT, octets))
    if send.traffic_class:
        tlvs.append((TAG_CLASS, send.traffic_class.encode()))
    if key:
        tlvs.append((TAG_IDEMPOTENCY, key.encode()))
    return tuple(tlvs)
