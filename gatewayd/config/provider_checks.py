"""What providers and their applications must mean together: quotas, thresholds, and who belongs to whom."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from gatewayd.config import schema
from gatewayd.config.draft import Draft
from gatewayd.config.faults import Findings, dotted, guess, shown

_THRESHOLDS = ("guard_warn", "guard_known_only", "guard_stop", "guard_ratio_max")


def check_providers(draft: Draft, findings: Findings) -> None:
    """Note the faults of every provider and every application."""
    used = {link.provider for link in draft.config.links.values()}
    for name, provider in draft.config.providers.items():
        where = dotted("providers", name)
        applications = [one for one in draft.config.applications.values() if one.provider == name]
        if not _has_quota(provider) and not any(_has_quota(one) for one in applications):
            findings.warn(where, "sets no quota", "give per_minute or rate_per_s, if the operator has one")
        if name not in used:
            findings.warn(where, "no link uses it", f"write provider = {shown(name)} in its links, or remove it")
        _check_thresholds(where, provider, findings)
    _check_applications(draft, findings)
    for name, link in draft.config.links.items():
        if link.kind != "smpp":
            _check_link(dotted("links", name), link, draft, findings)


def _has_quota(scope: schema.Provider | schema.Application) -> bool:
    return bool(scope.per_minute or scope.per_second or scope.rate_per_s)


def _check_thresholds(where: str, provider: schema.Provider, findings: Findings) -> None:
    """Each is below the next: else the guard would stop before it warns, or not before the operator does."""
    for lower, upper in itertools.pairwise(_THRESHOLDS):
        if getattr(provider, lower) >= getattr(provider, upper):
            problem = f"{shown(getattr(provider, lower))} is not below {upper} ({shown(getattr(provider, upper))})"
            findings.fault(f"{where}.{lower}", problem, "give less")


def _check_applications(draft: Draft, findings: Findings) -> None:
    used = {link.application for link in draft.config.links.values()}
    for name, application in draft.config.applications.items():
        where = dotted("applications", name)
        if application.provider not in draft.provider_names:
            problem = f"there is no provider {shown(application.provider)}"
            findings.fault(f"{where}.provider", problem, guess(application.provider, draft.provider_names))
        if name not in used:
            findings.warn(where, "no link uses it", f"write application = {shown(name)} in its links, or remove it")


def _check_link(where: str, link: schema.Link, draft: Draft, findings: Findings) -> None:
    names = list(_applications_of(link.provider, draft))
    if link.application and link.application not in draft.application_names:
        problem = f"there is no application {shown(link.application)}"
        findings.fault(f"{where}.application", problem, guess(link.application, draft.application_names))
    elif link.application and link.application not in names and link.application in draft.config.applications:
        problem = f"{shown(link.application)} is an application of another provider"
        findings.fault(f"{where}.application", problem, "correct the provider, or the application")
    elif not link.application and names:
        problem = f"is missing: provider {link.provider} has applications"
        findings.fault(f"{where}.application", problem, "name one of " + ", ".join(sorted(names)))


def _applications_of(provider: str, draft: Draft) -> Iterator[str]:
    return (name for name, one in draft.config.applications.items() if provider and one.provider == provider)
