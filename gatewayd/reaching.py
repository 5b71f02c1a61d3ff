"""What a worker needs to know whom it reaches: files of numbers, questions in bulk, lists, and one seat for each job.

Puts parts together and decides nothing, as the composition root does whose part it is.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from gatewayd.carriers.smpp_link import SmppLink
from gatewayd.config import schema
from gatewayd.flow.dispatcher import Dispatcher
from gatewayd.runtime.seats import SeatFile
from gatewayd.store.numbers import NumberBook, NumbersFault, names_of
from gatewayd.store.qualify_lists import QualifyLists

if TYPE_CHECKING:
    from gatewayd.carriers.rcs_link import RcsLink

_API_OF_DIALECT = {"dotgo": "dotgo", "vi": "dotgo"}


class Reaching:
    """The wiring of reach in one worker."""

    def __init__(self, dispatcher: Dispatcher, spool_folder: Path, seats: SeatFile, slot: int, count: int) -> None:
        self._dispatcher = dispatcher
        self._seats = seats
        self._book: NumberBook | None = None
        self._files = schema.Numbers()
        bureau = dispatcher.bureau
        bureau.lists = QualifyLists(spool_folder, slot, count)
        bureau.has_seat = self._has_seat

    def learn_numbers(self, config: schema.Config) -> None:
        """Know operators by these files from now on, if any link asks for them."""
        if not any(link.operators for link in config.links.values()):
            return
        if self._book is None or config.numbers != self._files:
            old, self._files = self._book, config.numbers
            self._book = book_of(config)
            self._dispatcher.know_operators(self._book)
            if old is not None:
                old.close()
        self._dispatcher.count_operators(_words_of(config))

    def offer(self, link: SmppLink | RcsLink, settings: schema.Link) -> None:
        """A link was put in its place: can its platform be asked about many handsets at once?"""
        if not isinstance(link, SmppLink) and settings.capability == "bulk":
            from gatewayd.carriers.rcs_bulk import BulkCaller

            caller = BulkCaller(link.exchange, _api_of(settings), settings.bot_id, settings.bulk_size_max)
            self._dispatcher.bureau.offer(link.name, caller)

    def withdraw(self, link: str) -> None:
        """The link goes."""
        self._dispatcher.bureau.withdraw(link)

    def close(self) -> None:
        """Unmap the files."""
        if self._book is not None:
            self._book.close()

    def _has_seat(self, link: str) -> bool:
        """Whether this worker is the one that asks; a worker that dies leaves its seat to the others."""
        seats = self._seats.group(f"bulk:{link}", 1)
        return bool(seats.held) or seats.take() is not None


def book_of(config: schema.Config) -> NumberBook:
    """What the configured files know of operators."""
    numbers = config.numbers
    paths = (Path(path) if path else None for path in (numbers.ported, numbers.prefixes, numbers.names))
    return NumberBook(*paths)


def _api_of(settings: schema.Link) -> str:
    if settings.bulk_api != "auto":
        return settings.bulk_api
    return "rbm" if settings.kind == "rbm" else _API_OF_DIALECT.get(settings.dialect, "orange")


def _words_of(config: schema.Config) -> set[str]:
    """The operators that have a name here: what is counted by operator stays bounded by them."""
    words = {operator for link in config.links.values() for operator in link.operators}
    with contextlib.suppress(OSError, NumbersFault):  # told of already, when the book was opened
        words.update(names_of(Path(config.numbers.names) if config.numbers.names else None).values())
    return words
