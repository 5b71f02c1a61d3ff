"""`gatewayd pdu`: what it prints of octets, dumps and captures, and with which code it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatewayd import cli
from protocol.smpp.pdu import EnquireLink, SubmitSm, build
from tests.protocol.smpp.packets import ethernet, pcap, pcapng

runner = CliRunner()
MESSAGE = build(
    SubmitSm(
        source_addr_ton=5,
        source_addr="Brand",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="33612345678",
        short_message=b"secret code 1234",
        tlvs=((0x0204, b"\0\x2a"),),
        sequence=5,
    )
)


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parallel runs of tests set the width of one."""
    monkeypatch.delenv("COLUMNS", raising=False)


def run(*words: str, given: bytes | None = None) -> tuple[int, str, str]:
    result = runner.invoke(cli.app, ["pdu", *words], input=given)
    return result.exit_code, result.stdout, result.stderr


def test_a_pdu_line_by_line() -> None:
    code, out, err = run(MESSAGE.hex(" "))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"submit_sm, {len(MESSAGE)} octets, sequence 5"
    assert lines[6].split() == ["17", "05", "source_addr_ton", "5", "alphanumeric"]
    assert '"33612345678"' in out
    assert '"secret code 1234"  16 characters, GSM alphabet, by agreement' in out
    assert lines[-2].split() == [str(len(MESSAGE) - 6), "02", "04", "00", "02", "user_message_reference", "2", "TLV"]
    assert lines[-1].split() == [str(len(MESSAGE) - 2), "00", "2a", "value", "42"]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_on_a_terminal_long_values_go_on_below_where_they_began(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"one two three four five six seven eight nine ten eleven twelve thirteen"
    octets = build(SubmitSm(short_message=text)).hex()
    monkeypatch.delenv("COLUMNS", raising=False)
    code, whole, _ = run(octets)
    monkeypatch.setenv("COLUMNS", str(width))
    assert run(octets)[0] == code == 0
    lines = run(octets)[1].splitlines()
    assert max(map(len, lines)) <= width
    column = lines[1].index(str(len(octets) // 2))
    below = [line for line in lines[1:] if not line[:column].strip()]
    assert below
    assert all(line[column] != " " for line in below)
    assert " ".join(" ".join(lines).split()).endswith('thirteen" 71 characters, GSM alphabet, by agreement')
    assert any(
        line.endswith(f'"{text.decode()}"  71 characters, GSM alphabet, by agreement') for line in whole.splitlines()
    )


def test_what_is_masked_is_nowhere() -> None:
    for more in ((), ("--json",)):
        code, out, _ = run(MESSAGE.hex(), "--mask", *more)
        assert code == 0
        for secret in ("33612345678", "secret", "Brand", b"secret".hex(), b"secret".hex(" "), b"3361".hex(" ")):
            assert secret not in out
        assert "alphanumeric" in out


def test_what_a_header_holds_is_masked_where_no_words_say_what_it_is() -> None:
    reply_address = b"\x0f\x22\x08secret!!\x00\x03\x07\x02\x01"
    no_header_but_a_text = b"!the secret code is 123456"
    for text in (reply_address, no_header_but_a_text):
        octets = build(SubmitSm(esm_class=0x40, short_message=text)).hex()
        assert '"secret' in run(octets)[1] or b"secret".hex(" ") in run(octets)[1]
        for more in ((), ("--json",)):
            _, out, _ = run(octets, "--mask", *more)
            for secret in ("secret", b"secret".hex(), b"secret".hex(" "), b"sec".hex(" ")):
                assert secret not in out
    _, out, _ = run(build(SubmitSm(esm_class=0x40, short_message=reply_address)).hex(), "--mask")
    assert "reference 7, part 1 of 2" in out


def test_a_fault_is_told_at_its_octet_and_the_code_says_so() -> None:
    code, out, _ = run(MESSAGE[:-3].hex())
    assert code == 1
    assert "! at octet 0: wrong_length" in out
    assert "(section 3.2.4.1); it is answered with ESME_RINVOPTPARSTREAM" in out


def test_several_pdus_and_standard_input() -> None:
    code, out, _ = run("-", given=(MESSAGE + build(EnquireLink(sequence=9))).hex().encode())
    assert code == 0
    assert [line for line in out.splitlines() if line[:1].isalpha()][1] == "enquire_link, 16 octets, sequence 9"


def test_files_of_every_kind_say_the_same(tmp_path: Path) -> None:
    frame = ethernet(MESSAGE, 1)
    files = {
        "octets.bin": MESSAGE,
        "dump.txt": MESSAGE.hex(" ").encode(),
        "frame.txt": frame.hex().encode(),
        "classic.pcap": pcap([frame]),
        "new.pcapng": pcapng([frame]),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        code, out, _ = run(str(tmp_path / name), "--json")
        (told,) = json.loads(out)
        assert (code, told["command"], told["sequence"], told["faults"]) == (0, "submit_sm", 5, []), name
        fields = {field["name"]: field for field in told["fields"]}
        assert fields["short_message"]["value"] == "secret code 1234"
        assert fields["destination_addr"]["at"] == 27
        assert told.get("from") == ("10.0.0.1:40000" if "pcap" in name else None)


def test_of_a_capture_the_ends_and_the_time_are_told(tmp_path: Path) -> None:
    (tmp_path / "c.pcap").write_bytes(pcap([ethernet(MESSAGE, 1)]))
    code, out, _ = run(str(tmp_path / "c.pcap"))
    assert code == 0
    assert out.startswith("2023-11-14 22:13:20.000000 UTC  10.0.0.1:40000 → 10.0.0.2:2775\nsubmit_sm, ")
    assert run(str(tmp_path / "c.pcap"), "--port", "99")[0] == 2


def test_what_cannot_be_read_is_said() -> None:
    for words, why in [
        (("00 zz",), "'z' is no hexadecimal digit"),
        (("lost.pcap",), "there is no such file"),
        ((MESSAGE.hex(), "--port", "5"), "--port is for captures"),
        ((MESSAGE.hex(), "--data-coding-0", "morse"), "morse is no alphabet; there are: gsm"),
    ]:
        code, out, err = run(*words)
        assert (code, out) == (2, "")
        assert why in err
