"""Broken configurations, each with exactly the lines that an administrator reads; and what a sound one becomes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gatewayd.config.faults import ConfigFaults
from gatewayd.config.load import load

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

Change = tuple[str, str]

PORT = "port = 2776"
LISTEN = 'listen = ["127.0.0.1:2775"]'
HOST = 'host = "smsc.example"\n'
SHOP_HASH = 'password_hash_file = "shop.hash"\n'
FIRST_LINKS = 'links = ["orange", "carrier"]'
FIRST_ACCOUNTS = 'accounts = ["shop"]'
NUMBERS = 'numbers = ["33700000001"]'
CLASS = 'traffic_class = "otp"'
SMPP_KEYS = HOST + PORT + '\nsystem_id = "gateway"\npassword_file = "carrier.password"\n'
GSMA_KEYS = """provider = "orange"
server_root = "https://rcs.example/rcs"
bot_id = "shop-bot"
token_url = "https://rcs.example/token"
client_id = "gateway"
client_secret_file = "orange.secret"
webhook_token_file = "orange.webhook"
"""
WEB_REMEDY = 'write "https://host/path"'
LISTEN_REMEDY = 'write "127.0.0.1:2775" or "[::1]:2775"'
NETWORK_REMEDY = 'write "10.1.0.0/16", "192.0.2.7" or "2001:db8::/32"'
NUMBER_REMEDY = "write 3 to 15 digits without plus or 00, or the bot_id of a link"
PREFIX_REMEDY = 'write digits, country code first, without plus: "336"'
SENDER_REMEDY = "give up to 20 characters; a * may end it"
SYSTEM_ID_REMEDY = "use 1 to 15 printable ASCII characters"

BROKEN: dict[str, tuple[list[Change], list[str]]] = {
    # Single values
    "port out of range": (
        [(PORT, "port = 99999")],
        ["links.carrier.port: 99999 is not a port; give 1 to 65535"],
    ),
    "port zero": ([(PORT, "port = 0")], ["links.carrier.port: 0 is not a port; give 1 to 65535"]),
    "port in quotes": (
        [(PORT, 'port = "2776"')],
        ['links.carrier.port: "2776" is not a whole number; give 1 to 65535, without quotes'],
    ),
    "port true": (
        [(PORT, "port = true")],
        ["links.carrier.port: true is not a whole number; give 1 to 65535"],
    ),
    "no worker": (
        [("[smpp]", "[daemon]\nworkers = 0\n[smpp]")],
        ['daemon.workers: 0 is not a number of workers; give 1 to 64, or "auto"'],
    ),
    "workers in quotes": (
        [("[smpp]", '[daemon]\nworkers = "2"\n[smpp]')],
        ['daemon.workers: "2" is not a whole number; give 1 to 64, without quotes, or "auto"'],
    ),
    "no window": ([(PORT, "window = 0")], ["links.carrier.window: 0 is out of range; give 1 to 10000"]),
    "negative rate": (
        [(PORT, "rate_per_s = -1")],
        ["links.carrier.rate_per_s: -1 is out of range; give 0 to 1000000"],
    ),
    "rate that is no number": (
        [(PORT, "rate_per_s = nan")],
        ["links.carrier.rate_per_s: nan is out of range; give 0 to 1000000"],
    ),
    "endless wait": (
        [(PORT, "bind_timeout_s = inf")],
        ["links.carrier.bind_timeout_s: inf is out of range; give more than 0 and at most 31536000"],
    ),
    "no wait": (
        [(PORT, "bind_timeout_s = 0")],
        ["links.carrier.bind_timeout_s: 0 is out of range; give more than 0 and at most 31536000"],
    ),
    "text without quotes": (
        [('client_id = "gateway"', "client_id = 17")],
        ["links.orange.client_id: 17 is not a text; write it in quotes"],
    ),
    "yes for true": (
        [(PORT, 'tls = "yes"')],
        ['links.carrier.tls: "yes" is not true or false; write true or false, without quotes'],
    ),
    "word out of a few": (
        [(PORT, 'bind = "trx"')],
        ['links.carrier.bind: "trx" is not known here; give one of transceiver, transmitter, receiver, separate'],
    ),
    "word out of a few, without its quotes": (
        [(PORT, "interface_version = 3.4")],
        ['links.carrier.interface_version: 3.4 is not a text; write "3.4", in quotes'],
    ),
    "number out of a few, in quotes": (
        [('traffic_class = "otp"', 'receipt_dates = "12"')],
        ['accounts.bank.receipt_dates: "12" is not a whole number; write 12, without quotes'],
    ),
    "text for a list": (
        [(FIRST_ACCOUNTS, 'accounts = "shop"')],
        ['routes[1].accounts: "shop" is not a list; write ["shop"]'],
    ),
    "system_id too long": (
        [('system_id = "gateway"', 'system_id = "gateway-of-ours-16"')],
        [f'links.carrier.system_id: "gateway-of-ours-16" is not a system_id; {SYSTEM_ID_REMEDY}'],
    ),
    "system_type too long": (
        [(PORT, 'system_type = "thirteen-long"')],
        ['links.carrier.system_type: "thirteen-long" is not a system_type; use 1 to 12 printable ASCII characters'],
    ),
    "listen and nothing else": (
        [(LISTEN, 'listen = ["*"]')],
        [f'smpp.listen: "*" is not an address to listen on; {LISTEN_REMEDY}'],
    ),
    "web address of half a bracket": (
        [('"https://rcs.example/rcs"', '"https://[::1/rcs"')],
        [f'links.orange.server_root: "https://[::1/rcs" is not a web address; {WEB_REMEDY}'],
    ),
    "host with a port": (
        [(HOST, 'host = "smsc.example:2775"\n')],
        ['links.carrier.host: "smsc.example:2775" is not a host; give a host name or an IP address, without the port'],
    ),
    "addresses": (
        [(LISTEN, 'listen = ["2775", "::1:2775", "127.0.0.1:66000", "[::1]:2775"]')],
        [
            f'smpp.listen: "2775" is not an address to listen on; {LISTEN_REMEDY}',
            f'smpp.listen: "::1:2775" is not an address to listen on; {LISTEN_REMEDY}',
            f'smpp.listen: "127.0.0.1:66000" is not an address to listen on; {LISTEN_REMEDY}',
        ],
    ),
    "networks": (
        [(NUMBERS, 'networks = ["10.0.0.0/33", "10.0.0.1/8", "all"]')],
        [
            f'accounts.shop.networks: "10.0.0.0/33" is not a network; {NETWORK_REMEDY}',
            'accounts.shop.networks: "10.0.0.1/8" has bits set behind its mask; write "10.0.0.0/8"',
            f'accounts.shop.networks: "all" is not a network; {NETWORK_REMEDY}',
        ],
    ),
    "web addresses, without showing a password": (
        [
            ('"https://rcs.example/rcs"', '"ftp://rcs.example"'),
            ('"https://rcs.example/token"', '"https://me:hunter2@rcs.example/token"'),
        ],
        [
            f'links.orange.server_root: "ftp://rcs.example" is not a web address; {WEB_REMEDY}',
            f"links.orange.token_url: the web address holds more than a host and a path; {WEB_REMEDY}",
        ],
    ),
    "senders": (
        [(CLASS, 'senders = ["A*B", "", "SHOP*", "*"]')],
        [
            f'accounts.bank.senders: "A*B" is not a sender; {SENDER_REMEDY}',
            f'accounts.bank.senders: "" is not a sender; {SENDER_REMEDY}',
        ],
    ),
    "prefixes": (
        [(FIRST_ACCOUNTS, 'prefixes = ["+336*", "33 6", "", "336*", "*"]')],
        [
            f'routes[1].prefixes: "+336*" is not a prefix; {PREFIX_REMEDY}',
            f'routes[1].prefixes: "33 6" is not a prefix; {PREFIX_REMEDY}',
            f'routes[1].prefixes: "" is not a prefix; {PREFIX_REMEDY}',
        ],
    ),
    "receipts with words of their own": (
        [(CLASS, 'displayed_receipts = "Read"')],
        [
            (
                'accounts.bank.displayed_receipts: "Read" is no word for a receipt; '
                'write up to 7 capital letters, such as "READ"'
            )
        ],
    ),
    "receipts with a word that is taken": (
        [(CLASS, 'displayed_receipts = "DELIVRD"')],
        [
            (
                'accounts.bank.displayed_receipts: "DELIVRD" means something else in a receipt; '
                'write another word, such as "READ"'
            )
        ],
    ),
    "class of two words": (
        [('"otp"', '"one time"')],
        ['accounts.bank.traffic_class: "one time" is not one word; use printable ASCII characters without blanks'],
    ),
    # Names of keys and tables
    "misspelt key": ([(PORT, "prot = 2776")], ["links.carrier.prot: there is no such key; did you mean port?"]),
    "unheard-of key": (
        [(PORT, "zzz = 1")],
        ["links.carrier.zzz: there is no such key; conf/gatewayd.toml shows all that there are"],
    ),
    "misspelt table": ([("[smpp]", "[smp]")], ["smp: there is no such table; did you mean smpp?"]),
    "number for a table": (
        [("[providers.orange]\nper_minute = 1800", "[providers]\norange = 1800")],
        ["providers.orange: 1800 is not a table; write [providers.orange] and its keys below"],
    ),
    "accounts as a list": (
        [("[accounts.shop]", "[[accounts]]"), ("[accounts.bank]", "[other]")],
        [
            "other: there is no such table; conf/gatewayd.toml shows all that there are",
            "accounts: [a table] is not a table; write [accounts.NAME] and its keys below",
        ],
    ),
    "routes as a table": (
        [(f"[[routes]]\n{FIRST_LINKS}\n{FIRST_ACCOUNTS}\n", ""), ("[[routes]]", "[routes]")],
        ["routes: a table is not a list of tables; write [[routes]] above each route"],
    ),
    # Listeners
    "nobody can connect": (
        [(LISTEN, "listen = []")],
        ['smpp.listen: no application could connect; give an address such as "127.0.0.1:2775"'],
    ),
    "one address for two": (
        [('listen = "127.0.0.1:8080"', 'listen = "127.0.0.1:2775"')],
        ['webhooks.listen: "127.0.0.1:2775" is already taken by smpp.listen; give each its own port'],
    ),
    "tls_listen alone": (
        [(LISTEN, 'tls_listen = ["127.0.0.1:3550"]')],
        [
            "smpp.tls_certificate: is missing: smpp.tls_listen needs it; give the file's path",
            "smpp.tls_key: is missing: smpp.tls_listen needs it; give the file's path",
        ],
    ),
    "half a pair": (
        [('listen = "127.0.0.1:8080"', 'tls_key = "orange.secret"')],
        ["webhooks.tls_certificate: is missing: the other half of the pair is given; give the file's path"],
    ),
    # Accounts
    "account name too long": (
        [("[accounts.shop]", "[accounts.shop_of_sixteen__]"), (FIRST_ACCOUNTS, "")],
        [f'accounts.shop_of_sixteen__: "shop_of_sixteen__" is not a system_id; {SYSTEM_ID_REMEDY}'],
    ),
    "account name not ASCII": (
        [("[accounts.shop]", '[accounts."bücher"]'), (FIRST_ACCOUNTS, "")],
        [f'accounts."bücher": "bücher" is not a system_id; {SYSTEM_ID_REMEDY}'],
    ),
    "no password": (
        [(SHOP_HASH, "")],
        ["accounts.shop.password_hash_file: is missing; name a file made with: gatewayd hash-password"],
    ),
    "two passwords": (
        [(CLASS, 'password_hash_file = "bank.hash"')],
        ["accounts.bank.password_hash: stands beside password_hash_file; keep one of the two"],
    ),
    "a password in the clear": (
        [(SHOP_HASH, 'password = "hunter2"\n')],
        [
            "accounts.shop.password: there is no such key; did you mean password_hash?",
            "accounts.shop.password_hash_file: is missing; name a file made with: gatewayd hash-password",
        ],
    ),
    "a password for a hash": (
        [(SHOP_HASH, 'password_hash = "hunter2"\n')],
        ["accounts.shop.password_hash: the value is not a password hash; make one with: gatewayd hash-password"],
    ),
    "numbers": (
        [(NUMBERS, 'numbers = ["+33700000001", "0033700000001", "12", "shop-bot", "other-bot"]')],
        [
            f'accounts.shop.numbers: "+33700000001" is not a number; {NUMBER_REMEDY}',
            f'accounts.shop.numbers: "0033700000001" is not a number; {NUMBER_REMEDY}',
            f'accounts.shop.numbers: "12" is not a number; {NUMBER_REMEDY}',
            f'accounts.shop.numbers: "other-bot" is not a number; {NUMBER_REMEDY}',
        ],
    ),
    "two owners": (
        [(CLASS, NUMBERS)],
        ['accounts.bank.numbers: "33700000001" belongs to account shop already; a number has one owner'],
    ),
    # Providers and links
    "quota below nothing": (
        [("per_minute = 1800", "per_minute = -1800")],
        ["providers.orange.per_minute: -1800 is out of range; give 0 to 1000000000"],
    ),
    "provider name": (
        [("[providers.orange]", '[providers."or/ange"]'), ('provider = "orange"', 'provider = "or/ange"')],
        ['providers."or/ange": "or/ange" is not a name; use 1 to 32 letters, digits, - and _'],
    ),
    "no such provider": (
        [('provider = "orange"', 'provider = "organe"')],
        ['links.orange.provider: there is no provider "organe"; did you mean orange?'],
    ),
    "link name": (
        [("[links.orange]", '[links."orange fr"]'), (FIRST_LINKS, 'links = ["orange fr", "carrier"]')],
        ['links."orange fr": "orange fr" is not a name; use 1 to 32 letters, digits, - and _'],
    ),
    "no kind": (
        [('kind = "smpp"\n', "")],
        ["links.carrier.kind: is missing; give one of smpp, gsma, rbm"],
    ),
    "no such kind": (
        [('kind = "smpp"', 'kind = "smp"')],
        ['links.carrier.kind: "smp" is not known here; give one of smpp, gsma, rbm'],
    ),
    "bare smpp link": (
        [(SMPP_KEYS, "")],
        [
            *(
                f"links.carrier.{key}: is missing; a link of kind smpp needs it"
                for key in ("system_id", "password_file")
            ),
            "links.carrier.host: is missing; a link of kind smpp needs it, or hosts, or listen",
        ],
    ),
    "bare gsma link": (
        [(GSMA_KEYS, "")],
        [
            f"links.orange.{key}: is missing; a link of kind gsma needs it"
            for key in ("server_root", "bot_id", "token_url", "client_id", "client_secret_file", "webhook_token_file")
        ],
    ),
    "empty for missing": (
        [(HOST, 'host = ""\n')],
        ["links.carrier.host: is missing; a link of kind smpp needs it, or hosts, or listen"],
    ),
    "gsma keys in an smpp link": (
        [(PORT, 'bot_id = "x"\ndeadline_s = 3')],
        [
            "links.carrier.bot_id: means nothing for a link of kind smpp; remove it, or correct the kind",
            "links.carrier.deadline_s: means nothing for a link of kind smpp; remove it, or correct the kind",
        ],
    ),
    "smpp keys in a gsma link": (
        [('client_id = "gateway"', 'client_id = "gateway"\nbinds = 2')],
        ["links.orange.binds: means nothing for a link of kind gsma; remove it, or correct the kind"],
    ),
    "reconnect backwards": (
        [(PORT, "reconnect_min_s = 120")],
        ["links.carrier.reconnect_min_s: 120.0 is more than reconnect_max_s (60.0); give less"],
    ),
    # Routes
    "no such link": (
        [(FIRST_LINKS, 'links = ["ornage", "carrier"]')],
        ['routes[1].links: there is no link "ornage"; did you mean orange?'],
    ),
    "one link twice": (
        [(FIRST_LINKS, 'links = ["carrier", "carrier"]')],
        ['routes[1].links: names "carrier" 2 times; name each link once'],
    ),
    "empty route": ([(FIRST_LINKS, "links = []")], ["routes[1].links: is empty; name at least one link"]),
    "route without links": (
        [(FIRST_LINKS, "")],
        ['routes[1].links: is missing; write a list of texts: ["a", "b"]'],
    ),
    "no such account": (
        [(FIRST_ACCOUNTS, 'accounts = ["shops"]')],
        ['routes[1].accounts: there is no account "shops"; did you mean shop?'],
    ),
    "texts that outlive what they are of": (
        [("[smpp]", "[history]\nkeep_h = 1\ntext_h = 2\n\n[smpp]")],
        ["history.text_h: is longer than history.keep_h; texts go first: give it as much at most"],
    ),
    "sending by a receiver": (
        [(PORT, 'bind = "receiver"')],
        [
            'routes[1].links: "carrier" binds as receiver and cannot send; use another link',
            'routes[2].links: "carrier" binds as receiver and cannot send; use another link',
        ],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_configuration_says_what_to_do(desk: Desk, name: str) -> None:
    changes, lines = BROKEN[name]
    assert desk.faults(*changes) == lines


def test_all_faults_come_at_once(desk: Desk) -> None:
    """Every case that does not disturb another's place, in one file."""
    names = (
        "port out of range",
        "quota below nothing",
        "nobody can connect",
        "numbers",
        "no such account",
        "class of two words",
    )
    changes = [change for name in names for change in BROKEN[name][0]]
    lines = [line for name in names for line in BROKEN[name][1]]
    (desk.folder / "orange.secret").unlink()
    lines.append(
        'links.orange.client_secret_file: there is no file "DIR/orange.secret"; '
        "create it, or pass it as a systemd credential"
    )
    assert sorted(desk.faults(*changes)) == sorted(lines)


