"""Twin of protocol.rcs.dialects.vi. The simulator writes the events that are read here."""

from __future__ import annotations

from gatewayd.simulate.rcs_dialects import write_event
from protocol.rcs.dialects import dotgo
from protocol.rcs.dialects.vi import DIALECT
from protocol.rcs.events import Status, StatusEvent


def test_its_requests_are_dotgos() -> None:
    assert (DIALECT.send_path, DIALECT.expiry) == (dotgo.DIALECT.send_path, "ttl")


def test_its_events_have_two_words_of_their_own() -> None:
    body = write_event("vi", "messageStatus", {"msgId": "m-1", "status": "displayed"}, "+33612345678", "bot")
    assert body is not None
    assert b"message_status" in body
    assert b'"read"' in body
    assert DIALECT.read_events(body) == [StatusEvent("m-1", Status.DISPLAYED, 0.0, number="+33612345678")]
