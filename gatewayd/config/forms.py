"""What a single text of the configuration must look like, by the names that the schema gives to forms.

Each rule takes the text and answers None, or the problem and its remedy. Knows no key and no other value.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from gatewayd.config.addresses import is_host, parse_address
from gatewayd.config.api_keys import end_of, is_key_hash
from gatewayd.config.callback_urls import is_entry
from gatewayd.config.carrier_statuses import action_of
from gatewayd.config.faults import shown
from gatewayd.config.passwords import is_password_hash
from gatewayd.config.receipt_templates import fault_of, is_error
from gatewayd.config.tlv_names import is_tag, is_tags

Verdict = tuple[str, str] | None

SYSTEM_ID_MAX: Final = 15  # SMPP 3.4 section 5.2.1: 16 octets with the terminating NUL
PASSWORD_MAX: Final = 8  # section 5.2.2
SYSTEM_TYPE_MAX: Final = 12  # section 5.2.3
_SECRET_SIZES: Final = (24, 64)
SERVICE_TYPE_MAX: Final = 5  # section 5.2.11
_TEXT_MAX: Final = 1_000
_ADDRESS_MAX = 20  # section 5.2.8: source_addr
_TOPIC_PREFIX_MAX: Final = 128
_TLS_NAME_MAX: Final = 255
_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
_NUMBER = re.compile(r"(?!00)[0-9]{3,15}", re.ASCII)
_LEVEL = re.compile(r"[^/+#$\s][^/+#]*")
_HOURS_OF_DAY = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:[01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_SCOPE = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*", re.ASCII)
_RECEIPT_WORD = re.compile(r"[A-Z]{0,7}", re.ASCII)
_RECEIPT_STATES = frozenset(["ENROUTE", "ACCEPTD", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "UNKNOWN", "REJECTD"])
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_PREFIX = re.compile(r"[0-9]{0,15}\*|[0-9]{1,15}", re.ASCII)


def is_printable(text: str) -> bool:
    """Whether the text is printable ASCII, blanks included."""
    return text.isascii() and text.isprintable()


def is_number(text: str) -> bool:
    """Whether the text is a number as accounts own it: a short code, or digits that begin with the country code."""
    return _NUMBER.fullmatch(text) is not None


def is_zone(text: str) -> bool:
    """Whether the text names a time zone that this machine knows."""
    try:
        zoneinfo.ZoneInfo(text)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return False
    return True


def name(text: str) -> Verdict:
    """The name of a link or provider: it becomes part of URLs, file names and metrics."""
    if _NAME.fullmatch(text):
        return None
    return f"{shown(text)} is not a name", "use 1 to 32 letters, digits, - and _"


def system_id(text: str) -> Verdict:
    """SMPP 3.4 section 5.2.1."""
    return _octet_string(text, "a system_id", SYSTEM_ID_MAX)


def password(text: str) -> Verdict:
    """SMPP 3.4 section 5.2.2. The password itself is never part of the verdict."""
    if not is_printable(text):
        return "the password has characters that are not printable ASCII", "agree on another one"
    if len(text) > PASSWORD_MAX:
        return f"the password has {len(text)} characters", f"SMPP allows {PASSWORD_MAX} at most"
    return None


def webhook_secret(text: str) -> Verdict:
    """As Standard Webhooks writes them: whsec_ and 24 to 64 octets in base64. It is never part of the verdict."""
    try:
        size = len(base64.b64decode(text.removeprefix("whsec_"), validate=True))
    except ValueError:
        size = 0
    if text.startswith("whsec_") and _SECRET_SIZES[0] <= size <= _SECRET_SIZES[1]:
        return None
    return "a line is no secret of a webhook", 'write "whsec_" and 24 to 64 random octets in base64'


def _system_type(text: str) -> Verdict:
    return _octet_string(text, "a system_type", SYSTEM_TYPE_MAX)


def _octet_string(text: str, noun: str, length_max: int) -> Verdict:
    if text and len(text) <= length_max and is_printable(text):
        return None
    return f"{shown(text)} is not {noun}", f"use 1 to {length_max} printable ASCII characters"


def _listen(text: str) -> Verdict:
    try:
        parse_address(text)
    except ValueError:
        return f"{shown(text)} is not an address to listen on", 'write "127.0.0.1:2775" or "[::1]:2775"'
    return None


def _network(text: str) -> Verdict:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        if "host bits set" in str(error):
            return f"{shown(text)} has bits set behind its mask", f'write "{ipaddress.ip_network(text, strict=False)}"'
        return f"{shown(text)} is not a network", 'write "10.1.0.0/16", "192.0.2.7" or "2001:db8::/32"'
    return None


def _host(text: str) -> Verdict:
    if is_host(text):
        return None
    return f"{shown(text)} is not a host", "give a host name or an IP address, without the port"


def _host_port(text: str) -> Verdict:
    try:
        is_sound = parse_address(text)[1] != 0
    except ValueError:
        is_sound = False
    if is_sound:
        return None
    return f"{shown(text)} is not a host with its port", 'write "smsc1.example:2775" or "[2001:db8::1]:2775"'


def _status_action(text: str) -> Verdict:
    try:
        action_of(text)
    except ValueError:
        remedy = 'write "retry", "retry 30" (seconds), "pause", "next", "fail" or "unreachable"'
        return f"{shown(text)} is nothing that can be done about a status", remedy
    return None


def _url(text: str) -> Verdict:
    remedy = 'write "https://host/path"'
    try:
        parts = urlsplit(text)
        is_sound = parts.scheme in ("http", "https") and is_host(parts.hostname or "") and parts.port != 0
    except ValueError:
        is_sound = False
    if not is_sound or not is_printable(text) or " " in text:
        return f"{shown(text)} is not a web address", remedy
    if parts.username is not None or parts.query or parts.fragment:
        # Not shown: what stands before the @ is a password.
        return "the web address holds more than a host and a path", remedy
    return None


def _password_hash(text: str) -> Verdict:
    if is_password_hash(text):
        return None
    return "the value is not a password hash", "make one with: gatewayd hash-password"


def _key_hash(text: str) -> Verdict:
    if is_key_hash(text):
        return None
    return "the value is not the hash of a key", "make one with: gatewayd accounts key"


def moment(text: str) -> Verdict:
    """A day, or a moment with its offset from UTC."""
    try:
        end_of(text)
    except (ValueError, OverflowError):
        return f"{shown(text)} is neither a day nor a moment", 'write "2027-01-31" or "2027-01-31T12:00:00Z"'
    return None


def _pattern(text: str) -> Verdict:
    if text and "*" not in text[:-1] and len(text.rstrip("*")) <= _ADDRESS_MAX and is_printable(text):
        return None
    return f"{shown(text)} is not a sender", f"give up to {_ADDRESS_MAX} characters; a * may end it"


def _sender(text: str) -> Verdict:
    if text and len(text) <= _ADDRESS_MAX and is_printable(text) and "*" not in text:
        return None
    return f"{shown(text)} is not a sender", f"give up to {_ADDRESS_MAX} printable ASCII characters"


def _service_type(text: str) -> Verdict:
    return _octet_string(text, "a service_type", SERVICE_TYPE_MAX)


def _tlvs(text: str) -> Verdict:
    if is_tags(text):
        return None
    return f"{shown(text)} names no TLV", 'write a name of docs/tlvs.md, "0x1400", "0x1400-0x14FF" or "all"'


def _tlv(text: str) -> Verdict:
    if is_tag(text):
        return None
    return f"{shown(text)} names no TLV", 'write a name of docs/tlvs.md or its tag: "0x1400"'


def _country(text: str) -> Verdict:
    if _COUNTRY.fullmatch(text):
        return None
    return f"{shown(text)} is not a country", 'write its two letters of ISO 3166, in capitals: "FR"'


def _text(text: str) -> Verdict:
    if text and len(text) <= _TEXT_MAX:
        return None
    return "the text is empty or too long", f"give 1 to {_TEXT_MAX} characters"


def _prefix(text: str) -> Verdict:
    if _PREFIX.fullmatch(text):
        return None
    return f"{shown(text)} is not a prefix", 'write digits, country code first, without plus: "336"'


def _word(text: str) -> Verdict:
    if text and is_printable(text) and " " not in text:
        return None
    return f"{shown(text)} is not one word", "use printable ASCII characters without blanks"


def _scope(text: str) -> Verdict:
    """RFC 6749 section 3.3: words with one blank between them."""
    if _SCOPE.fullmatch(text):
        return None
    return f"{shown(text)} is no scope", 'write words with one blank between them, or "-" for none'


def _receipt_word(text: str) -> Verdict:
    """What ``stat:`` can say (SMPP 3.4 appendix B) and does not say of anything else."""
    if text in _RECEIPT_STATES:
        return f"{shown(text)} means something else in a receipt", 'write another word, such as "READ"'
    if _RECEIPT_WORD.fullmatch(text):
        return None
    return f"{shown(text)} is no word for a receipt", 'write up to 7 capital letters, such as "READ"'


def _receipt_template(text: str) -> Verdict:
    problem = fault_of(text)
    remedy = "write the words of appendix B with fields in braces, as in docs/receipts.md"
    return (f"{shown(text)} is no template for receipts: {problem}", remedy) if problem else None


def _receipt_error(text: str) -> Verdict:
    if is_error(text):
        return None
    return f"{shown(text)} is no error code of a receipt", 'write three letters or digits: "045"'


def _topic_prefix(text: str) -> Verdict:
    if is_printable(text) and len(text) <= _TOPIC_PREFIX_MAX and all(map(_LEVEL.fullmatch, text.split("/"))):
        return None
    remedy = f'write levels without + and #, {_TOPIC_PREFIX_MAX} characters at most: "gatewayd", "site/gatewayd"'
    return f"{shown(text)} is not the beginning of a topic", remedy


def _hours_of_day(text: str) -> Verdict:
    if _HOURS_OF_DAY.fullmatch(text) and text[:5] != text[6:]:
        return None
    return f"{shown(text)} are no hours of a day", 'write "22:00-07:00"'


def _callback_url(text: str) -> Verdict:
    if is_entry(text):
        return None
    return f"{shown(text)} is not the beginning of an address", 'write "https://host/path" or "https://host/folder/*"'


def _tls_name(text: str) -> Verdict:
    if text.startswith("sha256:"):
        if _FINGERPRINT.fullmatch(text):
            return None
        remedy = "write sha256: and 64 small hexadecimal digits without colons"
        return f"{shown(text)} is not a fingerprint", remedy
    if text and len(text) <= _TLS_NAME_MAX and text.isprintable():
        return None
    return f"{shown(text)} is not the name of a certificate", "write its common name, or an alternative name, as it is"


FORMS: Final[Mapping[str, Callable[[str], Verdict]]] = {
    "callback_url": _callback_url,
    "country": _country,
    "host": _host,
    "host_port": _host_port,
    "hours_of_day": _hours_of_day,
    "key_hash": _key_hash,
    "listen": _listen,
    "moment": moment,
    "name": name,
    "network": _network,
    "password_hash": _password_hash,
    "pattern": _pattern,
    "prefix": _prefix,
    "receipt_error": _receipt_error,
    "receipt_template": _receipt_template,
    "receipt_word": _receipt_word,
    "scope": _scope,
    "sender": _sender,
    "service_type": _service_type,
    "status_action": _status_action,
    "system_id": system_id,
    "system_type": _system_type,
    "text": _text,
    "tls_name": _tls_name,
    "tlv": _tlv,
    "tlvs": _tlvs,
    "topic_prefix": _topic_prefix,
    "url": _url,
    "word": _word,
}
