"""Twin of protocol.rcs.errors."""

from __future__ import annotations

from protocol.rcs.errors import ContentFault, RcsFault


def test_a_fault_says_its_kind_and_what_the_webhook_answers() -> None:
    fault = RcsFault("not_json")
    assert (str(fault), fault.kind, fault.http_status) == ("not_json", "not_json", 400)
    assert RcsFault("token_bad_shape", 502).http_status == 502


def test_a_fault_of_content_says_where_and_what() -> None:
    fault = ContentFault("too_long", "carousel.cards[3].title", "201 characters, at most 200")
    assert str(fault) == "carousel.cards[3].title: 201 characters, at most 200"
    assert (fault.kind, fault.element) == ("content_too_long", "carousel.cards[3].title")
