"""One timer for many moments: order, laziness, and what happens when a callback fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gatewayd.simulate.timetable import Timetable
from gatewayd.simulate.watch import Watch


class Seen(list[str]):
    """Names in the order of their coming, and a way to wait for them."""

    def __init__(self) -> None:
        super().__init__()
        self.watch = Watch()

    def note(self, name: str) -> Callable[[], None]:
        def call() -> None:
            self.append(name)
            self.watch.changed()

        return call

    async def all(self, count: int) -> None:
        await self.watch.wait_for(lambda: len(self) >= count)


async def test_moments_come_in_their_order() -> None:
    timetable, seen = Timetable(), Seen()
    timetable.after(0.02, seen.note("third"))
    timetable.after(0.0, seen.note("first"))
    timetable.after(0.01, seen.note("second"))
    await seen.all(3)
    assert seen == ["first", "second", "third"]
    assert len(timetable) == 0


async def test_equal_moments_keep_the_order_of_asking() -> None:
    timetable, seen = Timetable(), Seen()
    for name in "abcdef":
        timetable.after(0.0, seen.note(name))
    await seen.all(6)
    assert seen == list("abcdef")


async def test_nothing_runs_inside_after() -> None:
    timetable, seen = Timetable(), Seen()
    timetable.after(-1.0, seen.note("late"))
    assert seen == []
    await seen.all(1)


async def test_a_callback_may_ask_for_another() -> None:
    timetable, seen = Timetable(), Seen()

    def first() -> None:
        seen.note("first")()
        timetable.after(0.0, seen.note("second"))

    timetable.after(0.0, first)
    await seen.all(2)
    assert seen == ["first", "second"]


async def test_cleared_moments_never_come() -> None:
    timetable, seen = Timetable(), Seen()
    timetable.after(0.0, seen.note("never"))
    timetable.clear()
    timetable.after(0.0, seen.note("this"))
    await seen.all(1)
    assert seen == ["this"]


async def test_a_failure_does_not_stop_the_rest() -> None:
    loop = asyncio.get_running_loop()
    failures: list[object] = []
    loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
    timetable, seen = Timetable(), Seen()
    timetable.after(0.0, lambda: 1 / 0)
    timetable.after(0.0, seen.note("still"))
    await seen.all(1)
    loop.set_exception_handler(None)
    assert len(failures) == 1
