"""The reckoning after a day: what applications, platform, carrier and billing records each know, held side by side.

Each question is answered with what is wrong, by the name of a message: nothing, when all agree. Knows neither how a day
was played nor who kept the books; every message's text is its name.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from gatewayd.simulate.rcs_ledger import MessageRecord
from gatewayd.simulate.rcs_quota import busiest
from gatewayd.simulate.rcs_ratio import Window

RATIO_MAX = 0.15


class Billed(msgspec.Struct, frozen=True):
    """One billing record: its name, WORKER-NUMBER, and the messages that it names, where those are known to us."""

    name: str
    messages: tuple[str, ...]


class Books(msgspec.Struct, kw_only=True):
    """What everybody saw.

    ``answered`` are the messages that the gateway took, ``receipts`` the states of each, one for each receipt that was
    made. ``records`` are the platform's. ``carried`` went by SMS so often, ``reached`` arrived there. ``interrupted``
    were on their way when a worker died: nobody can know of them what the dead one had heard. ``replies`` are the
    texts that applications were given, ``said`` is how many handsets sent.
    """

    answered: set[str]
    receipts: dict[str, list[str]]
    records: dict[str, list[MessageRecord]]
    carried: Counter[str]
    reached: set[str]
    interrupted: set[str]
    billed: list[Billed]
    replies: Counter[str]
    said: int

    def is_known(self, name: str, record: MessageRecord) -> bool:
        """Whether the gateway can know by which name the platform took it: it lived to hear the answer."""
        return record.answered and name not in self.interrupted

    def came_by_rcs(self, name: str) -> bool:
        """Whether a message arrived over RCS."""
        return any(arrived(record) for record in self.records.get(name, ()))

    def came_knowingly(self, name: str) -> bool:
        """Whether it arrived over RCS under a name that the gateway must know."""
        return any(arrived(record) and self.is_known(name, record) for record in self.records.get(name, ()))


def arrived(record: MessageRecord) -> bool:
    """Whether the handset was reached over RCS."""
    statuses = record.statuses()
    return "delivered" in statuses or "displayed" in statuses


def without_one_end(books: Books) -> dict[str, list[str]]:
    """Messages that were taken, and have no receipt or several different ones."""
    ends = {name: books.receipts.get(name, []) for name in books.answered}
    return {name: states for name, states in ends.items() if len(states) != 1}


def wrongly_told(books: Books) -> dict[str, str]:
    """Messages whose receipt does not say what happened."""
    wrong = {}
    for name, states in books.receipts.items():
        is_told = "DELIVRD" in states
        if is_told and not (books.came_by_rcs(name) or name in books.reached):
            wrong[name] = "told delivered, and was not"
        if not is_told and (books.came_knowingly(name) or name in books.reached):
            wrong[name] = f"delivered, and told {states}"
    return wrong


def taken_twice(books: Books) -> dict[str, int]:
    """Messages that went twice over one way; over SMS that may happen to what a worker died over."""
    twice = {name: len(records) for name, records in books.records.items() if len(records) > 1}
    sent = {name: times for name, times in books.carried.items() if times > 1 and name not in books.interrupted}
    return twice | sent


def arrived_twice(books: Books) -> list[str]:
    """Messages that arrived over both ways although the gateway could know.

    It cannot where the platform gave no answer, delivered what it had taken back, or a worker died meanwhile.
    """
    return [
        name
        for name in books.reached
        for record in books.records.get(name, ())
        if arrived(record) and books.is_known(name, record) and record.rule.revoke != "raced"
    ]


def records_astray(books: Books) -> list[str]:
    """Billing records that were written twice, and workers whose records have a gap."""
    wrong = [name for name, times in Counter(each.name for each in books.billed).items() if times > 1]
    numbers: dict[str, list[int]] = {}
    for each in books.billed:
        worker, _, number = each.name.partition("-")
        numbers.setdefault(worker, []).append(int(number))
    return wrong + [worker for worker, seen in numbers.items() if seen != list(range(1, len(seen) + 1))]


def billed_twice(books: Books) -> list[str]:
    """Messages that are in two records."""
    return [name for name, times in _times_billed(books).items() if times > 1]


def not_billed(books: Books) -> set[str]:
    """Messages that arrived over RCS, and are in no record."""
    return {name for name in books.records if books.came_knowingly(name)} - _times_billed(books).keys()


def billed_in_vain(books: Books) -> set[str]:
    """Messages that are in a record, and did not arrive over RCS."""
    return {name for name in _times_billed(books) if not books.came_by_rcs(name)}


def replies_missing(books: Books) -> int:
    """Replies that no application was given, but for answers to what a worker died over: nobody knows whose it was."""
    forgotten = sum(
        bool(record.rule.reply_text) and not books.is_known(name, record)
        for name, records in books.records.items()
        for record in records
    )
    return max(0, books.said - forgotten - len(books.replies))


def over_quota(times: list[float], per_minute: int, per_second: int) -> dict[str, int]:
    """By how many the busiest minute and the busiest second exceeded the quota, wherever they began."""
    excess = {"minute": busiest(times, 60.0) - per_minute, "second": busiest(times, 1.0) - per_second}
    return {word: more for word, more in excess.items() if more > 0}


def over_ratio(worst: Window) -> float:
    """The share of unreachable handsets in the worst window, where it is too great; else 0."""
    return worst.share if worst.share > RATIO_MAX else 0.0


def _times_billed(books: Books) -> Counter[str]:
    return Counter(name for each in books.billed for name in each.messages)