def test_an_empty_file_says_what_is_needed(desk: Desk) -> None:
    with pytest.raises(ConfigFaults) as refusal:
        load(desk.write(""))
    assert desk.lines(refusal.value) == [
        "accounts: there is no account; add a table [accounts.NAME]",
        'routes: there is no route; add a table [[routes]] with links = ["NAME"]',
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[smpp]\nlisten = \n", "line 2, column 10: this is not TOML (Invalid value); correct it, then check again"),
        ('a = "x', "end of the file: this is not TOML (Unterminated string); correct it, then check again"),
        (
            "[smpp]\n[smpp]\n",
            "line 2, column 6: this is not TOML (Cannot declare ('smpp',) twice); correct it, then check again",
        ),
    ],
)
def test_what_is_not_toml_is_told_with_its_place(desk: Desk, text: str, line: str) -> None:
    with pytest.raises(ConfigFaults) as refusal:
        load(desk.write(text))
    assert desk.lines(refusal.value) == [line]


def test_a_file_that_is_not_text(desk: Desk) -> None:
    with pytest.raises(ConfigFaults) as refusal:
        load(desk.put("gatewayd.toml", b"a = 1\n\xff"))
    assert str(refusal.value) == f"{desk.path}: is not UTF-8 text (octet 7); save it as UTF-8"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults) as refusal:
        load(tmp_path / "no.toml")
    remedy = "check its path, and that this user may read it"
    assert str(refusal.value) == f"{tmp_path / 'no.toml'}: cannot be read (No such file or directory); {remedy}"


