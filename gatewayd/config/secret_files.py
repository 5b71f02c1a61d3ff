"""Finds, judges and reads the files that a configuration names: secrets, certificates and their keys.

Secrets leave here as values only; no message ever holds one. Knows no rule of the configuration besides its files.
"""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from gatewayd.config import forms, schema
from gatewayd.config.api_keys import is_key_hash
from gatewayd.config.faults import Findings, dotted, quoted
from gatewayd.config.passwords import is_password_hash

Table = TypeVar("Table", bound=msgspec.Struct)

MQTT_PASSWORD: Final = "mqtt.password_file"
_SIZE_MAX = 4_096  # of a secret; of a certificate, readability is all that counts here


_LINK_SECRETS: Final[Mapping[str, tuple[str, ...]]] = {
    "smpp": ("password_file", "outbind_password_file"),
    "gsma": ("client_secret_file", "bot_key_file", "webhook_token_file"),
    "rbm": ("service_account_file", "webhook_token_file"),
}

_LINK_TLS: Final = ("tls_ca", "tls_certificate", "tls_key")


class _ServiceAccount(msgspec.Struct):
    """What Google's key file must say at least."""

    client_email: str
    private_key: str
    token_uri: str


class Places(msgspec.Struct, frozen=True):
    """Where relative paths are looked up: systemd's credentials first, then beside the configuration file."""

    folder: Path
    credentials: Path | None

    def find(self, text: str) -> Path:
        """The absolute path that a configured path stands for, whether or not there is such a file."""
        if self.credentials is not None and not Path(text).is_absolute():
            credential = self.credentials / text
            try:
                is_there = credential.is_file()
            except OSError:  # it may not even be looked at; reading it will say why
                is_there = True
            if is_there:
                return credential
        return self.folder / text


def read_secrets(config: schema.Config, places: Places, findings: Findings) -> dict[str, str]:
    """Every secret by the dotted key that names its file."""
    secrets: dict[str, str] = {}
    for key, text in _secret_keys(config):
        secret = _read_secret(key, places.find(text), findings)
        if secret is not None and _is_fit(key, secret, findings):
            secrets[key] = secret
    return secrets


def _secret_keys(config: schema.Config) -> Iterator[tuple[str, str]]:
    for name, account in config.accounts.items():
        if account.password_hash_file:
            yield dotted("accounts", name, "password_hash_file"), account.password_hash_file
        if account.outbind_password_file:
            yield dotted("accounts", name, "outbind_password_file"), account.outbind_password_file
        for key_name, api_key in account.api_keys.items():
            if api_key.hash_file:
                yield dotted("accounts", name, "api_keys", key_name, "hash_file"), api_key.hash_file
    if config.mqtt.password_file:
        yield MQTT_PASSWORD, config.mqtt.password_file
    for name, endpoint in config.endpoints.items():
        if endpoint.secret_file:
            yield dotted("endpoints", name, "secret_file"), endpoint.secret_file
    for name, link in config.links.items():
        for key in _LINK_SECRETS[link.kind]:
            if getattr(link, key):
                yield dotted("links", name, key), getattr(link, key)


def _read_secret(key: str, path: Path, findings: Findings) -> str | None:
    octets = _read_file(key, path, findings, is_secret=True)
    if octets is None:
        return None
    if len(octets) == _SIZE_MAX:
        findings.fault(key, f"{quoted(str(path))} is too big for a secret", f"keep it under {_SIZE_MAX} octets")
        return None
    try:
        whole = octets.decode("utf-8")
        if key.endswith((".bot_key_file", ".service_account_file")):
            return whole
        if key.endswith(".secret_file"):  # several while they are exchanged
            return "\n".join(line.strip() for line in whole.splitlines() if line.strip())
        lines = whole.splitlines()
    except UnicodeDecodeError:
        findings.fault(key, f"{quoted(str(path))} is not text", "write the secret on one line")
        return None
    if len(lines) != 1 or not lines[0].strip():
        has = "more than one line" if len(lines) > 1 else "no secret in it"
        findings.fault(key, f"{quoted(str(path))} has {has}", "write the secret on one line")
        return None
    return lines[0]


def _read_file(key: str, path: Path, findings: Findings, is_secret: bool) -> bytes | None:
    """A file's first octets, or None and a fault. Its mode and kind are judged once it is open, so none can change."""
    verdict: forms.Verdict
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for its other end for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            verdict = _judge(path, os.fstat(descriptor), is_secret)
            if verdict is None:
                return os.read(descriptor, _SIZE_MAX)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        verdict = f"there is no file {quoted(str(path))}", "create it, or pass it as a systemd credential"
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        verdict = f"{quoted(str(path))} cannot be read ({reason})", "let the daemon's user read it"
    findings.fault(key, *verdict)
    return None


def _judge(path: Path, facts: os.stat_result, is_secret: bool) -> forms.Verdict:
    label = quoted(str(path))
    if not stat.S_ISREG(facts.st_mode):
        return f"{label} is not a regular file", "name a file"
    if is_secret and facts.st_mode & stat.S_IRWXO:
        return f"{label} is open to everyone (mode {stat.S_IMODE(facts.st_mode):04o})", f"run: chmod o= {path}"
    return None


