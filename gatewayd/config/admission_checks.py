"""What the keys by which applications are let in must mean together: certificates, balancers, limits of binds.

Looks at no file.
"""

from __future__ import annotations

import ipaddress

from gatewayd.config import schema
from gatewayd.config.faults import Findings, dotted, shown


def check_admission(config: schema.Config, findings: Findings) -> None:
    """Note the faults of the SMPP listener's keys and of the accounts' that depend on them."""
    _check_certificates(config, findings)
    _check_balancers(config.smpp, findings)
    for name, account in config.accounts.items():
        _check_outbind(dotted("accounts", name), account, findings)
        _check_modes(dotted("accounts", name), account, findings)


def _check_certificates(config: schema.Config, findings: Findings) -> None:
    has_door = bool(config.smpp.tls_listen) or findings.is_faulty("smpp.tls_listen")
    if config.smpp.tls_client_ca and not has_door:
        findings.warn("smpp.tls_client_ca", "has no effect without smpp.tls_listen", "add one, or remove it")
    if config.smpp.tls_client_ca or findings.is_faulty("smpp.tls_client_ca"):
        return
    for name, account in config.accounts.items():
        if account.tls_names:
            problem = "can never be shown: nobody is asked for a certificate"
            remedy = "give smpp.tls_client_ca: the authorities that signed it, or the certificate itself"
            findings.fault(dotted("accounts", name, "tls_names"), problem, remedy)


def _check_balancers(smpp: schema.SmppServer, findings: Findings) -> None:
    for network in smpp.proxy_networks:
        if ipaddress.ip_network(network).prefixlen == 0:
            problem = f"{shown(network)} is everybody: anyone may say to be anybody"
            findings.fault("smpp.proxy_networks", problem, "give the balancers' own addresses")


def _check_outbind(where: str, account: schema.Account, findings: Findings) -> None:
    """Whoever is dialled must know us, and can show no certificate: the connection is not encrypted."""
    key = f"{where}.outbind"
    if not account.outbind:
        if account.outbind_password_file and not findings.is_faulty(key):
            findings.warn(f"{where}.outbind_password_file", "has no effect without outbind", "add it, or remove this")
        return
    if not account.outbind_password_file and not findings.is_faulty(f"{where}.outbind_password_file"):
        problem = "is missing: it is how the application knows us"
        findings.fault(f"{where}.outbind_password_file", problem, "name a file with the password that you agreed on")
    if account.tls_names:
        findings.fault(key, "stands beside tls_names: whom we dial cannot show a certificate", "remove one of them")
    if "smpp" not in account.sinks:
        findings.warn(key, "has no effect: smpp is none of its sinks", 'add "smpp" to its sinks')


def _check_modes(where: str, account: schema.Account, findings: Findings) -> None:
    """Whoever is owed something over its binds must be able to have one that receives."""
    if {"receiver", "transceiver"}.isdisjoint(account.bind_modes) and "smpp" in account.sinks:
        problem = "lets no bind receive: its receipts and replies wait until they are too old"
        findings.warn(f"{where}.bind_modes", problem, 'add "receiver", or take "smpp" out of its sinks')
