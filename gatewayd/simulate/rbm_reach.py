"""Who can be reached: capabilities of one handset, of many at once, and invitations of testers (Google's RBM API).

Knows rules, nothing of messages.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from gatewayd.simulate.rbm_behaviour import RbmBehaviour, RbmRule
from gatewayd.simulate.rbm_members import E164
from gatewayd.simulate.rbm_refusals import NO_RCS, NOT_LAUNCHED, NOT_TESTER, GoogleRefusal, invalid
from gatewayd.simulate.rbm_validation import read_json, read_phone, read_uuid
from gatewayd.simulate.rcs_quota import Quota

USERS_MIN = 500
USERS_MAX = 10_000
SAMPLED_OF_FOUR = 3
INVITATIONS_MAX = 20

Enter = Callable[[web.Request, str], str]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ReachDesk:
    """The handlers. ``enter`` checks credentials and names the agent, given the one that the body may name.

    ``few_refused``: fewer than 500 numbers are answered 400, as the guide says, not with samples of 0. ``terse``
    leaves empty lists out of answers, as Google's encoding does.
    """

    def __init__(self, enter: Enter, behaviour: Callable[[], RbmBehaviour], clock: Callable[[], float]) -> None:
        self.few_refused = False
        self.terse = True
        self.quota = Quota(600)
        self._enter = enter
        self._behaviour = behaviour
        self._clock = clock
        self._invited: Counter[str] = Counter()

    def add_routes(self, app: web.Application) -> None:
        """Put the endpoints into ``app``."""
        app.router.add_get("/v1/phones/{phone}/capabilities", self._one)
        app.router.add_post("/v1/users:batchGet", self._many)
        app.router.add_post("/v1/phones/{phone}/testers", self._invite)

    async def _one(self, request: web.Request) -> web.StreamResponse:
        self._enter(request, "")
        phone = read_phone(request.match_info["phone"])
        read_uuid("requestId", request.query.get("requestId", ""))
        rule = self._behaviour().rule_of(phone)
        if rule.capability_status:
            raise GoogleRefusal(rule.capability_status, "The request could not be served.")
        check_reach(rule)
        return web.json_response({"features": rule.features})

    async def _many(self, request: web.Request) -> web.StreamResponse:
        body = read_json(await request.read())
        if not isinstance(body, dict) or not set(body) <= {"users", "agentId"}:
            raise invalid("body", "it is an object of users, and of agentId where the query does not name it")
        self._enter(request, str(body.get("agentId", "")))
        users = body.get("users")
        wait_s = self.quota.take(self._clock())
        if wait_s:
            raise GoogleRefusal(429, "Quota exceeded for quota metric 'Batch capability checks'.")
        return web.json_response(self._sample(self._check(users)))

    def _check(self, users: object) -> list[str]:
        if not isinstance(users, list) or not all(isinstance(user, str) and E164.fullmatch(user) for user in users):
            raise invalid("users", "it is not a list of numbers of E.164 with a leading +")
        if len(set(users)) != len(users):
            raise invalid("users", "the numbers are not unique")
        if len(users) > USERS_MAX or not users:
            raise invalid("users", f"{len(users)} given, at most {USERS_MAX} are allowed")
        if len(users) < USERS_MIN and self.few_refused:
            raise invalid("users", f"{len(users)} given, at least {USERS_MIN} are needed")
        return users

    def _sample(self, users: list[str]) -> dict[str, object]:
        """Who is reachable, and how many of a random sample (by the number's check sum, so that it repeats)."""
        behaviour = self._behaviour()
        rules = {user: behaviour.rule_of(user) for user in users}
        reachable = [user for user, rule in rules.items() if rule.reach == "reachable"]
        sample = [user for user in users if zlib.crc32(user.encode()) % 4 < SAMPLED_OF_FOUR]
        if len(users) < USERS_MIN:
            sample = []
        has_rcs = sum(rules[user].reach != "no_rcs" for user in sample)
        answer: dict[str, object] = {
            "reachableUsers": reachable,
            "totalRandomSampleUserCount": len(sample),
            "reachableRandomSampleUserCount": has_rcs,
        }
        return {key: value for key, value in answer.items() if value or not self.terse}

    async def _invite(self, request: web.Request) -> web.StreamResponse:
        agent = self._enter(request, "")
        phone = read_phone(request.match_info["phone"])
        if self._invited[agent] >= INVITATIONS_MAX:
            raise GoogleRefusal(429, "Quota exceeded for quota metric 'Tester invitations' of the day.")
        self._invited[agent] += 1
        return web.json_response({"name": f"phones/{phone}/testers", "inviteStatus": "PENDING"})


def check_reach(rule: RbmRule) -> None:
    """Refuse a handset that the agent cannot reach."""
    if rule.reach == "no_rcs":
        raise GoogleRefusal(404, NO_RCS)
    if rule.reach == "not_launched":
        raise GoogleRefusal(404, NOT_LAUNCHED)
    if rule.reach == "not_tester":
        raise GoogleRefusal(403, NOT_TESTER)


def json_of(body: object, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
