"""Twin of protocol.rcs.dialects.standard."""

from __future__ import annotations

import pytest

from protocol.rcs.dialects import named
from protocol.rcs.dialects.standard import DIALECT
from protocol.rcs.gsma import Dialect


def test_it_is_what_the_specification_says() -> None:
    assert Dialect(name="standard") == DIALECT


def test_dialects_are_known_by_their_modules() -> None:
    assert [named(name).name for name in ("standard", "orange", "dotgo", "vi")] == ["standard", "orange", "dotgo", "vi"]


@pytest.mark.parametrize("name", ["", "klingon", "Standard", "../x", "dotgo.x", "__init__"])
def test_others_are_not(name: str) -> None:
    with pytest.raises(LookupError):
        named(name)
