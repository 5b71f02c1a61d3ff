"""What an application asks beside submit_sm: submit_multi and data_sm, and query_sm, cancel_sm and replace_sm.

The first two become what a submit_sm is; the others are put to the homes of the messages that they name. Whatever the
request, one answer follows, and what it says is durable by then.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from gatewayd.message import TAG_CONTENT, Encoding
from gatewayd.policy.answers import HomeAway, NamedFate
from gatewayd.runtime.metrics import Metrics
from gatewayd.runtime.tasks import spawn
from gatewayd.senders.accounts import Account
from gatewayd.senders.default_messages import text_of
from gatewayd.senders.names import ids_of
from gatewayd.senders.query_answer import query_answer
from gatewayd.senders.several import DataApplicant, MultiApplicant, Rename
from gatewayd.senders.submit import Applicant, Speaker, SubmitDesk
from gatewayd.senders.submit_rules import Refusal, check_text, delivery_moment
from gatewayd.store.spool import Spool
from protocol.smpp.constants import Status, command_name, status_name
from protocol.smpp.errors import SmppFault
from protocol.smpp.parts import body_of
from protocol.smpp.pdu import (
    CancelSm,
    CancelSmResp,
    DataSm,
    Pdu,
    QuerySm,
    ReplaceSm,
    ReplaceSmResp,
    SubmitMulti,
    SubmitSm,
)
from protocol.smpp.text import TextFault, encode
from protocol.smpp.times import parse_time

log = logging.getLogger(__name__)


class Asker(Speaker, Protocol):
    """A bind, as far as this desk speaks to it."""

    @property
    def version(self) -> int:
        """The version of SMPP that it speaks."""

    @property
    def rename(self) -> Rename | None:
        """What gives messages their names, where these are not their ids in hexadecimal."""

    def name_of(self, message_id: int) -> str:
        """What a message is called over this bind."""

    def tlvs(self) -> tuple[tuple[int, bytes], ...]:
        """What is told with every answer to a submit."""

    def hand_in(self, applicant: Applicant, submits: Sequence[SubmitSm], rename: Rename | None) -> None:
        """Bring messages to the desk, at once or when their account may have more of them."""

    def answer(self, pdu: Pdu) -> None:
        """Send a response, unless the connection has ended."""

    def refuse(self, pdu: Pdu, status: int) -> None:
        """Send the shortest response to a request."""


class Questions(Protocol):
    """The homes of all messages (gatewayd.flow.questions)."""

    async def look(self, asked: dict[str, Any]) -> list[NamedFate]:
        """What is known of the messages of a name. Raises HomeAway."""

    async def change(self, what: str, asked: dict[str, Any]) -> list[str]:
        """Change them; what came of each. Raises HomeAway."""

    async def cancel_between(self, asked: dict[str, Any]) -> list[str]:
        """Take back all between two addresses. Raises HomeAway."""


class RequestDesk:
    """One for all binds of a worker."""

    def __init__(
        self,
        submits: SubmitDesk,
        questions: Questions,
        spool: Spool,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._submits = submits
        self._questions = questions
        self._spool = spool
        self._metrics = metrics
        self._clock = clock
        self._acts: dict[type[Pdu], Callable[[Asker, Account, Any], Awaitable[Pdu]]] = {
            QuerySm: self._query,
            CancelSm: self._cancel,
            ReplaceSm: self._replace,
        }

    def take(self, asker: Asker, pdu: Pdu) -> bool:
        """Take one request of a bind; False when it is none of this desk's."""
        if isinstance(pdu, DataSm):
            applicant = DataApplicant(asker, pdu, self._count)
            asker.hand_in(applicant, [applicant.submit], asker.rename)
        elif isinstance(pdu, SubmitMulti):
            several = MultiApplicant(asker, pdu, self._count)
            asker.hand_in(several, several.submits, several.rename)
            several.close()
        elif type(pdu) in self._acts:
            spawn(self._answer(asker, pdu), name=f"{type(pdu).__name__} of a bind")
        else:
            return False
        return True

    async def _answer(self, asker: Asker, pdu: Pdu) -> None:
        """One request that is put to others; a refusal is an answer, too."""
        account = asker.account
        assert account is not None  # only binds ask
        status, kind = Status.ESME_ROK, ""
        try:
            asker.answer(await self._acts[type(pdu)](asker, account, pdu))
        except Refusal as refusal:
            status, kind = refusal.status, refusal.kind
        except HomeAway:
            # Not "failed": asked again in a moment, it can be said.
            status, kind = Status.ESME_RSYSERR, "home_away"
        if status:
            asker.refuse(pdu, status)
            log.info(
                "< %s refused account=%s status=%s reason=%s",
                command_name(pdu.command),  # type: ignore[attr-defined]
                account.name,
                status_name(status),
                kind,
            )
        self._count(account, pdu, status)

    def _count(self, account: Account, pdu: Pdu, status: int) -> None:
        command: int = pdu.command  # type: ignore[attr-defined]
        self._metrics.requests.labels(account.name, command_name(command), status_name(status)).value += 1

    # -- what became of it ----------------------------------------------------------------------------------------

    def _asked(self, account: Account, message_id: str) -> dict[str, Any]:
        name, ids = ids_of(message_id, self._spool.sequence_now())
        if not ids:
            raise Refusal(Status.ESME_RINVMSGID, "no_message_id")
        return {"account": account.name, "name": name, "ids": ids}

    async def _look(self, asked: dict[str, Any], source: str) -> list[NamedFate]:
        """All messages of a name; another account's are as unknown as those that never were."""
        found = await self._questions.look(asked)
        if not found:
            raise Refusal(Status.ESME_RINVMSGID, "unknown_message")
        if source and all(source != each.fate.source for each in found):
            raise Refusal(Status.ESME_RINVSRCADR, "other_source")
        return found

    async def _query(self, asker: Asker, account: Account, pdu: QuerySm) -> Pdu:
        """SMPP 3.4 section 4.8."""
        found = await self._look(self._asked(account, pdu.message_id), pdu.source_addr)
        return query_answer(pdu, found, asker.version)

    # -- taking back ----------------------------------------------------------------------------------------------

    async def _cancel(self, asker: Asker, account: Account, pdu: CancelSm) -> Pdu:
        """SMPP 3.4 section 4.9: one message, or all between two addresses."""
        if pdu.message_id:
            asked = self._asked(account, pdu.message_id)
            found = await self._look(asked, pdu.source_addr)
            if pdu.destination_addr and all(pdu.destination_addr != each.fate.destination for each in found):
                raise Refusal(Status.ESME_RINVDSTADR, "other_destination")
            outcomes = await self._questions.change("cancel_named", asked)
        else:
            outcomes = await self._questions.cancel_between(_between(account, pdu))
        if not {"cancelled", "under_way"}.intersection(outcomes):
            raise Refusal(Status.ESME_RCANCELFAIL, "too_late" if outcomes else "nothing_waits")
        return CancelSmResp(pdu.sequence)

    # -- another text ---------------------------------------------------------------------------------------------

    async def _replace(self, asker: Asker, account: Account, pdu: ReplaceSm) -> Pdu:
        """SMPP 3.4 section 4.10. The text is in the data_coding of the one that it replaces."""
        asked = self._asked(account, pdu.message_id)
        found = await self._look(asked, pdu.source_addr)
        waiting = next((each for each in found if each.encoding), None)
        if waiting is None or waiting.is_part:
            raise Refusal(Status.ESME_RREPLACEFAIL, "too_late" if waiting is None else "part_of_long_message")
        expires_at, deliver_at = self._moments(account, pdu, waiting)
        asked |= {
            "payload": self._text(account, pdu, Encoding(waiting.encoding)).hex(),
            "encoding": waiting.encoding,
            "registered_delivery": pdu.registered_delivery,
            "expires_at": expires_at,
            "deliver_at": deliver_at,
            "without_tags": (TAG_CONTENT,),
        }
        if "replaced" not in await self._questions.change("replace", asked):
            raise Refusal(Status.ESME_RREPLACEFAIL, "too_late")
        return ReplaceSmResp(pdu.sequence)

    def _moments(self, account: Account, pdu: ReplaceSm, waiting: NamedFate) -> tuple[float, float]:
        """Until when it lives and when it goes, 0 for what stays as it is."""
        now, fate = self._clock(), waiting.fate
        scheduled = pdu.schedule_delivery_time
        deliver_at = delivery_moment(scheduled, account, now) if scheduled else 0.0
        try:
            expires_at = parse_time(pdu.validity_period, now, Status.ESME_RINVEXPIRY)
        except SmppFault as fault:
            raise Refusal.of(fault) from None
        if expires_at and expires_at <= now:
            raise Refusal(Status.ESME_RINVEXPIRY, "expired")
        if 0 < (expires_at or fate.expires_at) <= (deliver_at or fate.deliver_at):
            raise Refusal(Status.ESME_RINVEXPIRY, "expires_before_schedule")
        return expires_at, deliver_at

    def _text(self, account: Account, pdu: ReplaceSm, encoding: Encoding) -> bytes:
        """Its own text, or that of its number (3.4 section 5.2.20)."""
        try:
            payload, _ = body_of(pdu.short_message, pdu.tlvs)
        except SmppFault as fault:
            raise Refusal.of(fault) from None
        if pdu.sm_default_msg_id:
            if payload:
                raise Refusal(Status.ESME_RINVDFTMSGID, "default_message_and_text")
            words = text_of(pdu.sm_default_msg_id, account.settings, self._submits.default_messages)
            try:
                return encode(words, encoding)
            except TextFault:
                raise Refusal(Status.ESME_RSUBMITFAIL, "default_message_alphabet") from None
        check_text(payload, encoding, is_part=False)
        return payload


def _between(account: Account, pdu: CancelSm) -> dict[str, Any]:
    if not pdu.source_addr:
        raise Refusal(Status.ESME_RINVSRCADR, "no_source")
    if not pdu.destination_addr:
        raise Refusal(Status.ESME_RINVDSTADR, "no_destination")
    return {
        "account": account.name,
        "source": pdu.source_addr,
        "destination": pdu.destination_addr,
        "ton": pdu.dest_addr_ton,
        "npi": pdu.dest_addr_npi,
        "service_type": pdu.service_type,
    }
