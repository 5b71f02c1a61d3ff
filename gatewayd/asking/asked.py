"""What every question is given: the worker, the arguments, and how numbers may be shown.

Decides nothing; refuses arguments that are none.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from gatewayd.runtime.trail import masked

if TYPE_CHECKING:
    from gatewayd.asking.backups import Copying
    from gatewayd.store.kinds import Key
    from gatewayd.worker import Worker

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1_000
SLICE: Final = 100
PLACES_MAX: Final = 1_000
BUDGET_S: Final = 0.5
"""How long one answer may take; what is left is asked for again, from where this one came to."""

Row = dict[str, Any]


class AskFault(Exception):
    """A question that cannot be answered. ``kind`` as in control.desk.fault."""

    def __init__(self, sentence: str, kind: str = "usage") -> None:
        super().__init__(sentence)
        self.kind = kind


class Memory:
    """What a worker keeps between questions: its backup, and places in lists whose keys are not for everybody."""

    def __init__(self) -> None:
        self.copying: Copying | None = None
        self._places: dict[str, str] = {}

    def mark(self, place: str) -> str:
        """A token for a place; the oldest one is forgotten when there are many."""
        token = secrets.token_hex(8)
        self._places[token] = place
        if len(self._places) > PLACES_MAX:
            del self._places[next(iter(self._places))]
        return token

    def place(self, token: str) -> str:
        """The place of a token. Raises AskFault when it is forgotten."""
        if token not in self._places:
            raise AskFault("this list was begun too long ago: ask again from its beginning", "failed")
        return self._places[token]


class Asked:
    """One question to one worker. ``memory`` is what earlier questions left for later ones."""

    def __init__(self, worker: Worker, args: Mapping[str, Any], memory: Memory) -> None:
        self.worker = worker
        self.memory = memory
        self._args = args
        self.shown: Callable[[str], str] = str if self.flag("reveal") else masked
        self._until = time.monotonic() + BUDGET_S

    def text(self, name: str) -> str:
        """A word, or nothing."""
        return str(self._args.get(name) or "")

    def flag(self, name: str) -> bool:
        """Yes or no."""
        return self._args.get(name) is True

    def number(self, name: str, default: float = 0.0) -> float:
        """A number."""
        value = self._args.get(name, default)
        if not isinstance(value, int | float):
            raise AskFault(f"{name} is no number")
        return value

    @property
    def limit(self) -> int:
        """How many rows at most."""
        return max(1, min(LIMIT_MAX, int(self.number("limit", LIMIT_DEFAULT))))

    @property
    def after(self) -> int | str | None:
        """The key behind which to go on: one for all workers, or one for each by its slot."""
        after = self._args.get("after")
        if isinstance(after, dict):
            after = after.get(str(self.worker.slot))
        return after if isinstance(after, int | str) else None

    @property
    def is_over(self) -> bool:
        """Whether others are asked to go on, and this worker has told all."""
        after = self._args.get("after")
        return isinstance(after, dict) and str(self.worker.slot) not in after

    @property
    def is_out_of_time(self) -> bool:
        """Whether this answer has taken long enough."""
        return time.monotonic() > self._until

    @staticmethod
    async def breathe() -> None:
        """Let everybody else have the loop."""
        await asyncio.sleep(0)

    async def rows(
        self, found: Iterable[tuple[Key, bytes | str]], row_of: Callable[[Key, bytes | str], Row | None]
    ) -> tuple[list[Row], Key | None]:
        """The rows of what is found, as many as are wanted, and the key that this came to; None when it told all.

        ``row_of`` gives None for what is not meant.
        """
        rows: list[Row] = []
        for count, (key, text) in enumerate(found, 1):
            row = row_of(key, text)
            if row is not None:
                rows.append(row)
            if len(rows) >= self.limit or (count % SLICE == 0 and self.is_out_of_time):
                return rows, key
            if count % SLICE == 0:
                await self.breathe()
        return rows, None
