"""Reads receipts as one carrier writes them, by a dialect that is data; what it does not know is appendix B's.

Pure: a text and its TLVs in, what it says out. Knows no link and no store.
"""

from __future__ import annotations

import functools
import re
import zoneinfo
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from gatewayd.config.receipt_dialects import DialectFile, Form, decode
from protocol.smpp.constants import Tag
from protocol.smpp.parts import body_of
from protocol.smpp.pdu import DataSm, DeliverSm
from protocol.smpp.receipt import NO_NETWORK_ERROR, STATE_OF_NUMBER, ParsedReceipt, Tlvs, parse, state_of_word

TEXT_MAX: Final = 1_024
"""What stands behind so many octets is not looked at."""

_ID_MAX: Final = 255
_RECEIPTED_MESSAGE_ID: Final = int(Tag.RECEIPTED_MESSAGE_ID)
_MESSAGE_STATE: Final = int(Tag.MESSAGE_STATE)
_NETWORK_ERROR_CODE: Final = int(Tag.NETWORK_ERROR_CODE)

_Fields = dict[str, str]


class Reading(msgspec.Struct):
    """What was found in one receipt, for the gateway and for a person who wonders. ``form`` counts from 1; 0: none.

    ``refusal`` says why it is no receipt that can be used.
    """

    fields: _Fields
    form: int = 0
    state: str = ""
    error: str = ""
    meaning: str = ""
    done: datetime | None = None
    network_error: int = NO_NETWORK_ERROR
    refusal: str = ""


class Dialect:
    """One carrier's, made once."""

    def __init__(self, text: str) -> None:
        """Raises DialectFault for a file that is wrong."""
        self.file: DialectFile = decode(text)
        self._readers = [_reader_of(form) for form in self.file.forms]
        self._zone = zoneinfo.ZoneInfo(self.file.zone)
        self._statuses = {word.upper(): state for word, state in self.file.statuses.items()}

    def parse(self, short_message: bytes, tlvs: Tlvs) -> ParsedReceipt | None:
        """What a receipt says, or None when it names no message or no state."""
        reading = self.read(short_message, tlvs)
        if reading.refusal:
            return None
        return ParsedReceipt(
            reading.fields["id"], reading.state, reading.error, reading.done, reading.network_error, _words_of(reading)
        )

    def read(self, short_message: bytes, tlvs: Tlvs = ()) -> Reading:
        """The same, with all that led to it."""
        reading = self._found(_plain(short_message))
        state = self._state_of(reading.fields.get("stat", ""))
        for tag, value in tlvs:
            if tag == _NETWORK_ERROR_CODE and len(value) == 3:
                reading.network_error = int.from_bytes(value, "big")
            elif not self.file.trusts_tlvs and reading.form:
                continue
            elif tag == _RECEIPTED_MESSAGE_ID:
                reading.fields["id"] = value.split(b"\x00", 1)[0].decode("latin-1") or reading.fields.get("id", "")
            elif tag == _MESSAGE_STATE and len(value) == 1:
                state = STATE_OF_NUMBER.get(value[0], "")
        self._complete(reading, state)
        return reading

    def is_written_so(self, short_message: bytes) -> bool:
        """Whether a text has one of the forms, with an id and a state."""
        found = self._found(_plain(short_message))
        return bool(found.form and found.fields.get("id") and self._state_of(found.fields.get("stat", "")))

    def _found(self, text: str) -> Reading:
        for number, reader in enumerate(self._readers, 1):
            fields = reader(text)
            if fields is not None:
                return Reading(fields, number)
        usual = parse(text.encode("latin-1"), ())
        if usual is None:
            return Reading({})
        return Reading({"id": usual.carrier_id, "stat": usual.state, "err": usual.error}, done=usual.done)

    def _complete(self, reading: Reading, state: str) -> None:
        fields = reading.fields
        reading.state = state
        error = fields.get("err", "").strip()
        if not error and reading.network_error != NO_NETWORK_ERROR:
            error = f"{reading.network_error & 0xFFFF:03d}"
        reading.error = error or "000"
        reading.meaning = self.file.errors.get(error, "") or self.file.errors.get(error.lstrip("0"), "")
        reading.done = _moment(fields.get("done", ""), self.file.dates, self._zone) or reading.done
        if not state:
            word = fields.get("stat", "")
            reading.refusal = f"the status {word!r} is not in [statuses]" if word else "nothing tells the state"
            if not reading.form and self._readers:
                reading.refusal = "it has none of the forms"
        elif not 1 <= len(fields.get("id", "")) <= _ID_MAX:
            reading.refusal = "nothing tells the message's id"

    def _state_of(self, word: str) -> str:
        if not word:
            return ""
        return self._statuses.get(word.upper()) or state_of_word(word) or self.file.otherwise


