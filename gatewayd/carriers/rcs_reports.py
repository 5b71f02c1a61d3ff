"""Turns a platform's events into reports for flow, and counts their acknowledgement per webhook request.

Knows neither HTTP nor who stores a report.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import msgspec

from gatewayd.carriers.link import Report
from gatewayd.message import Attachment, Encoding, Inbound, Linked, Receipt, State
from gatewayd.policy.aliases import address_of
from protocol.rcs.content import Audio, Content, File, Location, geo_uri, plain_text
from protocol.rcs.errors import RcsFault
from protocol.rcs.events import (
    AliasEvent,
    Contact,
    Event,
    FileEvent,
    IgnoredEvent,
    MessageEvent,
    ResponseEvent,
    Status,
    StatusEvent,
)
from protocol.smpp import text

TON_INTERNATIONAL, TON_ALPHANUMERIC = 1, 5
NPI_UNKNOWN, NPI_E164 = 0, 1
CODING_DEFAULT = 0
NUMBER_DIGITS_MAX = 15
ALIAS_LENGTH_MAX = 255

# What is on its way has no receipt: ``pending`` and ``sent`` are not here.
_STATES = {
    Status.DELIVERED: State.DELIVRD,
    Status.DISPLAYED: State.DELIVRD,
    Status.CANCELLED: State.DELETED,
    Status.REVOKED: State.DELETED,
    Status.FAILED: State.UNDELIV,
}


class Acknowledgement:
    """The fate of one webhook request: stored when all of its reports are, refused when one is not."""

    __slots__ = ("_future", "_open")

    def __init__(self, reports: int) -> None:
        self._open = reports
        self._future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if not reports:
            self._future.set_result(True)

    def settle(self, stored: bool) -> None:
        """One of the reports is stored, or refused for now."""
        self._open -= 1
        if not self._future.done() and (not stored or self._open <= 0):
            self._future.set_result(stored)

    async def wait(self, timeout_s: float) -> bool:
        """Whether everything was stored in time. What comes later is of no use to anybody any more."""
        # One for each request: by hand it costs half of what a context manager does.
        timer = asyncio.get_running_loop().call_later(timeout_s, self._give_up)
        try:
            return await self._future
        finally:
            timer.cancel()

    def _give_up(self) -> None:
        if not self._future.done():
            self._future.set_result(False)


def settle_all(tokens: Sequence[object], stored: bool) -> None:
    """Answer the reports that carry these tokens."""
    for token in tokens:
        if isinstance(token, Acknowledgement):
            token.settle(stored)


def contents_of(
    events: Sequence[Event], bot_id: str, new_user_text: str = "", unreachable_codes: Collection[str] = ()
) -> tuple[list[Receipt | Inbound | Linked], list[str]]:
    """What there is to report, and the names of the events that are not; raises RcsFault for a contact we can't use.

    A user who opens the conversation says ``new_user_text``, where the platform gives no words; empty tells nothing.
    A failure by one of ``unreachable_codes`` is one of those that operators count.
    """
    contents: list[Receipt | Inbound | Linked] = []
    ignored: list[str] = []
    for event in events:
        match event:
            case StatusEvent(status=status) if status not in _STATES:
                ignored.append(f"status_{status}")
            case StatusEvent():
                contents.append(_receipt(event, unreachable_codes))
            case MessageEvent(content=content):
                contents.append(_with_media(_inbound(event, plain_text(content), "", bot_id), content))
            case ResponseEvent(is_new_user=True) if not new_user_text:
                ignored.append("newUser")
            case ResponseEvent(is_new_user=True, postback=postback):
                contents.append(_inbound(event, new_user_text, postback, bot_id))
            case ResponseEvent(display_text=shown, postback=postback):
                contents.append(_inbound(event, shown or postback, postback, bot_id))
            case AliasEvent(contact=contact):
                contents += _linked(contact, bot_id)
            case FileEvent():
                pass  # the link's alone: it is told apart, and nobody need store it
            case IgnoredEvent(name=name):
                ignored.append(name)
    return contents, ignored


def reports_of(contents: Sequence[Receipt | Inbound | Linked], acknowledgement: Acknowledgement) -> list[Report]:
    """The reports of one request, all with the same token."""
    return [Report(content, acknowledgement) for content in contents]


def _receipt(event: StatusEvent, unreachable_codes: Collection[str]) -> Receipt:
    is_failed = event.status is Status.FAILED
    error = (event.error or "failed") if is_failed else "000"
    return Receipt(
        carrier_id=event.msg_id,
        state=_STATES[event.status],
        error=error,
        at=event.at,
        displayed=event.status is Status.DISPLAYED,
        handset=event.number,
        unreachable=is_failed and event.error in unreachable_codes,
    )


def _inbound(event: MessageEvent | ResponseEvent, words: str, postback: str, bot_id: str) -> Inbound:
    encoding = Encoding(text.best_encoding(words))
    return Inbound(
        source_ton=TON_INTERNATIONAL,
        source_npi=NPI_E164,
        source=_handset_of(event.contact, bot_id),
        destination_ton=TON_ALPHANUMERIC,
        destination_npi=NPI_UNKNOWN,
        destination=bot_id,
        payload=text.encode(words, encoding),
        encoding=encoding,
        data_coding=CODING_DEFAULT,  # no alphabet is asked for: each application gets the words in its own
        postback=postback,
        dedup_id=event.msg_id,
        at=event.at,
        is_action=isinstance(event, ResponseEvent) and event.is_action,
        is_silent=isinstance(event, ResponseEvent) and event.is_new_user,
        alias="" if event.contact.number else event.contact.alias,
    )


def _linked(contact: Contact, bot_id: str) -> list[Linked]:
    """For the homes of both addresses: either may know more."""
    number = _handset_of(Contact(contact.number), bot_id)
    pseudonym = _handset_of(Contact("", contact.alias), bot_id)
    return [
        Linked(number, bot_id, contact.alias, number, to_number=False),
        Linked(pseudonym, bot_id, contact.alias, number, to_number=True),
    ]


def _with_media(inbound: Inbound, content: Content) -> Inbound:
    """What the words alone do not say of it."""
    match content:
        case File(mime_type=mime_type, size=size, name=name) | Audio(mime_type=mime_type, size=size, name=name):
            return msgspec.structs.replace(inbound, attachment=Attachment(mime_type, size, name))
        case Location(latitude=latitude, longitude=longitude):
            return msgspec.structs.replace(inbound, place=geo_uri(latitude, longitude))
    return inbound


def _handset_of(contact: Contact, bot_id: str) -> str:
    number = contact.number.removeprefix("tel:").removeprefix("+")
    if not number and 0 < len(contact.alias) <= ALIAS_LENGTH_MAX:
        # No application that speaks SMPP could write to an alias: it is given digits to answer to.
        return address_of(bot_id, contact.alias)
    if not (number.isascii() and number.isdigit() and len(number) <= NUMBER_DIGITS_MAX):
        raise RcsFault("bad_contact")
    return number
