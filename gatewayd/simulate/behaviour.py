"""How a simulated carrier is told to behave: rules as data, from Python or from a TOML file, and the names it gives.

Knows no socket and no clock.
"""

from __future__ import annotations

import re
import tomllib
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from protocol.smpp.constants import Status

Answer = Literal["accept", "refuse", "throttle", "silent", "half", "close", "wrong_sequence"]

# SMPP 3.4 appendix B, as most carriers write it. Carriers with a dialect of their own are a matter of another template.
RECEIPT_TEXT = (
    "id:{id} sub:001 dlvrd:{delivered} submit date:{submitted} done date:{done} stat:{state} err:{error} text:{text}"
)


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to a message whose addresses match both expressions as a whole.

    ``times`` is how many messages the rule serves before it is spent, 0 for any number: a rule with ``throttle`` and
    three times, above one that accepts, throttles three and then takes the rest.
    ``answer``: accept, refuse with ``status``, throttle, keep silent, send half a response and close, close at once,
    or answer under a sequence number that was never asked. ``delay_s`` makes any of them late.
    ``receipt`` says whether one comes ``after`` the response, ``before`` it, or never; ``receipt_copies`` repeats it.
    ``reply`` is a text that the handset sends back.
    """

    destination: str = ".*"
    source: str = ".*"
    times: int = 0
    answer: Answer = "accept"
    status: str = "ESME_RSYSERR"
    delay_s: float = 0.0
    receipt: Literal["after", "before", "none"] = "after"
    receipt_delay_s: float | None = None
    receipt_state: str = "DELIVRD"
    receipt_error: str = "000"
    receipt_copies: int = 1
    reply: str = ""
    reply_delay_s: float = 0.0

    @property
    def takes(self) -> bool:
        """Whether the carrier takes the message, whatever becomes of its response."""
        return self.answer not in ("refuse", "throttle")

    @property
    def status_code(self) -> int:
        """The command_status of the answer."""
        if self.answer == "throttle":
            return Status.ESME_RTHROTTLED
        return 0 if self.takes else status_code(self.status)


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole carrier: the first rule that matches decides, and a message that none matches is accepted.

    ``rate_per_s`` is how many it takes in a second, 0 any number: what comes beyond that is throttled whatever the
    rules say. ``bind_answer``: what it does about a bind, or nothing at all, or it hangs up on whoever connects.

    ``message_ids`` is a style (``decimal``, ``hex``, ``HEX``, ``uuid``) or two, ``hex/decimal``: as the response writes
    them and as receipts do. ``bind_status`` refuses every bind when it is not ESME_ROK. ``interface_version`` is the
    newest that it speaks (3.3, 3.4 or 5.0); at 5.0 it tells ``congestion`` (0 to 100) with every answer, unless that
    is -1.
    """

    rules: tuple[Rule, ...] = ()
    message_ids: str = "decimal"
    receipt_delay_s: float = 0.0
    receipt_text: str = RECEIPT_TEXT
    receipt_tlvs: bool = True
    bind_status: str = "ESME_ROK"
    interface_version: Literal["3.3", "3.4", "5.0"] = "3.4"
    congestion: int = -1
    rate_per_s: float = 0.0
    bind_answer: Literal["answer", "silent", "close"] = "answer"
    redeliver_s: float = 1.0
    redeliveries_max: int = 5


def load(path: Path) -> Behaviour:
    """Read a behaviour from TOML; ValueError says what is wrong with it."""
    try:
        behaviour = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Behaviour)
        Script(behaviour)
        MessageIds(behaviour.message_ids)
        status_code(behaviour.bind_status)
    except (msgspec.ValidationError, ValueError) as fault:
        raise ValueError(f"{path}: {fault}") from fault
    return behaviour


def status_code(word: str) -> int:
    """A command_status by its name in the specification, or as a number (``0x00000400`` for a carrier's own)."""
    if word in Status.__members__:
        return Status[word].value
    try:
        return int(word, 0)
    except ValueError:
        raise ValueError(f"{word} is neither a status of SMPP 3.4 nor a number") from None


class Script:
    """The rules in order, with what is left of each."""

    __slots__ = ("_entries",)

    def __init__(self, behaviour: Behaviour) -> None:
        self._entries = [_Entry(rule) for rule in behaviour.rules]

    def tell(self, *rules: Rule) -> None:
        """Put rules in front of all others."""
        self._entries[:0] = [_Entry(rule) for rule in rules]

    def rule_for(self, source: str, destination: str) -> Rule:
        """The rule that decides over a message; counts as one use of it."""
        for at, entry in enumerate(self._entries):
            if entry.matches(source, destination):
                entry.left -= 1
                if entry.left == 0:
                    del self._entries[at]
                return entry.rule
        return _DEFAULT


class _Entry:
    __slots__ = ("_destination", "_source", "left", "rule")

    def __init__(self, rule: Rule) -> None:
        status_code(rule.status)
        self.rule = rule
        self.left = rule.times or -1
        self._destination = _compiled(rule.destination)
        self._source = _compiled(rule.source)

    def matches(self, source: str, destination: str) -> bool:
        return bool(self._destination.fullmatch(destination) and self._source.fullmatch(source))


def _compiled(expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression)
    except re.error as fault:
        raise ValueError(f"{expression} is not a regular expression: {fault}") from fault


_DEFAULT = Rule()

_STYLES: dict[str, Callable[[int], str]] = {
    "decimal": str,
    "hex": "{:08x}".format,
    "HEX": "{:08X}".format,
    "uuid": lambda number: str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))),
}


class MessageIds:
    """Counts messages and writes their numbers in a carrier's way.

    The first number has a letter and leading zeros in hexadecimal, since these are what gateways stumble over.
    """

    __slots__ = ("_in_receipt", "_in_response", "_number")

    def __init__(self, styles: str, first: int = 0x00A0_0001) -> None:
        response, _, receipt = styles.partition("/")
        receipt = receipt or response
        if response not in _STYLES or receipt not in _STYLES:
            raise ValueError(f"message ids are {', '.join(_STYLES)}, or two of these with a slash; not {styles}")
        self._in_response = _STYLES[response]
        self._in_receipt = _STYLES[receipt]
        self._number = first

    def next_pair(self) -> tuple[str, str]:
        """The next id, as the response and as the receipt write it."""
        number = self._number
        self._number += 1
        return self._in_response(number), self._in_receipt(number)
