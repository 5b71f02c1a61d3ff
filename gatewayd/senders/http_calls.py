"""The calls of the HTTP API for applications: each reads what it is given, asks the gateway, and answers.

Knows no socket; who may call is settled before, and every Problem becomes an answer after.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar

import msgspec
from aiohttp import web

from gatewayd.message import State
from gatewayd.policy.answers import NOT_YET, Cancelling, Fate, HomeAway, Known, Talk
from gatewayd.senders.accounts import Account
from gatewayd.senders.http_problems import Problem, problem_of
from gatewayd.senders.http_shapes import (
    IDEMPOTENCY_KEY_MAX,
    NUMBER_PATTERN,
    BatchResult,
    Cancelled,
    Capability,
    LinkCapability,
    MessageState,
    Outcome,
    RawBatch,
    Send,
    Session,
    Sessions,
    Status,
    Taken,
    decoded,
)
from gatewayd.senders.http_submit import ACCEPTED, CHUNK, Submits, TemplateFiller, outcome_of, submit_of
from gatewayd.senders.names import message_id_text
from gatewayd.senders.submit_rules import Refusal
from protocol.smpp.pdu import SubmitSm

T = TypeVar("T")

_NUMBER = re.compile(NUMBER_PATTERN, re.ASCII)
_ID_MAX: Final = 2**63 - 1
ASK_AGAIN_S: Final = 5
ASK_IN_BULK_S: Final = 3_600

_STAGES: Final[Mapping[str, Status]] = {
    "scheduled": "scheduled",
    "sent": "sent",
    "revoking": "sent",
    "settling": "sent",
    "sending": "sending",
}
_STATES: Final[Mapping[State, Status]] = {
    State.DELIVRD: "delivered",
    State.EXPIRED: "expired",
    State.UNDELIV: "failed",
    State.REJECTD: "rejected",
    State.DELETED: "cancelled",
    State.UNKNOWN: "unknown",
}

_encode = msgspec.json.Encoder().encode
_read_send = msgspec.json.Decoder(Send).decode
_read_batch = msgspec.json.Decoder(RawBatch).decode

Call = Callable[[web.Request, Account], Awaitable[web.Response]]


class Questions(Protocol):
    """What may be asked of the gateway (gatewayd.flow.questions). Each raises HomeAway."""

    async def query(self, account: str, message_id: int) -> Fate | None:
        """What is known of a message, or None."""

    async def cancel(self, account: str, message_id: int) -> Cancelling | None:
        """What came of taking it back, or None."""

    async def talks(self, account: str, handset: str, sender: str = "") -> list[Talk]:
        """Open conversations."""

    async def reach(self, account: str, handset: str, *, ask: bool = False) -> list[Known]:
        """What is known of a handset, link by link; or what platforms say now."""


class Calls:
    """All calls. ``clock`` tells Unix seconds."""

    def __init__(
        self,
        submits: Submits,
        questions: Questions,
        fill: TemplateFiller,
        clock: Callable[[], float],
        *,
        batch_max: int,
        body_timeout_s: float,
    ) -> None:
        self._submits = submits
        self._questions = questions
        self._fill = fill
        self._clock = clock
        self._batch_max = batch_max
        self._body_timeout_s = body_timeout_s

    # -- sending --------------------------------------------------------------------------------------------------

    async def send(self, request: web.Request, account: Account) -> web.Response:
        """One message: 202 once it is durable."""
        send = decoded(_read_send, await self._body(request))
        key = idempotency_key(request) or send.idempotency_key or ""
        pdu = submit_of(send, account, self._clock(), self._fill, key)
        (result,) = await self._submits.hand_in(account, [pdu])
        if isinstance(result, Refusal):
            raise problem_of(result, retry_s_of(account))
        message_id = message_id_text(result)
        return answer(Taken(message_id), ACCEPTED, {"Location": f"/v1/messages/{message_id}"})

    async def send_batch(self, request: web.Request, account: Account) -> web.Response:
        """Many messages, each with a result of its own."""
        batch = decoded(_read_batch, await self._body(request))
        if not batch.messages:
            raise Problem("bad-shape", "there are no messages", element="messages")
        if len(batch.messages) > self._batch_max:
            raise Problem("batch-too-large", f"{len(batch.messages)} messages, at most {self._batch_max}")
        header = idempotency_key(request)
        outcomes: list[Outcome | None] = [None] * len(batch.messages)
        pdus: list[tuple[int, SubmitSm]] = []
        for number, raw in enumerate(batch.messages):
            read = self._read_one(raw, account, f"{header}#{number}" if header else "")
            if isinstance(read, SubmitSm):
                pdus.append((number, read))
            else:
                outcomes[number] = read
            if number % CHUNK == CHUNK - 1:
                await asyncio.sleep(0)
        results = await self._submits.hand_in(account, [pdu for _, pdu in pdus])
        for (number, _), result in zip(pdus, results, strict=True):
            outcomes[number] = outcome_of(result)
        told = [outcome for outcome in outcomes if outcome is not None]
        accepted = sum(outcome.status == ACCEPTED for outcome in told)
        return answer(BatchResult(accepted, len(told) - accepted, told))

    def _read_one(self, raw: msgspec.Raw, account: Account, key: str) -> SubmitSm | Outcome:
        try:
            send = decoded(_read_send, bytes(raw))
            return submit_of(send, account, self._clock(), self._fill, send.idempotency_key or key)
        except Problem as problem:
            return outcome_of(problem)

    # -- asking ---------------------------------------------------------------------------------------------------

    async def query(self, request: web.Request, account: Account) -> web.Response:
        """What is known of a message."""
        message_id = _id_of(request)
        fate = await self._asked(self._questions.query(account.name, message_id))
        if fate is None:
            raise Problem("not-found")
        return answer(_state_of(fate))

    async def cancel(self, request: web.Request, account: Account) -> web.Response:
        """Take a message back."""
        message_id = _id_of(request)
        cancelling = await self._asked(self._questions.cancel(account.name, message_id))
        if cancelling is None:
            raise Problem("not-found")
        if cancelling.outcome == "too_late":
            raise Problem("too-late")
        status = 200 if cancelling.outcome == "cancelled" else ACCEPTED
        return answer(Cancelled(message_id_text(message_id), cancelling.outcome), status)

    async def sessions(self, request: web.Request, account: Account) -> web.Response:
        """Open conversations with a handset."""
        handset = _number(request.query.get("handset", ""), "handset")
        sender = request.query.get("from", "").strip().removeprefix("+")
        talks = await self._asked(self._questions.talks(account.name, handset, sender))
        return answer(Sessions([_session_of(talk, handset) for talk in talks]))

    async def capability(self, request: web.Request, account: Account) -> web.Response:
        """Whether a number takes RCS, as far as it is known; with ``ask``, 202 as long as a platform has to say it."""
        number = _number(request.match_info["number"], "number")
        ask = _yes_or_no(request.query.get("ask", "false"), "ask")
        known = await self._asked(self._questions.reach(account.name, number, ask=ask))
        words = [one.capable for one in known]
        rcs = True if True in words else False if words and None not in words else None
        links = [
            LinkCapability(one.link, one.reason, one.capable, _time_of(one.at), _time_of(one.until)) for one in known
        ]
        reasons = NOT_YET.intersection(one.reason for one in known)
        if not reasons:
            return answer(Capability(number, links, rcs))
        retry_s = ASK_IN_BULK_S if reasons == {"asked_in_bulk"} else ASK_AGAIN_S
        return answer(Capability(number, links, rcs), ACCEPTED, {"Retry-After": str(retry_s)})

    async def _asked(self, asking: Awaitable[T]) -> T:
        try:
            return await asking
        except HomeAway:
            raise Problem("busy", reason="home_away", retry_s=1.0) from None

    async def _body(self, request: web.Request) -> bytes:
        """What was sent. Raises Problem."""
        encoding = request.headers.get("Content-Encoding", "identity").lower()
        if request.content_type != "application/json" or encoding != "identity":
            raise Problem("unsupported-media-type")
        return await body_of(request, self._body_timeout_s)


async def body_of(request: web.Request, timeout_s: float) -> bytes:
    """What was sent, of whatever kind. Raises Problem."""
    try:
        if request.content.is_eof():  # it is all there, as small ones are: there is nothing to wait for
            return await request.read()
        async with asyncio.timeout(timeout_s):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Problem("body-too-large", headers={"Connection": "close"}) from None
    except TimeoutError:
        raise Problem("timeout", headers={"Connection": "close"}) from None


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON."""
    return web.Response(body=_encode(body), status=status, headers=headers, content_type="application/json")


