"""All workers together: who is there, and one scrape for all of them, also for those that died or do not answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.flow import community
from tests.gatewayd.flow.several import City, city_of


async def accepted(city: City, slot: int) -> float:
    """How many results of a link all workers have counted together, as one of them shows it."""
    figures = await city[slot].community.collect()
    return sum(numbers[0] for figure in figures if figure.name == "gatewayd_link_results" for _, numbers in figure.rows)


def count(city: City, slot: int, number: int) -> None:
    city[slot].metrics.link_results.labels("carrier", "accepted", "").value += number


async def test_one_scrape_for_all_whoever_is_asked(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3) as city:
        for slot in range(3):
            count(city, slot, 10**slot)
        assert [await accepted(city, slot) for slot in range(3)] == [111, 111, 111]


async def test_a_death_takes_nothing_back(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3) as city:
        for slot in range(3):
            count(city, slot, 10**slot)
        assert await accepted(city, 0) == 111
        count(city, 1, 5)  # nobody ever saw these
        await city.die(1)
        assert await accepted(city, 0) == 111
        await city.begin(1)
        await city.until_whole()
        assert await accepted(city, 2) == 111
        count(city, 1, 1)
        assert [await accepted(city, slot) for slot in range(3)] == [112, 112, 112]


async def test_one_that_does_not_answer_in_time_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with city_of(tmp_path, 2) as city:
        count(city, 1, 7)
        assert await accepted(city, 0) == 7
        monkeypatch.setattr(community, "SNAPSHOT_TIMEOUT_S", 0.02)
        count(city, 1, 1)
        city[1].crossing.snapshot = lambda peer, parcel: None
        assert await accepted(city, 0) == 7
        del city[1].crossing.snapshot
        city[1].crossing.snapshot = city[1].community._on_snapshot
        assert await accepted(city, 0) == 8


async def test_one_that_dies_while_it_is_asked_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(community, "SNAPSHOT_TIMEOUT_S", 1_000.0)
    async with city_of(tmp_path, 2) as city:
        count(city, 1, 7)
        assert await accepted(city, 0) == 7
        city[1].crossing.snapshot = lambda peer, parcel: city[1].crossing.mesh._connections[0].cut()
        assert await accepted(city, 0) == 7
        city[1].crossing.snapshot = city[1].community._on_snapshot


async def test_it_says_who_is_there(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3) as city:
        assert sorted(city[1].community.alive()) == [0, 1, 2]
        await city.die(2)
        assert sorted(city[1].community.alive()) == [0, 1]


async def test_who_began_anew_has_met_the_others_once_and_for_all(tmp_path: Path) -> None:
    async with city_of(tmp_path, 3) as city:
        assert city[0].community.have_met()
        await city.die(2)
        await city.die(1)
        await city.begin(1)
        await city.until(lambda: 0 in city[1].community.alive())
        assert not city[1].community.have_met()
        assert city[0].community.have_met(), "those who died take away what was theirs, not what others answer"
        await city.begin(2)
        await city.until_whole()
        assert city[1].community.have_met()
        await city.die(2)
        assert city[1].community.have_met()
