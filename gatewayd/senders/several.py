"""Who hands in for a bind what is no submit_sm: the one message of a data_sm, and the many of a submit_multi.

Each becomes a submit_sm and is judged as one. Of a submit_multi all destinations have one name, and the answer comes
when each of them is durable or refused (SMPP 3.4 section 4.5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from gatewayd.message import Message
from gatewayd.runtime.instruments import Tally, Timing
from gatewayd.senders.accounts import Account
from gatewayd.senders.names import decimal_text, short_name
from gatewayd.senders.submit_rules import Refusal
from gatewayd.store.spool import Spool
from protocol.smpp.constants import Status, Tag
from protocol.smpp.destinations import Unsuccess
from protocol.smpp.pdu import DataSm, DataSmResp, Pdu, SubmitMulti, SubmitMultiResp, SubmitSm

if TYPE_CHECKING:
    from gatewayd.senders.esme_requests import Asker

Rename = Callable[[Message], Message]
Count = Callable[[Account, Pdu, int], None]

_DAY_S: Final = 86_400
_DAYS_MAX: Final = 99


def rename_shortly(spool: Spool) -> Rename:
    """Give each message an id with a name of eight digits."""

    def rename(message: Message) -> Message:
        message_id = spool.new_block_id()
        return msgspec.structs.replace(message, id=message_id, known_as=short_name(message_id))

    return rename


def rename_decimally(message: Message) -> Message:
    """The id stays what it is, and is known in decimal."""
    return msgspec.structs.replace(message, known_as=decimal_text(message.id))


class _Applicant:
    """What both have of the bind."""

    def __init__(self, asker: Asker, pdu: DataSm | SubmitMulti, count: Count) -> None:
        self._asker = asker
        self._pdu = pdu
        self._count = count

    @property
    def account(self) -> Account | None:
        """Whose it is."""
        return self._asker.account

    @property
    def response_timing(self) -> Timing:
        """As the bind's."""
        return self._asker.response_timing

    @property
    def taken(self) -> Tally:
        """As the bind's."""
        return self._asker.taken

    def rest(self, rest_s: float) -> None:
        """Take nothing from the bind for a while."""
        self._asker.rest(rest_s)

    def _answer(self, response: DataSmResp | SubmitMultiResp) -> None:
        self._asker.answer(response)
        assert self.account is not None  # only binds hand in
        self._count(self.account, self._pdu, response.status)


class DataApplicant(_Applicant):
    """One data_sm (SMPP 3.4 section 4.7): its text is in message_payload, its life in qos_time_to_live."""

    def __init__(self, asker: Asker, pdu: DataSm, count: Count) -> None:
        super().__init__(asker, pdu, count)
        self.submit = _submit_of(pdu)

    def answer_submits(self, taken: Sequence[tuple[int, int]]) -> None:
        """It is durable."""
        ((sequence, message_id),) = taken
        name = self._asker.name_of(message_id)
        self._answer(DataSmResp(sequence=sequence, message_id=name, tlvs=self._asker.tlvs()))

    def refuse_submit(self, sequence: int, refusal: Refusal) -> None:
        """It was not taken."""
        self._answer(DataSmResp(sequence=sequence, status=refusal.status))


