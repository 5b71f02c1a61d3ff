"""What the keys of an SMPP link must mean together: who connects to whom, encrypted how, and what follows a status.

Looks at no file.
"""

from __future__ import annotations

from typing import Final

from gatewayd.config import schema
from gatewayd.config.carrier_statuses import NUMBERS, span_of
from gatewayd.config.faults import Findings, dotted, guess, shown
from gatewayd.config.tls_checks import check_pair
from gatewayd.config.tlv_names import is_tag, tag_of

_TLS_KEYS: Final = ("tls_ca", "tls_certificate", "tls_key", "tls_server_name")
_DIALLING_KEYS: Final = ("host", "port", "hosts", "failover_after", "failback_interval_s")
_LISTENING_KEYS: Final = ("listen_networks", "outbind_password_file")
# What makes a long message, and what the gateway itself is told (0x1490 to 0x149F).
_LONG: Final = ("message_payload", "sar_msg_ref_num", "sar_total_segments", "sar_segment_seqnum")
_NEVER_RENAMED: Final = frozenset(map(tag_of, _LONG)) | frozenset(range(0x1490, 0x14A0))


def check_carrier(where: str, link: schema.Link, given: frozenset[str], findings: Findings) -> None:
    """Note the faults of one link; ``given`` are the keys that stand in the file."""
    if link.listen:
        _check_listening(where, link, given, findings)
    else:
        _check_dialling(where, link, given, findings)
    _check_tls(where, link, findings)
    _check_statuses(where, link, findings)
    _check_text(where, link, findings)
    _check_tlvs(where, link, findings)
    for low, high in (("reconnect_min_s", "reconnect_max_s"), ("bind_refused_wait_s", "bind_refused_wait_max_s")):
        least, most = getattr(link, low), getattr(link, high)
        if least > most:
            findings.fault(f"{where}.{low}", f"{shown(least)} is more than {high} ({shown(most)})", "give less")


def _check_dialling(where: str, link: schema.Link, given: frozenset[str], findings: Findings) -> None:
    if not (link.host or link.hosts or any(findings.is_faulty(f"{where}.{key}") for key in ("host", "hosts"))):
        findings.fault(f"{where}.host", "is missing", "a link of kind smpp needs it, or hosts, or listen")
    if link.hosts:
        for key in ("host", "port"):
            if key in given:
                findings.fault(f"{where}.{key}", "stands beside hosts", "write all of them in hosts, in order")
        if len(set(link.hosts)) < len(link.hosts):
            findings.fault(f"{where}.hosts", "names one host twice", "name each once, in order of preference")
    for key in _LISTENING_KEYS:
        if getattr(link, key):
            findings.warn(f"{where}.{key}", "has no effect without listen", f"remove it, or add {where}.listen")


def _check_listening(where: str, link: schema.Link, given: frozenset[str], findings: Findings) -> None:
    for key in _DIALLING_KEYS:
        if key in given:
            findings.fault(f"{where}.{key}", "stands beside listen: this carrier connects to us", "remove one of them")
    if not link.listen_networks and not findings.is_faulty(f"{where}.listen_networks"):
        problem = "is missing: whoever connects is shown system_id and password"
        findings.fault(f"{where}.listen_networks", problem, 'give those that the carrier comes from: ["192.0.2.7"]')


def _check_text(where: str, link: schema.Link, findings: Findings) -> None:
    """What only a link whose plain texts are GSM's, or have gaps, can make use of."""
    alphabet = f"while data_coding_0 is {link.data_coding_0}"
    if link.national_languages and link.data_coding_0 != "gsm":
        findings.warn(f"{where}.national_languages", f"has no effect {alphabet}", "remove one of the two")
    if link.transliterate != "off" and link.data_coding_0 in ("utf8", "ucs2"):
        findings.warn(f"{where}.transliterate", f"has no effect {alphabet}: every text fits", "remove it")
    if link.interface_version == "3.3" and link.long_messages in ("sar", "payload"):
        problem = f"{shown(link.long_messages)} is a TLV, and interface_version 3.3 has none"
        findings.fault(f"{where}.long_messages", problem, 'write "udh8", or another version')


def _check_tlvs(where: str, link: schema.Link, findings: Findings) -> None:
    if not all(is_tag(word) for pair in link.tlvs_rename.items() for word in pair):
        return  # that is told already
    ours, theirs = ({tag_of(word) for word in words} for words in (link.tlvs_rename, link.tlvs_rename.values()))
    if len(ours) < len(link.tlvs_rename):
        findings.fault(f"{where}.tlvs_rename", "names one TLV twice, in two spellings", "remove one of them")
    elif len(theirs) < len(link.tlvs_rename):
        problem = "gives two TLVs the same tag, and replies could not be told apart"
        findings.fault(f"{where}.tlvs_rename", problem, "give each its own")
    for word in link.tlvs_rename:
        if tag_of(word) in _NEVER_RENAMED:
            key = f"{where}.tlvs_rename.{dotted(word)}"
            findings.warn(key, "has no effect: it goes under its own tag, or nowhere", "remove it")


def _check_tls(where: str, link: schema.Link, findings: Findings) -> None:
    if not link.tls:
        for key in _TLS_KEYS:
            if getattr(link, key):
                findings.warn(f"{where}.{key}", "has no effect while tls is off", "write tls = true")
        return
    needed_by = f"{where}.listen with tls" if link.listen else ""
    check_pair(where, link.tls_certificate, link.tls_key, needed_by, findings)
    if link.listen and link.tls_server_name:
        problem = "has no effect beside listen: it is the name that we look for at the other end"
        findings.warn(f"{where}.tls_server_name", problem, "remove it")


def _check_statuses(where: str, link: schema.Link, findings: Findings) -> None:
    for word in link.statuses:
        try:
            span_of(word)
        except ValueError:
            key = f"{where}.statuses.{dotted(word)}"
            remedy = guess(word, NUMBERS) if word.startswith("ESME") else 'write "0x0000040B", or "0x400-0x4FF"'
            findings.fault(key, f"{shown(word)} is no command_status", remedy)
