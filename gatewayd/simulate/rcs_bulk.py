"""Capabilities of many contacts in one call: an operator's jobs by night, or an answer at once.

Neither body is public for the jobs; this is the simulator's choice. Knows rules, nothing of messages.
"""

from __future__ import annotations

import datetime as dt
import secrets
import zoneinfo
from collections.abc import Callable

import msgspec
from aiohttp import web

from gatewayd.simulate.rcs_behaviour import Behaviour
from gatewayd.simulate.rcs_catalogue import Refusal
from gatewayd.simulate.rcs_dialects import Dialect
from gatewayd.simulate.rcs_validation import E164
from gatewayd.simulate.schedule import Schedule

USERS_MAX = 10_000
JOBS_MAX = 1_000
NIGHT = (22, 7)


class Users(msgspec.Struct, forbid_unknown_fields=True):
    """The body of both calls."""

    users: list[str]


class Job(msgspec.Struct):
    """One bulk request under way, or done."""

    bot: str
    users: list[str]
    done: bool = False


class BulkDesk:
    """The handlers of both bulk calls. ``job_s`` is how long a job runs, ``zone`` where its night is.

    ``any_hour`` forgets the night, for those who test by day.
    """

    def __init__(
        self,
        schedule: Schedule,
        wall: Callable[[], float],
        enter: Callable[[web.Request], str],
        behaviour: Callable[[], Behaviour],
    ) -> None:
        self.job_s = 1.0
        self.zone = "Europe/Paris"
        self.any_hour = False
        self.jobs: dict[str, Job] = {}
        self._schedule = schedule
        self._wall = wall
        self._enter = enter
        self._behaviour = behaviour

    def add_routes(self, app: web.Application, root: str, bot_path: str, dialect: Dialect) -> None:
        """Put the endpoints that this dialect has into ``app``."""
        if dialect.bulk == "jobs":
            path = root + "/bot/v2/{bot}/bulkContactCapabilities"
            app.router.add_post(path, self._begin)
            app.router.add_get(path, self._fetch)
        elif dialect.bulk == "at_once":
            app.router.add_post(bot_path + "/rcsEnabledContacts", self._at_once)

    async def _begin(self, request: web.Request) -> web.StreamResponse:
        bot = self._enter(request)
        self._check_hour()
        job = Job(bot, await _read_users(request))
        job_id = secrets.token_hex(8)
        self.jobs[job_id] = job
        if len(self.jobs) > JOBS_MAX:
            del self.jobs[next(iter(self.jobs))]
        self._schedule.after(self.job_s, lambda: setattr(job, "done", True))
        return web.json_response({"requestId": job_id}, status=202)

    async def _fetch(self, request: web.Request) -> web.StreamResponse:
        bot = self._enter(request)
        self._check_hour()
        job = self.jobs.get(request.query.get("requestId", ""))
        if job is None or job.bot != bot:
            raise Refusal(42002, "no such job", 404)
        if not job.done:
            return web.json_response({"requestId": request.query["requestId"]}, status=202)
        return self._answer(job.users)

    async def _at_once(self, request: web.Request) -> web.StreamResponse:
        self._enter(request)
        return self._answer(await _read_users(request))

    def _answer(self, users: list[str]) -> web.Response:
        behaviour = self._behaviour()
        capable = [user for user in users if behaviour.rule_of(user).is_reachable]
        return web.json_response({"rcsEnabledContacts": capable})

    def _check_hour(self) -> None:
        if self.any_hour:
            return
        hour = dt.datetime.fromtimestamp(self._wall(), zoneinfo.ZoneInfo(self.zone)).hour
        if NIGHT[1] <= hour < NIGHT[0]:
            raise Refusal(42602)


async def _read_users(request: web.Request) -> list[str]:
    if request.content_type != "application/json":
        raise Refusal(42002, "Content-Type is not application/json")
    try:
        users = msgspec.json.decode(await request.read(), type=Users).users
    except msgspec.DecodeError as error:
        raise Refusal(42002, str(error)) from None
    if not 1 <= len(users) <= USERS_MAX:
        raise Refusal(42002, f"users: {len(users)} given, 1 to {USERS_MAX} are allowed")
    if not all(E164.fullmatch(user) for user in users):
        raise Refusal(42005)
    return users
