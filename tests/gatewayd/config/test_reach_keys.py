"""The keys that say whom an RCS link reaches: operators, test numbers, and the hours of bulk questions."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from gatewayd.config.effective import effective

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

ANCHOR = 'bot_id = "shop-bot"\n'
PROVIDER = "[providers.orange]\n"


def test_operators_as_a_table_and_in_line_are_the_same(desk: Desk) -> None:
    inline = desk.load((ANCHOR, ANCHOR + 'operators = { orange = "launched", sfr = "draft" }\n')).config
    table = desk.load((PROVIDER, '[links.orange.operators]\norange = "launched"\nsfr = "draft"\n' + PROVIDER)).config
    assert inline == table
    assert inline.links["orange"].operators == {"orange": "launched", "sfr": "draft"}


def test_the_effective_configuration_shows_them_and_can_be_read_again(desk: Desk) -> None:
    change = 'operators = { orange = "launched" }\ntest_numbers = ["+33612345678"]\n'
    shown = tomllib.loads(effective(desk.load((ANCHOR, ANCHOR + change)).config))
    assert shown["links"]["orange"]["operators"] == {"orange": "launched"}
    assert shown["links"]["orange"]["test_numbers"] == ["+33612345678"]
    assert "operators" not in shown["links"]["carrier"]


def test_files_of_numbers_lie_beside_the_configuration(desk: Desk) -> None:
    numbers = desk.load((PROVIDER, '[numbers]\nprefixes = "p.csv"\nnames = ""\n' + PROVIDER)).config.numbers
    assert (numbers.prefixes, numbers.names) == (str(desk.folder / "p.csv"), "")
    assert numbers.ported == "/var/lib/gatewayd/ported"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('operators = "orange"', 'operators: "orange" is not a table'),
        ('operators = { orange = "on" }', 'operators.orange: "on" is not known here; give one of draft'),
        ('operators = { "or ange" = "draft" }', '"or ange" is not a name'),
        ('operators_otherwise = "never"', 'operators_otherwise: "never" is not known here'),
        ('test_numbers = ["SHOP"]', 'test_numbers: "SHOP" is not a number'),
        ('bulk_hours = "22-7"', 'bulk_hours: "22-7" are no hours of a day; write "22:00-07:00"'),
        ('bulk_hours = "22:00-22:00"', "are no hours of a day"),
        ('bulk_zone = "Europe/Nowhere"', 'bulk_zone: "Europe/Nowhere" is no time zone of this machine'),
        ("bulk_size_max = 10001", "bulk_size_max: 10001 is out of range"),
    ],
)
def test_what_cannot_be_meant(desk: Desk, line: str, fault: str) -> None:
    faults = desk.faults((ANCHOR, f"{ANCHOR}{line}\n"))
    assert len(faults) == 1
    assert fault in faults[0]


def test_what_has_no_effect(desk: Desk) -> None:
    no_files = (PROVIDER, '[numbers]\nported = ""\n' + PROVIDER)
    operators = (ANCHOR, ANCHOR + 'operators = { orange = "launched" }\n')
    assert "no file tells the operator" in desk.warnings(operators, no_files)[0]
    assert desk.warnings(operators) == []
    assert (
        "has no effect without operators" in desk.warnings((ANCHOR, ANCHOR + 'operators_otherwise = "launched"\n'))[0]
    )
    assert desk.warnings((ANCHOR, ANCHOR + 'bulk_hours = ""\n')) == []


def test_they_mean_nothing_for_sms(desk: Desk) -> None:
    change = ('system_id = "gateway"\npassword', 'system_id = "gateway"\noperators = { orange = "draft" }\npassword')
    assert "operators: means nothing for a link of kind smpp" in desk.faults(change)[0]
