"""``gatewayd status``: how the daemon is, on one screen.

What it shows comes from one answer of the daemon; how it is laid out is here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gatewayd.cli.calls import daemon, mind_silent, print_json
from gatewayd.cli.conventions import DEFAULT_CONFIG, AsJson, Config, Socket
from gatewayd.cli.tables import Column, age, amount, coloured, console, since, size, table

if TYPE_CHECKING:
    from rich.console import RenderableType

WORKERS = (
    Column("worker", "slot"),
    Column("pid", "pid", is_number=True),
    Column("up", "up", is_number=True),
    Column("restarts", "restarts", is_number=True),
    Column("messages", "messages", is_number=True, is_spare=True),
    Column("state", "state"),
)
ACCOUNTS = (
    Column("account", "name"),
    Column("binds", "binds", is_number=True),
    Column("submitted", "submitted", is_number=True),
    Column("throttled", "throttled", is_number=True, is_spare=True),
    Column("refused", "refused", is_number=True, is_spare=True),
    Column("delivered", "delivered", is_number=True, is_spare=True),
    Column("owed", "owed", is_number=True),
    Column("oldest", "oldest", is_number=True),
)
LINKS = (
    Column("link", "name"),
    Column("state", "state"),
    Column("binds", "binds", is_number=True),
    Column("window", "window", is_number=True),
    Column("last min", "rate", is_number=True, is_spare=True),
    Column("queue", "queue", is_number=True),
    Column("oldest", "oldest", is_number=True),
    Column("refused", "refused", is_number=True, is_spare=True),
    Column("fallbacks", "fallbacks", is_number=True, is_spare=True),
)
LIMITS = (
    Column("limit", "name"),
    Column("last min", "used", is_number=True),
    Column("of", "of", is_number=True),
    Column("", "paused"),
)
GUARDS = (
    Column("guard", "name"),
    Column("unreachable", "ratio", is_number=True),
    Column("stops at", "stop", is_number=True),
    Column("state", "state"),
)
BROKER = (
    Column("MQTT worker", "slot"),
    Column("broker", "broker"),
    Column("up", "up", is_number=True),
    Column("version", "version", is_spare=True),
    Column("state", "state"),
)

_IDS = {"auto": "", "exact": "same", "case": "same", "hex_to_decimal": "hex to dec", "decimal_to_hex": "dec to hex"}


def status(config: Config = DEFAULT_CONFIG, socket: Socket = None, as_json: AsJson = False) -> None:
    """Show how the running daemon is: workers, applications, links, queues, quotas, guards and the store.

    Example: `gatewayd status`

    Exit codes: 0 it runs and all workers have answered; 3 it does not run, or does not answer; 4 this user may not
    ask; 5 it runs, but a worker did not answer.
    """
    with daemon(config, socket) as client:
        answer = client.ask("status")
    if as_json:
        print_json(answer["answer"] | {"silent": answer["silent"]})
    else:
        out = console()
        for part in screen(answer["answer"], answer["silent"], out.width):
            out.print(part)
    mind_silent(answer)


def screen(facts: dict[str, Any], silent: list[int], width: int) -> Iterator[RenderableType]:
    """The parts of the screen, from top to bottom."""
    yield headline(facts)
    if facts.get("reload_trouble"):
        yield coloured(f"configuration: {facts['reload_trouble']}", "red")
    yield table(WORKERS, [worker_row(worker, silent) for worker in facts["workers"]], width)
    if facts["accounts"]:
        yield ""
        yield table(ACCOUNTS, [account_row(name, one) for name, one in sorted(facts["accounts"].items())], width)
    if facts["links"]:
        yield ""
        rows = [link_row(name, one, facts["paused"].get(name)) for name, one in sorted(facts["links"].items())]
        yield table(LINKS, rows, width)
    if facts.get("quotas"):
        yield ""
        yield table(LIMITS, [limit_row(name, one) for name, one in sorted(facts["quotas"].items())], width)
    if facts.get("guards"):
        yield ""
        yield table(GUARDS, [guard_row(name, one) for name, one in sorted(facts["guards"].items())], width)
    if facts.get("mqtt"):
        yield ""
        yield table(BROKER, [broker_row(slot, one) for slot, one in sorted(facts["mqtt"].items())], width)
    if "store" in facts:
        yield ""
        yield waiting_line(facts["waiting"])
        yield store_line(facts["store"])


def headline(facts: dict[str, Any]) -> RenderableType:
    """Who it is, since when, and how much it does."""
    from rich.text import Text

    state = facts["state"]
    colour = "green" if state == "running" else "yellow"
    line = Text(f"gatewayd {facts['version']}  ", style="bold")
    line.append(state, style=colour)
    line.append(
        f" for {since(facts['since'])}, process {facts['pid']}, {facts['messages_per_s']:g} messages/s", style=""
    )
    return line


def worker_row(worker: dict[str, Any], silent: list[int]) -> dict[str, Any]:
    """One worker."""
    if worker["slot"] in silent:
        state = coloured(worker["trouble"] or "does not answer", "red")
    elif worker["is_ready"]:
        state = coloured("ready", "green")
    else:
        state = coloured(worker["trouble"] or "starting", "yellow")
    is_there = worker["pid"] is not None
    return {
        "slot": worker["slot"],
        "pid": worker["pid"] if is_there else "",
        "up": since(worker["since"]) if is_there else "",
        "restarts": worker["restarts"],
        "messages": amount(worker["messages"]),
        "state": state,
    }


def account_row(name: str, account: dict[str, Any]) -> dict[str, Any]:
    """One application."""
    binds = f"{account['binds_up']}/{account['binds_max']}"
    is_owed = account["depth"] > 0
    return {
        "name": name,
        "binds": binds if account["binds_up"] else coloured(binds, "yellow" if is_owed else "dim"),
        "submitted": amount(account["submitted"]),
        "throttled": amount(account["throttled"]),
        "refused": amount(account["refused"]),
        "delivered": amount(account["delivered"]),
        "owed": amount(account["depth"]),
        "oldest": age(account["outbox_age_s"]),
    }


def link_row(name: str, link: dict[str, Any], pause: dict[str, Any] | None = None) -> dict[str, Any]:
    """One link. ``pause`` is a person's."""
    binds = f"{link['binds_up']}/{link['binds']}" if link["binds"] else str(link["binds_up"])
    rate = f"{link['used_per_minute']}/{link['per_minute']}" if link["per_minute"] else amount(link["used_per_minute"])
    return {
        "name": name,
        "kind": link["kind"],
        "state": state_of(link, pause),
        "binds": binds,
        "window": f"{link['window_used']}/{link['window']}",
        "rate": rate,
        "queue": amount(link["queue"]),
        "oldest": age(link["queue_age_s"]),
        "sent": amount(link["sent"]),
        "refused": amount(link["refused"]),
        "deferred": amount(link["deferred"]),
        "unknown": amount(link["unknown"]),
        "fallbacks": amount(link["fallbacks"]),
        "ids": _IDS.get(link.get("message_ids", ""), link.get("message_ids", "")),
        "unread": amount(link.get("unread", 0)),
        "unmatched": amount(link.get("unmatched", 0)),
        "provider": link["provider"],
    }


