"""A link that goes slower for now: its windows become narrow, and a carrier of 5.0 says how full it is."""

from __future__ import annotations

import asyncio

import pytest

from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.config import schema
from gatewayd.message import Accepted
from protocol.smpp.constants import Tag
from protocol.smpp.pdu import SubmitSm, SubmitSmResp
from tests.gatewayd.carriers.test_smpp_link import Stage, message, stage
from tests.support.scripted_smsc import SmscBind

__all__ = ["stage"]


async def eased(
    stage: Stage, version: str = "3.4", width: float = 1.0, **settings: int
) -> tuple[SmppLink, list[float]]:
    """A link whose share of its windows is the number in the list."""
    widths, told = [width], stage.flow
    link = SmppLink(
        "carrier",
        schema.Link(
            kind="smpp",
            host="127.0.0.1",
            port=stage.smsc.port,
            system_id="us",
            interface_version=version,  # type: ignore[arg-type]
            **settings,  # type: ignore[arg-type]
        ),
        "secret",
        told,
        width=lambda: widths[0],
        on_congestion=lambda state: told._tell(f"congested {state}"),
    )
    stage.links.append(link)
    await link.start()
    await stage.watch.until(lambda: link.binds_up == settings.get("binds", 1) and "ready" in told.told)
    return link, widths


async def test_a_narrow_window_is_narrow_on_each_bind_and_wide_again(stage: Stage) -> None:
    link, widths = await eased(stage, window=10, binds=2)
    assert (link.capacity(), link.window_up) == (20, 20)
    widths[0] = 0.5
    assert (link.capacity(), link.window_up) == (10, 10)
    widths[0] = 0.01
    assert (link.capacity(), link.window_up) == (2, 2), "one on each bind, lest nothing went"
    link.submit(message(1))
    assert link.capacity() == 1
    widths[0] = 1.0
    assert (link.capacity(), link.window_up) == (19, 20)


async def test_what_fills_a_narrow_window_hears_when_there_is_room(stage: Stage) -> None:
    link, _ = await eased(stage, window=10, width=0.1)
    assert link.capacity() == 1
    stage.flow.told.clear()
    link.submit(message(1))
    assert link.capacity() == 0
    await stage.watch.until(lambda: "ready" in stage.flow.told)
    assert stage.flow.outcomes() == [(1, 0, Accepted("id-1"))]


async def test_a_bind_that_comes_while_it_is_narrow_is_narrow_too(stage: Stage) -> None:
    link, _ = await eased(stage, window=10, width=0.5)
    assert link.capacity() == 5
    await link.reconnect()
    async with asyncio.timeout(5.0):
        while not link.is_up:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert link.capacity() == 5


@pytest.mark.parametrize(("version", "told"), [("5.0", [100, 95]), ("3.4", [])])
async def test_a_carrier_of_5_0_says_how_full_it_is(stage: Stage, version: str, told: list[int]) -> None:
    states = iter((100, 30, 95))

    def answer(bind: SmscBind, submit: SubmitSm) -> None:
        tlv = (Tag.CONGESTION_STATE, bytes((next(states),)))
        bind.respond(SubmitSmResp(sequence=submit.sequence, message_id="1", tlvs=(tlv,)))

    stage.smsc.on_submit = answer
    stage.smsc.version = 0x50
    link, _ = await eased(stage, version)
    for number in range(3):
        link.submit(message(number))
        await stage.watch.until(lambda until=number: len(stage.flow.results) > until)  # type: ignore[misc]
    assert [word for word in stage.flow.told if word.startswith("congested")] == [f"congested {s}" for s in told]