def _is_fit(key: str, secret: str, findings: Findings) -> bool:
    """Whether the secret can serve its purpose; otherwise the carrier would refuse it at run time."""
    verdict: forms.Verdict = None
    if key.endswith(".password_hash_file"):
        if not is_password_hash(secret):
            verdict = "the file holds no password hash", "make one with: gatewayd hash-password"
    elif key.endswith(".hash_file"):
        verdict = None if is_key_hash(secret) else ("the file holds no hash of a key", "make one: accounts key")
    elif key.endswith((".password_file", ".outbind_password_file")) and key != MQTT_PASSWORD:  # those are SMPP's
        verdict = forms.password(secret)
    elif key.endswith(".bot_key_file"):
        if "PRIVATE KEY-----" not in secret:
            verdict = "the file holds no private key", "give the bot's RSA key in PEM"
    elif key.endswith(".service_account_file"):
        try:
            msgspec.json.decode(secret.encode(), type=_ServiceAccount)
        except msgspec.DecodeError:
            verdict = "the file holds no service account's key", "give the JSON file as Google made it"
    elif key.endswith(".secret_file"):
        verdict = None if secret else ("the file holds no secret", "write one on a line of its own")
        verdict = verdict or next(filter(None, map(forms.webhook_secret, secret.splitlines())), None)
    elif not forms.is_printable(secret):
        verdict = "the secret has characters that are not printable ASCII", "write the secret alone on one line"
    if verdict:
        findings.fault(key, *verdict)
    return verdict is None


def check_tls_files(config: schema.Config, places: Places, findings: Findings) -> None:
    """Certificates and keys are there, private keys are private, and each pair belongs together."""
    for where, table in (
        ("smpp", config.smpp),
        ("http", config.http),
        ("mqtt", config.mqtt),
        ("webhooks", config.webhooks),
    ):
        _check_pair(where, table.tls_certificate, table.tls_key, places, findings)
    _check_authorities("smpp.tls_client_ca", config.smpp.tls_client_ca, places, findings)
    _check_authorities("mqtt.tls_ca", config.mqtt.tls_ca, places, findings)
    for name, link in config.links.items():
        _check_authorities(dotted("links", name, "tls_ca"), link.tls_ca, places, findings)
        _check_pair(dotted("links", name), link.tls_certificate, link.tls_key, places, findings)
    for name, endpoint in config.endpoints.items():
        _check_authorities(dotted("endpoints", name, "tls_ca"), endpoint.tls_ca, places, findings)


def _check_authorities(key: str, tls_ca: str, places: Places, findings: Findings) -> None:
    if tls_ca and _read_file(key, places.find(tls_ca), findings, is_secret=False) is not None:
        try:
            ssl.create_default_context(cafile=str(places.find(tls_ca)))
        except ssl.SSLError:
            findings.fault(key, f"{quoted(tls_ca)} holds no certificates", "give certificates in PEM")


def _check_pair(where: str, tls_certificate: str, tls_key: str, places: Places, findings: Findings) -> None:
    if not (tls_certificate and tls_key):
        return
    certificate, private_key = places.find(tls_certificate), places.find(tls_key)
    has_certificate = _read_file(f"{where}.tls_certificate", certificate, findings, is_secret=False) is not None
    has_key = _read_file(f"{where}.tls_key", private_key, findings, is_secret=True) is not None
    if not (has_certificate and has_key):
        return
    try:
        # An empty password, so that an encrypted key fails here instead of asking at a terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, private_key, password="")
    except (ssl.SSLError, ValueError):
        problem = f"{quoted(str(private_key))} is not the unencrypted PEM key of that certificate"
        findings.fault(f"{where}.tls_key", problem, "give the pair that belongs together")


def with_paths(config: schema.Config, places: Places) -> schema.Config:
    """The same configuration with every path absolute, so that nobody else has to know the rule."""
    replace = msgspec.structs.replace
    daemon = replace(
        config.daemon,
        spool_dir=str(places.folder / config.daemon.spool_dir),
        runtime_dir=str(places.folder / config.daemon.runtime_dir),
    )
    records_dir = str(places.folder / (config.billing.records_dir or f"{daemon.spool_dir}/cdr"))
    return replace(
        config,
        daemon=daemon,
        links={name: _found(places, link, *_LINK_TLS) for name, link in config.links.items()},
        endpoints={name: _found(places, one, "tls_ca") for name, one in config.endpoints.items()},
        smpp=_found(places, config.smpp, "tls_certificate", "tls_key", "tls_client_ca"),
        billing=replace(_found(places, config.billing, "rules_dir"), records_dir=records_dir),
        rcs=_found(places, config.rcs, "templates_dir", "media_dir"),
        numbers=_found(places, config.numbers, "ported", "prefixes", "names"),
        http=_found(places, config.http, "tls_certificate", "tls_key"),
        mqtt=_found(places, config.mqtt, "tls_ca", "tls_certificate", "tls_key"),
        webhooks=_found(places, config.webhooks, "tls_certificate", "tls_key"),
    )


def _found(places: Places, table: Table, *keys: str) -> Table:
    """A table with the paths under these keys absolute, as far as any are given."""
    given = {key: getattr(table, key) for key in keys}
    return msgspec.structs.replace(table, **{key: str(places.find(text)) for key, text in given.items() if text})
