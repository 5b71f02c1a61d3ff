"""Amounts add up, what all workers share does not, and pages become one page in order."""

from __future__ import annotations

from typing import Any

import pytest

from gatewayd.control.merging import merged, page


def test_one_answer_stays_as_it_is() -> None:
    assert merged([{"rows": [1], "odd": None}]) == {"rows": [1], "odd": None}


def test_amounts_add_up_and_shares_do_not() -> None:
    one = {"queue": 3, "queue_age_s": 7.5, "binds": 4, "is_paused": False, "name": "a"}
    two = {"queue": 4, "queue_age_s": 2.0, "binds": 4, "is_paused": True, "name": "a"}
    assert merged([one, two]) == {"queue": 7, "queue_age_s": 7.5, "binds": 4, "is_paused": True, "name": "a"}


@pytest.mark.parametrize(
    ("said", "shown"),
    [(["auto", "hex_to_decimal", "auto"], "hex_to_decimal"), (["auto", "auto"], "auto"), (["", ""], "")],
)
def test_whoever_knows_how_ids_are_spelt_speaks_for_all(said: list[str], shown: str) -> None:
    assert merged([{"message_ids": word} for word in said]) == {"message_ids": shown}


def test_tables_within_tables_are_merged_by_name() -> None:
    """Also when a name is one of the words, and when a worker has not heard of it yet."""
    one = {"accounts": {"queue": {"depth": 1}, "shop": {"depth": 2}}}
    two = {"accounts": {"queue": {"depth": 5}, "bank": {"depth": 3}}}
    assert merged([one, two]) == {"accounts": {"queue": {"depth": 6}, "shop": {"depth": 2}, "bank": {"depth": 3}}}


def test_lists_are_strung_together() -> None:
    assert merged([{"rows": [1, 2]}, {"rows": [3]}, {}]) == {"rows": [1, 2, 3]}
    assert merged([[1], [2]]) == [1, 2]


def test_a_worker_with_nothing_to_say_takes_nothing_away() -> None:
    assert merged([{}, {"changed": 2}]) == {"changed": 2}


def rows(*keys: int) -> list[dict[str, Any]]:
    return [{"key": key} for key in keys]


@pytest.mark.parametrize(
    ("pages", "limit", "keys", "behind"),
    [
        ([(rows(1, 4), None), (rows(2, 3), None)], 10, [1, 2, 3, 4], None),
        ([(rows(1, 4), 4), (rows(2, 3), None)], 2, [1, 2], 2),
        # One stopped early: what the other has behind that place comes with the next page.
        ([(rows(1), 5), (rows(2, 9), None)], 10, [1, 2], 5),
        ([(rows(), 5), (rows(), 7)], 10, [], 5),
        ([(rows(1, 2), 2), (rows(3, 4), 4)], 2, [1, 2], 2),
    ],
)
def test_pages_of_workers_are_one_page(
    pages: list[tuple[list[dict[str, Any]], int | None]], limit: int, keys: list[int], behind: int | None
) -> None:
    told = [{"rows": of_one, "limit": limit, "upto": upto} for of_one, upto in pages]
    result = page(merged(told), told)
    assert [row["key"] for row in result["rows"]] == keys
    assert result["next"] == behind
    assert set(result) == {"rows", "next"}


def test_nothing_is_missed_nor_told_twice_over_pages() -> None:
    everything = {0: list(range(0, 60, 2)), 1: list(range(1, 60, 4)), 2: []}
    seen: list[int] = []
    after: int | None = -1
    while after is not None:
        told = []
        for slot, keys in everything.items():
            mine = [key for key in keys if key > after][: 3 + slot]
            left = [key for key in keys if key > after][3 + slot :]
            told.append({"rows": rows(*mine), "limit": 5, "upto": mine[-1] if left else None})
        result = page(merged(told), told)
        seen += [row["key"] for row in result["rows"]]
        after = result["next"]
    assert seen == sorted(key for keys in everything.values() for key in keys)


def test_where_keys_are_secret_each_worker_has_its_own_place() -> None:
    told = [{"rows": [{"a": 1}], "limit": 1, "cursor": {"0": "x"}}, {"rows": [{"a": 2}], "limit": 1, "cursor": {}}]
    assert page(merged(told), told) == {"rows": [{"a": 1}, {"a": 2}], "next": {"0": "x"}}
    told = [{"rows": [], "limit": 1, "cursor": {}}]
    assert page(merged(told), told) == {"rows": [], "next": None}
