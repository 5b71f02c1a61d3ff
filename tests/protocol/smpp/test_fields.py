"""Each kind of field at the edge of its limits."""

from __future__ import annotations

import pytest

from protocol.smpp.constants import Status
from protocol.smpp.errors import LocalFault, RemoteFault
from protocol.smpp.fields import CString, Field, Octet, ShortMessage, TlvList

ADDRESS = CString("source_addr", 5, Status.ESME_RINVSRCADR)


@pytest.mark.parametrize(
    ("field", "data", "value"),
    [
        (Octet("data_coding"), b"\xff", 255),
        (ADDRESS, b"\0", ""),
        (ADDRESS, b"abcd\0", "abcd"),
        (ADDRESS, b"\xe9\x80\0", "\xe9\x80"),
        (ShortMessage("short_message"), b"\0", b""),
        (ShortMessage("short_message"), b"\xfe" + bytes(254), bytes(254)),
        (TlvList("tlvs"), b"", ()),
        (TlvList("tlvs"), b"\x02\x04\0\x02ab\x14\x00\0\0", ((0x204, b"ab"), (0x1400, b""))),
    ],
)
def test_what_fits_goes_both_ways(field: Field, data: bytes, value: object) -> None:
    assert field.read(b"??" + data, 2) == (value, 2 + len(data))
    out = bytearray()
    field.write(value, out)
    assert bytes(out) == data


@pytest.mark.parametrize(
    ("field", "data", "kind", "status"),
    [
        (Octet("data_coding"), b"", "short_pdu", Status.ESME_RINVCMDLEN),
        (ADDRESS, b"", "short_pdu", Status.ESME_RINVCMDLEN),
        (ADDRESS, b"abcd", "unterminated_string", Status.ESME_RINVSRCADR),
        (ADDRESS, b"abcde", "field_too_long", Status.ESME_RINVSRCADR),
        (ADDRESS, b"abcde\0", "field_too_long", Status.ESME_RINVSRCADR),
        (ShortMessage("short_message"), b"", "short_pdu", Status.ESME_RINVCMDLEN),
        (ShortMessage("short_message"), b"\x03ab", "message_overrun", Status.ESME_RINVMSGLEN),
        (ShortMessage("short_message"), b"\xff" + bytes(255), "field_too_long", Status.ESME_RINVMSGLEN),
        (TlvList("tlvs"), b"\x02", "tlv_overrun", Status.ESME_RINVTLVSTREAM),
        (TlvList("tlvs"), b"\x02\x04\0", "tlv_overrun", Status.ESME_RINVTLVSTREAM),
        (TlvList("tlvs"), b"\x02\x04\0\x02a", "tlv_overrun", Status.ESME_RINVTLVSTREAM),
        (TlvList("tlvs"), b"\x02\x04\0\x01a\0\0", "tlv_overrun", Status.ESME_RINVTLVSTREAM),
    ],
)
def test_what_a_peer_gets_wrong_has_a_word_and_a_status(field: Field, data: bytes, kind: str, status: int) -> None:
    with pytest.raises(RemoteFault) as caught:
        field.read(data, 0)
    assert (caught.value.kind, caught.value.status, caught.value.fatal) == (kind, status, False)


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        (Octet("data_coding"), 256, "out_of_range"),
        (Octet("data_coding"), -1, "out_of_range"),
        (Octet("data_coding"), "1", "out_of_range"),
        (ADDRESS, "abcde", "field_too_long"),
        (ADDRESS, "a\0b", "embedded_nul"),
        (ADDRESS, "\u20ac", "not_latin1"),
        (ADDRESS, b"abc", "out_of_range"),
        (ShortMessage("short_message"), bytes(255), "field_too_long"),
        (ShortMessage("short_message"), "text", "out_of_range"),
        (TlvList("tlvs"), ((0x10000, b""),), "out_of_range"),
        (TlvList("tlvs"), ((0x424, bytes(0x10000)),), "out_of_range"),
        (TlvList("tlvs"), [], "out_of_range"),
    ],
)
def test_what_we_get_wrong_is_never_written(field: Field, value: object, kind: str) -> None:
    with pytest.raises(LocalFault) as caught:
        field.write(value, bytearray())
    assert caught.value.kind == kind
