"""Twin of protocol.rcs.platform: each platform fills the record in, so that a link need not know which it speaks to."""

from __future__ import annotations

import pytest

from protocol.rcs import rbm
from protocol.rcs.content import Text
from protocol.rcs.dialects import named
from protocol.rcs.events import Contact
from protocol.rcs.files import LocalFile
from protocol.rcs.gsma import platform_of
from protocol.rcs.platform import Outgoing, Platform, Reading

PLATFORMS = (rbm.PLATFORM, *(platform_of(named(name)) for name in ("standard", "orange", "dotgo", "vi")))


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_the_same_calls_serve_for_all(platform: Platform) -> None:
    outgoing = Outgoing(bot_id="bot", contact=Contact("+33612345678"), content=Text("x"), message_id=7, now=0.0)
    request = platform.send(outgoing)
    assert request.method == "POST"
    assert b"x" in request.body
    name = platform.name_of(outgoing)
    assert bool(name) is platform.repeats_safely
    assert platform.revoke("bot", name).method in ("PUT", "DELETE")
    assert platform.capability("bot", outgoing.contact, 1).method == "GET"
    assert platform.read_revoke(200, b"").revoked is True
    assert platform.read_capability(404, b"").capable is False
    assert not platform.admits({}, "")
    assert platform.files is not None
    posting = platform.files.upload("bot", LocalFile("a.png", "image/png", 1, "ab", 1.0))
    assert posting.request.method == "POST"


def test_a_reading_may_want_no_reply() -> None:
    assert Reading([]).reply == ""
