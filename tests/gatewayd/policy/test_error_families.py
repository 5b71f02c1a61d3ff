"""Every code has one family, whoever made it up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.policy.error_families import FAMILIES, family_of
from protocol.smpp.constants import Status


@pytest.mark.parametrize(
    ("error", "family"),
    [
        ("ESME_RINVDSTADR", "unreachable"),
        ("http_404", "unreachable"),
        ("ESME_RINVSRCADR", "sender"),
        ("ESME_RINVMSGLEN", "content"),
        ("http_400", "content"),
        ("http_409", "content"),
        ("ESME_RTHROTTLED", "throttled"),
        ("http_429", "throttled"),
        ("ESME_RINVBNDSTS", "access"),
        ("http_401", "access"),
        ("ESME_RSYSERR", "carrier"),
        ("http_500", "carrier"),
        ("http_503", "carrier"),
        ("connect_failed", "connection"),
        ("timeout", "no_answer"),
        ("restart", "no_answer"),
        ("0x000004FF", "other"),
        ("", "other"),
    ],
)
def test_families(error: str, family: str) -> None:
    assert family_of(error) == family


def test_every_status_of_the_specification_that_refuses_a_message_has_one() -> None:
    of_other_requests = {"ESME_ROK", "ESME_RCANCELFAIL", "ESME_RREPLACEFAIL", "ESME_RINVMSGID"}
    of_lists = {"ESME_RINVDESTFLAG", "ESME_RINVSUBREP", "ESME_RCNTSUBDL", "ESME_RINVNUMMSGS"}
    others = {status.name for status in Status if family_of(status.name) == "other"}
    of_broadcasts = {name for name in Status.__members__ if "BCAST" in name}
    assert others == of_other_requests | of_lists | of_broadcasts


@given(st.text(max_size=30))
@settings(max_examples=50, deadline=None)
def test_strangers_make_no_families(error: str) -> None:
    assert family_of(error) in FAMILIES