def test_a_byte_order_mark_does_no_harm(desk: Desk) -> None:
    path = desk.write()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load(path).config.links["carrier"].port == 2776


def test_a_sound_configuration_has_its_secrets(desk: Desk) -> None:
    loaded = desk.load()
    assert loaded.warnings == ()
    assert loaded.link_secret("carrier", "password_file") == "s3cret"
    assert loaded.link_secret("orange", "client_secret_file") == "a-secret"
    assert loaded.secrets["links.orange.webhook_token_file"] == "a-token"
    assert loaded.password_hash("shop") == loaded.password_hash("bank")


def test_the_repr_of_what_was_loaded_holds_no_secret(desk: Desk) -> None:
    shown = repr(desk.load())
    assert "s3cret" not in shown
    assert "scrypt" not in shown


@pytest.mark.parametrize(("text", "value"), [("4", 4), ('"auto"', "auto")])
def test_workers_are_a_number_or_auto(desk: Desk, text: str, value: object) -> None:
    loaded = desk.load(("[smpp]", f"[daemon]\nworkers = {text}\n[smpp]"))
    assert loaded.config.daemon.workers == value


def test_relative_paths_start_beside_the_file(desk: Desk) -> None:
    loaded = desk.load(("[smpp]", '[daemon]\nspool_dir = "spool"\nruntime_dir = "/run/gw"\n[smpp]'))
    assert loaded.config.daemon.spool_dir == str(desk.folder / "spool")
    assert loaded.config.daemon.runtime_dir == "/run/gw"


def test_credentials_come_before_the_folder(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = desk.folder / "credentials"
    credentials.mkdir()
    (credentials / "carrier.password").write_text("other")
    (credentials / "carrier.password").chmod(0o400)
    path = desk.write()
    assert load(path, credentials).link_secret("carrier", "password_file") == "other"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert load(path).link_secret("carrier", "password_file") == "other"
    assert load(path).link_secret("orange", "client_secret_file") == "a-secret"
