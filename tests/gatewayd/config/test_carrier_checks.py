"""Links over SMPP: who connects to whom, encrypted how, and what follows a status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

HOST = 'host = "smsc.example"\nport = 2776\n'
LISTENING = 'listen = "0.0.0.0:2776"\nlisten_networks = ["192.0.2.0/24"]\n'

FAULTS = {
    "hosts beside host": (
        f'{HOST}hosts = ["a.example:2775"]\n',
        [
            "links.carrier.host: stands beside hosts; write all of them in hosts, in order",
            "links.carrier.port: stands beside hosts; write all of them in hosts, in order",
        ],
    ),
    "a host without its port": (
        'hosts = ["a.example", "b.example:2775"]\n',
        [
            (
                'links.carrier.hosts: "a.example" is not a host with its port; '
                'write "smsc1.example:2775" or "[2001:db8::1]:2775"'
            )
        ],
    ),
    "one host twice": (
        'hosts = ["a.example:2775", "a.example:2775"]\n',
        ["links.carrier.hosts: names one host twice; name each once, in order of preference"],
    ),
    "listens and dials": (
        f"{HOST}{LISTENING}",
        [
            "links.carrier.host: stands beside listen: this carrier connects to us; remove one of them",
            "links.carrier.port: stands beside listen: this carrier connects to us; remove one of them",
        ],
    ),
    "listens to the world": (
        'listen = "0.0.0.0:2776"\n',
        [
            (
                "links.carrier.listen_networks: is missing: whoever connects is shown system_id and password; "
                'give those that the carrier comes from: ["192.0.2.7"]'
            )
        ],
    ),
    "listens where applications do": (
        LISTENING.replace("0.0.0.0:2776", "127.0.0.1:2775"),
        ['links.carrier.listen: "127.0.0.1:2775" is already taken by smpp.listen; give each its own port'],
    ),
    "half a pair": (
        f'{HOST}tls = true\ntls_key = "carrier.password"\n',
        [
            "links.carrier.tls_certificate: is missing: the other half of the pair is given; give the file's path",
        ],
    ),
    "an encrypted listener without a certificate": (
        f"{LISTENING}tls = true\n",
        [
            "links.carrier.tls_certificate: is missing: links.carrier.listen with tls needs it; give the file's path",
            "links.carrier.tls_key: is missing: links.carrier.listen with tls needs it; give the file's path",
        ],
    ),
    "TLVs for a carrier of 3.3": (
        f'{HOST}interface_version = "3.3"\nlong_messages = "sar"\n',
        [
            (
                'links.carrier.long_messages: "sar" is a TLV, and interface_version 3.3 has none; '
                'write "udh8", or another version'
            )
        ],
    ),
    "waits": (
        f"{HOST}bind_refused_wait_s = 60\nbind_refused_wait_max_s = 30\n",
        ["links.carrier.bind_refused_wait_s: 60.0 is more than bind_refused_wait_max_s (30.0); give less"],
    ),
    "a status that is none": (
        f'{HOST}statuses = {{ESME_RTHROTTELD = "pause", "1035" = "next"}}\n',
        [
            (
                'links.carrier.statuses.ESME_RTHROTTELD: "ESME_RTHROTTELD" is no command_status; '
                "did you mean ESME_RTHROTTLED?"
            ),
            'links.carrier.statuses.1035: "1035" is no command_status; write "0x0000040B", or "0x400-0x4FF"',
        ],
    ),
    "an action that is none": (
        f'{HOST}statuses = {{ESME_RTHROTTLED = "wait"}}\n',
        [
            (
                'links.carrier.statuses.ESME_RTHROTTLED: "wait" is nothing that can be done about a status; '
                'write "retry", "retry 30" (seconds), "pause", "next", "fail" or "unreachable"'
            )
        ],
    ),
    "a TLV that is none": (
        f'{HOST}tlvs_rename = {{callback = "0x1400"}}\n',
        [
            (
                'links.carrier.tlvs_rename.callback: "callback" names no TLV; '
                'write a name of docs/tlvs.md or its tag: "0x1400"'
            )
        ],
    ),
    "one tag for two": (
        f'{HOST}tlvs_rename = {{callback_num = "0x1400", set_dpf = "0x1400"}}\n',
        [
            (
                "links.carrier.tlvs_rename: gives two TLVs the same tag, and replies could not be told apart; "
                "give each its own"
            )
        ],
    ),
    "one tag for two, in two spellings": (
        f'{HOST}tlvs_rename = {{callback_num = "0x1EF", set_dpf = "0x01ef"}}\n',
        [
            (
                "links.carrier.tlvs_rename: gives two TLVs the same tag, and replies could not be told apart; "
                "give each its own"
            )
        ],
    ),
    "one TLV twice": (
        f'{HOST}tlvs_rename = {{set_dpf = "0x1400", 0x0421 = "0x1401"}}\n',
        ["links.carrier.tlvs_rename: names one TLV twice, in two spellings; remove one of them"],
    ),
    "words that say nothing": (
        f'{HOST}statuses = {{ESME_RTHROTTLED = ""}}\ntlvs_rename = {{set_dpf = ""}}\n',
        [
            (
                'links.carrier.statuses.ESME_RTHROTTLED: "" is nothing that can be done about a status; '
                'write "retry", "retry 30" (seconds), "pause", "next", "fail" or "unreachable"'
            ),
            'links.carrier.tlvs_rename.set_dpf: "" names no TLV; write a name of docs/tlvs.md or its tag: "0x1400"',
        ],
    ),
    "no address at all": (
        "",
        ["links.carrier.host: is missing; a link of kind smpp needs it, or hosts, or listen"],
    ),
}


@pytest.mark.parametrize(("keys", "faults"), FAULTS.values(), ids=FAULTS)
def test_a_fault_says_what_to_do(desk: Desk, keys: str, faults: list[str]) -> None:
    assert desk.faults((HOST, keys)) == faults


def test_what_has_no_effect_is_said(desk: Desk) -> None:
    desk.put("out.password", "s3cret\n")
    keys = (
        f'{HOST}tls_server_name = "smsc.example"\nlisten_networks = ["::/0"]\noutbind_password_file = "out.password"\n'
    )
    assert desk.warnings((HOST, keys)) == [
        "links.carrier.listen_networks: has no effect without listen; remove it, or add links.carrier.listen",
        "links.carrier.outbind_password_file: has no effect without listen; remove it, or add links.carrier.listen",
        "links.carrier.tls_server_name: has no effect while tls is off; write tls = true",
    ]


def test_what_is_never_renamed_is_said(desk: Desk) -> None:
    keys = (
        f'{HOST}tlvs_rename = {{0x0424 = "0x1500", 0x1400 = "0x1501", sar_msg_ref_num = "0x1502", 0x149F = "0x1503"}}\n'
    )
    assert desk.warnings((HOST, keys)) == [
        f"links.carrier.tlvs_rename.{tag}: has no effect: it goes under its own tag, or nowhere; remove it"
        for tag in ("0x0424", "sar_msg_ref_num", "0x149F")
    ]


def test_all_of_it_at_once(desk: Desk, key_pair: tuple[bytes, bytes]) -> None:
    desk.put("own.pem", key_pair[0])
    desk.put("own.key", key_pair[1])
    desk.put("out.password", "s3cret\n")
    own = 'tls = true\ntls_certificate = "own.pem"\ntls_key = "own.key"\ntls_ca = "own.pem"\n'
    dialling = 'hosts = ["a.example:2775", "[2001:db8::1]:2775"]\ntls_server_name = "smsc.example"\n'
    assert desk.warnings((HOST, dialling + own)) == []
    loaded = desk.load((HOST, f'{LISTENING}outbind_password_file = "out.password"\nbind = "separate"\n{own}'))
    assert loaded.warnings == ()
    assert loaded.config.links["carrier"].tls_key == str(desk.folder / "own.key")
    assert loaded.secrets["links.carrier.outbind_password_file"] == "s3cret"


def test_the_pair_is_looked_at(desk: Desk, key_pair: tuple[bytes, bytes]) -> None:
    desk.put("own.pem", key_pair[0])
    desk.put("own.key", key_pair[1], 0o644)
    keys = f'{HOST}tls = true\ntls_certificate = "own.pem"\ntls_key = "own.key"\n'
    assert desk.faults((HOST, keys)) == [
        'links.carrier.tls_key: "DIR/own.key" is open to everyone (mode 0644); run: chmod o= DIR/own.key'
    ]


def test_a_password_that_no_outbind_can_bear(desk: Desk) -> None:
    desk.put("out.password", "much-too-long\n")
    assert desk.faults((HOST, f'{LISTENING}outbind_password_file = "out.password"\n')) == [
        "links.carrier.outbind_password_file: the password has 13 characters; SMPP allows 8 at most"
    ]


@pytest.mark.parametrize(
    ("keys", "warnings"),
    [
        ('national_languages = ["turkish", "urdu"]\ntransliterate = "full"\nseptets = "packed"\n', []),
        (
            'data_coding_0 = "latin1"\nnational_languages = ["hindi"]\n',
            [
                "links.carrier.national_languages: has no effect while data_coding_0 is latin1; remove one of the two",
            ],
        ),
        (
            'data_coding_0 = "utf8"\ntransliterate = "typographic"\n',
            ["links.carrier.transliterate: has no effect while data_coding_0 is utf8: every text fits; remove it"],
        ),
    ],
)
def test_keys_of_text_that_do_nothing_are_said(desk: Desk, keys: str, warnings: list[str]) -> None:
    assert desk.warnings((HOST, HOST + keys)) == warnings


def test_a_language_that_has_no_table(desk: Desk) -> None:
    (fault,) = desk.faults((HOST, f'{HOST}national_languages = ["french"]\n'))
    assert fault.startswith('links.carrier.national_languages: "french" is not known here')
