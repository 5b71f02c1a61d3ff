"""A whole configuration as far as it could be read, with what the file itself named.

Decides nothing: checks look at it, and the loader makes the final configuration of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from gatewayd.config import schema
from gatewayd.config.faults import Findings, dotted, guess, shown
from gatewayd.config.reading import read_table

T = TypeVar("T", bound=msgspec.Struct)
_PLAIN: Mapping[str, type[msgspec.Struct]] = {
    "daemon": schema.Daemon,
    "log": schema.Log,
    "history": schema.History,
    "metrics": schema.Metrics,
    "store": schema.Store,
    "smpp": schema.SmppServer,
    "control": schema.Control,
    "webhooks": schema.Webhooks,
    "http": schema.Http,
    "mqtt": schema.Mqtt,
    "parts": schema.Parts,
    "sessions": schema.Sessions,
    "numbers": schema.Numbers,
    "billing": schema.Billing,
    "rcs": schema.Rcs,
}


class Draft(msgspec.Struct, frozen=True):
    """``config`` holds every table that could be read; the names hold also those that could not.

    ``given`` maps a link's name to the keys that stand in the file under it.
    """

    config: schema.Config
    account_names: frozenset[str]
    endpoint_names: frozenset[str]
    provider_names: frozenset[str]
    application_names: frozenset[str]
    link_names: frozenset[str]
    given: Mapping[str, frozenset[str]]


def read_draft(raw: Mapping[str, Any], findings: Findings) -> Draft:
    """Read all tables, noting every fault of a single value."""
    plain: dict[str, Any] = {}
    for name, value in raw.items():
        if name in _PLAIN:
            plain[name] = read_table(_PLAIN[name], name, value, findings)
        elif name not in schema.Config.__struct_fields__:
            findings.fault(dotted(name), "there is no such table", guess(name, schema.Config.__struct_fields__))
    accounts = _read_named(schema.Account, "accounts", raw, findings)
    endpoints = _read_named(schema.Endpoint, "endpoints", raw, findings)
    providers = _read_named(schema.Provider, "providers", raw, findings)
    applications = _read_named(schema.Application, "applications", raw, findings)
    links = _read_named(schema.Link, "links", raw, findings)
    config = schema.Config(
        **{name: table for name, table in plain.items() if table is not None},
        accounts=_sound(accounts),
        endpoints=_sound(endpoints),
        providers=_sound(providers),
        applications=_sound(applications),
        links=_sound(links),
        routes=_read_routes(raw.get("routes", []), findings),
    )
    return Draft(
        config=config,
        account_names=frozenset(accounts),
        endpoint_names=frozenset(endpoints),
        provider_names=frozenset(providers),
        application_names=frozenset(applications),
        link_names=frozenset(links),
        given={name: frozenset(raw["links"][name]) for name, link in links.items() if link is not None},
    )


def route_key(index: int) -> str:
    """How a route is called in messages: the first is ``routes[1]``."""
    return f"routes[{index + 1}]"


def _read_named(record: type[T], where: str, raw: Mapping[str, Any], findings: Findings) -> dict[str, T | None]:
    tables = raw.get(where, {})
    if not isinstance(tables, dict):
        findings.fault(where, f"{shown(tables)} is not a table", f"write [{where}.NAME] and its keys below")
        return {}
    return {name: read_table(record, dotted(where, name), value, findings) for name, value in tables.items()}


def _sound(tables: Mapping[str, T | None]) -> dict[str, T]:
    return {name: table for name, table in tables.items() if table is not None}


def _read_routes(raw: object, findings: Findings) -> tuple[schema.Route, ...]:
    if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
        findings.fault("routes", f"{shown(raw)} is not a list of tables", "write [[routes]] above each route")
        return ()
    routes: list[schema.Route] = []
    for index, item in enumerate(raw):
        # A route without links is a fault already; it stays in the list so that the numbers of the others hold.
        route = read_table(schema.Route, route_key(index), item, findings, stand_in={"links": ()})
        routes.append(route or schema.Route(links=()))
    return tuple(routes)
