"""The wiring of reach: the operators of a worker's handsets, the job of a link, and one worker for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatewayd.carriers.rcs_bulk import BulkCaller
from gatewayd.carriers.rcs_link import RcsLink
from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.config import schema
from gatewayd.reaching import Reaching, book_of
from gatewayd.runtime.seats import SeatFile

BLOCKS = "prefix;operator\n33607;orange\n"


class Bureau:
    lists: Any = None
    has_seat: Any = None

    def __init__(self) -> None:
        self.offers: dict[str, BulkCaller] = {}

    def offer(self, link: str, asker: BulkCaller) -> None:
        self.offers[link] = asker

    def withdraw(self, link: str) -> None:
        self.offers.pop(link, None)


class Dispatcher:
    """As much of flow as is wired."""

    def __init__(self) -> None:
        self.bureau = Bureau()
        self.numbers: Any = None

    def operator_of(self, handset: str) -> str:
        return str(self.numbers.operator_of(handset))

    def know_operators(self, numbers: Any) -> None:
        self.numbers = numbers

    def count_operators(self, words: set[str]) -> None:
        self.words = words


class Wired:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seats: list[SeatFile] = []
        self.parts: list[Reaching] = []

    def worker(self, slot: int) -> tuple[Reaching, Dispatcher]:
        dispatcher = Dispatcher()
        seats = SeatFile(self.folder / "seats", slot)
        self.seats.append(seats)
        self.parts.append(Reaching(dispatcher, self.folder, seats, slot, 2))  # type: ignore[arg-type]
        return self.parts[-1], dispatcher

    def config(self, prefixes: str = BLOCKS, **facts: Any) -> schema.Config:
        path = self.folder / "prefixes.csv"
        path.write_text(prefixes)
        numbers = schema.Numbers(ported="", prefixes=str(path))
        link = schema.Link(kind="gsma", **{"operators": {"orange": "launched"}, **facts})
        return schema.Config(numbers=numbers, links={"bot": link})


@pytest.fixture
def wired(tmp_path: Path) -> Iterator[Wired]:
    wired = Wired(tmp_path)
    yield wired
    for part in wired.parts:
        part.close()
    for seats in wired.seats:
        seats.close()


def test_files_are_opened_when_a_link_asks_for_operators(wired: Wired) -> None:
    reaching, dispatcher = wired.worker(0)
    reaching.learn_numbers(wired.config(operators={}))
    assert dispatcher.numbers is None
    reaching.learn_numbers(wired.config())
    book: Any = dispatcher.numbers
    assert dispatcher.operator_of("33607000001") == "orange"
    reaching.learn_numbers(wired.config())
    assert dispatcher.numbers is book
    other = wired.config()
    (wired.folder / "others.csv").write_text("prefix;operator\n33607;sfr\n")
    other.links["bot"].operators["sfr"] = "launched"
    numbers = schema.Numbers(ported="", prefixes=str(wired.folder / "others.csv"))
    reaching.learn_numbers(schema.Config(numbers=numbers, links=other.links))
    assert dispatcher.operator_of("33607000001") == "sfr"


def test_operators_that_have_a_name_are_counted(wired: Wired) -> None:
    reaching, dispatcher = wired.worker(0)
    reaching.learn_numbers(wired.config())
    assert dispatcher.words == {"orange"}
    (wired.folder / "names.csv").write_text("code;operator\nSFR0;sfr\n")
    config = wired.config()
    numbers = msgspec.structs.replace(config.numbers, names=str(wired.folder / "names.csv"))
    reaching.learn_numbers(msgspec.structs.replace(config, numbers=numbers))
    assert dispatcher.words == {"orange", "sfr"}


def test_a_book_of_no_files_knows_nothing() -> None:
    assert book_of(schema.Config(numbers=schema.Numbers(ported=""))).operator_of("33607000001") == ""


@pytest.mark.parametrize(
    ("facts", "size_min", "path"),
    [
        ({}, 1, "bulkContactCapabilities"),
        ({"dialect": "vi"}, 1, "rcsEnabledContacts"),
        ({"kind": "rbm"}, 500, "users:batchGet"),
        ({"bulk_api": "dotgo"}, 1, "rcsEnabledContacts"),
    ],
)
def test_how_a_platform_is_asked(wired: Wired, facts: dict[str, Any], size_min: int, path: str) -> None:
    reaching, dispatcher = wired.worker(0)
    link = object.__new__(RcsLink)
    link.name = "bot"
    settings = schema.Link(**{"kind": "gsma", "capability": "bulk", "bulk_size_max": 7, **facts})
    reaching.offer(link, settings)
    asker = dispatcher.bureau.offers["bot"]
    assert (asker.size_min, asker.size_max) == (size_min, 7)
    assert path in asker._api.path
    reaching.withdraw("bot")
    assert dispatcher.bureau.offers == {}
    reaching.offer(link, schema.Link(kind="gsma"))
    reaching.offer(object.__new__(SmppLink), settings)
    assert dispatcher.bureau.offers == {}


def test_one_worker_asks_and_another_takes_over_when_it_is_gone(wired: Wired) -> None:
    (_, first), (_, second) = wired.worker(0), wired.worker(1)
    assert first.bureau.has_seat("bot")
    assert first.bureau.has_seat("bot")
    assert not second.bureau.has_seat("bot")
    assert second.bureau.has_seat("other")
    wired.seats.pop(0).close()
    assert second.bureau.has_seat("bot")
