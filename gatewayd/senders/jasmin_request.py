"""Jasmin's HTTP arguments, read: checked one by one as Jasmin checks them, and made into what a submit_sm is.

Knows neither who calls nor what becomes of it. Every refusal has the status and the words that Jasmin has for it.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from gatewayd.config.callback_urls import URL_SIZE_MAX
from gatewayd.message import TAG_CALLBACK, TAG_CLASS
from gatewayd.policy.callbacks import ACCEPTED, DELIVERED, FAILED, REFUSED, Callback, encode
from gatewayd.senders.accounts import Account
from gatewayd.senders.http_submit import moment_of, source_of
from gatewayd.senders.product_http import TEXT_MAX, default_sender, destination_of, is_sender, with_question_marks
from gatewayd.senders.submit_rules import Refusal
from protocol.smpp import parts, text
from protocol.smpp.constants import Status
from protocol.smpp.pdu import SubmitSm

_LEVELS: Final = {"1": ACCEPTED | REFUSED, "2": DELIVERED | FAILED, "3": ACCEPTED | REFUSED | DELIVERED | FAILED}
_ANY: Final = ".*"
_PATTERNS: Final[Mapping[str, str]] = {
    "username": ".{1,30}",
    "password": ".{1,64}",
    "to": r"\+?[0-9]+",
    "from": _ANY,
    "coding": "[0-9]|10|13|14",
    "priority": "[0-3]",
    "sdt": r"[0-9]{15}[-+R]",
    "validity-period": "[0-9]{1,9}",
    "dlr": "yes|no",
    "dlr-url": "https?://.*",
    "dlr-level": "[1-3]",
    "dlr-method": "(?i:get|post)",
    "tags": "[-a-zA-Z0-9,]*",
    "content": _ANY,
    "hex-content": _ANY,
}
_COMPILED: Final = {name: re.compile(pattern, re.ASCII | re.DOTALL) for name, pattern in _PATTERNS.items()}
_CREDENTIALS: Final = ("username", "password")
_OF_SEND: Final = frozenset(_PATTERNS)
_OF_RATE: Final = frozenset(_PATTERNS) - {"sdt", "dlr", "dlr-url", "dlr-level", "dlr-method"}
_OF_BALANCE: Final = frozenset(_CREDENTIALS)

Arguments = Mapping[str, bytes]


class Rejected(Exception):
    """A call that is refused, as Jasmin says it (without the word Error and the quotes)."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem


