"""Addresses as people write them."""

from __future__ import annotations

import pytest

from gatewayd.config.addresses import address_text, is_host, is_loopback, is_private, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:2775", ("127.0.0.1", 2775)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("[::1]:2775", ("::1", 2775)),
        ("[::]:65535", ("::", 65535)),
        ("gateway.example:80", ("gateway.example", 80)),
        ("localhost:80", ("localhost", 80)),
    ],
)
def test_an_address_is_taken_apart(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address
    assert address_text(*address) == text


@pytest.mark.parametrize(
    "text",
    ["", ":", "2775", ":2775", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:2775", "[::1]",
     "[::1:2775", "[127.0.0.1]:1", "a b:1", "127.0.0.1:２", "127.0.0.256:1", "http://x:1"],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):
        parse_address(text)


@pytest.mark.parametrize("text", ["smsc.example", "smsc.example.", "a-b.c", "10.0.0.1", "::1", "x"])
def test_hosts(text: str) -> None:
    assert is_host(text)


@pytest.mark.parametrize(
    "text", ["", "-a", "a-", "a..b", "10.0.0", "10.0.0.256", "a_b", "é.example", "a" * 64, "x." * 127 + "x"]
)
def test_what_is_no_host(text: str) -> None:
    assert not is_host(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_hosts_that_are_this_machine(host: str) -> None:
    assert is_loopback(host)
    assert is_private(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "0.0.0.0", "localhost.example", "127.example", "8.8.8.8"])
def test_hosts_that_are_others(host: str) -> None:
    assert not is_loopback(host)
    assert is_private(host) == host.endswith((".0.1", ".0.0"))
