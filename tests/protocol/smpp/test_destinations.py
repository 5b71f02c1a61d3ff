"""The lists of submit_multi against octets typed by hand from 3.4 sections 4.5.1.1 and 4.5.2.1."""

from __future__ import annotations

import pytest

from protocol.smpp.constants import Status
from protocol.smpp.destinations import Destination, DestinationList, Unsuccess, UnsuccessList
from protocol.smpp.errors import LocalFault, RemoteFault

TO = DestinationList("destinations")
REFUSED = UnsuccessList("unsuccess")
SOME = (Destination(1, 1, "33612345678"), Destination(list_name="friends"), Destination(0, 0, "36179"))
OCTETS = b"\x03\x01\x01\x0133612345678\x00\x02friends\x00\x01\x00\x0036179\x00"


def test_destinations_are_written_and_read_as_the_standard_has_them() -> None:
    out = bytearray()
    TO.write(SOME, out)
    assert bytes(out) == OCTETS
    assert TO.read(OCTETS, 0) == (SOME, len(OCTETS))


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"\x00", Status.ESME_RINVNUMDESTS),
        (b"\xff" + b"\x01\0\01\0" * 255, Status.ESME_RINVNUMDESTS),
        (b"\x01\x03\0\01\0", Status.ESME_RINVDESTFLAG),
        (b"\x01\x00\0\01\0", Status.ESME_RINVDESTFLAG),
        (b"\x01\x02" + b"x" * 21 + b"\0", Status.ESME_RINVDLNAME),
        (b"\x01\x01\0\0" + b"1" * 21 + b"\0", Status.ESME_RINVDSTADR),
        (b"\x02\x01\0\01\0", Status.ESME_RINVCMDLEN),
        (b"", Status.ESME_RINVCMDLEN),
    ],
    ids=["none", "too many", "flag 3", "flag 0", "long name", "long address", "fewer than it says", "nothing"],
)
def test_broken_destinations_are_told_apart(octets: bytes, status: Status) -> None:
    with pytest.raises(RemoteFault) as caught:
        TO.read(octets, 0)
    assert caught.value.status == status
    assert not caught.value.fatal


def test_as_many_as_the_standard_allows() -> None:
    many = tuple(Destination(1, 1, f"336{number:08}") for number in range(254))
    out = bytearray()
    TO.write(many, out)
    assert TO.read(bytes(out), 0) == (many, len(out))
    for wrong in ((), (*many, many[0]), [many[0]]):
        with pytest.raises(LocalFault):
            TO.write(wrong, bytearray())


def test_refusals_are_written_and_read_as_the_standard_has_them() -> None:
    some = (Unsuccess(1, 1, "33612345678", 0x0B), Unsuccess(0, 0, "friends", 0x34))
    octets = b"\x02\x01\x0133612345678\0\0\0\0\x0b\0\0friends\0\0\0\0\x34"
    out = bytearray()
    REFUSED.write(some, out)
    assert bytes(out) == octets
    assert REFUSED.read(octets, 0) == (some, len(octets))
    assert REFUSED.read(b"\0", 0) == ((), 1)
    with pytest.raises(RemoteFault):
        REFUSED.read(octets[:-1], 0)
    wrong: tuple[object, ...] = ([], (Unsuccess(0, 0, "", -1),), (Unsuccess(0, 0, "", 0),) * 255)
    for each in wrong:
        with pytest.raises(LocalFault):
            REFUSED.write(each, bytearray())
