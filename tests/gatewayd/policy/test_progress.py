"""Records of how far a message is: small when stored, and every step is one that flow knows."""

from __future__ import annotations

from typing import get_args

import msgspec

from gatewayd.policy import journey, progress
from gatewayd.policy.progress import Finish, Ignore, Progress, Queue, Revoke, Stage, Step, Wait


def test_what_is_not_known_yet_is_not_stored() -> None:
    fresh = Progress(1, "shop", Stage.QUEUED, ("bot", "carrier"))
    stored = msgspec.json.encode(fresh)
    assert msgspec.json.decode(stored) == {"id": 1, "account": "shop", "stage": "queued", "links": ["bot", "carrier"]}
    assert msgspec.json.decode(stored, type=Progress) == fresh


def test_the_link_whose_turn_it_is() -> None:
    assert Progress(1, "shop", Stage.QUEUED, ("bot", "carrier"), position=1).link == "carrier"


def test_the_steps_are_all_there_are() -> None:
    assert set(get_args(Step)) == {Queue, Wait, Revoke, Finish, Ignore}


def test_the_journey_hands_on_what_others_need_of_it() -> None:
    for name in ("Finish", "Ignore", "LinkTerms", "Progress", "Queue", "Revoke", "Segment", "Stage", "Wait"):
        assert getattr(journey, name) is getattr(progress, name)
