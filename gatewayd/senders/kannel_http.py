"""Kannel's sendsms interface, for applications that came from there: its path, its parameters, its exact answers.

What a parameter means is ``kannel_request``'s business.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gatewayd.senders import kannel_request
from gatewayd.senders.http_calls import body_of
from gatewayd.senders.http_passwords import NotNow
from gatewayd.senders.http_submit import Result
from gatewayd.senders.kannel_request import Parameters, Rejected, rejection_of
from gatewayd.senders.product_http import Desk, ids_header, is_form, query_of
from gatewayd.senders.submit_rules import Refusal
from protocol.smpp.constants import Status

ACCEPTED: Final = "0: Accepted for delivery"
QUEUED: Final = "3: Queued for later delivery"
_SENDSMS: Final = "/cgi-bin/sendsms"
_TEMPORAL: Final = (503, "Temporal failure, try again later.")
_OCTETS: Final = frozenset({"text/plain", "application/octet-stream"})
# Read by Kannel, and not by us.
_KNOWN_TYPES: Final = frozenset({"text/xml", "text/html", "text/vnd.wap.wml"})
_HEADERS: Final = {"Content-Type": "text/html", "Pragma": "no-cache", "Cache-Control": "no-cache"}


class Kannel:
    """The interface. ``tells_queued``: answer 3 while no link is up, although the message is as safe as with 0."""

    def __init__(self, desk: Desk, *, tells_queued: bool) -> None:
        self._desk = desk
        self._tells_queued = tells_queued

    def routes(self) -> list[web.RouteDef]:
        """For the listener. HEAD sends nothing here: who looks whether a page is there means no message."""
        return [
            web.get(_SENDSMS, self._get, allow_head=False),
            web.post(_SENDSMS, self._post),
            web.route("*", "/cgi-bin/{rest:.*}", self._unknown),
        ]

    async def _get(self, request: web.Request) -> web.Response:
        return await self._answered(request, kannel_request.of_query(query_of(request)))

    async def _post(self, request: web.Request) -> web.Response:
        body = await body_of(request, self._desk.body_timeout_s)
        if is_form(request):  # Kannel refuses them; an application that tries them means no harm
            return await self._answered(request, kannel_request.of_query(body), is_post=True)
        if request.content_type in _OCTETS:
            given = kannel_request.of_headers(request.headers, body, request.content_type, request.charset)
            return await self._answered(request, given, is_post=True)
        if request.content_type in _KNOWN_TYPES:
            return _plain(415, "Unsupported content-type, rejected")
        return _plain(400, "Invalid content-type")

    async def _unknown(self, request: web.Request) -> web.Response:
        if request.path.startswith("/cgi-bin/sendota"):
            return _plain(501, "Sendota is not supported by gatewayd.")
        if request.path == _SENDSMS:
            return _plain(405, "Use GET or POST.")
        return _plain(404, "Unknown request.")

    async def _answered(self, request: web.Request, given: Parameters, *, is_post: bool = False) -> web.Response:
        try:
            results = await self._send(request.remote or "", given, is_post=is_post)
        except Rejected as rejected:
            return _plain(rejected.status, rejected.body)
        refusals = [result for result in results if isinstance(result, Refusal)]
        if len(refusals) == len(results):
            first = rejection_of(refusals[0].kind, refusals[0].status)
            return _plain(first.status, first.body)
        is_queued = self._tells_queued and self._desk.is_waiting()
        response = _plain(202, QUEUED if is_queued else ACCEPTED)
        response.headers.update(ids_header(results))
        return response

    async def _send(self, peer: str, given: Parameters, *, is_post: bool) -> list[Result]:
        desk = self._desk
        name, password = kannel_request.words(given, "username"), kannel_request.words(given, "password")
        try:
            account = await desk.admit(name, password, peer)
        except NotNow:
            raise Rejected(*_TEMPORAL) from None
        if account is None:
            raise Rejected(403, "Authorization failed for sendsms")
        numbers = kannel_request.receivers(given, is_post=is_post)
        pdus = kannel_request.submits_of(given, account, numbers[: desk.receivers_max], desk.clock())
        if not pdus or len(numbers) > desk.receivers_max:
            raise rejection_of("invalid_destination", Status.ESME_RINVDSTADR)
        return await desk.hand_in(account, pdus)


def _plain(status: int, body: str) -> web.Response:
    return web.Response(status=status, body=body.encode(), headers=_HEADERS)
