"""Twin of protocol.rcs.gsma_content. The simulator's own reading of the schema is the judge of what is written."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gatewayd.simulate.rcs_validation import read_submission
from protocol.rcs import gsma_content
from protocol.rcs.content import Audio, Content, File, Inbound, Location, RichCard, Text, check
from protocol.rcs.errors import RcsFault
from protocol.rcs.limits import Limits
from tests.protocol.rcs.contents import CARD, CONTENTS, SUGGESTIONS


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: type(content).__name__)
def test_everything_is_spelled_as_a_strict_platform_wants_it(content: Content) -> None:
    check(content, Limits())
    message = gsma_content.encode(content)
    body = msgspec.json.encode({"RCSMessage": message, "messageContact": {"userContact": "+33612345678"}})
    submission = read_submission(body, 0.0)
    assert len(submission.suggestions) == len(content.suggestions)


def test_a_card_with_its_layout_and_media() -> None:
    tree = gsma_content.encode(RichCard(CARD, "horizontal", "left"))
    card = tree["richcardMessage"]["message"]["generalPurposeCard"]
    assert card["layout"] == {"cardOrientation": "HORIZONTAL", "imageAlignment": "LEFT"}
    assert card["content"]["media"] == {
        "mediaUrl": "https://img.example/a.jpg",
        "mediaContentType": "image/jpeg",
        "mediaFileSize": 40_000,
        "height": "TALL_HEIGHT",
        "thumbnailUrl": "https://img.example/t.png",
        "thumbnailContentType": "image/png",
        "thumbnailFileSize": 900,
        "contentDescription": "Une chaussure",
    }


def test_actions_stand_beside_their_words_and_postback() -> None:
    chips = gsma_content.encode(Text("x", SUGGESTIONS[1:3]))["suggestedChipList"]["suggestions"]
    assert chips[0] == {
        "action": {
            "urlAction": {"openUrl": {"url": "https://exemple.fr/suivi"}},
            "displayText": "Suivre",
            "postback": {"data": "suivi:42"},
        }
    }
    assert chips[1]["action"]["urlAction"]["openUrl"] == {
        "url": "https://exemple.fr/payer",
        "application": "webview",
        "viewMode": "half",
        "parameters": "q=1",
    }


@pytest.mark.parametrize(
    ("members", "content"),
    [
        ({"textMessage": "Bonjour"}, Text("Bonjour")),
        (
            {"fileMessage": {"fileUrl": "https://f.example/a", "fileName": "a", "fileMIMEType": "t/p", "fileSize": 9}},
            File("https://f.example/a", "a", "t/p", 9),
        ),
        (
            {"audioMessage": {"fileUrl": "https://f.example/b", "playingLength": 3}},
            Audio("https://f.example/b", length_s=3),
        ),
        ({"geolocationPushMessage": {"pos": "48.8566 2.3522", "label": "P"}}, Location(48.8566, 2.3522, "P")),
    ],
)
def test_what_a_user_sends(members: dict[str, Any], content: Inbound) -> None:
    assert gsma_content.decode(msgspec.convert(members, gsma_content.UserContent)) == content


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({}, "no_content"),
        ({"geolocationPushMessage": {"pos": "somewhere"}}, "bad_position"),
        ({"geolocationPushMessage": {"pos": "91 0"}}, "bad_position"),
    ],
)
def test_what_cannot_be_read(members: dict[str, Any], kind: str) -> None:
    with pytest.raises(RcsFault, match=kind):
        gsma_content.decode(msgspec.convert(members, gsma_content.UserContent))
