"""Questions in bulk under the credentials of real links: Google's, and Orange's two layers."""

from __future__ import annotations

import pytest

from gatewayd.carriers.link import Batch
from gatewayd.carriers.rcs_bulk import BulkCaller
from gatewayd.simulate.rbm_behaviour import RbmRule
from gatewayd.simulate.rcs_behaviour import Rule
from gatewayd.simulate.rcs_layers import LayerOptions
from protocol.rcs.dialects.orange import AUDIENCE
from tests.gatewayd.carriers.test_rcs_dialects import BOT, EXCHANGE, HEADER, linked
from tests.gatewayd.carriers.test_rcs_rbm import both
from tests.protocol.rcs.keys import private_key

HANDSETS = [str(33_600_000_000 + number) for number in range(500)]


@pytest.mark.parametrize("count", [500, 3])
async def test_google_is_asked_about_many(count: int) -> None:
    async with both() as it:
        caller = BulkCaller(it.link.exchange, "rbm", "shop", 10_000)
        answer = await caller.ask_many(HANDSETS[:count])
        assert answer == Batch("answered", reachable=frozenset(HANDSETS[:count]))


async def test_google_reaches_nobody() -> None:
    async with both(RbmRule(reach="no_rcs")) as it:
        answer = await BulkCaller(it.link.exchange, "rbm", "shop", 10_000).ask_many(HANDSETS)
        assert answer == Batch("answered")


async def test_google_may_want_more() -> None:
    async with both() as it:
        it.platform._reach.few_refused = True
        answer = await BulkCaller(it.link.exchange, "rbm", "shop", 10_000).ask_many(HANDSETS[:3])
        assert answer.kind == "too_few"


@pytest.mark.parametrize("strategy", ["header", "exchange"])
async def test_orange_is_asked_under_both_layers(strategy: str) -> None:
    layer = LayerOptions(strategy=strategy, audience=AUDIENCE, bot_keys={"*": private_key()})  # type: ignore[arg-type]
    changes = HEADER if strategy == "header" else EXCHANGE
    async with linked("orange", Rule(), layer, **changes) as (platform, link, listener, faults):
        platform._bulk.any_hour = True
        await listener.until(lambda: link.is_up)
        order = await BulkCaller(link.exchange, "orange", BOT, 10_000).ask_many(HANDSETS)
        assert order.kind == "ordered"
        assert faults == []
