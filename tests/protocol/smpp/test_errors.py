"""Faults say what they are, and nothing of what they were about."""

from __future__ import annotations

from protocol.smpp.constants import Command, Status
from protocol.smpp.errors import LocalFault, RemoteFault, SmppFault


def test_a_fault_reads_as_a_sentence() -> None:
    fault = RemoteFault("field_too_long", Status.ESME_RINVDSTADR, command=Command.SUBMIT_SM, detail="destination_addr")
    assert str(fault) == "field_too_long in submit_sm (ESME_RINVDSTADR): destination_addr"
    assert str(LocalFault("closed")) == "closed in 0x00000000 (ESME_RSYSERR)"


def test_a_fault_knows_what_to_answer() -> None:
    fault = RemoteFault("oversized", 0x4FF, command=4, sequence=7, fatal=True)
    assert (fault.kind, fault.status, fault.command, fault.sequence, fault.fatal) == ("oversized", 0x4FF, 4, 7, True)
    assert isinstance(fault, SmppFault)
    assert type(RemoteFault("x", Status.ESME_RINVMSGLEN).status) is int
