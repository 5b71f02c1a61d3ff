"""Twin of protocol.rcs.rbm_content."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from protocol.rcs import rbm_content
from protocol.rcs.content import (
    Audio,
    Card,
    Carousel,
    Content,
    File,
    Inbound,
    Location,
    Media,
    RichCard,
    Text,
    Thumbnail,
    check,
)
from protocol.rcs.errors import ContentFault, RcsFault
from tests.protocol.rcs.contents import CARD, CONTENTS, SUGGESTIONS


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: type(content).__name__)
def test_everything_can_be_spelled(content: Content) -> None:
    check(content, rbm_content.LIMITS)
    tree = rbm_content.encode(content)
    assert len({"text", "contentInfo", "richCard"} & tree.keys()) == 1
    assert msgspec.json.decode(msgspec.json.encode(tree)) == tree


def test_suggestions_that_google_does_not_know_are_left_out() -> None:
    tree = rbm_content.encode(Text("x", SUGGESTIONS))
    actions = [set(chip["action"]) - {"text", "postbackData", "fallbackUrl"} for chip in tree["suggestions"][1:]]
    assert tree["suggestions"][0] == {"reply": {"text": "OK", "postbackData": "ack:42"}}
    assert actions == [
        {"openUrlAction"},
        {"openUrlAction"},
        {"dialAction"},
        {"viewLocationAction"},
        {"viewLocationAction"},
        {"shareLocationAction"},
        {"createCalendarEventAction"},
    ]
    assert len(actions) + 1 == len(SUGGESTIONS) - len(rbm_content.LIMITS.dropped)
    assert "suggestions" not in rbm_content.encode(Text("x", SUGGESTIONS[10:]))


BIG = Media("https://i.example/a.mp4", "video/mp4", 60 * 1024 * 1024)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (Audio("https://f.example/a.amr", mime_type="audio/amr"), "audio.mime_type: audio/amr is not taken"),
        (File("https://f.example/a.zip", mime_type="application/zip"), "file.mime_type: application/zip is not taken"),
        (
            RichCard(Card("x", media=Media("https://i.example/a.svg", "image/svg+xml"))),
            "rich_card.card.media.mime_type: image/svg",
        ),
        (
            RichCard(Card("x", media=Media("https://i.example/a.mp3", "audio/mpeg"))),
            "rich_card.card.media.mime_type: a card shows no recording",
        ),
        (
            File("https://f.example/a.pdf", thumbnail=Thumbnail("https://f.example/t.webp", "image/webp")),
            "file.thumbnail.mime_type: image/webp is not taken",
        ),
        (Carousel((Card("a", media=BIG), Card("b", media=BIG))), "carousel: 125829120 octets, at most 104857600"),
    ],
)
def test_files_that_google_does_not_take_are_named(content: Content, said: str) -> None:
    with pytest.raises(ContentFault) as caught:
        check(content, rbm_content.LIMITS)
    assert str(caught.value).startswith(said)


def test_files_that_it_takes() -> None:
    check(Carousel((Card("a", media=BIG), Card("b"))), rbm_content.LIMITS)
    check(File("https://f.example/a.jpg", mime_type="Image/JPG; q=1"), rbm_content.LIMITS)
    check(RichCard(Card("x", media=Media("https://i.example/a.pdf", "application/pdf"))), rbm_content.LIMITS)


def test_actions_in_full() -> None:
    chips = rbm_content.encode(Text("x", (SUGGESTIONS[2], SUGGESTIONS[3], SUGGESTIONS[6], SUGGESTIONS[7])))
    bodies = [chip["action"] for chip in chips["suggestions"]]
    assert bodies[0]["openUrlAction"] == {
        "url": "https://exemple.fr/payer",
        "application": "WEBVIEW",
        "webviewViewMode": "HALF",
    }
    assert bodies[1] == {
        "text": "Appeler",
        "postbackData": "appel",
        "fallbackUrl": "https://exemple.fr/appel",
        "dialAction": {"phoneNumber": "+33123456789"},
    }
    assert bodies[2]["viewLocationAction"] == {"latLong": {"latitude": 48.85, "longitude": 2.35}, "label": "Boutique"}
    assert bodies[3]["viewLocationAction"] == {"query": "Tour Eiffel"}


def test_a_card_and_a_place() -> None:
    card = rbm_content.encode(RichCard(CARD, "horizontal", "left"))["richCard"]["standaloneCard"]
    assert (card["cardOrientation"], card["thumbnailImageAlignment"]) == ("HORIZONTAL", "LEFT")
    assert card["cardContent"]["media"] == {
        "height": "TALL",
        "contentInfo": {"fileUrl": "https://img.example/a.jpg", "thumbnailUrl": "https://img.example/t.png"},
    }
    place = rbm_content.encode(Location(48.8566, 2.3522, "Paris"))
    assert place["text"] == "Paris geo:48.856600,2.352200"
    assert place["suggestions"][0]["action"]["viewLocationAction"]["label"] == "Paris"


@pytest.mark.parametrize(
    ("members", "content"),
    [
        ({"text": "Bonjour"}, Text("Bonjour")),
        (
            {"userFile": {"payload": {"mimeType": "image/png", "fileSizeBytes": 7, "fileUri": "u", "fileName": "n"}}},
            File("u", "n", "image/png", 7),
        ),
        (
            {"userFile": {"payload": {"mimeType": "audio/amr", "fileSizeBytes": "7", "fileUri": "u"}}},
            Audio("u", "", "audio/amr", 7),
        ),
        ({"location": {"latitude": 48.5, "longitude": -2}}, Location(48.5, -2)),
    ],
)
def test_what_a_user_sends(members: dict[str, Any], content: Inbound) -> None:
    assert rbm_content.decode(msgspec.convert(members, rbm_content.UserContent)) == content


@pytest.mark.parametrize(("members", "kind"), [({}, "no_content"), ({"location": {"latitude": 91}}, "bad_position")])
def test_what_cannot_be_read(members: dict[str, Any], kind: str) -> None:
    with pytest.raises(RcsFault, match=kind):
        rbm_content.decode(msgspec.convert(members, rbm_content.UserContent))


def test_an_uploaded_file_has_a_name() -> None:
    small = Thumbnail("uploaded:files/t")
    sources: list[tuple[Content, dict[str, str]]] = [
        (File("uploaded:files/a"), {"fileName": "files/a"}),
        (File("uploaded:files/a", thumbnail=small), {"fileName": "files/a", "thumbnailName": "files/t"}),
        (Audio("uploaded:files/a"), {"fileName": "files/a"}),
    ]
    for content, source in sources:
        check(content, rbm_content.LIMITS)
        assert rbm_content.encode(content) == {"uploadedRbmFile": source}
    card = RichCard(Card(media=Media("uploaded:files/a", thumbnail=small)))
    check(card, rbm_content.LIMITS)
    media = rbm_content.encode(card)["richCard"]["standaloneCard"]["cardContent"]["media"]
    assert media == {"height": "MEDIUM", "uploadedRbmFile": {"fileName": "files/a", "thumbnailName": "files/t"}}
    with pytest.raises(ContentFault, match=r"rich_card.card.media.thumbnail.url: of a file and its thumbnail"):
        check(RichCard(Card(media=Media("https://x.example/a", thumbnail=small))), rbm_content.LIMITS)


def test_a_thumbnail_is_small() -> None:
    check(File("https://x.example/a", thumbnail=Thumbnail("https://x.example/t", size=100_000)), rbm_content.LIMITS)
    with pytest.raises(ContentFault, match=r"file.thumbnail.size: 100001 octets, at most 100000"):
        check(File("https://x.example/a", thumbnail=Thumbnail("https://x.example/t", size=100_001)), rbm_content.LIMITS)
