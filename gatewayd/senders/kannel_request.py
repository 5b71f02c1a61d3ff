"""Kannel's sendsms, read: its parameters, by query, form or headers, made into what a submit_sm is.

Knows neither who calls nor what becomes of it. Every refusal has the status and the words that Kannel has for it.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from gatewayd.config.callback_urls import URL_SIZE_MAX
from gatewayd.message import TAG_CALLBACK, TAG_CLASS
from gatewayd.policy.callbacks import DELIVERED, FAILED, Callback, encode
from gatewayd.senders.accounts import Account
from gatewayd.senders.http_submit import moment_of, source_of
from gatewayd.senders.product_http import (
    TEXT_MAX,
    default_sender,
    destination_of,
    is_sender,
    pairs_of,
    with_question_marks,
)
from protocol.smpp import text
from protocol.smpp.constants import Status
from protocol.smpp.errors import LocalFault
from protocol.smpp.pdu import SubmitSm

_HEADER: Final = "x-kannel-"
_UDH_MAX: Final = 140
_ACCOUNT_MAX: Final = 64
_SERVICE_TYPE_MAX: Final = 5
_INTEGER: Final = re.compile(rb"\s*([+-]?[0-9]{1,12})")
_ALIASES: Final = {"user": "username", "pass": "password", "dlrmask": "dlr-mask", "dlrurl": "dlr-url"}
_RANGES: Final[Mapping[str, tuple[str, int]]] = {
    "coding": ("Coding", 2),
    "mclass": ("MClass", 3),
    "mwi": ("MWI", 7),
    "alt-dcs": ("Alt-DCS", 1),
    "compress": ("Compress", 0),  # what is compressed cannot be read, nor sent over RCS
    "pid": ("PID", 255),
    "rpi": ("RPI", 2),
    "validity": ("Validity", 10**9),
    "deferred": ("Deferred", 10**9),
    "priority": ("Priority", 3),
    "dlr-mask": ("DLR-Mask", 66),
}

Parameters = Mapping[str, bytes]


class Rejected(Exception):
    """A call that is refused, as Kannel answers it."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


def of_query(raw: bytes) -> dict[str, bytes]:
    """The parameters of a query: of those with one name the first, and all that are unknown as well."""
    found: dict[str, bytes] = {}
    for name, value in pairs_of(raw):
        found.setdefault(_ALIASES.get(name, name), value)
    return found


def of_headers(headers: Mapping[str, str], body: bytes, content_type: str, charset: str | None) -> dict[str, bytes]:
    """The parameters of a POST whose body is the text."""
    found = {"text": body}
    for header, value in headers.items():
        name = header.lower()
        if name.startswith(_HEADER):
            name = name.removeprefix(_HEADER)
            found.setdefault(_ALIASES.get(name, name), value.encode("utf-8", "surrogateescape"))
    is_text = content_type.startswith("text/")
    found.setdefault("coding", b"0" if is_text else b"1")
    if is_text or charset:
        found["charset"] = (charset or "ISO-8859-1").encode()
    if "udh" in found:
        found["udh"] = _udh_of(found["udh"])
    return found


def _udh_of(value: bytes) -> bytes:
    """In a header it may be hexadecimal, or escaped as in a query."""
    try:
        return binascii.unhexlify(value.strip())
    except binascii.Error:
        return unquote_to_bytes(value)


def words(given: Parameters, name: str) -> str:
    """A parameter as text."""
    return given.get(name, b"").decode("utf-8", "replace")


def receivers(given: Parameters, *, is_post: bool = False) -> list[str]:
    """The numbers, each once. Raises Rejected."""
    if "to" not in given:
        several = "receiver(s) number(s)" if is_post else "receiver number"
        raise Rejected(400, f"Missing {several}, rejected")
    numbers = list(dict.fromkeys(number.replace("-", "") for number in words(given, "to").split()))
    if not numbers:
        raise Rejected(400, "Empty receiver number not allowed, rejected")
    return numbers


def submits_of(given: Parameters, account: Account, numbers: list[str], now: float) -> list[SubmitSm]:
    """A submit_sm for each receiver whose number is one. ``now`` is in Unix seconds. Raises Rejected."""
    sender = words(given, "from").strip() or default_sender(account)
    if not sender:
        raise Rejected(400, "Sender missing and no global set, rejected")
    if not is_sender(sender):
        raise Rejected(400, "From field misformed, rejected")
    values = {name: _integer(given, name) for name in _RANGES}
    udh = _checked_udh(given)
    if given.get("meta-data"):
        raise Rejected(400, "Meta-Data is not supported, rejected")
    data_coding, payload = _coded(given, values, bool(udh), account)
    service_type = words(given, "binfo")
    if len(service_type) > _SERVICE_TYPE_MAX or not service_type.isascii():
        raise Rejected(400, "BInfo field misformed, rejected")
    if len(given.get("account", b"")) > _ACCOUNT_MAX or re.search(rb"[\[\]\r\n]", given.get("account", b"")):
        raise Rejected(400, "Account field misformed or too long, rejected")
    mask, validity, deferred = values["dlr-mask"], values["validity"], values["deferred"]
    callback, own_class = _callback(given, mask), _class_of(given, account)
    source_ton, source_npi, source = source_of(sender)
    return [
        SubmitSm(
            service_type=service_type,
            source_addr_ton=source_ton,
            source_addr_npi=source_npi,
            source_addr=source,
            dest_addr_ton=ton,
            dest_addr_npi=npi,
            destination_addr=digits,
            esm_class=(0x40 if udh else 0) | (0x80 if values["rpi"] > 0 else 0),
            protocol_id=max(0, values["pid"]),
            priority_flag=max(0, values["priority"]),
            schedule_delivery_time=_moment(now + deferred * 60, "Deferred") if deferred > 0 else "",
            validity_period=_moment(now + validity * 60, "Validity") if validity >= 0 else "",
            registered_delivery=_registered(mask),
            data_coding=data_coding,
            short_message=udh + payload,
            tlvs=own_class if callback is None else (*own_class, _tlv(callback, number)),
        )
        for number, destination in zip(numbers, map(destination_of, numbers), strict=True)
        if destination is not None
        for ton, npi, digits in (destination,)
    ]


