"""A whole night with the simulated operator: flow, the caller and the platform, all by the test's clock."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest

from gatewayd.carriers.rcs_bulk import BulkCaller
from gatewayd.carriers.rcs_http import Answer, HttpCaller
from gatewayd.simulate.rcs import Options, RcsPlatform
from gatewayd.simulate.rcs_behaviour import Rule, behaviour
from gatewayd.store.qualify_lists import QualifyLists, deliver
from protocol.rcs.exchange import Request
from tests.gatewayd.flow.scene import LINKS, START, Scene
from tests.gatewayd.flow.test_qualifying import at

Stage_ = Callable[..., Scene]
CAPABLE, PLAIN = "33612345678", "33712345678"


@asynccontextmanager
async def operator(scene: Scene, dialect: str, api: str) -> AsyncIterator[RcsPlatform]:
    """An operator whose handsets +337… have no RCS, asked by the scene's link."""
    options = Options(dialect=dialect, bulk_job_s=120.0, token_lifetime_s=1e9)
    rules = behaviour(Rule(handset=r"\+337.*", capable=False), Rule())
    platform = RcsPlatform(options, rules, clock=lambda: scene.now - START, wall=scene.clock)
    platform._door.layer = None  # who speaks is not the question here
    server = f"http://127.0.0.1:{await platform.start()}"
    basic = {"Authorization": "Basic " + base64.b64encode(b"gateway:secret").decode()}
    form = {"grant_type": "client_credentials", "scope": "botmessage"}
    url = server + platform.dialect.token_path
    grant = {"grant_type": "client_credentials"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=form, headers=basic, params=grant) as response,
    ):
        token = (await response.json())["access_token"]
    http = HttpCaller(server + platform.dialect.root, 5.0)
    await http.open()

    async def exchange(request: Request) -> Answer:
        return await http.call(request, f"Bearer {token}")

    scene.dispatcher.bureau.offer("asked", BulkCaller(exchange, api, "bot@rcs.example", 10_000))
    try:
        yield platform
    finally:
        scene.dispatcher.bureau.stop()
        await http.close()
        await platform.stop()


async def let_pass(scene: Scene, platform: RcsPlatform, until: float, step_s: float = 60.0) -> None:
    """Time goes by in steps; in each, whatever is asked is answered."""
    while scene.now < until:
        await scene.wait(min(step_s, until - scene.now))
        platform.tick()
        for _ in range(5):
            scene.dispatcher.bureau.tick()
            for job in scene.dispatcher.bureau._jobs.values():
                if job._task is not None:
                    await job._task
            await scene.settle()


def a_scene(stage: Stage_, hours: str) -> Scene:
    link = msgspec.structs.replace(LINKS["asked"], capability="bulk", capability_new_h=0.0, bulk_hours=hours)
    return stage("asked", "carrier", links={**LINKS, "asked": link})


@pytest.mark.parametrize("hours", ["22:00-07:00", "20:00-07:00"], ids=["the hours agree", "the platform says 405"])
async def test_from_an_evening_to_the_next_day(stage: Stage_, hours: str) -> None:
    scene = a_scene(stage, hours)
    scene.now = at(26, 19)
    async with operator(scene, "orange", "orange") as platform:
        before = [await scene.submit("a", destination=handset) for handset in (CAPABLE, PLAIN)]
        assert scene.carrier.sent == [(message, 0) for (message,) in before]
        deliver(scene.folder, "asked", ["0799000001", "0699000001"])
        scene.dispatcher.bureau.lists = QualifyLists(scene.folder)
        await let_pass(scene, platform, at(26, 21, 50), step_s=1_000.0)
        assert len(platform._bulk.jobs) == 0
        assert (scene.counted("bulk_questions", "asked", "closed") > 0) is (hours == "20:00-07:00")
        await let_pass(scene, platform, at(26, 22, 25), step_s=100.0)
        jobs = list(platform._bulk.jobs.values())
        assert [sorted(job.users) for job in jobs] == [
            sorted(f"+{handset}" for handset in (CAPABLE, PLAIN, "33799000001", "33699000001"))
        ]
        after = {handset: await scene.submit("b", destination=handset) for handset in (CAPABLE, PLAIN, "33699000001")}
        assert scene.asked.sent == [(after[CAPABLE][0], 0), (after["33699000001"][0], 0)]
        assert scene.carrier.sent[-1] == (after[PLAIN][0], 0)
        assert scene.counted("fallbacks", "asked", "not_rcs_bulk") == 1


async def test_a_night_ends_before_the_result_is_there(stage: Stage_) -> None:
    scene = a_scene(stage, "22:00-07:00")
    scene.now = at(27, 6, 57)
    async with operator(scene, "orange", "orange") as platform:
        await scene.submit("a", destination=CAPABLE)
        await let_pass(scene, platform, at(27, 6, 58), step_s=30.0)
        assert len(platform._bulk.jobs) == 1
        await let_pass(scene, platform, at(27, 12), step_s=1_800.0)
        assert scene.dispatcher._reach.of("asked", CAPABLE).reason == "untested"  # type: ignore[union-attr]
        await let_pass(scene, platform, at(27, 22, 5), step_s=600.0)
        assert scene.dispatcher._reach.of("asked", CAPABLE).reason == "bulk"  # type: ignore[union-attr]
        assert len(platform._bulk.jobs) == 1


async def test_an_operator_that_answers_at_once(stage: Stage_) -> None:
    scene = a_scene(stage, "")
    scene.now = at(26, 12)
    async with operator(scene, "dotgo", "dotgo") as platform:
        await scene.submit("a", destination=CAPABLE)
        await scene.submit("a", destination=PLAIN)
        await let_pass(scene, platform, at(26, 12, 5))
        reach = scene.dispatcher._reach
        assert [reach.of("asked", handset).capable for handset in (CAPABLE, PLAIN)] == [True, False]  # type: ignore[union-attr]
