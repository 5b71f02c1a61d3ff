"""Every kind has a table that holds its values, and columns by which a cold one is found."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.policy.journey import Progress, Stage
from gatewayd.store.kinds import (
    BILLING,
    CAPABILITY,
    DEAD_LETTER,
    DELIVERY,
    INTERRUPTED,
    KINDS,
    MESSAGE,
    PARKED,
    PROGRESS,
    RESULT,
    SEEN,
    SENT,
    SESSION,
    WANTED,
)
from gatewayd.store.records import Seen


def test_names_are_unique() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) == 17


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_its_table_takes_its_keys(kind: Any) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute(kind.create)
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({kind.name})")]
    assert names == ["key", "value", *kind.columns]
    key: int | str = 7 if kind.integer_key else "link|7"
    connection.execute(
        f"INSERT INTO {kind.name} VALUES (?, '{{}}'{', NULL' * len(kind.columns)})",
        (key,),
    )
    assert connection.execute(f"SELECT key FROM {kind.name}").fetchall() == [(key,)]
    connection.close()


def test_integer_keys_are_those_of_messages_and_deliveries() -> None:
    assert [kind for kind in KINDS if kind.integer_key] == [MESSAGE, PROGRESS, DELIVERY, DEAD_LETTER, RESULT]


@pytest.mark.parametrize(
    "kind", [PROGRESS, SENT, DELIVERY, SESSION, PARKED, CAPABILITY, SEEN, BILLING, WANTED, RESULT], ids=lambda k: k.name
)
def test_what_ends_by_itself_has_its_time(kind: Any) -> None:
    assert "due" in kind.columns


@pytest.mark.parametrize(
    ("stage", "queue", "column"),
    [
        (Stage.QUEUED, "carrier", "carrier|2|shop"),
        (Stage.SENDING, "", INTERRUPTED),
        (Stage.CHECKING, "", INTERRUPTED),
        (Stage.REVOKING, "", INTERRUPTED),
        (Stage.JOINING, "", INTERRUPTED),
        (Stage.MEMBER, "", None),
        (Stage.POSTPONED, "", None),
        (Stage.SENT, "", None),
        (Stage.SETTLING, "", None),
        (Stage.HELD, "", None),
        (Stage.SCHEDULED, "", None),
        (Stage.ENDED, "", INTERRUPTED),
    ],
)
def test_what_a_restart_must_look_at(stage: Stage, queue: str, column: str | None) -> None:
    """Those without a mark wait for their time or for a receipt, which both find them."""
    progress = Progress(1, "shop", stage, ("carrier",), queue=queue, lane=2)
    assert PROGRESS.columns["queue"](progress) == column


def test_every_stage_was_thought_of() -> None:
    assert len(Stage) == 12


@pytest.mark.parametrize(("due", "column"), [(0.0, None), (5.5, 5.5)])
def test_no_time_is_no_index_entry(due: float, column: float | None) -> None:
    assert SEEN.columns["due"](Seen(due)) == column


@given(st.integers(0, 2**63 - 1), st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_the_value_is_found_in_the_record_whatever_the_key(number: int, text: str, due: float) -> None:
    for kind, key in ((DELIVERY, number), (SEEN, text)):
        value = msgspec.json.encode(Seen(due))
        assert kind.value_in(key, msgspec.json.encode((kind.name, key, Seen(due)))) == value
        assert kind.value_in(key, msgspec.json.encode((kind.name, key, msgspec.Raw(value)))) == value
