"""Jasmin's HTTP interface, for applications that came from there: send, rate, balance, ping, with its exact answers.

What an argument means is ``jasmin_request``'s business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from aiohttp import web

from gatewayd.senders import jasmin_request
from gatewayd.senders.accounts import Account
from gatewayd.senders.http_calls import body_of
from gatewayd.senders.http_passwords import NotNow
from gatewayd.senders.jasmin_request import Arguments, Rejected, rejection_of, value
from gatewayd.senders.product_http import Desk, ids_header, is_form, pairs_of, query_of
from gatewayd.senders.product_ids import uuid_of
from gatewayd.senders.submit_rules import Refusal
from protocol.rcs.answers import JSON_FAULTS

_encode = msgspec.json.Encoder().encode
_BUSY: Final = (500, "Cannot send submit_sm, check SMPPClientManagerPB log file for details")
_UNLIMITED: Final = "ND"


class Jasmin:
    """The interface."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """For the listener. HEAD sends nothing here: who looks whether a page is there means no message."""
        return [
            web.get("/send", self._send, allow_head=False),
            web.post("/send", self._send),
            web.get("/rate", self._rate, allow_head=False),
            web.post("/rate", self._rate),
            web.get("/balance", self._balance, allow_head=False),
            web.get("/ping", self._ping),
        ]

    async def _send(self, request: web.Request) -> web.Response:
        try:
            given = await self._given(request)
            jasmin_request.check_send(given)
            account = await self._admit(request, given)
            pdu = jasmin_request.submit_of(given, account, self._desk.clock())
            (result,) = await self._desk.hand_in(account, [pdu])
            if isinstance(result, Refusal):
                raise rejection_of(result, given)
        except Rejected as rejected:
            return _text(rejected.status, f'Error "{rejected.problem}"')
        response = _text(200, f'Success "{uuid_of(result)}"')
        response.headers.update(ids_header([result]))
        return response

    async def _rate(self, request: web.Request) -> web.Response:
        """There are no prices here: what is told is how many SMS the content makes."""
        return await self._asked(request, jasmin_request.check_rate, _rated)

    async def _balance(self, request: web.Request) -> web.Response:
        """An account here has no balance that could end."""
        return await self._asked(request, jasmin_request.check_balance, _balanced)

    async def _ping(self, request: web.Request) -> web.Response:
        return _text(200, "Jasmin/PONG")

    async def _asked(
        self, request: web.Request, check: Callable[[Arguments], None], tell: Callable[[Arguments, Account], Any]
    ) -> web.Response:
        try:
            given = await self._given(request)
            check(given)
            answer: Any = tell(given, await self._admit(request, given))
            status = 200
        except Rejected as rejected:
            answer, status = rejected.problem, rejected.status
        return web.Response(status=status, body=_encode(answer), content_type="application/json")

    async def _given(self, request: web.Request) -> dict[str, bytes]:
        """Query and form merged; a JSON body stands alone."""
        if request.method == "POST":
            body = await body_of(request, self._desk.body_timeout_s)
            if request.headers.get("Content-Type", "").strip() == "application/json":
                try:
                    return jasmin_request.of_json(msgspec.json.decode(body))
                except JSON_FAULTS:
                    raise Rejected(400, "The body is no JSON object.") from None
            form = pairs_of(body) if is_form(request) else []
            return jasmin_request.of_pairs([*form, *pairs_of(query_of(request))])
        return jasmin_request.of_pairs(pairs_of(query_of(request)))

    async def _admit(self, request: web.Request, given: Arguments) -> Account:
        name = value(given, "username")
        try:
            account = await self._desk.admit(name, value(given, "password"), request.remote or "")
        except NotNow:
            raise Rejected(*_BUSY) from None
        if account is None:
            raise Rejected(403, f"Authentication failure for username:{name}")
        return account


def _rated(given: Arguments, account: Account) -> dict[str, float]:
    return {"unit_rate": 0.0, "submit_sm_count": jasmin_request.count_of(given, account)}


def _balanced(given: Arguments, account: Account) -> dict[str, str]:
    return {"balance": _UNLIMITED, "sms_count": _UNLIMITED}


def _text(status: int, body: str) -> web.Response:
    return web.Response(status=status, text=body, content_type="text/plain", charset="utf-8")
