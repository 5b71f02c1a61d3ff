"""Addresses and the networks that hold them; more spellings are in test_accounts."""

from __future__ import annotations

from gatewayd.runtime.networks import Networks, address_of


def test_no_networks_hold_nobody() -> None:
    assert not Networks(())
    assert not Networks(()).holds("192.0.2.1")


def test_an_address_is_held_however_it_is_written() -> None:
    networks = Networks(("192.0.2.0/24", "2001:db8::/32"))
    held = ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "2001:db8::1%eth0"]
    assert networks
    assert [networks.holds(text) for text in (*held, "198.51.100.1", "2001:db9::1", "", "nobody")] == [True] * 4 + [
        False
    ] * 4
    assert str(address_of("::ffff:192.0.2.7")) == "192.0.2.7"
