"""Twin of protocol.rcs.content."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from protocol.rcs.content import (
    Audio,
    Card,
    Carousel,
    Content,
    Dial,
    File,
    Limits,
    Location,
    Media,
    OpenUrl,
    Reply,
    RichCard,
    Text,
    Thumbnail,
    check,
    plain_text,
)
from protocol.rcs.errors import ContentFault

LIMITS = Limits()
OK = Reply("OK", "ack:42")
PHOTO = Media("https://img.example/a.jpg", "image/jpeg", 40_000)
CARD = Card("Chaussures", "Cuir", PHOTO, (OK,))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (Text("Oui"), "Oui"),
        (Text("Suivi", (OK, OpenUrl("Suivre", "s", "https://x.example"))), "Suivi\nSuivre: https://x.example"),
        (File("https://files.example/a.pdf", "a.pdf"), "https://files.example/a.pdf"),
        (Audio("https://files.example/a.amr"), "https://files.example/a.amr"),
        (Location(48.8566, 2.3522), "geo:48.856600,2.352200"),
        (Location(48.8566, 2.3522, "Paris"), "Paris geo:48.856600,2.352200"),
        (RichCard(CARD), "Chaussures\nCuir"),
        (RichCard(Card(media=PHOTO)), "https://img.example/a.jpg"),
        (
            Carousel((CARD, Card("Bottes", suggestions=(Dial("Appeler", "a", "+33123456789"),)))),
            "Chaussures\nCuir\n\nBottes\nAppeler: +33123456789",
        ),
    ],
)
def test_what_a_receiver_of_plain_text_is_given(content: Content, words: str) -> None:
    assert plain_text(content) == words


@pytest.mark.parametrize(
    "content",
    [
        Text("x"),
        Text("x" * 3072),
        Text("x", (OK,) * 11),
        File("https://f.example/a.pdf", thumbnail=Thumbnail("https://f.example/t.png", "image/png", 900)),
        Audio("https://f.example/a.amr"),
        Location(-90, 180, "x" * 200),
        RichCard(Card("x" * 200, "y" * 2000, PHOTO, (OK,) * 4), suggestions=(OK,) * 11),
        RichCard(CARD, "horizontal", "left"),
        Carousel((CARD,) * 10, "small"),
    ],
)
def test_content_at_its_limits_passes(content: Content) -> None:
    check(content, LIMITS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (Text(""), "text: is empty"),
        (Text("x" * 3073), "text: 3073 characters, at most 3072"),
        (Text("x", (OK,) * 12), "text.suggestions: 12, at most 11"),
        (File(""), "file.url: is empty"),
        (File("a.pdf"), "file.url: is no URL: it has no scheme"),
        (File("https://f.example/a", size=-1), "file.size: is negative"),
        (File("https://f.example/a", size=104857601), "file.size: 104857601 octets, at most 104857600"),
        (
            File("https://f.example/a", thumbnail=Thumbnail("https://f.example/t")),
            "file.thumbnail.mime_type: is needed by this platform",
        ),
        (Audio(""), "audio.url: is empty"),
        (Audio("https://f.example/a", length_s=-1), "audio.length_s: is negative"),
        (Location(0, 0, radius_m=-0.1), "location.radius_m: is negative"),
        (RichCard(CARD, style_url="card.css"), "rich_card.style_url: is no URL: it has no scheme"),
        (Carousel((CARD, CARD), style_url="card.css"), "carousel.style_url: is no URL: it has no scheme"),
        (Location(91, 0), "location.latitude: must be between -90 and 90"),
        (Location(0, -181), "location.longitude: must be between -180 and 180"),
        (Location(0, 0, "x" * 201), "location.label: 201 characters, at most 200"),
        (RichCard(Card()), "rich_card.card: has neither media, title nor description"),
        (RichCard(Card("x" * 201)), "rich_card.card.title: 201 characters, at most 200"),
        (RichCard(Card("x", "y" * 2001)), "rich_card.card.description: 2001 characters, at most 2000"),
        (RichCard(Card("x", suggestions=(OK,) * 5)), "rich_card.card.suggestions: 5, at most 4"),
        (RichCard(CARD, image_alignment="left"), "rich_card.image_alignment: is for a horizontal card only"),
        (RichCard(CARD, "horizontal"), "rich_card.image_alignment: is needed by a horizontal card"),
        (
            RichCard(Card(media=PHOTO), "horizontal", "left"),
            "rich_card.card: a horizontal card with media needs words or a suggestion",
        ),
        (
            RichCard(Card(media=Media("https://img.example/a.jpg", "image/jpeg"))),
            "rich_card.card.media.size: is needed by this platform",
        ),
        (Carousel((CARD,)), "carousel.cards: 1, at least 2"),
        (Carousel((CARD,) * 11), "carousel.cards: 11, at most 10"),
        (
            Carousel((CARD, CARD, CARD, Card("x" * 201))),
            "carousel.cards[3].title: 201 characters, at most 200",
        ),
        (
            Carousel((CARD, Card(media=msgspec.structs.replace(PHOTO, height="tall"))), "small"),
            "carousel.cards[1].media.height: a small carousel has no tall media",
        ),
        (
            Carousel((CARD, Card("x", suggestions=(Reply("y" * 26, "p"),)))),
            "carousel.cards[1].suggestions[0].display_text: 26 characters, at most 25",
        ),
    ],
)
def test_content_beyond_a_limit_is_named_by_its_element(content: Content, said: str) -> None:
    with pytest.raises(ContentFault) as caught:
        check(content, LIMITS)
    assert str(caught.value) == said
    assert caught.value.kind.startswith("content_")


def test_limits_are_the_platforms() -> None:
    with pytest.raises(ContentFault, match="at most 1024"):
        check(Text("x" * 1025), Limits(text_max=1024))
    with pytest.raises(ContentFault, match="audio: is not known"):
        check(Audio("https://f.example/a"), Limits(unsupported=frozenset({"audio"})))
    check(RichCard(Card(media=Media("https://img.example/a.jpg"))), Limits(needs_media_facts=False))


def test_content_is_written_in_json_by_its_types() -> None:
    tree = {
        "type": "carousel",
        "cards": [
            {"title": "A", "suggestions": [{"type": "open_url", "display_text": "Voir", "url": "https://a.example"}]},
            {"title": "B", "media": {"url": "https://b.example/b.png", "height": "tall"}},
        ],
    }
    content: Content = msgspec.convert(tree, Content)
    assert content == Carousel(
        (
            Card("A", suggestions=(OpenUrl("Voir", "", "https://a.example"),)),
            Card("B", media=Media("https://b.example/b.png", height="tall")),
        )
    )
    assert msgspec.json.decode(msgspec.json.encode(content), type=Content) == content
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"type": "hologram"}, Content)


@pytest.mark.parametrize("url", ["file:a.png", "FILE:a.png", "uploaded:files/1"])
@pytest.mark.parametrize(
    ("make", "element"),
    [
        (File, "file.url"),
        (Audio, "audio.url"),
        (lambda url: File("https://x.example/a", thumbnail=Thumbnail(url, "image/png", 9)), "file.thumbnail.url"),
        (lambda url: RichCard(Card(media=Media(url, "image/png", 9))), "rich_card.card.media.url"),
        (lambda url: Text("x", (OpenUrl("Open", "o", url),)), "text.suggestions[0].url"),
    ],
)
def test_what_is_no_address_for_a_handset_is_refused(make: Callable[[str], Content], element: str, url: str) -> None:
    with pytest.raises(ContentFault, match=r"is a local file|is the name of an uploaded file") as caught:
        check(make(url), LIMITS)
    assert (caught.value.kind, caught.value.element) == ("content_bad_value", element)


def test_a_thumbnail_has_a_size_within_bounds() -> None:
    with pytest.raises(ContentFault, match=r"file.thumbnail.size: is negative"):
        check(
            File("https://x.example/a", thumbnail=Thumbnail("https://x.example/t", size=-1)),
            Limits(needs_media_facts=False),
        )