def idempotency_key(request: web.Request) -> str:
    """The header, bounded; a quoted one is the same as a bare one. Raises Problem."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(key) > IDEMPOTENCY_KEY_MAX or not key.isascii():
        raise Problem("bad-request", f"at most {IDEMPOTENCY_KEY_MAX} ASCII characters", element="Idempotency-Key")
    return key


def retry_s_of(account: Account) -> float:
    """In how many seconds an account that was too fast may come again."""
    return max(1.0, account.room()[1])


def _id_of(request: web.Request) -> int:
    message_id = int(request.match_info["id"], 16)
    if message_id > _ID_MAX:
        raise Problem("not-found")
    return message_id


def _number(text: str, element: str) -> str:
    number = text.strip()  # a bare plus in a query stands for a blank
    if _NUMBER.fullmatch(number) is None:
        raise Problem("bad-request", "is no number in international form", element=element)
    return number.removeprefix("+")


def _yes_or_no(text: str, element: str) -> bool:
    if text not in ("true", "false"):
        raise Problem("bad-request", "is neither true nor false", element=element)
    return text == "true"


def _time_of(unix: float) -> datetime | None:
    return _moment(unix) if unix else None


def _moment(unix: float) -> datetime:
    return datetime.fromtimestamp(round(unix, 3), UTC)


def _state_of(fate: Fate) -> MessageState:
    status = _STATES.get(fate.state) or _STAGES.get(fate.stage, "queued")
    return MessageState(
        id=message_id_text(fate.message_id),
        status=status,
        state=fate.state,
        sender=fate.source,
        to=fate.destination,
        accepted_at=_moment(fate.accepted_at),
        channel=fate.channel,
        error="" if fate.error == "000" else fate.error,
        fallback=fate.fallback,
        scheduled_at=_time_of(fate.deliver_at),
        expires_at=_time_of(fate.expires_at),
        sent_at=_time_of(fate.sent_at),
        done_at=_time_of(fate.done_at),
        segments=fate.segments,
        segments_done=fate.segments_done,
        reference=fate.reference if fate.reference >= 0 else None,
        cancelling=fate.is_cancelled,
    )


def _session_of(talk: Talk, handset: str) -> Session:
    return Session(
        id=talk.id,
        sender=talk.sender,
        handset=handset,
        opened_at=_moment(talk.opened_at),
        open_until=_moment(talk.until),
        message_id=message_id_text(talk.message_id),
        replies=talk.replies,
        bot=talk.bot,
    )
