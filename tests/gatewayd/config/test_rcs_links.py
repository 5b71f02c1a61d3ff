"""RCS links: what each platform and dialect needs, and the keys that they sign with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gatewayd.config.house import dialects
from gatewayd.config.link_checks import _DIALECT_REQUIRED
from protocol.rcs.dialects import named
from protocol.rcs.errors import RcsFault
from protocol.rcs.tokens import Credentials

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

CLIENT = 'client_id = "gateway"\nclient_secret_file = "orange.secret"\n'
KIND = 'kind = "gsma"'
TOKEN_URL = 'token_url = "https://rcs.example/token"\n'
ORANGE = 'dialect = "orange"\nbot_key_file = "bot.pem"\n'
PEM = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
ACCOUNT = json.dumps({"client_email": "a@b", "private_key": PEM, "token_uri": "https://o/t"}, indent=2)
SCOPE_REMEDY = 'write words with one blank between them, or "-" for none'
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
            'assertion_header = "X-Bot"\nassertion_url = "https://rcs.example/bot"\n',
            "links.orange.assertion_url: stands beside assertion_header; give one of them",
        ),
    ],
)
def test_an_assertion_travels_one_way(desk: Desk, more: str, line: str) -> None:
    desk.put("bot.pem", PEM)
    assert desk.faults((CLIENT, CLIENT + ORANGE + more)) == ([line] if line else [])


def test_orange_needs_the_bots_key_whatever_way_the_assertion_travels(desk: Desk) -> None:
    line = "links.orange.bot_key_file: is missing; dialect orange needs it"
    for more in ("", 'assertion_header = "X-Bot"\n', 'assertion_url = "https://rcs.example/bot"\n'):
        assert desk.faults((CLIENT, f'{CLIENT}dialect = "orange"\n{more}')) == [line]


def test_without_a_way_the_dialects_guess_is_used_and_said_so(desk: Desk) -> None:
    desk.put("bot.pem", PEM)
    (line,) = [line for line in desk.warnings((CLIENT, CLIENT + ORANGE)) if "assertion" in line]
    assert line.endswith("a header is used; ask the operator how the assertion travels")


@pytest.mark.parametrize("dialect", dialects())
def test_what_a_dialect_needs_is_what_its_grant_cannot_do_without(dialect: str) -> None:
    signs = False
    grant = named(dialect).grant(Credentials("bot", "https://h/t", "c", "s"), 0.0)
    try:
        next(grant)
        grant.send((200, b'{"access_token":"abc"}'))
    except StopIteration:
        pass
    except RcsFault as fault:
        signs = fault.kind == "bad_key"
    assert ("bot_key_file" in _DIALECT_REQUIRED.get(dialect, ())) == signs


@pytest.mark.parametrize(
    ("scope", "is_sound"), [("sms", True), ("a b", True), ("-", True), ("a  b", False), ("é", False)]
)
def test_a_scope_is_words(desk: Desk, scope: str, is_sound: bool) -> None:
    faults = desk.faults((CLIENT, f'{CLIENT}token_scope = "{scope}"\n'))
    assert faults == ([] if is_sound else [f'links.orange.token_scope: "{scope}" is no scope; {SCOPE_REMEDY}'])


def test_an_assertion_needs_a_key(desk: Desk) -> None:
    assert desk.faults((CLIENT, CLIENT + 'assertion_header = "X-Bot"\n')) == [
        "links.orange.bot_key_file: is missing; assertion_header needs the key that signs"
    ]
    desk.put("bot.pem", "secret")
    assert desk.faults((CLIENT, f'{CLIENT}{ORANGE}assertion_header = "X-Bot"\n')) == [
        "links.orange.bot_key_file: the file holds no private key; give the bot's RSA key in PEM"
    ]
