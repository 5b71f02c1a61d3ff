"""The RBM platform's public face over HTTP: tokens, agents' messages and events, revocations (Google's RBM API).

Turns requests into calls and refusals into error bodies; what happens to a message later is not its business.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Literal

from aiohttp import web

from gatewayd.simulate.rbm_behaviour import RbmRule
from gatewayd.simulate.rbm_ledger import AgentEvent, RbmLedger, RbmRecord
from gatewayd.simulate.rbm_lives import RbmLives
from gatewayd.simulate.rbm_reach import check_reach, json_of
from gatewayd.simulate.rbm_refusals import AGENT_QUOTA, USER_QUOTA, GoogleRefusal, invalid
from gatewayd.simulate.rbm_tokens import GoogleTokens, TokenRefusal
from gatewayd.simulate.rbm_validation import AgentMessage, MessageChecks, read_event, read_phone, read_uuid
from gatewayd.simulate.rcs_book import RequestRecord
from gatewayd.simulate.rcs_http import break_connection
from gatewayd.simulate.rcs_members import rfc3339
from gatewayd.simulate.rcs_quota import Quota
from gatewayd.simulate.schedule import Schedule

BODY_MAX = 1024 * 1024
TOKEN_PATH = "/token"
# Google's own library names this audience whatever the key file says.
GOOGLES_TOKEN_URI = "https://oauth2.googleapis.com/token"

RevokeSemantics = Literal["404_when_delivered", "always_200"]
Repeat = Literal["same", "conflict"]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Throttle:
    """The next ``left`` messages answer 429, of either meaning."""

    def __init__(self) -> None:
        self.left = 0
        self.retry_after_s: float | None = None
        self.per_user = False

    def check(self) -> None:
        """Refuse if this request is one of those."""
        if self.left:
            self.left -= 1
            raise GoogleRefusal(429, USER_QUOTA if self.per_user else AGENT_QUOTA, self.retry_after_s)


class RbmDoor:
    """The handlers of an agent's messages. ``agents`` None lets any agent in; the quota is each agent's own."""

    def __init__(
        self,
        tokens: GoogleTokens,
        ledger: RbmLedger,
        lives: RbmLives,
        schedule: Schedule,
        wall: Callable[[], float],
    ) -> None:
        self.agents: frozenset[str] | None = None
        self.token_uri = ""
        self.quota_per_s = 0
        self.quota_per_minute = 0
        self.quota_names_wait = True
        self.revoke_semantics: RevokeSemantics = "404_when_delivered"
        self.repeat: Repeat = "same"
        self.throttle = Throttle()
        self.checks = MessageChecks("multi_use", lambda name: False, 4)
        self._quotas: dict[str, Quota] = {}
        self._tries: Counter[str] = Counter()
        self._promotions: Counter[tuple[str, str]] = Counter()
        self._tokens = tokens
        self._ledger = ledger
        self._lives = lives
        self._schedule = schedule
        self._wall = wall
        self._closing = asyncio.Event()

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=BODY_MAX, middlewares=[self._record])
        app.router.add_post(TOKEN_PATH, self._token)
        app.router.add_post("/v1/phones/{phone}/agentMessages", self._send)
        app.router.add_delete("/v1/phones/{phone}/agentMessages/{msg_id}", self._revoke)
        app.router.add_post("/v1/phones/{phone}/agentEvents", self._event)
        return app

    def open(self) -> None:
        """Let requests wait (again)."""
        self._closing.clear()

    def close(self) -> None:
        """Let go of every request that is kept waiting."""
        self._closing.set()

    def enter(self, request: web.Request, in_body: str = "") -> str:
        """Check a request's credentials; returns its agent, which the query or the body names."""
        self._tokens.check(request.headers.get("Authorization"), self._schedule.clock())
        agent = request.query.get("agentId", "") or in_body
        if not agent:
            raise invalid("agentId", "it is missing")
        if self.agents is not None and agent not in self.agents:
            raise GoogleRefusal(403, "The caller does not have permission for this agent.")
        return agent

    @web.middleware
    async def _record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        status = 0
        try:
            response = await handler(request)
            status = 0 if request.transport is None or request.transport.is_closing() else response.status
            return response
        except GoogleRefusal as refusal:
            status = refusal.http_status
            headers = {}
            if refusal.retry_after_s is not None:
                headers["Retry-After"] = str(math.ceil(refusal.retry_after_s))
            return web.Response(status=status, body=refusal.body(), content_type="application/json", headers=headers)
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            if not request.path.startswith("/control/"):
                self._ledger.add_request(RequestRecord(self._wall(), request.method, request.path, status))

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = {key: str(value) for key, value in (await request.post()).items()}
        here = f"{request.scheme}://{request.host}{TOKEN_PATH}"
        audiences = (self.token_uri,) if self.token_uri else (here, GOOGLES_TOKEN_URI)
        try:
            token = self._tokens.issue(form, audiences, self._schedule.clock(), self._wall())
        except TokenRefusal as refusal:
            return web.Response(status=refusal.http_status, body=refusal.body, content_type="application/json")
        lifetime_s = math.ceil(self._tokens.lifetime_s) - 1
        return json_of({"access_token": token, "expires_in": lifetime_s, "token_type": "Bearer"})

    async def _send(self, request: web.Request) -> web.StreamResponse:
        agent = self.enter(request)
        phone = read_phone(request.match_info["phone"])
        msg_id = read_uuid("messageId", request.query.get("messageId", ""))
        self.throttle.check()
        self._count(agent)
        known = self._ledger.messages.get((agent, msg_id))
        if known is not None:
            return self._answer_again(known, phone)
        message, rule = self._read(agent, phone, await _body(request))
        submit = self._how(rule, phone)
        if submit in ("silent", "reset"):
            if rule.taken:
                self._take(msg_id, agent, message, rule)
            return await self._leave(request, at_once=submit == "reset")
        record = self._take(msg_id, agent, message, rule)
        if submit == "slow":
            await self._schedule.sleep(rule.answer_after_s)
        return self._answer(record)

    def _read(self, agent: str, phone: str, body: bytes) -> tuple[AgentMessage, RbmRule]:
        """What is asked and the rule that answers it; a refusal counts for the error ratio, a throttling does not."""
        try:
            message = self.checks.read_message(phone, body, self._wall())
            rule = self._lives.behaviour.rule_of(phone)
            self._check_rule(agent, message, rule)
        except GoogleRefusal as refusal:
            if refusal.http_status < 500 and refusal.http_status != 429:
                self._ledger.reach.add(self._wall(), refusal.http_status != 404)
            raise
        return message, rule

    def _check_rule(self, agent: str, message: AgentMessage, rule: RbmRule) -> None:
        """Refuse what the rule refuses, before a try is counted as accepted."""
        misbehaves = not rule.submit_times or self._tries[message.phone] < rule.submit_times
        if misbehaves and rule.submit in ("refuse", "throttle_agent", "throttle_user"):
            self._tries[message.phone] += 1
            if rule.submit == "refuse":
                raise GoogleRefusal(rule.refuse_status, "Refused as the rule says.", rule.retry_after_s)
            words = AGENT_QUOTA if rule.submit == "throttle_agent" else USER_QUOTA
            raise GoogleRefusal(429, words, rule.retry_after_s)
        check_reach(rule)
        lacking = sorted(message.needed - set(rule.features))
        if lacking:
            raise GoogleRefusal(400, f"The device does not support {', '.join(lacking)}.")
        if message.traffic == "PROMOTION" and rule.promotions_max:
            if self._promotions[agent, message.phone] >= rule.promotions_max:
                raise GoogleRefusal(429, USER_QUOTA, rule.retry_after_s)
            self._promotions[agent, message.phone] += 1

    def _how(self, rule: RbmRule, phone: str) -> str:
        if rule.submit in ("accept", "refuse", "throttle_agent", "throttle_user"):
            return "accept"
        if rule.submit_times and self._tries[phone] >= rule.submit_times:
            return "accept"
        self._tries[phone] += 1
        return rule.submit

    def _take(self, msg_id: str, agent: str, message: AgentMessage, rule: RbmRule) -> RbmRecord:
        record = self._lives.take(msg_id, agent, message, rule)
        record.asked = self._ledger.reach.add(self._wall(), reachable=True)
        return record

    def _answer_again(self, record: RbmRecord, phone: str) -> web.Response:
        """An id that was used before: nothing more is delivered, whatever the request holds."""
        record.repeats += 1
        self._ledger.note(record, self._wall(), "repeated", "" if record.phone == phone else "to another handset")
        if self.repeat == "conflict":
            raise GoogleRefusal(409, "Requested entity already exists.")
        return self._answer(record)

    def _answer(self, record: RbmRecord) -> web.Response:
        record.answered = True
        message = record.message
        body = {key: value for key, value in message.body.items() if key != "ttl"}
        if message.expires_at:
            body["expireTime"] = rfc3339(message.expires_at)
        name = f"phones/{record.phone}/agentMessages/{record.id}"
        return json_of({"name": name, "sendTime": rfc3339(record.accepted_at), **body})

    async def _revoke(self, request: web.Request) -> web.StreamResponse:
        agent = self.enter(request)
        phone, msg_id = read_phone(request.match_info["phone"]), request.match_info["msg_id"]
        record = self._ledger.messages.get((agent, msg_id))
        if record is None or record.phone != phone:
            return self._too_late()
        how = record.how_revoked()
        self._ledger.note(record, self._wall(), "revoke asked", how)
        if how == "silent":
            return await self._leave(request, at_once=False)
        if how == "error":
            raise GoogleRefusal(500, "Internal error encountered.")
        if how == "throttle":
            raise GoogleRefusal(429, AGENT_QUOTA, record.rule.retry_after_s)
        if how == "too_late" and not record.is_over:
            record.pending_events = 0
            self._lives.deliver(record)
        if record.status in ("delivered", "read"):
            return self._too_late()
        if how == "ok" and not record.is_over:
            self._lives.revoke(record)
        return json_of({})

    def _too_late(self) -> web.Response:
        if self.revoke_semantics == "always_200":
            return json_of({})
        raise GoogleRefusal(404, "Requested entity was not found.")

    async def _event(self, request: web.Request) -> web.StreamResponse:
        agent = self.enter(request)
        phone = read_phone(request.match_info["phone"])
        event_id = read_uuid("eventId", request.query.get("eventId", ""))
        kind, user_message = read_event(await _body(request))
        event = self._ledger.events.get((agent, event_id))
        if event is None:
            if kind == "READ":
                said = self._ledger.users.get(user_message)
                if said is None or said.phone != phone:
                    raise invalid("agent_event.messageId", "the user sent no such message")
                said.read = True
            event = AgentEvent(event_id, agent, phone, kind, self._wall())
            self._ledger.add_event(event)
        name = f"phones/{phone}/agentEvents/{event_id}"
        return json_of({"name": name, "sendTime": rfc3339(event.at), "eventType": event.kind})

    def _count(self, agent: str) -> None:
        now = self._schedule.clock()
        if agent not in self._quotas:
            self._quotas[agent] = Quota(self.quota_per_minute, self.quota_per_s)
        wait_s = self._quotas[agent].take(now)
        if wait_s:
            raise GoogleRefusal(429, AGENT_QUOTA, wait_s if self.quota_names_wait else None)
        self._ledger.count_accepted(now)

    async def _leave(self, request: web.Request, *, at_once: bool) -> web.StreamResponse:
        """Leave a request without an answer: break its connection at once, or when the platform stops."""
        if not at_once:
            await self._closing.wait()
        break_connection(request)
        return web.Response(status=500)


async def _body(request: web.Request) -> bytes:
    if request.content_type != "application/json":
        raise GoogleRefusal(400, "Content-Type is not application/json.")
    return await request.read()
