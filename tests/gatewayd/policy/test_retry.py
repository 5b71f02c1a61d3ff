"""Which answers mean "later", and how much later."""

from __future__ import annotations

import pytest

from gatewayd.policy.retry import (
    POST_MAX_S,
    RECONNECT_MAX_S,
    RETRY_FIRST_S,
    RETRY_MAX_S,
    is_worth_retrying,
    post_delay_s,
    reconnect_delay_s,
    retry_delay_s,
)


@pytest.mark.parametrize("status", [0x08, 0x14, 0x45, 0x58, 0x64, 0x67, 0xFE, 0xFF])
def test_not_now(status: int) -> None:
    assert is_worth_retrying(status)


@pytest.mark.parametrize("status", [0x01, 0x0A, 0x0B, 0x0E, 0x61, 0x65, 0x66, 0x400, 0x4FF, 0xFFFFFFFF])
def test_never(status: int) -> None:
    assert not is_worth_retrying(status)


def test_delays_double_and_are_bounded() -> None:
    delays = [retry_delay_s(attempts) for attempts in range(1, 12)]
    assert delays[:4] == [2.0, 4.0, 8.0, 16.0]
    assert delays == sorted(delays)
    assert delays[0] == RETRY_FIRST_S
    assert delays[-1] == RETRY_MAX_S == retry_delay_s(10_000)


def test_posts_wait_longer_and_chance_takes_half_at_most() -> None:
    assert [post_delay_s(attempts, 1.0) for attempts in (1, 2, 3)] == [5.0, 10.0, 20.0]
    assert post_delay_s(3, 0.0) == 10.0
    assert post_delay_s(10_000, 1.0) == POST_MAX_S


def test_a_connection_is_tried_soon_and_then_seldom() -> None:
    assert [reconnect_delay_s(failures, 1.0) for failures in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert reconnect_delay_s(1, 0.0) == 0.25
    assert reconnect_delay_s(10_000, 1.0) == RECONNECT_MAX_S
