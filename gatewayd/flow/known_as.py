"""By which addresses the two ends of a message know each other, where links or accounts write others than those that
hold.

Knows neither link nor store.
"""

from __future__ import annotations

from gatewayd.carriers.link import Link
from gatewayd.config import schema
from gatewayd.message import Channel, Inbound, Message
from gatewayd.policy.numbering import handset_of, is_repliable
from gatewayd.policy.sources import Source, on_link
from gatewayd.store.records import Session


def seen_as(link: schema.Link, message: Message) -> str:
    """The address that the handset sees as the sender: the bot over RCS, the digits of the source over SMS."""
    if link.bot_id:
        return link.bot_id
    if not _says(link):
        return handset_of(message.source, message.source_ton, message.source_npi)
    source = _source_on(link, message)
    return handset_of(source.address, source.ton, source.npi)


def is_answerable(link: schema.Link, message: Message) -> bool:
    """Whether the handset can answer what it sees over an SMS link: a number, and no name."""
    if link.source_ton == "keep" and not (link.source_map or link.source_fallback):  # as _says; of each message
        return is_repliable(message.source_ton, message.source)
    source = _source_on(link, message)
    return is_repliable(source.ton, source.address)


def _says(link: schema.Link) -> bool:
    return bool(link.source_map or link.source_fallback) or link.source_ton != "keep"


def _source_on(link: schema.Link, message: Message) -> Source:
    return on_link(link, Source(message.source_ton, message.source_npi, message.source))


def written_handset(message: Message) -> tuple[int, int, str] | None:
    """The handset as the application wrote it, where that is not the form that holds."""
    written = message.written
    if written is None or written.destination == message.destination:
        return None
    return written.destination_ton, written.destination_npi, written.destination


def is_to_sender(link: Link, inbound: Inbound, session: Session) -> bool:
    """Whether a reply goes back to the address that the application wrote: what was answered is not that number."""
    if link.channel is Channel.RCS:
        return True
    answered = handset_of(inbound.destination, inbound.destination_ton, inbound.destination_npi)
    return answered != handset_of(session.sender, session.sender_ton, session.sender_npi)
