"""The judge itself: tshark must see every PDU of a conversation, and complain of one that is broken."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.daemon.tap import CLIENT, SERVER, Conversation, judge

ENQUIRE_LINK, ENQUIRE_LINK_RESP, DELIVER_SM = 0x15, 0x80000015, 0x05


def pdu(command: int, body: bytes = b"", sequence: int = 1) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command, 0, sequence) + body


def test_every_pdu_is_seen_however_it_was_cut(tmp_path: Path) -> None:
    whole = Conversation("whole")
    whole.add(CLIENT, pdu(ENQUIRE_LINK) * 3)
    whole.add(SERVER, pdu(ENQUIRE_LINK_RESP) * 2)
    cut = Conversation("cut")
    for octet in pdu(ENQUIRE_LINK):
        cut.add(CLIENT, bytes((octet,)))
    cut.add(SERVER, pdu(ENQUIRE_LINK_RESP))
    opinion = judge([whole, cut], tmp_path / "tap.pcap")
    assert opinion.complaints == []
    assert opinion.commands == {ENQUIRE_LINK: 4, ENQUIRE_LINK_RESP: 3}


@pytest.mark.parametrize(
    "broken",
    [pdu(DELIVER_SM, b"\0\1\1336\0"), pdu(DELIVER_SM, b"\0\1\1" + b"33612345678\0" + b"\1\1" + b"3" * 10)],
    ids=["short", "unterminated"],
)
def test_a_broken_pdu_is_complained_of_by_its_name(tmp_path: Path, broken: bytes) -> None:
    sound, unsound = Conversation("sound"), Conversation("unsound")
    sound.add(CLIENT, pdu(ENQUIRE_LINK))
    unsound.add(SERVER, broken)
    opinion = judge([sound, unsound], tmp_path / "tap.pcap")
    assert len(opinion.complaints) == 1
    assert opinion.complaints[0].startswith("unsound: ")


def test_a_missing_judge_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AssertionError, match=r"tshark is missing; scripts/test installs it"):
        judge([], tmp_path / "tap.pcap")
