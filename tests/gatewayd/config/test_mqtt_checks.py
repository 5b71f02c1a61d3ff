"""What the keys of [mqtt] must be together, and with those of accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

ACCOUNT = 'traffic_class = "otp"\n'
USER = ACCOUNT + 'sinks = ["smpp", "mqtt"]\nmqtt_send = true\n'
BROKER = """
[mqtt]
host = "broker.example"
port = 8883
tls = true
username = "gatewayd"
password_file = "mqtt.password"
"""


def test_a_sound_one(desk: Desk) -> None:
    desk.put("mqtt.password", "a password longer than those of SMPP\n")
    loaded = desk.load((ACCOUNT, USER + BROKER))
    assert loaded.warnings == ()
    assert loaded.secrets["mqtt.password_file"] == "a password longer than those of SMPP"
    assert loaded.config.accounts["bank"].mqtt_send
    assert not loaded.config.accounts["shop"].mqtt_send


@pytest.mark.parametrize(
    ("tables", "line"),
    [
        (USER, "accounts.bank.sinks: names mqtt, and there is no broker;"),
        (BROKER.replace('"gatewayd"', '""'), "mqtt.username: is missing: there is a password;"),
        (BROKER + 'tls_certificate = "x.pem"\n', "mqtt.tls_key: is missing;"),
        (BROKER + 'topic_prefix = "a/+"\n', 'mqtt.topic_prefix: "a/+" is not the beginning of a topic;'),
        (BROKER + 'topic_prefix = "/a"\n', "is not the beginning of a topic;"),
        (BROKER + 'topic_prefix = "$SYS"\n', "is not the beginning of a topic;"),
        (BROKER + 'client_id = "a b"\n', 'mqtt.client_id: "a b" is not a name;'),
        (BROKER + 'version = "4"\n', 'mqtt.version: "4" is not known here;'),
        (BROKER + "keepalive_s = 1\n", "mqtt.keepalive_s"),
    ],
)
def test_faults(desk: Desk, tables: str, line: str) -> None:
    desk.put("mqtt.password", "secret\n")
    tables = tables if tables.startswith(ACCOUNT) else ACCOUNT + tables
    assert any(line in fault for fault in desk.faults((ACCOUNT, tables))), desk.faults((ACCOUNT, tables))


@pytest.mark.parametrize(
    ("tables", "line"),
    [
        (BROKER.replace("tls = true\n", ""), "mqtt.port: 8883 is that of brokers with TLS;"),
        (BROKER.replace("8883", "1883"), "mqtt.port: 1883 is that of brokers without TLS;"),
        (BROKER.replace("tls = true\n", "").replace("8883", "1883"), "mqtt.tls: is off"),
        (BROKER.replace("tls = true\n", "") + 'tls_ca = "ca.pem"\n', "mqtt.tls_ca: has no effect without mqtt.tls;"),
        ("mqtt_send = true\n", "accounts.bank.mqtt_send: has no effect: there is no broker;"),
    ],
)
def test_warnings(desk: Desk, key_pair: tuple[bytes, bytes], tables: str, line: str) -> None:
    desk.put("mqtt.password", "secret\n")
    desk.put("ca.pem", key_pair[0])
    warnings = desk.warnings((ACCOUNT, ACCOUNT + tables))
    assert any(line in warning for warning in warnings), warnings
