"""What the keys of [mqtt], and those of accounts that need it, must mean together. Looks at no file."""

from __future__ import annotations

from gatewayd.config import schema
from gatewayd.config.addresses import is_loopback
from gatewayd.config.faults import Findings, dotted

PLAIN_PORT, TLS_PORT = 1883, 8883


def check_mqtt(config: schema.Config, findings: Findings) -> None:
    """Note the faults of the broker's table, and of accounts that are served over it."""
    mqtt = config.mqtt
    if mqtt.host:
        _check_broker(mqtt, findings)
    for name, account in config.accounts.items():
        where = dotted("accounts", name)
        if "mqtt" in account.sinks and not mqtt.host:
            findings.fault(f"{where}.sinks", "names mqtt, and there is no broker", "give mqtt.host")
        if account.mqtt_send and not mqtt.host:
            findings.warn(f"{where}.mqtt_send", "has no effect: there is no broker", "give mqtt.host")


def _check_broker(mqtt: schema.Mqtt, findings: Findings) -> None:
    pair = {"tls_certificate": mqtt.tls_certificate, "tls_key": mqtt.tls_key}
    for name, value in pair.items():
        if not value and any(pair.values()):
            findings.fault(f"mqtt.{name}", "is missing", "a certificate and its key come together")
    if not mqtt.tls:
        for name in ("tls_ca", *pair):
            if getattr(mqtt, name):
                findings.warn(f"mqtt.{name}", "has no effect without mqtt.tls", "write tls = true")
        if mqtt.port == TLS_PORT:
            findings.warn("mqtt.port", f"{TLS_PORT} is that of brokers with TLS", "write tls = true")
        elif not is_loopback(mqtt.host):
            findings.warn("mqtt.tls", "is off: messages and the password travel in the clear", "write tls = true")
    elif mqtt.port == PLAIN_PORT:
        findings.warn("mqtt.port", f"{PLAIN_PORT} is that of brokers without TLS", f"write port = {TLS_PORT}")
    if mqtt.password_file and not mqtt.username:
        findings.fault("mqtt.username", "is missing: there is a password", "give the name that it belongs to")
