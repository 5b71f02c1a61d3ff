"""Providers and applications: each link knows whose quota it shares, and thresholds rise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

QUOTA = "[providers.orange]\nper_minute = 1800"
RETAIL = '[applications.retail]\nprovider = "orange"\nper_minute = 1800\n'
IN_LINK = 'provider = "orange"\nserver_root'
AS_RETAIL = 'provider = "orange"\napplication = "retail"\nserver_root'

ELSEWHERE = (
    'links.orange.application: "retail" is an application of another provider; correct the provider, or the application'
)

FAULTS = {
    "threshold above the next": (
        [(QUOTA, f"{QUOTA}\nguard_warn = 0.1")],
        ["providers.orange.guard_warn: 0.1 is not below guard_known_only (0.08); give less"],
    ),
    "threshold at the bound": (
        [(QUOTA, f"{QUOTA}\nguard_ratio_max = 0.12")],
        ["providers.orange.guard_stop: 0.12 is not below guard_ratio_max (0.12); give less"],
    ),
    "unknown call": (
        [(QUOTA, f'{QUOTA}\ncounted = ["upload"]')],
        ['providers.orange.counted: "upload" is not known here; give one of message, capability, revoke'],
    ),
    "link without its application": (
        [(QUOTA, f"{RETAIL}{QUOTA}")],
        ["links.orange.application: is missing: provider orange has applications; name one of retail"],
    ),
    "application that is not there": (
        [(IN_LINK, 'provider = "orange"\napplication = "retial"\nserver_root'), (QUOTA, f"{RETAIL}{QUOTA}")],
        ['links.orange.application: there is no application "retial"; did you mean retail?'],
    ),
    "application of another provider": (
        [(IN_LINK, AS_RETAIL), (QUOTA, RETAIL.replace("orange", "other") + f"[providers.other]\n{QUOTA}")],
        [
            ELSEWHERE,
        ],
    ),
    "application of nobody": (
        [(IN_LINK, AS_RETAIL), (QUOTA, RETAIL.replace('"orange"', '"oragne"') + QUOTA)],
        [
            'applications.retail.provider: there is no provider "oragne"; did you mean orange?',
            ELSEWHERE,
        ],
    ),
    "application without its provider": (
        [(IN_LINK, AS_RETAIL), (QUOTA, f"[applications.retail]\nper_minute = 1\n{QUOTA}")],
        [
            "applications.retail.provider: is missing; write it in quotes",
        ],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(desk: Desk, name: str) -> None:
    changes, lines = FAULTS[name]
    assert desk.faults(*changes) == lines
