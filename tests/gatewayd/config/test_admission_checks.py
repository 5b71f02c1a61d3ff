"""By what applications are let in: certificates, balancers, and what these keys need of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

LISTEN = 'listen = ["127.0.0.1:2775"]\n'
BANK = 'traffic_class = "otp"\n'
TLS = f'{LISTEN}tls_listen = ["127.0.0.1:3550"]\ntls_certificate = "tls.pem"\ntls_key = "tls.key"\n'
OUTBIND = 'outbind = "esme.example:2776"\noutbind_password_file = "carrier.password"\n'
PRINT = "sha256:" + "0f" * 32


def lay(desk: Desk, pair: tuple[bytes, bytes]) -> None:
    for name, octets in zip(("tls.pem", "tls.key"), pair, strict=True):
        desk.put(name, octets)


def test_sound_ones(desk: Desk, key_pair: tuple[bytes, bytes]) -> None:
    lay(desk, key_pair)
    smpp = f'{TLS}tls_client_ca = "tls.pem"\nproxy_networks = ["192.0.2.1", "2001:db8::/64"]\n'
    loaded = desk.load((LISTEN, smpp), (BANK, f'{BANK}tls_names = ["bank.example", "{PRINT}"]\n'))
    assert loaded.warnings == ()
    assert loaded.config.smpp.tls_client_ca == str(desk.folder / "tls.pem")
    assert loaded.config.accounts["bank"].tls_names == ("bank.example", PRINT)


@pytest.mark.parametrize(
    ("smpp", "bank", "line"),
    [
        (
            "",
            'tls_names = ["bank"]\n',
            "accounts.bank.tls_names: can never be shown: nobody is asked for a certificate",
        ),
        ("", 'tls_names = ["sha256:AB:CD"]\n', '"sha256:AB:CD" is not a fingerprint; write sha256: and 64 small'),
        ("", 'tls_names = [""]\n', '"" is not the name of a certificate;'),
        ('proxy_networks = ["0.0.0.0/0"]\n', "", '"0.0.0.0/0" is everybody: anyone may say to be anybody;'),
        ("", 'outbind = "esme.example"\n', '"esme.example" is not a host with its port;'),
        ("", "throttle_delay_s = 11\n", "accounts.bank.throttle_delay_s: "),
        ("", "per_day = -1\n", "accounts.bank.per_day: "),
        ("lockout_s = 0\n", "", "smpp.lockout_s: "),
        ("", 'outbind = "esme.example:2776"\n', "accounts.bank.outbind_password_file: is missing: it is how"),
        ("", f'tls_names = ["bank"]\n{OUTBIND}', "accounts.bank.outbind: stands beside tls_names: whom we dial"),
        ('proxy_networks = ["10.0.0.1/8"]\n', "", '"10.0.0.1/8" has bits set behind its mask'),
        ('tls_client_ca = "nothing.pem"\n', "", 'smpp.tls_client_ca: there is no file "DIR/nothing.pem"'),
        ('tls_client_ca = "shop.hash"\n', "", 'smpp.tls_client_ca: "shop.hash" holds no certificates;'),
    ],
)
def test_faults(desk: Desk, smpp: str, bank: str, line: str) -> None:
    faults = desk.faults((LISTEN, LISTEN + smpp), (BANK, BANK + bank))
    assert any(line in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("bank", "line"),
    [
        ('outbind_password_file = "carrier.password"\n', "accounts.bank.outbind_password_file: has no effect"),
        (f"sinks = []\n{OUTBIND}", "accounts.bank.outbind: has no effect: smpp is none of its sinks"),
        ('bind_modes = ["transmitter"]\n', "accounts.bank.bind_modes: lets no bind receive"),
    ],
)
def test_calling_nobody_is_told(desk: Desk, bank: str, line: str) -> None:
    warnings = desk.warnings((BANK, BANK + bank))
    assert any(line in warning for warning in warnings), warnings


def test_an_account_that_only_sends_is_owed_nothing_over_its_binds(desk: Desk) -> None:
    warnings = desk.warnings((BANK, f'{BANK}bind_modes = ["transmitter"]\nsinks = []\n'))
    assert not any("bind_modes" in warning for warning in warnings)


def test_who_is_called_has_a_password_for_us(desk: Desk) -> None:
    loaded = desk.load((BANK, BANK + OUTBIND))
    assert loaded.warnings == ()
    assert loaded.secrets["accounts.bank.outbind_password_file"] == "s3cret"


def test_authorities_without_a_door_are_of_no_use(desk: Desk, key_pair: tuple[bytes, bytes]) -> None:
    lay(desk, key_pair)
    (warning,) = desk.warnings((LISTEN, f'{LISTEN}tls_client_ca = "tls.pem"\n'))
    assert "smpp.tls_client_ca: has no effect without smpp.tls_listen" in warning
