"""A callback as Kannel makes it: an address whose escape codes stand for what became of the message.

The address stays as it is but for its codes: it holds the names by which the application knows its messages. Makes no
request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from gatewayd.policy.callbacks import ACCEPTED, REFUSED, Call
from gatewayd.senders.deliver_pdu import receipt_text
from gatewayd.senders.product_ids import uuid_of
from gatewayd.store.records import Delivery
from protocol.smpp.constants import Status

_CODE: Final = re.compile(r"%(?:#[^#]*#[^#]*#|.)", re.DOTALL)
_SAFE: Final = "-_.!~*'()"
_UNSENDABLE: Final = re.compile(r"[^!-~]")


def address(delivery: Delivery, call: Call) -> str:
    """The address to be asked for."""
    values = _values(delivery, call)

    def one(match: re.Match[str]) -> str:
        code = match[0][1:]
        if code[0] == "#":  # a value of the meta-data: reports have none
            return ""
        value = values.get(code)
        return value() if value is not None else match[0]

    return _UNSENDABLE.sub(lambda match: quote(match[0]), _CODE.sub(one, call.callback.url))


def reply_text(delivery: Delivery, call: Call) -> str:
    """What the carrier said, in the words that Kannel has for it."""
    if call.event == ACCEPTED:
        return "ACK/"
    if call.event == REFUSED:
        status = Status.__members__.get(delivery.error)
        if status is not None:
            return f"NACK/0x{status:08x}/{delivery.error}"
        return "NACK/validity expired" if delivery.state == "EXPIRED" else f"NACK/{delivery.error}"
    return receipt_text(delivery, call.carrier_id).decode("latin-1")


def _values(delivery: Delivery, call: Call) -> Mapping[str, Callable[[], str]]:
    at = datetime.fromtimestamp(delivery.done_at or delivery.created_at, UTC)
    handset = call.callback.to or delivery.source
    said = reply_text(delivery, call)
    words = said.split()

    def text(value: str) -> Callable[[], str]:
        return lambda: quote(value, _SAFE).replace("%20", "+")

    return {
        "%": lambda: "%",
        "p": text(handset),
        "P": text(delivery.destination),
        "q": text(_with_plus(handset)),
        "Q": text(_with_plus(delivery.destination)),
        "a": text(" ".join(words)),
        "k": text(words[0] if words else ""),
        "s": text(words[1] if len(words) > 1 else ""),
        "S": lambda: words[1].replace("*", "~") if len(words) > 1 else "",
        "r": text(" ".join(words[1:])),
        "b": text(said),
        "A": text(said),
        "e": lambda: said.encode("latin-1", "replace").hex().upper(),
        "t": lambda: f"{at:%Y-%m-%d+%H:%M:%S}",
        "T": lambda: str(int(at.timestamp())),
        "d": lambda: str(call.event),
        "c": lambda: "-1",
        "m": lambda: "-1",
        "M": lambda: "-1",
        "v": lambda: "-1",
        "V": lambda: "-1",
        "i": text(call.link),
        "n": text(delivery.account),
        "I": lambda: uuid_of(delivery.message_id),
        "F": text(call.carrier_id),
        "C": lambda: "UTF-8",
        "O": lambda: "00",
        "D": text(f"?orig_msg?dlr_mask={call.callback.mask}&"),
        "R": text(call.callback.url),
        **{code: lambda: "" for code in "uUoBfxy"},
    }


def _with_plus(number: str) -> str:
    return f"+{number[2:]}" if number.startswith("00") else number
