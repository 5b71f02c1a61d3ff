"""A folder with the shipped example of a configuration and its secrets, as an administrator would have it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "conf" / "examples" / "sms-only.toml"
# The hash of "secret".
HASH = "scrypt$16384$8$1$cA2bud8HXsUi6FoUX120Cw$Ma2oXw0rDhfTJ1KYYhOtC9OEMKu8/M4/+hAh4bnGhmo"


def put_secrets(folder: Path, secrets: Mapping[str, str]) -> None:
    """Files that only their owner may read."""
    for name, secret in secrets.items():
        (folder / name).write_text(secret)
        (folder / name).chmod(0o600)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration that can be used, with its secrets."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    put_secrets(tmp_path, {"shop.hash": HASH, "carrier.password": "s3cret"})
    path = tmp_path / "gatewayd.toml"
    path.write_text(EXAMPLE.read_text())
    path.chmod(0o640)
    return path