@functools.lru_cache(maxsize=4096)
def _moment(text: str, layouts: tuple[str, ...], zone: zoneinfo.ZoneInfo) -> datetime | None:
    """Receipts come in crowds of the same seconds."""
    for layout in layouts if text.strip("0") else ():
        try:
            return datetime.strptime(text, layout).replace(tzinfo=zone)
        except ValueError:
            continue
    return None


def octets_of(pdu: DeliverSm | DataSm) -> tuple[bytes, Tlvs]:
    """The text of a receipt, wherever it is, and the TLVs beside it."""
    short_message = pdu.short_message if isinstance(pdu, DeliverSm) else b""
    return body_of(short_message, pdu.tlvs) if pdu.tlvs else (short_message, ())


def _plain(short_message: bytes) -> str:
    octets = short_message[1::2] if short_message.startswith(b"\x00") else short_message  # UCS2, of ASCII alone
    return octets[:TEXT_MAX].decode("latin-1")


def _words_of(reading: Reading) -> str:
    """The carrier's own, where ours say less."""
    word = reading.fields.get("stat", "")
    if word in ("", reading.state) and not reading.meaning:
        return ""
    return f"{word} {reading.error}" + (f" ({reading.meaning})" if reading.meaning else "")


def _reader_of(form: Form) -> Callable[[str], _Fields | None]:
    if form.pattern:
        search = re.compile(form.pattern).search

        def by_pattern(text: str) -> _Fields | None:
            found = search(text)
            return {name: value for name, value in found.groupdict().items() if value} if found else None

        return by_pattern
    if form.columns:
        return _by_columns(form)
    return _by_words(form)


def _by_columns(form: Form) -> Callable[[str], _Fields | None]:
    def by_columns(text: str) -> _Fields | None:
        values = [value.strip() for value in text.split(form.separator)]
        if len(values) < len(form.columns):
            return None
        return {name: value for name, value in zip(form.columns, values, strict=False) if name and value}

    return by_columns


def _by_words(form: Form) -> Callable[[str], _Fields | None]:
    """``word:value``, in any order and case; a word may have blanks, and a value ends at one."""
    words = sorted(form.words.items(), key=lambda item: -len(item[1]))
    names = {_bare(word): name for name, word in words}
    # Searching a text in small letters takes half the time of searching whatever the case.
    alternatives = "|".join(re.escape(word.lower()).replace(r"\ ", r"[ _\r\n]") for _, word in words)
    field = rf"(?<![^\W_])({alternatives})[ ]?[:=][ ]?(?!(?:{alternatives})[:=])([^\s;,]+)"
    finditer = re.compile(field).finditer

    def by_words(text: str) -> _Fields | None:
        fields: _Fields = {}
        for found in finditer(text.lower()):
            fields.setdefault(names[_bare(found[1])], text[slice(*found.span(2))])
        return fields if "stat" in fields else None

    return by_words


@functools.lru_cache(maxsize=1024)
def _bare(word: str) -> str:
    return re.sub(r"[ _\r\n]", "", word).lower()
