"""What templates would make of a text, and what each platform would be sent of it. Sends nothing.

Knows no terminal: ``content_picture`` draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from gatewayd.carriers.rcs_platforms import platform_for
from gatewayd.carriers.segments import count_of
from gatewayd.carriers.templates import Template, files_of
from gatewayd.carriers.wording import Manner
from gatewayd.config import schema
from gatewayd.message import Encoding, Message
from protocol.rcs.content import Content
from protocol.rcs.errors import ContentFault
from protocol.rcs.events import Contact
from protocol.rcs.files import Place, placed
from protocol.rcs.limits import UPLOADED
from protocol.rcs.platform import Outgoing
from protocol.smpp import text as alphabets

HANDSET = "33600000000"
BOT = "bot@example.com"
STANDARDS: Mapping[str, schema.Link] = {
    "gsma": schema.Link(kind="gsma", bot_id=BOT),
    "rbm": schema.Link(kind="rbm", bot_id=BOT),
}
"""What stands for the links where none is configured."""


class Sms(msgspec.Struct, frozen=True):
    """The text of the fallback, its alphabet, and how many segments it becomes."""

    text: str
    alphabet: str
    segments: int


class Body(msgspec.Struct, frozen=True):
    """What a link would send: the JSON of its platform, or why it sends the plain text."""

    link: str
    platform: str
    tree: Any = None
    problem: str = ""


def message_of(
    account: str, sender: str, text: str, service_type: str = "", tlvs: Iterable[tuple[int, bytes]] = ()
) -> Message:
    """The message that an account would send."""
    encoding = Encoding(alphabets.best_encoding(text))
    return Message(
        id=1,
        account=account,
        source_ton=1 if sender.isdigit() else 5,
        source_npi=1 if sender.isdigit() else 0,
        source=sender,
        destination_ton=1,
        destination_npi=1,
        destination=HANDSET,
        payload=alphabets.encode(text, encoding),
        encoding=encoding,
        accepted_at=0.0,
        data_coding=8 if encoding is Encoding.UCS2 else 0,
        service_type=service_type,
        tlvs=tuple(tlvs),
    )


def sms_of(message: Message) -> Sms:
    """What goes where RCS does not: the text as it came."""
    text = alphabets.decode(message.payload, message.encoding)
    return Sms(text, message.encoding, count_of(message, Manner()))


def rcs_links(links: Mapping[str, schema.Link]) -> Mapping[str, schema.Link]:
    """The RCS links among all, or the standard of each kind where there is none."""
    return {name: link for name, link in links.items() if link.kind != "smpp"} or STANDARDS


def places_of(templates: Iterable[Template], media: Mapping[str, int]) -> dict[str, Place]:
    """What is known of the local files of templates, by their names: everything but where they will be."""
    return {name: Place(name, kind, media[name]) for name, kind in files_of(templates).items()}


def bodies_of(
    content: Content, links: Mapping[str, schema.Link], places: Mapping[str, Place] = MappingProxyType({})
) -> list[Body]:
    """What each RCS link would send, if the platform had the local files."""
    return [_body_of(name, link, content, places) for name, link in rcs_links(links).items()]


def _body_of(name: str, link: schema.Link, content: Content, places: Mapping[str, Place]) -> Body:
    platform = platform_for(link)

    def found(file: str) -> Place:
        if file not in places:
            raise ContentFault("not_uploaded", f"file:{file}", "no template names it")
        url = f"{UPLOADED}files/{file}" if platform.limits.names_uploads else f"https://{name}.example/{file}"
        return msgspec.structs.replace(places[file], url=url)

    try:
        content = placed(content, found)
        request = platform.send(Outgoing(link.bot_id, Contact(f"+{HANDSET}"), content, message_id=1, now=0.0))
    except ContentFault as fault:
        return Body(name, platform.name, problem=str(fault))
    return Body(name, platform.name, msgspec.json.decode(request.body))
