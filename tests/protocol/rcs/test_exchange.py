"""Twin of protocol.rcs.exchange."""

from __future__ import annotations

from protocol.rcs.exchange import Request


def test_a_path_stands_below_the_server_root() -> None:
    assert Request("GET", "/bot/v1/b").target("https://maap.example/rcs/") == "https://maap.example/rcs/bot/v1/b"


def test_a_whole_url_needs_no_root() -> None:
    assert Request("POST", "https://auth.example/token").target("https://maap.example") == "https://auth.example/token"


def test_a_plus_in_a_query_is_not_a_space() -> None:
    request = Request("GET", "/c", query=(("userContact", "+33612345678"),))
    assert request.target("https://h") == "https://h/c?userContact=%2B33612345678"


def test_a_query_joins_the_one_that_is_there() -> None:
    assert Request("POST", "https://h/t?a=b", query=(("c", "d"),)).target("") == "https://h/t?a=b&c=d"
