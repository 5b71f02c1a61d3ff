"""What the sinks of an account and its endpoint must be together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gatewayd.config.addresses import is_public

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

ACCOUNT = 'traffic_class = "otp"\n'
SINKS = ACCOUNT + 'sinks = ["webhook"]\nendpoint = "bank"\n'
ENDPOINT = '\n[endpoints.bank]\nurl = "https://bank.example/hooks"\nsecret_file = "bank.webhook"\n'


def test_a_sound_one_and_its_secrets(desk: Desk) -> None:
    other = "whsec_" + "REVG" * 8
    desk.put("bank.webhook", f"whsec_{'QUJD' * 8}\n{other}\n")
    loaded = desk.load((ACCOUNT, SINKS + ENDPOINT))
    assert loaded.warnings == ()
    assert loaded.config.accounts["bank"].sinks == ("webhook",)
    assert loaded.config.accounts["shop"].sinks == ("smpp",)
    assert loaded.endpoint_secrets("bank") == (f"whsec_{'QUJD' * 8}", other)


@pytest.mark.parametrize(
    ("tables", "line"),
    [
        (ACCOUNT + 'sinks = ["webhook"]\n', "accounts.bank.endpoint: is missing: webhook is one of its sinks;"),
        (
            ACCOUNT + 'sinks = ["webhook"]\nendpoint = "bnak"\n' + ENDPOINT,
            'there is no endpoint "bnak"; did you mean bank',
        ),
        (ACCOUNT + 'sinks = ["smpp", "smpp"]\n', "accounts.bank.sinks: names one twice;"),
        (ACCOUNT + 'sinks = ["pigeon"]\n', 'accounts.bank.sinks: "pigeon" is not known here;'),
        (ACCOUNT + 'events = ["mo", "mo"]\n', "accounts.bank.events: names one twice;"),
        (SINKS + ENDPOINT.replace("bank.example", "10.1.2.3"), '"10.1.2.3" is not on the public internet;'),
        (SINKS + ENDPOINT.replace("bank.example", "localhost"), '"localhost" is not on the public internet;'),
        (SINKS + ENDPOINT.replace("bank.webhook", ""), "endpoints.bank.secret_file: is empty;"),
        (SINKS + ENDPOINT.replace('url = "https://bank.example/hooks"\n', ""), "endpoints.bank.url: is missing;"),
        (SINKS + ENDPOINT.replace(".bank]", '."a b"]'), '"a b" is not a name'),
    ],
)
def test_faults(desk: Desk, tables: str, line: str) -> None:
    assert any(line in fault for fault in desk.faults((ACCOUNT, tables))), desk.faults((ACCOUNT, tables))


@pytest.mark.parametrize(
    ("tables", "line"),
    [
        (ACCOUNT + "sinks = []\n", "accounts.bank.sinks: is empty: no receipt and no reply reaches it;"),
        (ACCOUNT + 'endpoint = "bank"\n' + ENDPOINT, "accounts.bank.endpoint: has no effect;"),
        (ACCOUNT + ENDPOINT, "endpoints.bank: no account uses it;"),
        (SINKS + ENDPOINT.replace("https", "http"), "endpoints.bank.url: sends messages in the clear;"),
    ],
)
def test_warnings(desk: Desk, tables: str, line: str) -> None:
    assert any(line in warning for warning in desk.warnings((ACCOUNT, tables))), desk.warnings((ACCOUNT, tables))


@pytest.mark.parametrize("secret", ["", "hunter2", "whsec_", "whsec_QUJD", "whsec_" + "QUJD" * 30, "whsec_" + "?" * 32])
def test_secrets_that_are_none(desk: Desk, secret: str) -> None:
    desk.put("bank.webhook", f"{secret}\n")
    (line,) = desk.faults((ACCOUNT, SINKS + ENDPOINT))
    assert line.startswith("endpoints.bank.secret_file: ")
    assert len(secret) < 8 or secret not in line


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "168.63.129.16", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
        "::127.0.0.1", "2001:db8::1", "198.18.0.1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_that_are(address: str) -> None:
    assert is_public(address)
