"""Whether the routes name what exists, can be reached, and serve every account. Looks at no file."""

from __future__ import annotations

from collections import Counter

from gatewayd.config import schema
from gatewayd.config.draft import Draft, route_key
from gatewayd.config.faults import Findings, dotted, guess, shown


def check_routes(draft: Draft, findings: Findings) -> None:
    """Note the faults of every route, then what the routes leave out."""
    routes = draft.config.routes
    if not routes:
        if not findings.is_faulty("routes"):
            findings.fault("routes", "there is no route", 'add a table [[routes]] with links = ["NAME"]')
        return
    for index, route in enumerate(routes):
        _check_links(route_key(index), route, draft, findings)
        _check_conditions(route_key(index), route, draft, findings)
    _warn_of_unreachable(routes, findings)
    _warn_of_unserved(draft, findings)


def _check_links(where: str, route: schema.Route, draft: Draft, findings: Findings) -> None:
    key = f"{where}.links"
    if not route.links and not findings.is_faulty(key):
        findings.fault(key, "is empty", "name at least one link")
    for name, count in Counter(route.links).items():
        if name not in draft.link_names and not findings.is_faulty("links"):
            findings.fault(key, f"there is no link {shown(name)}", guess(name, draft.link_names))
        elif count > 1:
            findings.fault(key, f"names {shown(name)} {count} times", "name each link once")
    links = [draft.config.links[name] for name in route.links if name in draft.config.links]
    for name in sorted(set(route.links) & set(draft.config.links)):
        if draft.config.links[name].bind == "receiver":
            findings.fault(key, f"{shown(name)} binds as receiver and cannot send", "use another link")
    if links and len(links) == len(route.links) and links[-1].kind == "gsma":
        problem = f"ends with the RCS link {shown(route.links[-1])}: a handset without RCS gets nothing"
        findings.warn(key, problem, "name an SMS link behind it")


def _check_conditions(where: str, route: schema.Route, draft: Draft, findings: Findings) -> None:
    for name in route.accounts:
        if name not in draft.account_names and not findings.is_faulty("accounts"):
            problem = f"there is no account {shown(name)}"
            findings.fault(f"{where}.accounts", problem, guess(name, draft.account_names))
    classes = {account.traffic_class for account in draft.config.accounts.values()} - {""}
    for name in route.classes:
        if name not in classes:
            problem = f"no account has the traffic_class {shown(name)}"
            findings.warn(f"{where}.classes", problem, guess(name, classes))


def _is_open(route: schema.Route) -> bool:
    is_any_sender = not route.senders or "*" in route.senders
    is_any_handset = not route.prefixes or "*" in route.prefixes
    return is_any_sender and is_any_handset and not route.accounts and not route.classes


def _warn_of_unreachable(routes: tuple[schema.Route, ...], findings: Findings) -> None:
    for index, route in enumerate(routes[:-1]):
        if _is_open(route):
            problem = f"takes everything: the {len(routes) - index - 1} behind it are never reached"
            findings.warn(route_key(index), problem, "put it last")
            return


def _warn_of_unserved(draft: Draft, findings: Findings) -> None:
    for name, account in draft.config.accounts.items():
        if not any(_may_serve(route, name, account) for route in draft.config.routes):
            findings.warn(dotted("accounts", name), "no route takes its messages", "add a route")


def _may_serve(route: schema.Route, name: str, account: schema.Account) -> bool:
    is_account = not route.accounts or name in route.accounts
    return is_account and (not route.classes or account.traffic_class in route.classes)
