"""Questions about many contacts at once: an operator's orders by night, and the answers at once of two other platforms.

Knows no clock: that the platform is closed at this hour is an answer like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec

from protocol.rcs.answers import JSON_FAULTS, error_word, read_error_code, read_retry_after
from protocol.rcs.exchange import JSON_HEADERS, Request

ANSWER_SIZE_MAX: Final = 1_048_576
"""Ten thousand contacts in JSON are a sixth of this."""

_encode = msgspec.json.Encoder().encode


class BulkApi(msgspec.Struct, frozen=True):
    """How a platform is asked. ``{bot}`` in ``path`` stands for the bot, percent-encoded.

    ``is_ordered``: the answer names an order, whose result is fetched later. ``bot_in_query``: the name of the query's
    member that holds the bot. ``members`` are the names under which the reachable contacts may stand, and
    ``may_leave_out`` says that a platform leaves out an empty list. ``size_min`` is asked for by some, and not insisted
    upon by all.
    """

    name: str
    path: str
    members: tuple[str, ...]
    is_ordered: bool = False
    bot_in_query: str = ""
    may_leave_out: bool = False
    size_min: int = 1
    size_max: int = 10_000


APIS: Final = {
    api.name: api
    for api in (
        BulkApi("orange", "/bot/v2/{bot}/bulkContactCapabilities", ("rcsEnabledContacts",), is_ordered=True),
        BulkApi("dotgo", "/bot/v1/{bot}/rcsEnabledContacts", ("rcsEnabledContacts",)),
        BulkApi(
            "rbm",
            "/v1/users:batchGet",
            ("reachableUsers",),
            bot_in_query="agentId",
            may_leave_out=True,
            size_min=500,
        ),
    )
}
"""By the word of the configuration."""


class Found(msgspec.Struct, frozen=True, gc=False):
    """The answer: those of the contacts that the bot reaches, as E.164 digits without plus. The others it doesn't."""

    contacts: frozenset[str]


class Ordered(msgspec.Struct, frozen=True, gc=False):
    """Taken; the result is fetched under this name."""

    request_id: str


class Running(msgspec.Struct, frozen=True, gc=False):
    """The result is not ready. ``retry_s`` is the platform's own word, or None."""

    retry_s: float | None = None


class Closed(msgspec.Struct, frozen=True, gc=False):
    """Not at this hour (405)."""

    error: str = "http_405"


class Lost(msgspec.Struct, frozen=True, gc=False):
    """The platform does not know the order (any more): the question must be put again."""

    error: str


class Later(msgspec.Struct, frozen=True, gc=False):
    """Not now. ``throttled``: everything else must wait too. ``retry_s`` is the platform's own word, or None."""

    error: str
    retry_s: float | None = None
    throttled: bool = False


class NotAnswered(msgspec.Struct, frozen=True, gc=False):
    """The platform takes no such question. ``too_few``: it may take one about more contacts."""

    error: str
    too_few: bool = False


BulkAnswer = Found | Ordered | Running | Closed | Lost | Later | NotAnswered

_RequestId = Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | int


class _Order(msgspec.Struct, rename="camel"):
    request_id: _RequestId


_order = msgspec.json.Decoder(_Order)
_BAD_SHAPE: Final = "bad_shape"


def ask_request(api: BulkApi, bot_id: str, contacts: Sequence[str]) -> Request:
    """POST the question. ``contacts`` are E.164 digits without plus, at most ``api.size_max`` of them."""
    body = _encode({"users": [f"+{contact}" for contact in contacts]})
    return Request(
        "POST",
        _path(api, bot_id),
        query=((api.bot_in_query, bot_id),) if api.bot_in_query else (),
        headers=JSON_HEADERS,
        body=body,
        answer_size_max=ANSWER_SIZE_MAX,
    )


def fetch_request(api: BulkApi, bot_id: str, request_id: str) -> Request:
    """GET the result of an order."""
    return Request("GET", _path(api, bot_id), query=(("requestId", request_id),), answer_size_max=ANSWER_SIZE_MAX)


def read_ask_response(api: BulkApi, status: int, body: bytes, retry_after: str | None) -> BulkAnswer:
    """What the answer to the question means."""
    if not 200 <= status < 300:
        return _read_error(api, status, body, retry_after)
    if not api.is_ordered:
        return _read_contacts(api, body)
    try:
        return Ordered(str(_order.decode(body).request_id))
    except JSON_FAULTS:
        return _read_contacts(api, body)  # a platform may know at once


def read_fetch_response(api: BulkApi, status: int, body: bytes, retry_after: str | None) -> BulkAnswer:
    """What the answer to a fetch means: 202 is not ready, 404 and 410 are lost."""
    if status in (202, 204):
        return Running(read_retry_after(retry_after))
    if 200 <= status < 300:
        return _read_contacts(api, body)
    if status in (404, 410):
        return Lost(error_word(status, read_error_code(body)))
    return _read_error(api, status, body, retry_after)


def _read_error(api: BulkApi, status: int, body: bytes, retry_after: str | None) -> BulkAnswer:
    error = error_word(status, read_error_code(body))
    if status == 405:
        return Closed(error)
    if status == 429:
        return Later(error, read_retry_after(retry_after), throttled=True)
    if status in (401, 408) or status >= 500:
        return Later(error, read_retry_after(retry_after))
    return NotAnswered(error, too_few=status == 400 and api.size_min > 1)


def _read_contacts(api: BulkApi, body: bytes) -> BulkAnswer:
    try:
        tree: Any = msgspec.json.decode(body)
    except JSON_FAULTS:
        return Later(_BAD_SHAPE)
    if not isinstance(tree, dict):
        return Later(_BAD_SHAPE)
    for member in api.members:
        contacts = tree.get(member)
        if isinstance(contacts, list) and all(isinstance(contact, str) for contact in contacts):
            return Found(frozenset(contact.removeprefix("+") for contact in contacts))
        if contacts is not None:
            return Later(_BAD_SHAPE)
    return Found(frozenset()) if api.may_leave_out else Later(_BAD_SHAPE)


def _path(api: BulkApi, bot_id: str) -> str:
    return api.path.replace("{bot}", quote(bot_id, safe="@:"))
