"""Whose ``protocol`` this is."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from pathlib import Path

import pytest

from gatewayd.config import house
from protocol.rcs.dialects import named


def test_ours_lies_beside_gatewayd() -> None:
    assert house.stranger() is None


def test_what_is_tested_is_the_source() -> None:
    assert house.how_built() == "pure"


@pytest.mark.parametrize(
    ("suffix", "built"),
    [(EXTENSION_SUFFIXES[0], "compiled"), (".cpython-27-m68k-linux-gnu.so", "pure"), (".py", "pure")],
)
def test_compiled_is_what_this_python_would_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, built: str
) -> None:
    (tmp_path / "smpp").mkdir()
    (tmp_path / "smpp" / f"pdu{suffix}").touch()
    monkeypatch.setattr(house, "_FOLDER", tmp_path)
    assert house.how_built() == built


@pytest.mark.parametrize("found", ["/site/protocol/__init__.py", None])
def test_a_stranger_is_named(monkeypatch: pytest.MonkeyPatch, found: str | None) -> None:
    spec = ModuleSpec("protocol", None, origin=found) if found else None
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    sentence = house.stranger()
    assert sentence is not None
    assert sentence.startswith(
        f"the Python package 'protocol' was found at {found}, and not beside gatewayd at "
        if found
        else "the Python package 'protocol' is missing, and not beside gatewayd at "
    )
    assert sentence.endswith("Install gatewayd into an environment of its own.")


def test_links_to_the_same_place_are_the_same_place(tmp_path: Path) -> None:
    for package in ("gatewayd", "protocol"):
        (tmp_path / "real" / package).mkdir(parents=True)
        (tmp_path / "real" / package / "__init__.py").touch()
    (tmp_path / "link").symlink_to("real")
    ours = tmp_path / "real" / "gatewayd" / "__init__.py"
    assert house.judge(ours, str(tmp_path / "link" / "protocol" / "__init__.py")) is None


def test_the_dialects_are_those_that_can_be_spoken() -> None:
    assert house.dialects() == ("dotgo", "orange", "standard", "vi")
    assert all(named(name).name == name for name in house.dialects())
