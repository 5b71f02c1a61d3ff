"""Twin of gatewayd.policy.aliases."""

from __future__ import annotations

from gatewayd.policy.aliases import address_of, is_pseudonym
from gatewayd.policy.homes import home_of
from gatewayd.policy.numbering import is_valid_destination


def test_an_alias_has_one_address_that_an_application_can_write_to() -> None:
    address = address_of("bot-1", "tok-1")
    assert address == address_of("bot-1", "tok-1")
    assert is_valid_destination(address, 1, 1)
    assert is_pseudonym(address)


def test_addresses_differ_by_alias_and_by_bot() -> None:
    addresses = {address_of(bot, f"tok-{n}") for bot in ("bot-1", "bot-2") for n in range(500)}
    assert len(addresses) == 1000


def test_two_aliases_that_meet_part_without_leaving_home() -> None:
    tried = [address_of("bot-1", "tok-1", meeting) for meeting in range(20)]
    assert len(set(tried)) == 20
    assert len({home_of(address, 16) for address in tried}) == 1
    assert all(map(is_pseudonym, tried))


def test_numbers_are_not_taken_for_pseudonyms() -> None:
    assert not is_pseudonym("33612345678")
    assert not is_pseudonym("99912345678901")
    assert not is_pseudonym("998123456789012")
