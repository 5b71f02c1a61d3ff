"""The parent of the workers: opens what they listen on, keeps them alive, reloads and drains them, speaks to systemd.

Carries no message and stays small: it must not import what only a worker needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import site
import sys
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final

import gatewayd
from gatewayd.config import handover, schema
from gatewayd.config.faults import ConfigFaults
from gatewayd.config.load import Loaded, load
from gatewayd.control.desk import ControlDesk
from gatewayd.control.errands import Errands
from gatewayd.control.listener import ControlFault, ControlListener
from gatewayd.control.pauses import Pauses
from gatewayd.keeping import history_of
from gatewayd.runtime import listeners
from gatewayd.runtime.control import Line
from gatewayd.runtime.keeper import Keeper, Restarts, worker_environment
from gatewayd.runtime.masking import made_key
from gatewayd.runtime.notify import Notifier
from gatewayd.runtime.tasks import cancel_all, spawn
from gatewayd.runtime.trail import configure_logging
from gatewayd.store.database import StoreFault
from gatewayd.store.rehoming import arrange

logger = logging.getLogger("gatewayd")

EXIT_OK, EXIT_FAILED = 0, 1
# -P: never a module from the folder that the daemon happens to be started in.
WORKER_COMMAND: Final = (sys.executable, "-P", "-m", "gatewayd", "worker")

# A worker has its drain_timeout_s, and this to write down the rest.
DRAIN_GRACE_S: Final = 5.0
RELOAD_PATIENCE_S: Final = 30.0
STATUS_INTERVAL_S: Final = 3.0
# How often systemd hears that we are still busy before the workers start.
ARRANGE_NEWS_S: Final = 10.0
_LOOK_S: Final = 0.5
# Later than this, it was we who were stopped: nobody is called silent for it.
_LATE_S: Final = 1.0
_RUNTIME_DIR_MODE: Final = 0o750


def run(loaded: Loaded) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    daemon = loaded.config.daemon
    configure_logging(daemon.log_level, form=daemon.log_format, key=made_key(Path(daemon.spool_dir)))
    return asyncio.run(Supervisor(loaded).run())


class Supervisor:
    """One daemon."""

    def __init__(
        self,
        loaded: Loaded,
        *,
        command: Sequence[str] = WORKER_COMMAND,
        environment: MutableMapping[str, str] = os.environ,
        restarts: Callable[[], Restarts] = Restarts,
        status_interval_s: float = STATUS_INTERVAL_S,
    ) -> None:
        """``environment`` is where systemd's variables are; they are taken out of it."""
        self._loaded = loaded
        self._command = command
        self._environment = environment
        self._restarts = restarts
        self._status_interval_s = status_interval_s
        self.notifier = Notifier.from_environment(environment)
        self.keepers: list[Keeper] = []
        self.sockets: listeners.Sockets = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = asyncio.Event()
        self._failure = ""
        self._is_announced = False
        self._reload_asked = False
        self._reload_task: asyncio.Task[None] | None = None
        self._reload_trouble = ""
        self._rate = 0.0
        self._since = time.time()
        self._control: ControlListener | None = None
        self._pauses: Pauses | None = None
        self._counted: tuple[float, int] = (time.monotonic(), 0)

    # -- the story of a run -------------------------------------------------------------------------------------------

    async def run(self) -> int:
        """Start, watch and drain the workers; returns the exit code."""
        try:
            if self._open():
                await self._work()
        finally:
            if self._control is not None:
                await self._control.stop()
            await cancel_all()
            listeners.close_all(self.sockets)
            self.notifier.close()
        if self._failure:
            logger.error("cannot start: %s", self._failure)
            return EXIT_FAILED
        logger.info("= stopped")
        return EXIT_OK

    async def _work(self) -> None:
        self._listen_to_signals()
        if not await self._open_control() or not await self._arrange_spools() or self._ending.is_set():
            return
        self._start_workers()
        spawn(self._watch(), name="watching workers")
        await self._ending.wait()
        await self._drain(self._loaded.config.daemon.drain_timeout_s if not self._failure else 0.0)

    def stop(self) -> None:
        """Drain and end; asked a second time, it goes on as it was."""
        self._ending.set()

    def interrupt(self) -> None:
        """Like ``stop``, but the second time there is no waiting any more."""
        if self._ending.is_set():
            for keeper in self.keepers:
                keeper.kill("interrupted twice")
        self._ending.set()

    def reload(self) -> None:
        """Read the configuration again. Asked while that is going on, it is done once more afterwards."""
        self._reload_asked = True
        if self._reload_task is None and not self._ending.is_set():
            self._reload_task = spawn(self._reload(), name="reloading")

    # -- starting -----------------------------------------------------------------------------------------------------

    def _open(self) -> bool:
        config = self._loaded.config
        try:
            self.sockets = listeners.open_all(config, self._environment)
            Path(config.daemon.runtime_dir).mkdir(mode=_RUNTIME_DIR_MODE, parents=True, exist_ok=True)
        except (listeners.ListenFault, OSError) as fault:
            self._failure = str(fault)
        return not self._failure

    async def _open_control(self) -> bool:
        """People may ask from the beginning, also while the spools are arranged."""
        daemon = self._loaded.config.daemon
        self._pauses = Pauses(Path(daemon.spool_dir))
        if self._pauses.fault:
            logger.error("= %s", self._pauses.fault)
        try:
            telling = Errands("gatewayd.tracing.telling", _environment())
            desk = ControlDesk(self, self._pauses, telling.run)
            self._control = ControlListener(Path(daemon.runtime_dir), self._loaded.config.control.group, desk.answer)
            await self._control.start()
        except ControlFault as fault:
            self._failure = str(fault)
        return not self._failure

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGINT, self.interrupt)
        loop.add_signal_handler(signal.SIGHUP, self.reload)

    async def _arrange_spools(self) -> bool:
        """Whether the workers can start. A backlog of millions that needs other homes takes a while."""
        count = self._count_workers()
        self.notifier.status(f"arranging the spools for {_counted(count, 'worker')}")
        arranged = self._begin_to_arrange(count)
        ending = spawn(self._ending.wait(), name="waiting for an early end")
        while not arranged.done() and not ending.done():
            self.notifier.starting(2 * ARRANGE_NEWS_S)
            await asyncio.wait((arranged, ending), timeout=ARRANGE_NEWS_S, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if self._ending.is_set():
            return False
        self._failure = await arranged
        return not self._failure

    def _begin_to_arrange(self, count: int) -> asyncio.Future[str]:
        """In a thread that nobody waits for when we are told to stop: it can be ended at any moment without harm."""
        loop, config = asyncio.get_running_loop(), self._loaded.config
        arranged: asyncio.Future[str] = loop.create_future()

        def work() -> None:
            failure = "the spools could not be arranged"
            try:
                arrange(
                    Path(config.daemon.spool_dir),
                    count,
                    config.store.check_at_start,
                    lambda slot: history_of(config, slot),
                )
                failure = ""
            except (StoreFault, OSError) as fault:
                failure = str(fault)
            finally:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(_settle, arranged, failure)

        threading.Thread(target=work, name="arranging", daemon=True).start()
        return arranged

    def _count_workers(self) -> int:
        workers = self._loaded.config.daemon.workers
        return len(os.sched_getaffinity(0)) if workers == "auto" else workers

    def _start_workers(self) -> None:
        count = self._count_workers()
        descriptors = [one.fileno() for several in self.sockets.values() for one in several]
        environment = _environment()
        self.keepers = [
            Keeper(
                slot,
                self._command,
                descriptors,
                lambda slot=slot: self._orders(slot, count),  # type: ignore[misc]
                environment=environment,
                on_change=self._on_change,
                restarts=self._restarts(),
            )
            for slot in range(count)
        ]
        self._tasks = [spawn(keeper.keep(), name=f"worker {keeper.slot}") for keeper in self.keepers]

    def _orders(self, slot: int, count: int) -> Line:
        return {
            "slot": slot,
            "count": count,
            "config": str(self._loaded.path),
            "sockets": {kind: [one.fileno() for one in several] for kind, several in self.sockets.items()},
            "loaded": handover.pack(self._loaded),
            "paused": self._pauses.names() if self._pauses is not None else [],
        }

    def _on_change(self) -> None:
        """A worker became ready, or died."""
        if not self._is_announced:
            # Beside others that are ready a worker may try again once: what it needs may not be free yet.
            nobody = not any(keeper.was_ready for keeper in self.keepers)
            reasons = [keeper.fatal for keeper in self.keepers if keeper.fatal and (nobody or keeper.deaths > 1)]
            if reasons and not self._ending.is_set():
                self._failure = reasons[0]
                self._ending.set()
        self._say_status()  # whoever waits for us to be ready reads it at once
        if not self._is_announced and not self._ending.is_set() and all(keeper.is_ready for keeper in self.keepers):
            self._is_announced = True
            logger.info("= gatewayd %s is ready: %s", gatewayd.__version__, "; ".join(self._doors()))
            self.notifier.ready()

    def _doors(self) -> Iterator[str]:
        """Where it listens: the configuration may have left the port to the system."""
        for name in ("smpp", "metrics", "webhooks", "http"):
            kinds = [kind for kind in listeners.KINDS if kind in (name, f"{name}_tls")]
            where = [listeners.address_of(one) for kind in kinds for one in self.sockets[kind]]
            if where:
                yield f"{name} on {', '.join(where)}"

    # -- watching -----------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Silence, watchdog and status, several times within the shortest of their limits."""
        alive_at = status_at = looked_at = time.monotonic()
        while True:
            limit_s = self._loaded.config.daemon.worker_silence_s
            watchdog_s = self.notifier.watchdog_s
            pause = min(_LOOK_S, limit_s / 4, watchdog_s / 4 or _LOOK_S, self._status_interval_s)
            await asyncio.sleep(pause)
            now = time.monotonic()
            if now - looked_at > pause + _LATE_S:
                for keeper in self.keepers:
                    keeper.forgive()
            looked_at = now
            silent = self._silent(limit_s)
            if watchdog_s and now - alive_at >= watchdog_s / 2 - pause and not silent:
                self.notifier.alive()
                alive_at = now
            if now - status_at >= self._status_interval_s:
                status_at = now
                self._count(now)
                self._say_status()

    def _silent(self, limit_s: float) -> bool:
        """Kill who is stuck; whether there was one."""
        silent = [keeper for keeper in self.keepers if keeper.silent_s() > limit_s]
        for keeper in silent:
            keeper.kill(f"silent for {keeper.silent_s():.1f} s")
        return bool(silent)

    def _count(self, now: float) -> None:
        before, counted = self._counted
        messages = sum(keeper.messages for keeper in self.keepers)
        self._rate = (messages - counted) / (now - before)
        self._counted = (now, messages)

    def _say_status(self) -> None:
        alive = [keeper for keeper in self.keepers if keeper.is_ready]
        words = [
            f"{len(alive)} of {len(self.keepers)} workers ready",
            f"{sum(keeper.beat.get('binds', 0) for keeper in alive)} application binds",
            f"{sum(keeper.beat.get('carrier_binds', 0) for keeper in alive)} carrier binds",
            f"{self._rate:.1f} messages/s",
        ]
        if deaths := sum(keeper.deaths for keeper in self.keepers):
            words.append(_counted(deaths, "restart"))
        sentence = ", ".join(words)
        if self._ending.is_set():
            sentence = f"draining: {sentence}"
        troubles = [keeper.trouble for keeper in self.keepers if keeper.trouble]
        self.notifier.status("; ".join((sentence, *troubles, *filter(None, [self._reload_trouble]))))
        self._tell_news()

    def _tell_news(self) -> None:
        """What only we know, for the metrics that the workers show."""
        workers = [
            {"slot": keeper.slot, "deaths": keeper.manners, "silent_s": keeper.silent_s()} for keeper in self.keepers
        ]
        for keeper in self.keepers:
            keeper.tell({"news": {"workers": workers, "reload_failed": bool(self._reload_trouble)}})

    # -- what people ask, see gatewayd.control -------------------------------------------------------------------------

    @property
    def workers(self) -> list[Keeper]:
        """All slots."""
        return self.keepers

    @property
    def config(self) -> schema.Config:
        """The configuration in force."""
        return self._loaded.config

    def facts(self) -> dict[str, Any]:
        """What is known here of the daemon and of its workers."""
        control, is_ending = self._control, self._ending.is_set()
        return {
            "version": gatewayd.__version__,
            "pid": os.getpid(),
            "since": self._since,
            "state": "draining" if is_ending else "running" if self._is_announced else "starting",
            "config": str(self._loaded.path),
            "reload_trouble": self._reload_trouble,
            "listens": list(self._doors()),
            "messages_per_s": round(self._rate, 1),
            "control": {"asked": control.asked, "refused": control.refused} if control is not None else {},
            "workers": [keeper.facts() for keeper in self.keepers],
        }

    async def reload_now(self) -> str:
        """Reload, and wait until that is done; what is wrong with the configuration, in short."""
        self.reload()
        while self._reload_task is not None:
            await asyncio.wait([self._reload_task])
        return self._reload_trouble

    # -- reloading ----------------------------------------------------------------------------------------------------

    async def _reload(self) -> None:
        try:
            while self._reload_asked and not self._ending.is_set():
                self._reload_asked = False
                self.notifier.reloading()
                try:
                    self._reload_trouble = await self._reload_once()
                finally:
                    # Also after a fault: the configuration in force is the old one, and running well.
                    self._say_status()
                    self.notifier.ready()
        finally:
            self._reload_task = None

    async def _reload_once(self) -> str:
        """Take up what the file says now; returns what is wrong with it, in short."""
        try:
            # Off the loop: it may be long, and the watchdog goes on.
            new = await asyncio.to_thread(load, self._loaded.path)
        except ConfigFaults as refusal:
            for fault in refusal.faults:
                logger.error("= not reloaded: %s", fault)
            return f"not reloaded, {_counted(len(refusal.faults), 'fault')}: {refusal.faults[0]}"
        for warning in new.warnings:
            logger.warning("%s", warning)
        self._loaded, waiting = handover.in_force(self._loaded, new)
        if waiting:
            logger.warning("= a reload cannot change %s: restart for that", ", ".join(waiting))
        logging.getLogger().setLevel(self._loaded.config.daemon.log_level.upper())
        return await self._reload_workers()

    async def _reload_workers(self) -> str:
        line = {"reload": True, "loaded": handover.pack(self._loaded)}
        answers = await asyncio.gather(*(keeper.reload(line, RELOAD_PATIENCE_S) for keeper in self.keepers))
        faults: list[str] = []
        for keeper, answer in zip(self.keepers, answers, strict=True):
            if answer is None:
                answer = ["did not answer"] if keeper.pid is not None else []
            for fault in answer:
                faults.append(f"worker {keeper.slot}: {fault}")
                logger.error("= not wholly reloaded: %s", faults[-1])
        if faults:
            return f"not wholly reloaded, {_counted(len(faults), 'fault')}: {faults[0]}"
        logger.info("= reloaded %s", self._loaded.path)
        return ""

    # -- ending -------------------------------------------------------------------------------------------------------

    async def _drain(self, patience_s: float) -> None:
        """Let the workers finish within their time, and end those that do not."""
        self.notifier.stopping(patience_s + 2 * DRAIN_GRACE_S)
        logger.info("= draining for up to %g s", patience_s)
        for keeper in self.keepers:
            keeper.end({"drain": patience_s})
        # The workers close their own; what systemd holds goes on listening for the next of us.
        listeners.close_all(self.sockets)
        self._say_status()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s + DRAIN_GRACE_S):
                await asyncio.wait(self._tasks)
        for keeper in self.keepers:
            if keeper.pid is not None:
                logger.error("= worker %d is not done in time: killed", keeper.slot)
                keeper.kill("not done in time")
        await asyncio.wait(self._tasks)


def _environment() -> dict[str, str]:
    """Of the processes that run our modules."""
    return worker_environment(str(Path(gatewayd.__file__).parents[1]), site.getsitepackages())


def _settle(future: asyncio.Future[str], result: str) -> None:
    if not future.done():
        future.set_result(result)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
