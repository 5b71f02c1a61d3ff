"""Dialects that links name are found and judged before anything starts, and so are an account's wishes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.config.handover import pack, unpack
from gatewayd.config.receipt_files import shipped_names
from tests.gatewayd.config.conftest import Desk

HOST = 'host = "smsc.example"\n'
OWN = 'about = "a"\nsource = "b"\n[[forms]]\nwords = { id = "id", stat = "stat" }\n'


def test_shipped_ones_go_by_name_and_own_ones_by_path(desk: Desk) -> None:
    (desk.folder / "receipts").mkdir()
    desk.put("receipts/own.toml", OWN)
    loaded = desk.load((HOST, f'{HOST}receipts = "receipts/own.toml"\n'))
    assert loaded.receipts == {"receipts/own.toml": OWN}
    assert unpack(pack(loaded)).receipts == loaded.receipts
    assert list(desk.load((HOST, f'{HOST}receipts = "vonage"\n')).receipts) == ["vonage"]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("vonnage", None, 'links.carrier.receipts: there is no dialect "vonnage"; did you mean vonage?'),
        ("own.toml", None, "cannot be read (No such file or directory); check its path and mode"),
        ("own.toml", b"\xff", "is not UTF-8 text (octet 1); save it as UTF-8"),
        ("own.toml", b"a" * 70_000, "has more than 65536 octets; keep what one carrier writes"),
        ("own.toml", b'about = "a"', 'own.toml": Object missing required field `source`; correct it; try it with'),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(desk: Desk, name: str, content: bytes | None, fault: str) -> None:
    if content is not None:
        desk.put("own.toml", content)
    (said,) = desk.faults((HOST, f'{HOST}receipts = "{name}"\n'))
    assert fault in said


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ("receipt_dates = 11\n", "receipt_dates"),
        ('receipt_zone = "Paris"\n', 'receipt_zone: "Paris" is no time zone; write a name such as "UTC"'),
        ('receipt_zone = ""\n', 'receipt_zone: "" is no time zone; write a name such as "UTC"'),
        ('receipt_template = "{id}"\n', "it names no {id}, or neither {stat} nor {state}"),
        ("receipt_text_chars = 21\n", "receipt_text_chars"),
        ('receipt_tlvs = ["all"]\n', "receipt_tlvs"),
        ('receipt_errors = { EXPIRED = "4" }\n', '"4" is no error code of a receipt; write three letters or digits'),
        ('receipt_parts = "best"\n', "receipt_parts"),
        ('message_id_base = "octal"\n', "message_id_base"),
    ],
)
def test_wishes_of_accounts_are_judged(desk: Desk, keys: str, fault: str) -> None:
    old = 'numbers = ["33700000001"]\n'
    (said,) = desk.faults((old, old + keys))
    assert said.startswith(("accounts.shop.receipt", "accounts.shop.message_id_base"))
    assert fault in said


def test_conf_shows_those_that_are_shipped() -> None:
    folder = Path(__file__).parents[3] / "conf" / "receipts"
    assert sorted(path.stem for path in folder.glob("*.toml")) == shipped_names()
