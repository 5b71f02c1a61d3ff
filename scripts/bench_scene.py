"""A run in several acts over one daemon: a carrier, one sender after the other, idle ESMEs, and looks at the daemon.

Knows how to start them and what they tell; not what any scenario asks.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench_following import START_PATIENCE_S, bar, follow, hear_while_alive
from bench_idlers import name_of
from bench_options import Options
from bench_processes import PASSWORD, SETTLE_MAX_S, Actor, Daemon, Failure, Plan, Use, end, free_port, settled
from bench_relay import percentile
from bench_wire import restore

Row = dict[str, Any]

LIGHT_HASH = {"n": 2**10, "r": 8, "p": 1}


class Scene:
    """A daemon with its carrier. All processes end with ``stack``."""

    def __init__(
        self,
        options: Options,
        place: Path,
        stack: contextlib.ExitStack,
        under: Sequence[str] = (),
        patience_s: float = START_PATIENCE_S,
        **plan: Any,
    ) -> None:
        """``under`` as for ``Daemon``, which has ``patience_s`` to bind to its carrier."""
        self.options = options
        self.place = place
        self._stack = stack
        self._sent = 0
        self._esmes = 0
        self.outcomes: list[dict[str, Any]] = []
        self.carrier = self._actor(
            "bench_carrier.py",
            messages=0,
            receipt_delay_s=options.receipt_delay,
            window=options.window,
            place=str(place),
            binds=options.binds,
        )
        self.port = free_port()
        carrier_port = self.carrier.hear(START_PATIENCE_S)["port"]
        shared = {"window": options.window, "workers": options.workers, "binds": options.binds}
        self.daemon = Daemon(place, Plan(port=self.port, carrier_port=carrier_port, **(shared | plan)), under)
        stack.callback(end, self.daemon.process)
        hear_while_alive(self.carrier, self.daemon, patience_s)

    def _actor(self, script: str, **job: object) -> Actor:
        actor = Actor(script, **job)
        self._stack.callback(end, actor.process)
        return actor

    def hear(self, actor: Actor, word: str, patience_s: float = START_PATIENCE_S) -> dict[str, Any]:
        """The next line with this word; ``patience_s`` is for each line before it."""
        while word not in (heard := hear_while_alive(actor, self.daemon, patience_s)):
            pass
        return heard

    def load(self, messages: int) -> Actor:
        """A sender of so many further messages; it is bound, and waits to be let go."""
        load = self._actor(
            "bench_load.py",
            messages=messages,
            first=self._sent,
            rate=0.0,
            port=self.port,
            password=PASSWORD,
            window=self.options.window,
            patience_s=self.options.patience + 2 * SETTLE_MAX_S,
            place=str(self.place),
        )
        self._sent += messages
        self.hear(load, "bound")
        return load

    def sent_by(self, load: Actor, messages: int) -> dict[str, Any]:
        """Follow a sender to its end; what it tells is kept."""
        seen = follow(load, self.daemon, messages, self.options.patience)
        self.outcomes.append(seen)
        self.daemon.check()
        load.process.wait(START_PATIENCE_S)
        return seen

    def relay(self, messages: int) -> Row:
        """So many messages and their receipts, as fast as it goes."""
        load = self.load(messages)
        before_s = self.daemon.processor_s()
        load.go()
        seen = self.sent_by(load, messages)
        used_s = self.daemon.processor_s() - before_s
        sent, answered, received = (restore(self.place / name) for name in ("sent_at", "answered_at", "receipt_at"))
        spans_ms = sorted((end - start) * 1e3 for start, end in zip(sent, answered, strict=True) if end)
        span_s = max(received) - min(sent) - self.options.receipt_delay
        return {
            "messages": messages,
            "messages_per_s": round(seen["received"] / max(span_s, 1e-9), 1),
            "cpu_us_per_message": round(used_s * 1e6 / max(seen["received"], 1), 2),
            "resp_p50_ms": round(percentile(spans_ms, 50), 3),
            "resp_p99_ms": round(percentile(spans_ms, 99), 3),
        }

    def idlers(self, esmes: int) -> Actor:
        """ESMEs that are about to bind."""
        self._esmes = esmes
        return self._actor("bench_idlers.py", port=self.port, password=PASSWORD, esmes=esmes)

    def all_bound(self, idlers: Actor) -> int:
        """Wait until all of them are; how many they are."""
        with bar("bound", self._esmes) as show:
            while "all" not in (heard := hear_while_alive(idlers, self.daemon)):
                show(heard.get("bound", 0))
        return int(heard["all"])

    def look(self) -> Use:
        """What the daemon uses now."""
        return self.daemon.use()

    def settle(self) -> Use:
        """What it uses once it has done what it had put off."""
        return settled(self.look)

    def submitted(self) -> int:
        """How many messages the carrier has by now."""
        self.carrier.tell("count")
        return int(self.hear(self.carrier, "submits")["submits"])

    def wrongs(self) -> dict[str, int]:
        """The carrier ends; what went wrong on either side, of all messages so far."""
        self.carrier.process.terminate()
        seen = self.hear(self.carrier, "receipts_refused")
        if seen["receipts_refused"]:
            raise Failure(f"{seen['receipts_refused']} receipts were refused")
        told = {word: sum(outcome[word] for outcome in self.outcomes) for word in self.outcomes[0]}
        return {
            "lost": self._sent - told["received"] - told["refused"],
            "duplicated": told["duplicates"] + seen["duplicates"],
            "damaged": told["damaged"] + seen["damaged"],
            "refused": told["refused"],
        }


def accounts(count: int, password_hash: str = "{password_hash}") -> str:
    """The accounts of idle ESMEs, as TOML; without a hash with the one that the gateway makes of the password."""
    return "".join(f'\n[accounts.{name_of(number)}]\npassword_hash = "{password_hash}"\n' for number in range(count))


def light_hash() -> str:
    """The password's hash, a sixteenth as costly to check as the gateway's own, for those who only want to be bound."""
    salt = b"a-bench-of-salt!"
    key = hashlib.scrypt(PASSWORD.encode(), salt=salt, dklen=32, **LIGHT_HASH)
    words = (base64.b64encode(octets).decode().rstrip("=") for octets in (salt, key))
    return "$".join(["scrypt", *(str(number) for number in LIGHT_HASH.values()), *words])
