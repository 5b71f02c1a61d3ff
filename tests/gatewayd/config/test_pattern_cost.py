"""Patterns that are quick on every text pass, and those that are not are seen before any text comes."""

from __future__ import annotations

import pytest

from gatewayd.config.pattern_cost import TEXT_MAX, WAYS_MAX, ways


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("parcel", 1),
        (r"^\d\d:\d\d$", 1),
        ("a{2,5}b", 4),
        ("a{2,5}+b", 1),
        ("a{7}b", 1),
        ("a?b?c", 4),
        ("(?:a?){3}c", 8),
        (r"(?:\d++ )*+c", 1),
        (r"(?P<url>\S+)", 1),
        (r"\S+ x", TEXT_MAX),
        (r"x(?:a|b+c)", TEXT_MAX + 1),
        ("(?:aa|bb)c", 2),
        ("(?=a?)b", 2),
        ("(a)?b(?(1)c|d)", 6),
    ],
)
def test_ways(pattern: str, count: int) -> None:
    assert ways(pattern) == count <= WAYS_MAX


@pytest.mark.parametrize("pattern", ["(a+)+b", "(?:a|a)*b", "(?:a?a?){30}b", r"\S*x\S*y", "(?:(?:a{0,9}){0,9}){0,9}b"])
def test_catastrophic_ones(pattern: str) -> None:
    assert ways(pattern) > WAYS_MAX