def of_pairs(pairs: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """The arguments of a query or a form: of those with one name the first."""
    found: dict[str, bytes] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def of_json(document: Any) -> dict[str, bytes]:
    """The arguments of a JSON body. Raises Rejected."""
    if not isinstance(document, dict):
        raise Rejected(400, "The body is no JSON object.")
    return {
        str(name): str(value).encode("utf-8", "replace")
        for name, value in document.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }


def check_send(given: Arguments) -> None:
    """Whether these can be the arguments of /send. Raises Rejected."""
    _check(given, _OF_SEND, (*_CREDENTIALS, "to"))
    if "content" not in given and "hex-content" not in given:
        raise Rejected(400, "content or hex-content not present.")
    if "content" in given and "hex-content" in given:
        raise Rejected(400, "content and hex-content cannot be used both in same request.")


def check_rate(given: Arguments) -> None:
    """The same for /rate."""
    _check(given, _OF_RATE, (*_CREDENTIALS, "to"))


def check_balance(given: Arguments) -> None:
    """The same for /balance."""
    _check(given, _OF_BALANCE, _CREDENTIALS)


def value(given: Arguments, name: str, otherwise: str = "") -> str:
    """An argument as text."""
    return given[name].decode("utf-8", "replace") if name in given else otherwise


def submit_of(given: Arguments, account: Account, now: float) -> SubmitSm:
    """The submit_sm of a call to /send that was checked. ``now`` is in Unix seconds. Raises Rejected."""
    sender = value(given, "from") or default_sender(account)
    if not sender:
        raise Rejected(400, "Mandatory argument [from] is not found.")
    destination = destination_of(value(given, "to"))
    if not is_sender(sender):
        raise _invalid(given, "from")
    if destination is None:
        raise _invalid(given, "to")
    data_coding, payload = _coded(given, account)
    source_ton, source_npi, source = source_of(sender)
    minutes = value(given, "validity-period")
    wants_receipt = value(given, "dlr") == "yes" or "dlr-url" in given or "dlr-level" in given
    return SubmitSm(
        source_addr_ton=source_ton,
        source_addr_npi=source_npi,
        source_addr=source,
        dest_addr_ton=destination[0],
        dest_addr_npi=destination[1],
        destination_addr=destination[2],
        priority_flag=int(value(given, "priority", "0")),
        schedule_delivery_time=value(given, "sdt"),
        validity_period=_moment(given, now + int(minutes) * 60) if minutes else "",
        registered_delivery=int(wants_receipt),
        data_coding=data_coding,
        short_message=payload,
        tlvs=_tlvs(given, account),
    )


def count_of(given: Arguments, account: Account) -> int:
    """How many SMS the content makes. Raises Rejected."""
    data_coding, payload = _coded(given, account)
    return len(parts.split(payload, text.encoding_of(data_coding, account.settings.data_coding_0)))


def rejection_of(refusal: Refusal, given: Arguments) -> Rejected:
    """A submit_sm that was not taken, in Jasmin's words."""
    user = value(given, "username")
    match refusal.kind:
        case "no_route":
            return Rejected(412, "No route found")
        case "sender_not_allowed":
            return Rejected(400, f"Value filter failed for user [{user}] (source_address filter mismatch).")
        case "schedule_not_allowed":
            return Rejected(
                400, f"Authorization failed for user [{user}] (Setting schedule delivery time not authorized)."
            )
        case "callback_not_allowed":
            return _invalid(given, "dlr-url")
        case "invalid_destination":
            return _invalid(given, "to")
        case "sender_name_length":
            return _invalid(given, "from")
    match refusal.status:
        case Status.ESME_RTHROTTLED:
            return Rejected(403, "User throughput exceeded")
        case Status.ESME_RINVSCHED:
            return _invalid(given, "sdt")
        case Status.ESME_RINVEXPIRY:
            return _invalid(given, "validity-period")
        case Status.ESME_RINVMSGLEN | Status.ESME_RSUBMITFAIL:
            return Rejected(400, "Argument [content] has an invalid value.")
    return Rejected(500, "Cannot send submit_sm, check SMPPClientManagerPB log file for details")


def _check(given: Arguments, known: frozenset[str], needed: Iterable[str]) -> None:
    for name in needed:
        if name not in given:
            raise Rejected(400, f"Mandatory argument [{name}] is not found.")
    for name in given:
        if name not in known:
            raise Rejected(400, f"Argument [{name[:40]}] is unknown.")
        # The content may be octets of any kind; as Latin-1 each of them is a character.
        if not _COMPILED[name].fullmatch(given[name].decode("latin-1")):
            raise _invalid(given, name)


def _invalid(given: Arguments, name: str) -> Rejected:
    shown = "***" if name == "password" else value(given, name)[:200]
    return Rejected(400, f"Argument [{name}] has an invalid value: [{shown}].")


def _coded(given: Arguments, account: Account) -> tuple[int, bytes]:
    """The data_coding and the octets: only a plain text of coding 0 is read, everything else is octets already."""
    data_coding = int(value(given, "coding", "0"))
    if "hex-content" in given:
        try:
            return data_coding, binascii.unhexlify(given["hex-content"])
        except binascii.Error:
            raise Rejected(400, f"Invalid hex-content data: '{value(given, 'hex-content')[:200]}'") from None
    content = given.get("content", b"")
    if len(content) > TEXT_MAX * 4:
        raise Rejected(400, "Argument [content] has an invalid value.")
    if data_coding:
        return data_coding, content
    return 0, with_question_marks(content.decode("utf-8", "replace"), account.settings.data_coding_0)


def _moment(given: Arguments, unix: float) -> str:
    moment = moment_of(unix)
    if moment is None:
        raise _invalid(given, "validity-period")
    return moment


def _tlvs(given: Arguments, account: Account) -> tuple[tuple[int, bytes], ...]:
    tlvs: list[tuple[int, bytes]] = []
    url = value(given, "dlr-url")
    if len(url) > URL_SIZE_MAX:
        raise _invalid(given, "dlr-url")
    if url:
        mask = _LEVELS[value(given, "dlr-level", "1")]
        method: Literal["GET", "POST"] = "GET" if value(given, "dlr-method").lower() == "get" else "POST"
        tlvs.append((TAG_CALLBACK, encode(Callback("jasmin", url, mask, method))))
    for tag in value(given, "tags").split(","):
        if tag and tag in account.settings.traffic_classes:
            tlvs.append((TAG_CLASS, tag.encode()))
            break
    return tuple(tlvs)
