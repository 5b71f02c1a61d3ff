"""The screen of `gatewayd status`: what is said of what waits for no link yet."""

from __future__ import annotations

import pytest

from gatewayd.cli.status import waiting_line
from gatewayd.control.merging import merged


@pytest.mark.parametrize(
    ("scheduled", "held", "words"),
    [
        (0, 0, "not for a link yet: none scheduled for later, none held by a person"),
        (1_200, 3, "not for a link yet: 1,200 scheduled for later, 3 held by a person"),
    ],
)
def test_what_waits_for_no_link_yet(scheduled: int, held: int, words: str) -> None:
    of_workers = [{"waiting": {"scheduled": scheduled, "held": held}}, {"waiting": {"scheduled": 0, "held": 0}}]
    line = waiting_line(merged(of_workers)["waiting"])
    assert str(line) == words
    assert getattr(line, "style", "") == ("yellow" if held else "")
