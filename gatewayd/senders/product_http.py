"""What the interfaces of other products have in common: who calls, what was sent, and plain answers.

Each product's words and rules are its own module's. What goes wrong below them becomes a Problem, as for every call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from aiohttp import web

from gatewayd.senders.accounts import Account
from gatewayd.senders.http_passwords import NotNow, Passwords
from gatewayd.senders.http_submit import Result, Submits
from gatewayd.senders.names import message_id_text
from protocol.smpp import text
from protocol.smpp.pdu import SubmitSm

ID_HEADER: Final = "X-Gatewayd-Id"
SENDER_MAX: Final = 20
# Far more than any message may hold: judged exactly when it is handed in.
TEXT_MAX: Final = 60_000
_IDS_TOLD_MAX: Final = 100
_FORM: Final = "application/x-www-form-urlencoded"
_DIGITS: Final = re.compile(r"\+?[0-9]+", re.ASCII)


class Desk(NamedTuple):
    """What an interface needs of the gateway. ``clock`` tells Unix seconds; ``is_waiting`` says whether no link is up;
    ``count_fault`` counts a call that was refused."""

    passwords: Passwords
    submits: Submits
    clock: Callable[[], float]
    is_draining: Callable[[], bool]
    is_waiting: Callable[[], bool]
    count_fault: Callable[[str], None]
    receivers_max: int
    body_timeout_s: float

    async def admit(self, name: str, password: str, peer: str) -> Account | None:
        """Whose call it is; None is for a password that is wrong, and for who was wrong too often. Raises NotNow."""
        if self.is_draining():
            raise NotNow(is_guessing=False)
        try:
            account = await self.passwords.admit(name, password, peer)
        except NotNow as not_now:
            self.count_fault("too_many_failures" if not_now.is_guessing else "busy")
            if not_now.is_guessing:
                return None
            raise
        if account is None:
            self.count_fault("unauthorized")
        return account

    async def hand_in(self, account: Account, pdus: Sequence[SubmitSm]) -> list[Result]:
        """Each one's result."""
        return await self.submits.hand_in(account, pdus)


def query_of(request: web.Request) -> bytes:
    """The query as it came: it may hold octets that are no text."""
    return request.raw_path.partition("?")[2].encode("utf-8", "surrogateescape")


def pairs_of(raw: bytes) -> list[tuple[str, bytes]]:
    """Names and values of a query or a form. Whatever is badly escaped stays as it is."""
    pairs = []
    for piece in raw.split(b"&"):
        name, _, value = piece.partition(b"=")
        if name:
            pairs.append((_unescaped(name).decode("utf-8", "replace"), _unescaped(value)))
    return pairs


def is_form(request: web.Request) -> bool:
    """Whether the body is a form."""
    return request.content_type == _FORM


def ids_header(results: Sequence[Result]) -> dict[str, str]:
    """Our ids of what was taken: these products have no place for them in what they answer."""
    ids = [message_id_text(result) for result in results if isinstance(result, int)]
    return {ID_HEADER: ",".join(ids[:_IDS_TOLD_MAX])} if ids else {}


def default_sender(account: Account) -> str:
    """Whom a message comes from that does not say it: the first sender of the account that is a whole one."""
    return next((sender for sender in account.settings.senders if not sender.endswith("*")), "")


def is_sender(sender: str) -> bool:
    """Whether the text can be a source address."""
    return 0 < len(sender) <= SENDER_MAX and sender.isascii() and sender.isprintable()


def destination_of(number: str) -> tuple[int, int, str] | None:
    """TON, NPI and address (SMPP 3.4 section 5.2.5) of a number as people write it; None when it is none."""
    if _DIGITS.fullmatch(number) is None:
        return None
    digits = number.removeprefix("+").removeprefix("00")
    is_international = digits != number or (len(digits) > 6 and digits[0] != "0")
    return (1 if is_international else 0), 1, digits


def with_question_marks(words: str, alphabet: str) -> bytes:
    """The text in an alphabet that may lack some of its characters."""
    try:
        return text.encode(words, alphabet)
    except text.TextFault:
        known = {char: _encodes(char, alphabet) for char in set(words)}
        return text.encode("".join(char if known[char] else "?" for char in words), alphabet)


def _encodes(char: str, alphabet: str) -> bool:
    try:
        text.encode(char, alphabet)
    except text.TextFault:
        return False
    return True


def _unescaped(octets: bytes) -> bytes:
    return unquote_to_bytes(octets.replace(b"+", b" "))
