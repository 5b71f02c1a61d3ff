"""The keys of addresses, lives and default messages: what is sound, and what is said of the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gatewayd.config import schema

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

LISTEN = 'listen = ["127.0.0.1:2775"]\n'
BANK = 'traffic_class = "otp"\n'
CARRIER = 'password_file = "carrier.password"\n'


def test_sound_ones(desk: Desk) -> None:
    keys = 'country = "FR"\nsource_default = "SHOP"\ndefault_messages = { "254" = "Été" }\nvalidity_max_h = 2\n'
    rules = 'sources = [{ match = "SHOP*", replace = "36105", ton = "auto" }, { match = "*", npi = 1 }]\n'
    loaded = desk.load((LISTEN, f'{LISTEN}default_messages = {{ "1" = "Hello" }}\n'), (BANK, BANK + keys + rules))
    assert loaded.warnings == ()
    account = loaded.config.accounts["bank"]
    assert [(rule.match, rule.replace, rule.ton, rule.npi) for rule in account.sources] == [
        ("SHOP*", "36105", "auto", "keep"),
        ("*", "", "keep", 1),
    ]
    assert (account.default_messages, loaded.config.smpp.default_messages) == ({"254": "Été"}, {"1": "Hello"})


@pytest.mark.parametrize(
    ("smpp", "bank", "line"),
    [
        ('default_messages = { "0" = "x" }\n', "", 'smpp.default_messages.0: "0" is no number of a default message;'),
        ('default_messages = { "01" = "x" }\n', "", "smpp.default_messages.01: "),
        ('default_messages = { "255" = "x" }\n', "", "give 1 to 254, without zeros before"),
        ('default_messages = { "1" = "" }\n', "", "smpp.default_messages.1: the text is empty or too long;"),
        ("", 'default_messages = { "hello" = "x" }\n', 'accounts.bank.default_messages.hello: "hello" is no number'),
        ("", 'country = "fr"\n', 'accounts.bank.country: "fr" is not a country;'),
        ("", 'country = "ZZ"\n', 'accounts.bank.country: there is no country "ZZ";'),
        ("", 'source_default = "A*"\n', 'accounts.bank.source_default: "A*" is not a sender;'),
        ("", 'source_default = "A NAME TOO LONG"\n', 'source_default: "A NAME TOO LONG" is too long for a name: every'),
        (
            "",
            'source_default = "B"\nsenders = ["A", "AB*"]\n',
            '.source_default: "B" is not among the account\'s senders:',
        ),
        ("", 'sources = [{ match = "A", replace = "A NAME TOO LONG" }]\n', "accounts.bank.sources[1].replace: "),
        ("", 'replace_service_types = ["TOOLONG"]\n', '"TOOLONG" is not a service_type; use 1 to 5 printable'),
        ("", "validity_max_h = 1\nvalidity_default_h = 2\n", "accounts.bank.validity_default_h: 2.0 is more than"),
        ("", 'sources = ["SHOP"]\n', 'accounts.bank.sources[1]: "SHOP" is not a table;'),
        ("", 'sources = "SHOP"\n', 'accounts.bank.sources: "SHOP" is not a list of tables;'),
        ("", 'sources = [{ replace = "1" }]\n', "accounts.bank.sources[1].match: is missing;"),
        ("", 'sources = [{ match = "A", ton = 7 }]\n', "accounts.bank.sources[1].ton: 7 is out of range;"),
        ("", 'sources = [{ match = "A", tone = 1 }]\n', "accounts.bank.sources[1].tone: there is no such key;"),
    ],
)
def test_faults_of_accounts(desk: Desk, smpp: str, bank: str, line: str) -> None:
    faults = desk.faults((LISTEN, LISTEN + smpp), (BANK, BANK + bank))
    assert any(line in fault for fault in faults), faults


def test_a_long_name_may_be_replaced_and_a_long_number_is_none(desk: Desk) -> None:
    keys = (
        'senders = ["A*"]\nsource_default = "A NAME TOO LONG"\nsources = [{ match = "A*", replace = "33700000001" }]\n'
    )
    assert desk.load((BANK, BANK + keys)).warnings == ()


def test_rules_without_effect(desk: Desk) -> None:
    rules = 'sources = [{ match = "*", ton = 1 }, { match = "A", replace = "B" }]\n'
    (late,) = desk.warnings((BANK, BANK + rules))
    assert late.startswith("accounts.bank.sources[2]: has no effect: a rule before it takes all that it matches;")
    (idle,) = desk.warnings((BANK, BANK + 'sources = [{ match = "A" }]\n'))
    assert idle.startswith("accounts.bank.sources[1]: changes nothing")


def test_any_sender_can_be_another_to_a_carrier(desk: Desk) -> None:
    loaded = desk.load((CARRIER, CARRIER + 'source_map = { "+33 My.Shop" = "36105" }\n'))
    assert loaded.config.links["carrier"].source_map == {"+33 My.Shop": "36105"}


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ('destination_form = "national"\n', ".country: is missing: destination_form is national;"),
        ('destination_form = "0033"\n', '.destination_form: "0033" is not known here;'),
        ('destination_form = "national"\ncountry = "ZZ"\n', '.country: there is no country "ZZ";'),
        ('source_fallback = "SHOP"\n', '.source_fallback: "SHOP" is a name, and stands for names'),
        ('source_ton = "alpha"\n', '.source_ton: "alpha" is not a whole number;'),
        ('source_map = { SHOP = "much too long for a sender" }\n', ".source_map.SHOP: "),
        ('source_map = { "SHOP*" = "36105" }\n', '.source_map."SHOP*": "SHOP*" is not a sender;'),
        ('source_map = { SHOP = "" }\n', '.source_map.SHOP: "" is not a sender;'),
        ('service_type = "123456"\n', '.service_type: "123456" is not a service_type;'),
    ],
)
def test_faults_of_links(desk: Desk, keys: str, line: str) -> None:
    faults = desk.faults((CARRIER, CARRIER + keys))
    assert any(line in fault for fault in faults), faults


def test_where_applications_dial_as_people_do() -> None:
    accounts = {country or "none": schema.Account(country=country) for country in ("FR", "", "DE")}
    accounts["another"] = accounts["FR"]
    assert schema.Config(accounts=accounts).countries == ("DE", "FR")
