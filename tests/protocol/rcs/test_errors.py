"""Twin of protocol.rcs.errors."""

from __future__ import annotations

from protocol.rcs.errors import RcsFault


def test_a_fault_says_its_kind_and_what_the_webhook_answers() -> None:
    fault = RcsFault("not_json")
    assert (str(fault), fault.kind, fault.http_status) == ("not_json", "not_json", 400)
    assert RcsFault("token_bad_shape", 502).http_status == 502
