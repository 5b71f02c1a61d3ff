"""What tests of scripts share: their folder, to import from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def _scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder of the scripts can be imported from; what came from there is forgotten after the test."""
    known = set(sys.modules)
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    yield
    for name in set(sys.modules) - known:
        if name.startswith("bench"):
            del sys.modules[name]
