"""An operator's invoice as a table of text: its columns by many names, its lines as they are compared.

Knows no record of ours. Which columns there are is in docs/billing.md.
"""

from __future__ import annotations

import csv
import datetime
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from gatewayd.billing import moments

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "class": ("type", "category", "categorie", "event", "billing_event", "billing_category", "product", "produit"),
    "agent": ("agent_id", "bot", "bot_id", "chatbot", "sender", "emetteur", "numero_long"),
    "user": ("msisdn", "number", "numero", "phone", "phone_number", "recipient", "destinataire", "handset", "to"),
    "start": ("start_time", "begin", "debut", "date_debut", "time", "timestamp", "date", "day", "jour", "sent_at"),
    "count": ("quantity", "quantite", "nombre", "volume", "units", "events"),
    "message_id": ("message", "msg_id", "messageid", "id_message"),
}
CLASSES: Final[Mapping[str, str]] = {
    "basic": "basic_message",
    "single": "single_message",
    "message_unique": "single_message",
    "unique": "single_message",
    "a2p": "a2p_conversation",
    "p2a": "p2a_conversation",
}


class InvoiceFault(ValueError):
    """The invoice cannot be read; the text says where and why."""


class InvoiceLine(msgspec.Struct, frozen=True):
    """A line that charges for ``count`` facts. ``user`` is empty in an invoice of totals; ``start`` may be a day."""

    number: int
    class_name: str
    agent: str
    user: str
    start: datetime.datetime | None
    is_day: bool
    count: int
    message_id: str


def read(text: str, zone: datetime.tzinfo) -> list[InvoiceLine]:
    """All lines; ``zone`` is that of times that name none. Raises InvoiceFault."""
    rows = csv.reader(text.splitlines(), delimiter=_delimiter(text))
    header = [_word(cell) for cell in next(rows, [])]
    places = _places(header)
    if "class" not in places:
        raise InvoiceFault(f"no column is the class; the header is {', '.join(header) or 'empty'}")
    if "user" not in places and "count" not in places:
        raise InvoiceFault("no column is the user or the count: neither single lines nor totals can be compared")
    lines = []
    for row in rows:
        if any(cell.strip() for cell in row):
            cells = {name: row[place].strip() if place < len(row) else "" for name, place in places.items()}
            try:
                lines.append(_line(rows.line_num, cells, zone))
            except ValueError as error:
                raise InvoiceFault(f"line {rows.line_num}: {error}") from error
    return lines


def _delimiter(text: str) -> str:
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count)


def _word(cell: str) -> str:
    """A heading without capitals, accents and signs: ``Numéro d'appel`` is ``numero_d_appel``."""
    plain = unicodedata.normalize("NFKD", cell.strip().lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def _places(header: Iterable[str]) -> dict[str, int]:
    places: dict[str, int] = {}
    for name, others in NAMES.items():
        for wanted in (name, *others):
            if name not in places and wanted in header:
                places[name] = list(header).index(wanted)
    return places


def _line(number: int, cells: Mapping[str, str], zone: datetime.tzinfo) -> InvoiceLine:
    word = _word(cells["class"])
    start, count = cells.get("start", ""), cells.get("count", "")
    return InvoiceLine(
        number=number,
        class_name=CLASSES.get(word, word),
        agent=cells.get("agent", ""),
        user=re.sub(r"^(tel:)?(\+|00)?|[ .-]", "", cells.get("user", "")),
        start=moments.parse(start, zone) if start else None,
        is_day=not moments.has_time(start),
        count=_count(count) if count else 1,
        message_id=cells.get("message_id", ""),
    )


def _count(text: str) -> int:
    digits = re.sub(r"[\s\u202f\u00a0]", "", text)
    if not digits.isdigit():
        raise ValueError(f"{text!r} is no count")
    return int(digits)
