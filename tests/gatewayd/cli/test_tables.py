"""Ages, amounts and sizes as people read them, and tables that fit."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from gatewayd.cli.tables import Column, age, amount, coloured, fitting, moment, size, table

COLUMNS = (
    Column("message", "id"),
    Column("handset", "handset"),
    Column("tries", "tries", True, True),
    Column("class", "class", False, True),
)
ROWS: list[dict[str, Any]] = [
    {"id": "68854a6b54001", "handset": "3361*****78#a1b2c3", "tries": 2, "class": "otp"},
    {"id": "1"},
]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, ""), (12.4, "12 s"), (59.9, "60 s"), (200, "3 min"), (3_720, "1 h 02"), (90_000, "1 d")],
)
def test_ages(seconds: float, words: str) -> None:
    assert age(seconds) == words


def test_amounts_and_sizes() -> None:
    assert [amount(number) for number in (0, 5, 12_345)] == ["", "5", "12,345"]
    assert [size(octets) for octets in (0, 1_023, 1_536, 5 * 1024**3, 5 * 1024**5)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "5.0 GiB",
        "5120.0 TiB",
    ]
    assert moment(0.0) == ""
    assert len(moment(1e9)) == 19


@pytest.mark.parametrize(("width", "titles"), [(80, 4), (46, 3), (39, 2), (10, 2)])
def test_spare_columns_go_where_there_is_little_room(width: int, titles: int) -> None:
    assert len(fitting(COLUMNS, ROWS, width)) == titles


@pytest.mark.parametrize("width", [30, 40, 80])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(table(COLUMNS, [*ROWS, {"id": coloured("red", "red")}], width))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) == 4
    console.file.close()
