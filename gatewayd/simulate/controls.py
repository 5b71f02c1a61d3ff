"""The control endpoints that both RCS platforms have: rules, tokens, webhooks lost and repeated, the ledger.

For people and scripts; knows a platform only through the calls it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec
from aiohttp import web

from gatewayd.simulate.rcs_disturbance import Wishes

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class SetTokens(msgspec.Struct, forbid_unknown_fields=True):
    """Take all tokens back, change the life time of new ones, let the next requests for one fail."""

    revoke_all: bool = False
    lifetime_s: float | None = None
    fail_next: int = 0
    fail_status: int = 503


class Book(Protocol):
    """A ledger that can be shown."""

    def as_json(self, handset: str) -> bytes: ...


class Office(Protocol):
    """Who issues tokens."""

    lifetime_s: float
    fail_next: int
    fail_status: int


class Steered(Protocol[T_contra]):
    """What the endpoints need of a platform."""

    @property
    def ledger(self) -> Book: ...

    @property
    def tokens(self) -> Office: ...

    def revoke_tokens(self) -> None: ...

    def set_behaviour(self, behaviour: T_contra) -> None: ...

    def disturb(self, wishes: Wishes) -> None: ...


class Controls:
    """The handlers of one platform; ``rules`` is the record that rules are read as, ``handset`` its word in a query."""

    def __init__(self, platform: Steered[T], rules: type[T], handset: str) -> None:
        self._platform = platform
        self._set_rules: Callable[[bytes], None] = lambda body: platform.set_behaviour(decode(body, rules))
        self._handset = handset

    def add_routes(self, app: web.Application) -> None:
        """Put the endpoints into ``app``."""
        app.router.add_post("/control/rules", self._rules)
        app.router.add_post("/control/tokens", self._tokens)
        app.router.add_post("/control/events", self._events)
        app.router.add_get("/control/ledger", self._ledger)

    async def _rules(self, request: web.Request) -> web.StreamResponse:
        self._set_rules(await request.read())
        return web.Response(status=204)

    async def _tokens(self, request: web.Request) -> web.StreamResponse:
        told = await read(request, SetTokens)
        office = self._platform.tokens
        if told.revoke_all:
            self._platform.revoke_tokens()
        if told.lifetime_s is not None:
            office.lifetime_s = told.lifetime_s
        office.fail_next, office.fail_status = told.fail_next, told.fail_status
        return web.Response(status=204)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self._platform.disturb(await read(request, Wishes))
        return web.Response(status=204)

    async def _ledger(self, request: web.Request) -> web.StreamResponse:
        body = self._platform.ledger.as_json(request.query.get(self._handset, ""))
        return web.Response(body=body, content_type="application/json")


async def read(request: web.Request, kind: type[T]) -> T:
    """The body as a record; raises HTTPBadRequest with a sentence."""
    return decode(await request.read(), kind)


def decode(body: bytes, kind: type[T]) -> T:
    """A body as a record; raises HTTPBadRequest with a sentence."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise bad(str(error)) from None


def bad(reason: str) -> web.HTTPBadRequest:
    """A refusal in words."""
    return web.HTTPBadRequest(text=reason + "\n")


def report(told: Callable[[], None]) -> web.StreamResponse:
    """The answer to a wish for one message; ``told`` raises ``KeyError`` for a message that there is not."""
    try:
        told()
    except KeyError:
        raise web.HTTPNotFound(text="no such message\n") from None
    return web.Response(status=204)
