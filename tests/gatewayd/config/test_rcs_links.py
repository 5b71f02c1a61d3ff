"""RCS links: what each platform and dialect needs, and the keys that they sign with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

CLIENT = 'client_id = "gateway"\nclient_secret_file = "orange.secret"\n'
KIND = 'kind = "gsma"'
TOKEN_URL = 'token_url = "https://rcs.example/token"\n'
ORANGE = 'dialect = "orange"\nbot_key_file = "bot.pem"\n'
PEM = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
ACCOUNT = json.dumps({"client_email": "a@b", "private_key": PEM, "token_uri": "https://o/t"}, indent=2)
RBM = [(KIND, 'kind = "rbm"'), (TOKEN_URL, ""), (CLIENT, 'service_account_file = "google.json"\n')]


def test_googles_platform_needs_a_service_account(desk: Desk) -> None:
    desk.put("google.json", ACCOUNT)
    loaded = desk.load(*RBM)
    assert loaded.config.links["orange"].kind == "rbm"
    assert loaded.link_secret("orange", "service_account_file") == ACCOUNT
    assert desk.faults(RBM[0], RBM[1], (CLIENT, "")) == [
        "links.orange.service_account_file: is missing; a link of kind rbm needs it"
    ]


@pytest.mark.parametrize("content", ["{}", "secret", ACCOUNT[:-1]])
def test_a_file_that_is_no_service_account_is_refused(desk: Desk, content: str) -> None:
    desk.put("google.json", content)
    (line,) = desk.faults(*RBM)
    problem, _, remedy = line.partition("; ")
    assert problem == "links.orange.service_account_file: the file holds no service account's key"
    assert remedy == "give the JSON file as Google made it"


def test_keys_of_one_platform_mean_nothing_to_the_other(desk: Desk) -> None:
    desk.put("google.json", ACCOUNT)
    assert desk.faults(*RBM, ('bot_id = "shop-bot"', 'bot_id = "shop-bot"\ndialect = "vi"')) == [
        "links.orange.dialect: means nothing for a link of kind rbm; remove it, or correct the kind"
    ]
    assert desk.faults((CLIENT, f'{CLIENT}service_account_file = "google.json"\n')) == [
        "links.orange.service_account_file: means nothing for a link of kind gsma; remove it, or correct the kind"
    ]


def test_traffic_has_googles_words(desk: Desk) -> None:
    desk.put("google.json", ACCOUNT)
    wrong = ('bot_id = "shop-bot"', 'bot_id = "shop-bot"\ntraffic_type = "payment"')
    (line,) = desk.faults(*RBM, wrong)
    assert line.startswith('links.orange.traffic_type: "payment" is no word of this platform')
    assert desk.faults(*RBM, (wrong[0], wrong[1].replace("payment", "PROMOTION"))) == []


def test_a_dialect_is_one_that_there_is(desk: Desk) -> None:
    assert desk.faults((CLIENT, f'{CLIENT}dialect = "vi"\n')) == []
    assert desk.faults((CLIENT, f'{CLIENT}dialect = "ornage"\n')) == [
        'links.orange.dialect: there is no dialect "ornage"; did you mean orange?'
    ]


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ('assertion_header = "X-Bot"\n', ""),
        ('assertion_url = "https://rcs.example/bot"\n', ""),
        (
            "",
            "links.orange.assertion_url: is missing, and assertion_header too; with bot_key_file, give one of them",
        ),
        (
            'assertion_header = "X-Bot"\nassertion_url = "https://rcs.example/bot"\n',
            "links.orange.assertion_url: stands beside assertion_header; with bot_key_file, give one of them",
        ),
    ],
)
def test_an_assertion_travels_one_way(desk: Desk, more: str, line: str) -> None:
    desk.put("bot.pem", PEM)
    assert desk.faults((CLIENT, CLIENT + ORANGE + more)) == ([line] if line else [])


def test_an_assertion_needs_a_key(desk: Desk) -> None:
    assert desk.faults((CLIENT, CLIENT + 'assertion_header = "X-Bot"\n')) == [
        "links.orange.bot_key_file: is missing; assertion_header needs the key that signs"
    ]
    desk.put("bot.pem", "secret")
    assert desk.faults((CLIENT, f'{CLIENT}{ORANGE}assertion_header = "X-Bot"\n')) == [
        "links.orange.bot_key_file: the file holds no private key; give the bot's RSA key in PEM"
    ]
