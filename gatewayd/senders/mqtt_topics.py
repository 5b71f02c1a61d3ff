"""The names of topics, and what links and binds look like there. See docs/mqtt.md. Pure: knows no connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec

NEWS: Final[Mapping[str, str]] = {"receipt": "receipts", "mo": "messages", "session": "sessions"}
"""The last level of the topic for each kind of delivery."""

SHARE: Final = "gatewayd"
_SAFE: Final = "".join(chr(octet) for octet in range(0x20, 0x7F) if chr(octet) not in "/+#%")


class Topics:
    """All topics under one prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._accounts = f"{prefix}/accounts/"

    def news(self, account: str, kind: str) -> str:
        """Where what an account is owed goes."""
        return f"{self._accounts}{level_of(account)}/{NEWS[kind]}"

    def binds(self, account: str) -> str:
        """Where an account's binds are told."""
        return f"{self._accounts}{level_of(account)}/binds"

    def results(self, account: str) -> str:
        """Where an account hears what became of what it published, unless it named a topic below this one."""
        return f"{self._accounts}{level_of(account)}/results"

    def link(self, name: str) -> str:
        """Where a link's state is told."""
        return f"{self.prefix}/links/{level_of(name)}"

    def worker(self, slot: int) -> str:
        """Where a worker tells what it has, and its will that it is gone."""
        return f"{self.prefix}/workers/{slot}"

    @property
    def all_workers(self) -> str:
        """A filter for those."""
        return f"{self.prefix}/workers/+"

    @property
    def told(self) -> tuple[str, str]:
        """Filters for what is told of links and binds."""
        return f"{self.prefix}/links/+", f"{self._accounts}+/binds"

    def is_told(self, topic: str) -> bool:
        """Whether it is one of those."""
        rest = topic.removeprefix(f"{self.prefix}/")
        return rest.startswith("links/") or (rest.startswith("accounts/") and rest.endswith("/binds"))

    @property
    def sends(self) -> str:
        """A filter for what accounts publish."""
        return f"{self._accounts}+/send"

    @property
    def shared_sends(self) -> str:
        """The same as a subscription that all workers share."""
        return f"$share/{SHARE}/{self.sends}"

    def sender_of(self, topic: str) -> str | None:
        """The account whose message this is, None when it is no such topic."""
        rest = topic.removeprefix(self._accounts)
        account, _, last = rest.partition("/")
        return unquote(account) if rest != topic and last == "send" and account else None

    def slot_of(self, topic: str) -> int | None:
        """The worker that is told of there, None when it is another topic."""
        word = topic.removeprefix(f"{self.prefix}/workers/")
        return int(word) if word != topic and word.isdecimal() else None

    def may_answer_at(self, topic: str, account: str) -> bool:
        """Whether an answer for the account may go there. We may publish more than it may: it must not borrow that."""
        results = self.results(account)
        return (topic == results or topic.startswith(f"{results}/")) and not set(topic) & set("+#\0")


def level_of(name: str) -> str:
    """A name as one level of a topic: what has a meaning there is written as %2F, %2B, %23 and %25."""
    return quote(name, safe=_SAFE)


class Link(msgspec.Struct, frozen=True):
    """A link in one worker: whether it can be used there, its binds, and whether somebody has paused it."""

    up: bool
    binds: int = 0
    paused: bool = False


class Own(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one worker has. ``state``: up, stopped (in order), gone (the broker says so, as its last will)."""

    worker: int
    state: str
    version: str = ""
    since: str = ""
    links: dict[str, Link] = {}
    accounts: dict[str, int] = {}


class Wanted(msgspec.Struct, frozen=True):
    """What is configured, and so has a topic: each link's kind and the binds that it should have, the binds that each
    account may have, and the number of workers."""

    links: Mapping[str, tuple[str, int]]
    accounts: Mapping[str, int]
    workers: int = 1


def told_of_links(workers: Iterable[Own], wanted: Wanted) -> dict[str, dict[str, Any]]:
    """What all workers together have of each link."""
    living = [worker for worker in workers if worker.state == "up"]
    told = {}
    for name, (kind, binds_max) in wanted.links.items():
        having = [(worker.worker, worker.links[name]) for worker in living if name in worker.links]
        up = [slot for slot, link in having if link.up]
        is_paused = any(link.paused for _, link in having)
        told[name] = {
            "link": name,
            "kind": kind,
            "state": "paused" if is_paused else "up" if up else "down",
            "binds": sum(link.binds for _, link in having),
            "binds_max": binds_max,
            "workers": sorted(up),
        }
        if not binds_max:  # a platform over HTTP has none
            del told[name]["binds"], told[name]["binds_max"]
    return told


def told_of_accounts(workers: Iterable[Own], wanted: Wanted) -> dict[str, dict[str, Any]]:
    """The binds of each account in all workers together."""
    living = [worker for worker in workers if worker.state == "up"]
    return {
        name: {
            "account": name,
            "binds": sum(worker.accounts.get(name, 0) for worker in living),
            "binds_max": binds_max,
            "workers": sorted(worker.worker for worker in living if worker.accounts.get(name)),
        }
        for name, binds_max in wanted.accounts.items()
    }
