"""Sample PDUs for the tests of SMPP: one strategy a record, drawn from the same limits as the specification's."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from protocol.smpp.constants import Command
from protocol.smpp.destinations import Destination, DestinationList, Unsuccess, UnsuccessList
from protocol.smpp.fields import CString, Octet, ShortMessage
from protocol.smpp.layouts import LAYOUTS
from protocol.smpp.pdu import Pdu
from protocol.smpp.records import Bind, BindResp, Response

octets = st.integers(0, 255)
sequences = st.integers(0, 0xFFFFFFFF)
statuses = st.one_of(st.just(0), st.sampled_from([0x08, 0x14, 0x58, 0x45]), st.integers(0, 0xFFFFFFFF))
tlvs = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=4).map(tuple)


def strings(length_max: int) -> st.SearchStrategy[str]:
    """Every octet but NUL survives in a string of the wire."""
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=length_max)


destinations = st.one_of(
    st.builds(Destination, octets, octets, strings(20)),
    st.builds(Destination, list_name=strings(20).filter(bool)),
)
refusals = st.builds(Unsuccess, octets, octets, strings(20), st.integers(0, 0xFFFFFFFF))


def _values(field: object) -> st.SearchStrategy[Any]:
    if isinstance(field, Octet):
        return octets
    if isinstance(field, CString):
        return strings(field.size_max - 1)
    if isinstance(field, ShortMessage):
        return st.binary(max_size=254)
    if isinstance(field, DestinationList):
        return st.lists(destinations, min_size=1, max_size=5).map(tuple)
    if isinstance(field, UnsuccessList):
        return st.lists(refusals, max_size=5).map(tuple)
    return tlvs


def records(command: int) -> st.SearchStrategy[Pdu]:
    """Sound records of one command; an error response that travels bare has only its header's fields."""
    layout = LAYOUTS[command]
    header: dict[str, st.SearchStrategy[Any]] = {"sequence": sequences}
    if layout.record in (Bind, BindResp):
        header["command"] = st.just(Command(command))
    fields = {field.name: _values(field) for field in layout.fields}
    if not issubclass(layout.record, Response):
        return st.builds(layout.record, **header, **fields)
    if not layout.bare_error:
        return st.builds(layout.record, **header, status=statuses, **fields)
    return st.one_of(
        st.builds(layout.record, **header, status=st.just(0), **fields),
        st.builds(layout.record, **header, status=statuses),
    )


def any_record() -> st.SearchStrategy[Pdu]:
    """A sound record of any command that we speak."""
    return st.sampled_from(sorted(LAYOUTS)).flatmap(records)


def mutations(whole: bytes) -> st.SearchStrategy[bytes]:
    """``whole`` with octets changed, cut off, or added; its command_length made true again, so that bodies are met."""
    changes = st.lists(st.tuples(st.integers(8, max(8, len(whole) - 1)), octets), max_size=4)

    def apply(picked: tuple[list[tuple[int, int]], int, bytes]) -> bytes:
        edits, cut, tail = picked
        data = bytearray(whole)
        for position, octet in edits:
            if position < len(data):
                data[position] = octet
        data = data[: max(16, len(data) - cut)] + tail
        data[0:4] = len(data).to_bytes(4, "big")
        return bytes(data)

    return st.tuples(changes, st.sampled_from([0, 0, 0, 1, 2, 3, 7, 40]), st.binary(max_size=6)).map(apply)
