"""The platform's public face over HTTP: tokens, messages, statuses and capabilities (GSMA FNW.11).

Turns requests into calls and refusals into error bodies; what happens to a message later is not its business.
"""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from gatewayd.simulate.rcs_behaviour import Rule
from gatewayd.simulate.rcs_book import RequestRecord
from gatewayd.simulate.rcs_catalogue import Refusal
from gatewayd.simulate.rcs_dialects import STANDARD, Dialect
from gatewayd.simulate.rcs_layers import SecondLayer
from gatewayd.simulate.rcs_ledger import Ledger, MessageRecord
from gatewayd.simulate.rcs_lives import Lives
from gatewayd.simulate.rcs_members import rfc3339
from gatewayd.simulate.rcs_portal import Suspension, in_portals_words
from gatewayd.simulate.rcs_quota import Quota
from gatewayd.simulate.rcs_ratio import Asked
from gatewayd.simulate.rcs_tokens import TokenFault, TokenOffice
from gatewayd.simulate.rcs_validation import Submission, read_contact_query, read_new_status, read_submission
from gatewayd.simulate.schedule import Schedule

BODY_MAX = 1024 * 1024
NEEDS = {
    "textMessage": ("chat", 41210),
    "fileMessage": ("fileTransfer", 41211),
    "audioMessage": ("fileTransfer", 41211),
    "richcardMessage": ("chatBotCommunication", 41212),
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Throttle:
    """The next ``left`` requests for a message answer 429, whatever the quota says."""

    def __init__(self) -> None:
        self.left = 0
        self.retry_after_s: float | None = None

    def check(self) -> None:
        """Refuse if this request is one of those."""
        if self.left:
            self.left -= 1
            raise Refusal(41003, retry_after_s=self.retry_after_s)


class FrontDoor:
    """The handlers of the bot's API. ``bots`` None lets any bot in; ``layer`` None asks for a token alone."""

    def __init__(
        self,
        tokens: TokenOffice,
        quota: Quota,
        ledger: Ledger,
        lives: Lives,
        schedule: Schedule,
        wall: Callable[[], float],
    ) -> None:
        self.bots: frozenset[str] | None = None
        self.text_max = 3072
        self.quota_names_wait = True
        self.expires_in_text = False
        self.dialect: Dialect = STANDARD
        self.layer: SecondLayer | None = None
        self.suspension = Suspension(0.0, 0, 0.0)
        self.capability_quota = Quota()
        self.throttle = Throttle()
        self._tokens = tokens
        self._quota = quota
        self._ledger = ledger
        self._lives = lives
        self._schedule = schedule
        self._wall = wall
        self._closing = asyncio.Event()

    def application(self, root: str) -> web.Application:
        """The routes, below ``root`` ("" or "/rcs")."""
        app = web.Application(client_max_size=BODY_MAX, middlewares=[self._record])
        bot = root + "/bot/v1/{bot}"
        app.router.add_post(self.dialect.token_path, self._token)
        if self.layer is not None and self.layer.options.strategy == "exchange":
            app.router.add_post(self.layer.options.exchange_path, self._exchange)
        app.router.add_post(bot + self.dialect.send_path, self._send)
        app.router.add_get(bot + "/messages/{msg_id}/status", self._status)
        app.router.add_put(bot + "/messages/{msg_id}/status", self._set_status)
        app.router.add_get(bot + "/contactCapabilities", self._capabilities)
        return app

    def open(self) -> None:
        """Let requests wait (again)."""
        self._closing.clear()

    def close(self) -> None:
        """Let go of every request that is kept waiting."""
        self._closing.set()

    @web.middleware
    async def _record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        status, code = 0, 0
        try:
            response = await handler(request)
            status = 0 if request.transport is None or request.transport.is_closing() else response.status
            return response
        except Refusal as caught:
            refusal = in_portals_words(caught) if self.dialect.portal else caught
            status, code = refusal.http_status, refusal.code
            return _refused(refusal)
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            if not request.path.startswith("/control/"):
                self._ledger.add_request(RequestRecord(self._wall(), request.method, request.path, status, code))

    async def _token(self, request: web.Request) -> web.StreamResponse:
        try:
            if request.content_type != "application/x-www-form-urlencoded":
                raise TokenFault("invalid_request")
            form = await self._read_form(request)
            token = self._tokens.issue(request.headers.get("Authorization", ""), form, self._schedule.clock())
        except TokenFault as fault:
            headers = {"WWW-Authenticate": "Basic"} if fault.http_status == 401 else {}
            return _json({"error": fault.error}, fault.http_status, headers)
        lifetime_s = int(self._tokens.lifetime_s)
        in_text = self.expires_in_text or self.dialect.expires_in_text
        expires_in = str(lifetime_s) if in_text else lifetime_s
        body = {"access_token": token, "token_type": "Bearer", "expires_in": expires_in, "scope": "botmessage"}
        return _json(body, headers={"Cache-Control": "no-store"})

    async def _read_form(self, request: web.Request) -> dict[str, str]:
        form = {key: str(value) for key, value in (await request.post()).items()}
        if self.dialect.grant_in_query and "grant_type" in request.query:
            form.setdefault("grant_type", request.query["grant_type"])
        return form

    async def _exchange(self, request: web.Request) -> web.StreamResponse:
        assert self.layer is not None
        now = self._schedule.clock()
        if "Authorization" in request.headers:
            self._tokens.check(request.headers["Authorization"], now)
        form = {key: str(value) for key, value in (await request.post()).items()}
        try:
            token = self.layer.exchange(form, now, self._wall())
        except TokenFault as fault:
            return _json({"error": fault.error}, fault.http_status)
        return _json({"access_token": token, "token_type": "Bearer", "expires_in": int(self.layer.lifetime_s)})

    async def _send(self, request: web.Request) -> web.StreamResponse:
        bot = self.enter(request)
        self.throttle.check()
        self._count()
        submission, rule = self._read(await _body(request))
        if rule.submit in ("silent", "reset"):
            if rule.taken:
                self._lives.take(bot, submission, rule).asked = self._judge(reachable=True)
            return await self._leave(request, at_once=rule.submit == "reset")
        record = self._lives.take(bot, submission, rule)
        record.asked = self._judge(reachable=True)
        if rule.submit == "slow":
            await self._schedule.sleep(rule.answer_after_s)
        record.answered = True
        return _json({"RCSMessage": {"msgId": record.id, "status": "pending"}}, 202)

    def _read(self, body: bytes) -> tuple[Submission, Rule]:
        """What is asked and the rule that answers it; a refusal counts for the error ratio, a throttling does not."""
        try:
            submission = read_submission(body, self._wall(), self.text_max, takes_ttl=self.dialect.takes_ttl)
            rule = self._lives.behaviour.rule_of(submission.contact)
            _check_rule(rule, submission)
        except Refusal as refusal:
            if refusal.http_status < 500 and refusal.http_status != 429:
                self._judge(reachable=refusal.code != 41200)
            raise
        return submission, rule

    def _judge(self, *, reachable: bool) -> Asked:
        asked = self._ledger.reach.add(self._wall(), reachable)
        self.suspension.judge(self._ledger.reach, self._schedule.clock())
        return asked

    async def _status(self, request: web.Request) -> web.StreamResponse:
        record = self._message(self.enter(request), request.match_info["msg_id"])
        status = self._lives.cancel_word if record.status == "cancelled" else record.status
        return _json({"RCSMessage": {"msgId": record.id, "status": status, "timestamp": rfc3339(record.status_at)}})

    async def _set_status(self, request: web.Request) -> web.StreamResponse:
        bot, msg_id = self.enter(request), request.match_info["msg_id"]
        status = read_new_status(await _body(request))
        if status == "displayed":
            inbound = self._ledger.inbound.get(msg_id)
            if inbound is None:
                raise Refusal(42002, "no such message", 404)
            inbound.displayed = True
            return web.Response(status=204)
        if status not in ("cancelled", "canceled"):
            raise Refusal(42011)
        return await self._revoke(request, self._message(bot, msg_id))

    async def _revoke(self, request: web.Request, record: MessageRecord) -> web.StreamResponse:
        how = record.how_revoked()
        self._ledger.note(record, self._wall(), "revoke asked", how)
        if how == "silent":
            return await self._leave(request, at_once=False)
        if how == "error":
            raise Refusal(41000)
        if how == "throttle":
            raise Refusal(42601, retry_after_s=record.rule.retry_after_s)
        if how == "already":
            raise Refusal(41011)
        if record.status == "cancelled":
            # PUT asks for a state; a message that is in it already satisfies the request.
            return web.Response(status=204)
        if record.is_over:
            raise Refusal(41002)
        if how == "too_late":
            record.pending_states = 0
            self._lives.deliver(record)
            raise Refusal(41002)
        if how == "ok":
            self._lives.revoke(record)
        return web.Response(status=204)

    async def _capabilities(self, request: web.Request) -> web.StreamResponse:
        self.enter(request)
        wait_s = self.capability_quota.take(self._schedule.clock())
        if wait_s:
            raise Refusal(42601, retry_after_s=wait_s if self.quota_names_wait else None)
        if len(request.query) > 1:
            raise Refusal(42002, "exactly one of userContact and chatId")
        rule = self._lives.behaviour.rule_of(read_contact_query(request.query))
        if rule.capability_status:
            raise Refusal(41000, http_status=rule.capability_status)
        _check_reach(rule)
        return _json({"capabilities": rule.capabilities})

    def enter(self, request: web.Request) -> str:
        """Check a request's credentials, all layers of them; returns its bot."""
        bot, now = request.match_info["bot"], self._schedule.clock()
        authorization = request.headers.get("Authorization")
        if self.layer is not None and self.layer.options.strategy == "exchange":
            self.layer.check_token(authorization, bot, now)
        else:
            self._tokens.check(authorization, now)
        self.suspension.check(now)
        if self.layer is not None and self.layer.options.strategy == "header":
            self.layer.check_header(request.headers, bot, self._wall())
        if self.bots is not None and bot not in self.bots:
            raise Refusal(40006)
        return bot

    def _count(self) -> None:
        now = self._schedule.clock()
        wait_s = self._quota.take(now)
        if wait_s:
            code = 42601 if self.dialect.portal else 41003
            raise Refusal(code, retry_after_s=wait_s if self.quota_names_wait else None)
        self._ledger.count_accepted(now)

    def _message(self, bot: str, msg_id: str) -> MessageRecord:
        record = self._ledger.messages.get(msg_id)
        if record is None or record.bot != bot:
            raise Refusal(42002, "no such message", 404)
        return record

    async def _leave(self, request: web.Request, *, at_once: bool) -> web.StreamResponse:
        """Leave a request without an answer: break its connection at once, or when the platform stops.

        A client that hangs up first cancels this call (the runner is told so).
        """
        if not at_once:
            await self._closing.wait()
        break_connection(request)
        return web.Response(status=500)


def break_connection(request: web.Request) -> None:
    """End a connection by a reset, so that the client learns that no answer will come."""
    transport = request.transport
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _check_rule(rule: Rule, submission: Submission) -> None:
    if rule.submit == "refuse":
        raise Refusal(rule.refuse_code, http_status=rule.refuse_status)
    if rule.submit == "throttle":
        raise Refusal(41003, retry_after_s=rule.retry_after_s)
    _check_reach(rule)
    needed, code = NEEDS.get(submission.kind, ("", 0))
    if needed and needed not in rule.capabilities:
        raise Refusal(code)


def _check_reach(rule: Rule) -> None:
    if not rule.capable:
        raise Refusal(41200)
    if rule.foreign:
        raise Refusal(41200, "the number is another operator's")


async def _body(request: web.Request) -> bytes:
    if request.content_type != "application/json":
        raise Refusal(42002, "Content-Type is not application/json")
    return await request.read()


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    encoded = msgspec.json.encode(body)
    return web.Response(status=status, body=encoded, content_type="application/json", headers=headers)


def _refused(refusal: Refusal) -> web.Response:
    headers = {}
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(refusal.retry_after_s))
    if refusal.http_status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(
        status=refusal.http_status, body=refusal.body(), content_type="application/json", headers=headers
    )
