"""The two lists of submit_multi: to whom a message goes, and of whom it was refused (3.4 sections 4.5.1.1 and 4.5.2.1).

Knows no PDU; faults name the field, as those of ``fields`` do.
"""

from __future__ import annotations

from typing import Final

import msgspec

from protocol.smpp.constants import Status
from protocol.smpp.errors import LocalFault, RemoteFault
from protocol.smpp.fields import CString, Octet

DESTINATIONS_MAX: Final = 254
"""How many destinations a submit_multi may name (3.4 section 5.2.24, number_of_dests)."""

_SME_ADDRESS: Final = 1
_LIST_NAME: Final = 2

_COUNT: Final = Octet("number_of_dests")
_FLAG: Final = Octet("dest_flag")
_TON, _NPI = Octet("dest_addr_ton"), Octet("dest_addr_npi")
_ADDRESS: Final = CString("destination_addr", 21, Status.ESME_RINVDSTADR)
_NAME: Final = CString("dl_name", 21, Status.ESME_RINVDLNAME)
_REFUSED: Final = Octet("no_unsuccess")
_STATUS_SIZE: Final = 4


class Destination(msgspec.Struct, frozen=True, gc=False):
    """One SME address, or with ``list_name`` a distribution list, which has nothing else (3.4 section 5.2.25)."""

    ton: int = 0
    npi: int = 0
    address: str = ""
    list_name: str = ""


class Unsuccess(msgspec.Struct, frozen=True, gc=False):
    """One destination that was not taken, and the command_status that says why (3.4 section 4.5.2.1)."""

    ton: int
    npi: int
    address: str
    status: int


class DestinationList(msgspec.Struct, frozen=True, gc=False):
    """number_of_dests and dest_address(es): 1 to 254 of them (3.4 section 4.5.1)."""

    name: str

    def read(self, data: bytes, position: int) -> tuple[tuple[Destination, ...], int]:
        """Take all of them; raises RemoteFault."""
        count, position = _COUNT.read(data, position)
        if not 0 < count <= DESTINATIONS_MAX:
            raise RemoteFault("destination_count", Status.ESME_RINVNUMDESTS, detail=_COUNT.name)
        found = []
        for _ in range(count):
            destination, position = _read_destination(data, position)
            found.append(destination)
        return tuple(found), position

    def write(self, value: object, out: bytearray) -> None:
        """Append all of them; raises LocalFault."""
        if not isinstance(value, tuple) or not 0 < len(value) <= DESTINATIONS_MAX:
            raise LocalFault("out_of_range", Status.ESME_RINVNUMDESTS, detail=self.name)
        out.append(len(value))
        for destination in value:
            if destination.list_name:
                out.append(_LIST_NAME)
                _NAME.write(destination.list_name, out)
            else:
                out.append(_SME_ADDRESS)
                _TON.write(destination.ton, out)
                _NPI.write(destination.npi, out)
                _ADDRESS.write(destination.address, out)


class UnsuccessList(msgspec.Struct, frozen=True, gc=False):
    """no_unsuccess and unsuccess_sme(s) (3.4 section 4.5.2)."""

    name: str

    def read(self, data: bytes, position: int) -> tuple[tuple[Unsuccess, ...], int]:
        """Take all of them; raises RemoteFault."""
        count, position = _REFUSED.read(data, position)
        found = []
        for _ in range(count):
            ton, position = _TON.read(data, position)
            npi, position = _NPI.read(data, position)
            address, position = _ADDRESS.read(data, position)
            end = position + _STATUS_SIZE
            if end > len(data):
                raise RemoteFault("short_pdu", Status.ESME_RINVCMDLEN, detail="error_status_code")
            status = int.from_bytes(data[position:end], "big")
            found.append(Unsuccess(ton, npi, address, status))
            position = end
        return tuple(found), position

    def write(self, value: object, out: bytearray) -> None:
        """Append all of them; raises LocalFault."""
        if not isinstance(value, tuple) or len(value) > DESTINATIONS_MAX:
            raise LocalFault("out_of_range", Status.ESME_RINVNUMDESTS, detail=self.name)
        out.append(len(value))
        for refused in value:
            _TON.write(refused.ton, out)
            _NPI.write(refused.npi, out)
            _ADDRESS.write(refused.address, out)
            if not 0 <= refused.status <= 0xFFFF_FFFF:
                raise LocalFault("out_of_range", detail="error_status_code")
            out += refused.status.to_bytes(_STATUS_SIZE, "big")


def _read_destination(data: bytes, position: int) -> tuple[Destination, int]:
    flag, position = _FLAG.read(data, position)
    if flag == _LIST_NAME:
        name, position = _NAME.read(data, position)
        return Destination(list_name=name), position
    if flag != _SME_ADDRESS:
        # Nobody knows how long an entry of another kind is, so what follows it cannot be found.
        raise RemoteFault("destination_flag", Status.ESME_RINVDESTFLAG, detail=_FLAG.name)
    ton, position = _TON.read(data, position)
    npi, position = _NPI.read(data, position)
    address, position = _ADDRESS.read(data, position)
    return Destination(ton, npi, address), position