class MultiApplicant(_Applicant):
    """One submit_multi: a submit_sm for each address; lists of addresses are nobody's here."""

    def __init__(self, asker: Asker, pdu: SubmitMulti, count: Count) -> None:
        super().__init__(asker, pdu, count)
        self._refused = [
            Unsuccess(0, 0, each.list_name, Status.ESME_RINVDLNAME) for each in pdu.destinations if each.list_name
        ]
        self.submits = _submits_of(pdu)
        self._open = len(self.submits) + 1  # one for close
        self._name = ""
        self._made: set[int] = set()
        self._durable: list[int] = []

    def rename(self, message: Message) -> Message:
        """All get the name of the first, whose id the others follow closely."""
        if not self._name:
            if self._asker.rename is not None:
                message = self._asker.rename(message)
            self._name = self._asker.name_of(message.id)
        self._made.add(message.id)
        return msgspec.structs.replace(message, known_as=self._name)

    def close(self) -> None:
        """All were handed in."""
        self._settle()

    def answer_submits(self, taken: Sequence[tuple[int, int]]) -> None:
        """These are durable, perhaps since an earlier time: where their sender's key names them."""
        for _, message_id in taken:
            self._durable.append(message_id)
            self._settle()

    def refuse_submit(self, sequence: int, refusal: Refusal) -> None:
        """One was not taken."""
        pdu = self.submits[sequence]
        self._refused.append(Unsuccess(pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr, int(refusal.status)))
        self._settle()

    def _settle(self) -> None:
        self._open -= 1
        if self._open:
            return
        response = SubmitMultiResp(sequence=self._pdu.sequence, unsuccess=tuple(self._refused))
        if self._durable:
            is_new = not self._made.isdisjoint(self._durable)
            response.message_id = self._name if is_new else self._asker.name_of(min(self._durable))
            response.tlvs = self._asker.tlvs()
        else:
            statuses = {refused.status for refused in self._refused}
            response.status = statuses.pop() if len(statuses) == 1 else int(Status.ESME_RSUBMITFAIL)
        self._answer(response)


def _submit_of(pdu: DataSm) -> SubmitSm:
    """The submit_sm that says the same."""
    life = next((value for tag, value in pdu.tlvs if tag == Tag.QOS_TIME_TO_LIVE), b"")
    return SubmitSm(
        sequence=pdu.sequence,
        service_type=pdu.service_type,
        source_addr_ton=pdu.source_addr_ton,
        source_addr_npi=pdu.source_addr_npi,
        source_addr=pdu.source_addr,
        dest_addr_ton=pdu.dest_addr_ton,
        dest_addr_npi=pdu.dest_addr_npi,
        destination_addr=pdu.destination_addr,
        esm_class=pdu.esm_class,
        validity_period=_relative(int.from_bytes(life, "big")) if life else "",
        registered_delivery=pdu.registered_delivery,
        data_coding=pdu.data_coding,
        tlvs=tuple(tlv for tlv in pdu.tlvs if tlv[0] != Tag.QOS_TIME_TO_LIVE) if life else pdu.tlvs,
    )


def _relative(seconds: int) -> str:
    """Seconds as a relative time (3.4 section 7.1.1.2), of at most 99 days."""
    days, rest = divmod(seconds, _DAY_S)
    if days > _DAYS_MAX:
        days, rest = _DAYS_MAX, 0
    return f"0000{days:02}{rest // 3600:02}{rest // 60 % 60:02}{rest % 60:02}000R"


def _submits_of(pdu: SubmitMulti) -> list[SubmitSm]:
    """A submit_sm for each address, in order; its sequence is its place."""
    addresses = [each for each in pdu.destinations if not each.list_name]
    return [
        SubmitSm(
            sequence=number,
            service_type=pdu.service_type,
            source_addr_ton=pdu.source_addr_ton,
            source_addr_npi=pdu.source_addr_npi,
            source_addr=pdu.source_addr,
            dest_addr_ton=to.ton,
            dest_addr_npi=to.npi,
            destination_addr=to.address,
            esm_class=pdu.esm_class,
            protocol_id=pdu.protocol_id,
            priority_flag=pdu.priority_flag,
            schedule_delivery_time=pdu.schedule_delivery_time,
            validity_period=pdu.validity_period,
            registered_delivery=pdu.registered_delivery,
            replace_if_present_flag=pdu.replace_if_present_flag,
            data_coding=pdu.data_coding,
            sm_default_msg_id=pdu.sm_default_msg_id,
            short_message=pdu.short_message,
            tlvs=pdu.tlvs,
        )
        for number, to in enumerate(addresses)
    ]