def state_of(link: dict[str, Any], pause: dict[str, Any] | None) -> RenderableType:
    """A link in a word: down, paused by a person or by its carrier, or up."""
    if link["is_paused"] or pause:
        by = f" by {pause['by']}, {since(pause['since'])}" if pause else ""
        return coloured(f"paused{by}", "yellow")
    if not link["binds_up"]:
        return coloured("down", "red")
    if link["paused_s"]:
        return coloured(f"rests {age(link['paused_s']) or '1 s'}", "yellow")
    doubts = [f"at {', '.join(sorted(set(link['elsewhere'])))}"] if link.get("elsewhere") else []
    if link.get("pace", 1.0) < 1.0:
        doubts.append(f"slowed to {link['pace']:.0%}")
    return coloured(f"up {', '.join(doubts)}", "yellow") if doubts else coloured("up", "green")


def limit_row(name: str, limit: dict[str, Any]) -> dict[str, Any]:
    """A limit that several links share."""
    paused = coloured(f"paused {age(limit['paused_s'])}", "yellow") if limit["paused_s"] else ""
    return {
        "name": name,
        "used": amount(limit["used_per_minute"]),
        "of": amount(limit["per_minute"]),
        "paused": paused,
    }


def guard_row(name: str, guard: dict[str, Any]) -> dict[str, Any]:
    """An application's error ratio."""
    colour = ("green", "yellow", "yellow", "red")[min(guard["guard"], 3)]
    return {
        "name": name,
        "ratio": f"{100 * guard['ratio']:.1f} %",
        "stop": f"{100 * guard['stop']:.0f} %",
        "state": coloured(guard["word"], colour),
    }


def broker_row(slot: str, broker: dict[str, Any]) -> dict[str, Any]:
    """A worker's connection to the MQTT broker."""
    is_up = broker["connected"]
    return {
        "slot": slot,
        "broker": broker["broker"],
        "up": since(broker["since"]) if is_up else "",
        "version": broker["version"],
        "state": coloured("up", "green") if is_up else coloured(broker["trouble"], "red"),
    }


def waiting_line(waiting: dict[str, int]) -> RenderableType:
    """What waits for no link yet."""
    words = f"not for a link yet: {amount(waiting['scheduled']) or 'none'} scheduled for later, "
    words += f"{amount(waiting['held']) or 'none'} held by a person"
    return coloured(words, "yellow") if waiting["held"] else words


def store_line(store: dict[str, Any]) -> RenderableType:
    """The spools."""
    words = f"store {size(store['octets'])}, {store['pending']} changes waiting for the disk"
    if store["unwritten"]:
        words += f", {store['unwritten']} billing records to write"
    if store["is_failing"]:
        return coloured(f"{words}; it cannot commit, and takes no messages", "red")
    return words
