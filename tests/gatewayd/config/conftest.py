"""A folder with a configuration and its secrets, and what loading it says."""

from __future__ import annotations

import datetime
import random
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gatewayd.config.faults import ConfigFaults
from gatewayd.config.load import Loaded, load
from gatewayd.config.passwords import hash_password

HASH = hash_password("secret", random.Random(1))

SOUND = f"""
[smpp]
listen = ["127.0.0.1:2775"]

[webhooks]
listen = "127.0.0.1:8080"

[accounts.shop]
password_hash_file = "shop.hash"
numbers = ["33700000001"]

[accounts.bank]
password_hash = "{HASH}"
traffic_class = "otp"

[providers.orange]
per_minute = 1800

[links.carrier]
kind = "smpp"
host = "smsc.example"
port = 2776
system_id = "gateway"
password_file = "carrier.password"

[links.orange]
kind = "gsma"
provider = "orange"
server_root = "https://rcs.example/rcs"
bot_id = "shop-bot"
token_url = "https://rcs.example/token"
client_id = "gateway"
client_secret_file = "orange.secret"
webhook_token_file = "orange.webhook"

[[routes]]
links = ["orange", "carrier"]
accounts = ["shop"]

[[routes]]
links = ["carrier"]
"""

SECRETS = {
    "shop.hash": HASH,
    "bank.hash": HASH,
    "carrier.password": "s3cret",
    "orange.secret": "a-secret",
    "orange.webhook": "a-token",
    "bank.webhook": "whsec_" + "QUJD" * 8,
}


class Desk:
    """An administrator's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "gatewayd.toml"
        for name, secret in SECRETS.items():
            self.put(name, secret + "\n")

    def put(self, name: str, content: str | bytes, mode: int = 0o640) -> Path:
        """Write a file beside the configuration."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    def write(self, text: str = SOUND, *changes: tuple[str, str]) -> Path:
        """Write the configuration with each first text replaced by the second."""
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        return self.put("gatewayd.toml", text)

    def load(self, *changes: tuple[str, str]) -> Loaded:
        """Load the sound configuration with changes."""
        return load(self.write(SOUND, *changes))

    def faults(self, *changes: tuple[str, str]) -> list[str]:
        """The lines that loading says, without the path in front, which is the same in all."""
        try:
            self.load(*changes)
        except ConfigFaults as refusal:
            return self.lines(refusal)
        return []

    def warnings(self, *changes: tuple[str, str]) -> list[str]:
        """The warnings of a configuration that can be used."""
        return [self._short(str(warning)) for warning in self.load(*changes).warnings]

    def lines(self, refusal: ConfigFaults) -> list[str]:
        """The faults of a refusal, shortened as in ``faults``."""
        return [self._short(str(fault)) for fault in refusal.faults]

    def _short(self, line: str) -> str:
        assert line.startswith(f"{self.path}: ")
        return line.removeprefix(f"{self.path}: ").replace(str(self.folder), "DIR")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A folder with sound secrets and, once written, a sound configuration."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return Desk(tmp_path)


@pytest.fixture(scope="session")
def key_pair() -> tuple[bytes, bytes]:
    """A certificate and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36_500))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    return certificate.public_bytes(pem), key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
