"""What is allowed, and probably not meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

Change = tuple[str, str]

ODD: dict[str, tuple[list[Change], list[str]]] = {
    "nothing": ([], []),
    "RCS without SMS behind it": (
        [('links = ["orange", "carrier"]', 'links = ["carrier", "orange"]')],
        [
            (
                'routes[1].links: ends with the RCS link "orange": a handset without RCS gets nothing; '
                "name an SMS link behind it"
            )
        ],
    ),
    "RCS without webhooks": (
        [('listen = "127.0.0.1:8080"', 'listen = ""')],
        ["webhooks.listen: is empty: no receipt or reply of links.orange can arrive; give an address"],
    ),
    "RCS in the clear": (
        [('"https://rcs.example/rcs"', '"http://rcs.example/rcs"')],
        ["links.orange.server_root: sends secrets and messages in the clear; use https"],
    ),
    "RCS in the clear at home": ([('"https://rcs.example/rcs"', '"http://127.0.0.1:8081"')], []),
    "tls_ca without tls": (
        [("port = 2776", 'tls_ca = "ca.pem"')],
        ["links.carrier.tls_ca: has no effect while tls is off; write tls = true"],
    ),
    "provider of nobody": (
        [('provider = "orange"\n', "")],
        ['providers.orange: no link uses it; write provider = "orange" in its links, or remove it'],
    ),
    "mute account": (
        [('traffic_class = "otp"', "senders = []")],
        ['accounts.bank.senders: is empty: the account may send nothing; write ["*"] for any sender'],
    ),
    "route for everything first": (
        [('accounts = ["shop"]\n', "")],
        ["routes[1]: takes everything: the 1 behind it are never reached; put it last"],
    ),
    "route for everything in other words": (
        [('accounts = ["shop"]\n', 'senders = ["*"]\nprefixes = ["*"]\n')],
        ["routes[1]: takes everything: the 1 behind it are never reached; put it last"],
    ),
    "provider without a quota": (
        [("per_minute = 1800", "")],
        ["providers.orange: sets no quota; give per_minute or rate_per_s, if the operator has one"],
    ),
    "class of nobody": (
        [('accounts = ["shop"]\n', 'classes = ["opt"]\n')],
        ['routes[1].classes: no account has the traffic_class "opt"; did you mean otp?'],
    ),
    "account without a route": (
        [('[[routes]]\nlinks = ["carrier"]\n', "")],
        ["accounts.bank: no route takes its messages; add a route"],
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_configurations_are_usable_and_warned_of(desk: Desk, key_pair: tuple[bytes, bytes], name: str) -> None:
    changes, lines = ODD[name]
    desk.put("ca.pem", key_pair[0])
    assert desk.warnings(*changes) == lines
