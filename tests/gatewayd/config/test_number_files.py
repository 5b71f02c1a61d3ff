"""A folder in the place of a file of numbers is told at once; a file that is not there yet is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

PROVIDER = "[providers.orange]\n"


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("ported", 'name a file, such as "DIR/there/ported", which gatewayd numbers import makes'),
        ("prefixes", 'name a file, such as "DIR/there/prefixes.csv", with lines of prefix;operator'),
        ("names", 'name a file, such as "DIR/there/names.csv", with lines of code;operator'),
    ],
)
@pytest.mark.parametrize("is_absolute", [False, True])
def test_a_folder_is_no_file(desk: Desk, key: str, remedy: str, is_absolute: bool) -> None:
    (desk.folder / "there").mkdir()
    path = desk.folder / "there" if is_absolute else "there"
    faults = desk.faults((PROVIDER, f'[numbers]\n{key} = "{path}"\n{PROVIDER}'))
    assert faults == [f'numbers.{key}: "DIR/there" is a folder; {remedy}']


def test_a_file_may_come_later(desk: Desk) -> None:
    assert desk.faults((PROVIDER, f'[numbers]\nported = "later/ported"\nprefixes = ""\n{PROVIDER}')) == []