def _integer(given: Parameters, name: str) -> int:
    """Read as C does: what begins with digits is a number, what does not was not given. Raises Rejected."""
    match = _INTEGER.match(given.get(name, b""))
    value = int(match[1]) if match else -1
    label, highest = _RANGES[name]
    if not -1 <= value <= highest:
        raise Rejected(400, f"{label} field misformed, rejected")
    return value


def _checked_udh(given: Parameters) -> bytes:
    udh = given.get("udh", b"")
    if len(udh) > _UDH_MAX:
        raise Rejected(400, "UDH field is too long, rejected")
    if udh and udh[0] != len(udh) - 1:
        raise Rejected(400, "UDH field misformed, rejected")
    return udh


def _coded(given: Parameters, values: Mapping[str, int], has_udh: bool, account: Account) -> tuple[int, bytes]:
    """The data_coding and the octets."""
    raw = given.get("text", b"")
    if len(raw) > TEXT_MAX * 4:
        raise Rejected(400, "Charset or body misformed, rejected")
    coding = values["coding"] if values["coding"] >= 0 else int(has_udh)
    data_coding = data_coding_of(coding, values, has_text=bool(raw))
    if coding == 1:
        return data_coding, raw
    try:
        charset = given.get("charset", b"").decode("ascii")
        if coding == 2:  # without a charset they are the octets of the message already
            return data_coding, raw.decode(charset).encode("utf-16-be") if charset else raw
        alphabet = text.encoding_of(data_coding, account.settings.data_coding_0)
        return data_coding, with_question_marks(raw.decode(charset or "utf-8"), alphabet)
    except (LookupError, ValueError, LocalFault):
        raise Rejected(400, "Charset or body misformed, rejected") from None


def data_coding_of(coding: int, values: Mapping[str, int], *, has_text: bool) -> int:
    """TS 23.038 section 4: a waiting message comes before a class, and a class before a plain alphabet."""
    mwi, mclass = values["mwi"], values["mclass"]
    if mwi >= 0:
        group = 0xE0 if coding == 2 else 0xD0 if has_text and coding == 0 else 0xC0
        return group | (0x08 if mwi < 4 else 0) | mwi & 3
    if mclass >= 0:
        if coding == 2 or values["alt-dcs"] == 0:
            return 0x10 | coding << 2 | mclass
        return 0xF0 | (0x04 if coding == 1 else 0) | mclass
    return coding << 2


def _registered(mask: int) -> int:
    """SMPP 3.4 section 5.2.17."""
    if mask <= 0 or not mask & (DELIVERED | FAILED):
        return 0
    return 1 if mask & DELIVERED else 2


def _moment(unix: float, label: str) -> str:
    moment = moment_of(unix)
    if moment is None:
        raise Rejected(400, f"{label} field misformed, rejected")
    return moment


def _callback(given: Parameters, mask: int) -> Callback | None:
    url = given.get("dlr-url", b"").decode("utf-8", "replace").strip()
    if url and (not url.lower().startswith(("http://", "https://")) or len(url) > URL_SIZE_MAX):
        raise Rejected(400, "DLR-URL field misformed, rejected")
    return Callback("kannel", url, mask) if url and mask > 0 else None


def _tlv(callback: Callback, number: str) -> tuple[int, bytes]:
    return TAG_CALLBACK, encode(msgspec.structs.replace(callback, to=number))


def _class_of(given: Parameters, account: Account) -> tuple[tuple[int, bytes], ...]:
    """The label by which Kannel routes is one of the account's classes here, if it has one of that name."""
    label = words(given, "smsc")
    return ((TAG_CLASS, label.encode()),) if label and label in account.settings.traffic_classes else ()


_OF_KINDS: Final[Mapping[str, tuple[int, str]]] = {
    "no_route": (403, "Not routable. Do not try again."),
    "sender_not_allowed": (403, "Not routable. Do not try again."),
    "sender_name_length": (400, "From field misformed, rejected"),
    "invalid_destination": (400, "Number(s) has/have been denied by white- and/or black-lists."),
    "callback_not_allowed": (400, "DLR-URL field misformed, rejected"),
    "expired": (403, "Not routable. Do not try again."),
}
_OF_STATUSES: Final[Mapping[Status, tuple[int, str]]] = {
    Status.ESME_RTHROTTLED: (503, "Temporal failure, try again later."),
    Status.ESME_RMSGQFUL: (503, "Temporal failure, try again later."),
    Status.ESME_RSYSERR: (503, "Temporal failure, try again later."),
    Status.ESME_RINVEXPIRY: (400, "Validity field misformed, rejected"),
    Status.ESME_RINVSCHED: (400, "Deferred field misformed, rejected"),
    Status.ESME_RINVMSGLEN: (400, "Charset or body misformed, rejected"),
    Status.ESME_RSUBMITFAIL: (400, "Charset or body misformed, rejected"),
}


def rejection_of(kind: str, status: Status) -> Rejected:
    """A submit_sm that was not taken, in Kannel's words."""
    return Rejected(*(_OF_KINDS.get(kind) or _OF_STATUSES.get(status) or (403, "Not routable. Do not try again.")))
