"""Keeps one worker alive: starts its process, hears it, and starts it again when it dies or falls silent.

Knows how a worker is started and ordered about, nothing of what it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from gatewayd.runtime.control import Channel, Line, socket_pair
from gatewayd.runtime.tasks import spawn

logger = logging.getLogger(__name__)

RESTART_DELAYS_S: Final = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
# Whoever lives so long has started well: its death begins a new row.
SOUND_LIFE_S: Final = 10.0
# For what a process said before it died.
_LAST_WORDS_S: Final = 1.0
UNANSWERED: Final = 0  # no question that is waited for has this number


class Restarts:
    """How long a worker that died waits before it is started again: not at all, unless it dies again and again."""

    def __init__(self, delays_s: Sequence[float] = RESTART_DELAYS_S, sound_life_s: float = SOUND_LIFE_S) -> None:
        self._delays_s = delays_s
        self._sound_life_s = sound_life_s
        self._in_a_row = 0

    def delay_s(self, life_s: float) -> float:
        """The wait after a life of so many seconds."""
        if life_s >= self._sound_life_s:
            self._in_a_row = 0
        delay = self._delays_s[min(self._in_a_row, len(self._delays_s) - 1)]
        self._in_a_row += 1
        return delay


class Keeper:
    """One worker's slot. ``keep`` runs until ``end`` was called and the process is gone."""

    def __init__(
        self,
        slot: int,
        command: Sequence[str],
        descriptors: Sequence[int],
        orders: Callable[[], Line],
        *,
        environment: Mapping[str, str] | None = None,
        on_change: Callable[[], None] = lambda: None,
        restarts: Restarts | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``command`` gets ``--control FD`` behind it and inherits ``descriptors``; ``orders`` are its first line.

        ``on_change`` is called when the worker became ready, and when it died.
        """
        self.slot = slot
        self.is_ready = False
        self.was_ready = False
        self.beat: dict[str, Any] = {}
        self.messages = 0  # of all lives
        self.deaths = 0
        self.since = 0.0  # Unix seconds at which the process was started
        self.manners: dict[str, int] = dict.fromkeys(("silent", "signal", "exit"), 0)  # the deaths, by how it died
        self.trouble = ""
        self.fatal = ""  # what the last one that died gave as its reason
        self._command = command
        self._descriptors = descriptors
        self._orders = orders
        self._environment = environment
        self._on_change = on_change
        self._restarts = restarts or Restarts()
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._heard_at: float | None = None
        self._answer: asyncio.Future[list[str] | None] | None = None
        self._asked: dict[int, asyncio.Future[Line | None]] = {}
        self._asked_last = 0
        self._parting: Line | None = None
        self._ending = asyncio.Event()
        self._death_note = ""
        self._manner = "exit"

    # -- what the supervisor asks -----------------------------------------------------------------------------------

    @property
    def pid(self) -> int | None:
        """The process that lives now, if one does."""
        return self._process.pid if self._process is not None else None

    def facts(self) -> Line:
        """What is known of it here, for people."""
        return {
            "slot": self.slot,
            "pid": self.pid,
            "since": self.since,
            "is_ready": self.is_ready,
            "restarts": self.deaths,
            "silent_s": round(self.silent_s(), 1),
            "trouble": self.trouble,
            "messages": self.messages,
        }

    async def keep(self) -> None:
        """Run one process after the other."""
        while not self._ending.is_set():
            born = self._clock()
            reason = await self._live()
            if self._ending.is_set():
                if reason != "exit code 0":
                    logger.warning("= worker %d ended badly (%s)", self.slot, reason)
                self._on_change()
                return
            self.deaths += 1
            self.manners[self._manner] += 1
            delay = self._restarts.delay_s(self._clock() - born)
            again = f"starting again in {delay:g} s" if delay else "starting again"
            self.trouble = f"worker {self.slot} died ({reason})"
            logger.error("= %s; %s", self.trouble, again)
            self._on_change()
            if delay:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), delay)

    def end(self, parting: Line) -> None:
        """Start none again; the one that lives is sent ``parting``."""
        self._parting = parting
        self._ending.set()
        if self._channel is not None:
            self._channel.send(parting)

    def kill(self, reason: str) -> None:
        """Make an end of the process now."""
        if self._process is not None:
            self._death_note = self._death_note or reason
            self._process.kill()

    def tell(self, line: Line) -> None:
        """Say something to a worker that is there to hear it."""
        if self.is_ready and self._channel is not None:
            self._channel.send(line)

    async def reload(self, line: Line, patience_s: float) -> list[str] | None:
        """Send ``line``, and return the faults that the worker answers with; None when it ended or says nothing."""
        if self._channel is None:
            return []  # its orders will hold the new configuration
        self._answer = asyncio.get_running_loop().create_future()
        self._channel.send(line)
        try:
            return await asyncio.wait_for(self._answer, patience_s)
        except TimeoutError:
            return None

    async def ask(self, what: str, args: Line, patience_s: float) -> Line | None:
        """Put a question for somebody else; None when nobody is there to answer, or nobody does in time."""
        if self._channel is None or not self.is_ready:
            return None
        self._asked_last += 1
        number = self._asked_last
        answer: asyncio.Future[Line | None] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            if not self._channel.send({"ask": number, "what": what, "args": args}):
                return None
            async with asyncio.timeout(patience_s):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._asked[number]

    def leave_word(self, what: str, args: Line) -> None:
        """Have one that is just starting do what ``ask`` would not ask of it yet, once it is ready.

        Nobody waits for its answer. One that has no channel yet learns in its orders how things stand.
        """
        if self._channel is not None and not self.is_ready:
            self._channel.send({"ask": UNANSWERED, "what": what, "args": args})

    def silent_s(self) -> float:
        """For how long a worker that should beat has not been heard."""
        return 0.0 if self._heard_at is None else self._clock() - self._heard_at

    def forgive(self) -> None:
        """It was us who did not listen."""
        if self._heard_at is not None:
            self._heard_at = self._clock()

    # -- one life ---------------------------------------------------------------------------------------------------

    async def _live(self) -> str:
        """From the start of a process to its end; says how it ended."""
        self.fatal, self._death_note, self._manner = "", "", "exit"  # what cannot be started has ended as well
        ours, theirs = socket_pair()
        try:
            process = self._process = self._start(theirs.fileno())
        except OSError as error:
            ours.close()
            return f"cannot be started: {error}"
        finally:
            theirs.close()
        try:
            self._channel = await Channel.connect(ours)
            hearing = spawn(self._hear(self._channel), name=f"hearing worker {self.slot}")
            await _ended(process)
            await asyncio.wait([hearing], timeout=_LAST_WORDS_S)
            hearing.cancel()
        finally:
            process.kill()  # harmless when it is dead: nobody else waits for it, so its number is still its own
            process.wait()
            self._forget()
        return self._reason(process.returncode)

    def _start(self, control: int) -> subprocess.Popen[bytes]:
        self.since = time.time()
        return subprocess.Popen(
            (*self._command, "--control", str(control)),
            stdin=subprocess.DEVNULL,
            pass_fds=(control, *self._descriptors),
            # A Ctrl-C at the terminal is for the supervisor alone, which drains its workers.
            process_group=0,
            env=self._environment,
        )

    async def _hear(self, channel: Channel) -> None:
        channel.send(self._orders())
        if self._parting is not None:
            channel.send(self._parting)
        async for line in channel:
            self._take(line)
        # A worker without its channel is about to end; from here on it has as long as a silent one.
        self._heard_at = self._clock()

    def _take(self, line: Line) -> None:
        match line:
            case {"beat": dict(beat)}:
                self._heard_at = self._clock()
                self._count(beat)
            case {"ready": _}:
                self._heard_at = self._clock()
                self.is_ready = self.was_ready = True
                self.trouble = ""
                logger.info("= worker %d is ready (process %s)", self.slot, self.pid)
                self._on_change()
            case {"reloaded": list(faults)}:
                if self._answer is not None and not self._answer.done():
                    self._answer.set_result(faults)
            case {"answered": int(number)}:
                asked = self._asked.get(number)
                if asked is not None and not asked.done():  # else it comes too late
                    asked.set_result(line)
            case {"fatal": str(sentence)}:
                self.fatal = sentence
            case _:
                logger.warning("worker %d says what nobody understands: %s", self.slot, ", ".join(line)[:80])

    def _count(self, beat: dict[str, Any]) -> None:
        before, after = self.beat.get("messages", 0), beat.get("messages", 0)
        self.messages += max(0, after - before)
        self.beat = beat

    def _forget(self) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None)
        for asked in self._asked.values():
            if not asked.done():
                asked.set_result(None)
        self._process = self._channel = self._answer = self._heard_at = None
        self.is_ready, self.beat = False, {}

    def _reason(self, code: int) -> str:
        self._manner = "silent" if self._death_note else "signal" if code < 0 else "exit"
        how = f"exit code {code}" if code >= 0 else _signal_name(-code)
        why = self._death_note or self.fatal
        return f"{how}: {why}" if why else how


async def _ended(process: subprocess.Popen[bytes]) -> None:
    """Wait without a thread: the kernel makes a process's descriptor readable when it ends (pidfd_open(2))."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    descriptor = os.pidfd_open(process.pid)
    try:
        loop.add_reader(descriptor, ended.set)
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def worker_environment(package_parent: str, site_packages: Sequence[str]) -> dict[str, str]:
    """This process's environment, and where the package lies when a fresh interpreter would not find it."""
    environment = dict(os.environ)
    if package_parent not in site_packages:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (package_parent, environment.get("PYTHONPATH"))))
    return environment


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
