"""Twin of protocol.rcs.files."""

from __future__ import annotations

import pytest

from protocol.rcs.answers import TokenRefused, TryLater
from protocol.rcs.content import Audio, Card, Carousel, Content, File, Location, Media, RichCard, Text, Thumbnail
from protocol.rcs.files import (
    MEDIA_TYPES,
    SUFFIXES,
    NotStored,
    Place,
    local_name,
    media_type_of,
    placed,
    read_refusal,
)
from tests.protocol.rcs.contents import CONTENTS


def found(name: str) -> Place:
    if name == "gone.png":
        raise LookupError(name)
    return Place(f"https://x.example/{name}", "image/png", len(name))


LOCAL = Media("file:a.png", height="tall", thumbnail=Thumbnail("file:t.png"))
THERE = Media("https://x.example/a.png", "image/png", 5, "tall", Thumbnail("https://x.example/t.png", "image/png", 5))


@pytest.mark.parametrize(
    ("content", "placed_content"),
    [
        (File("FILE:a.png", "a"), File("https://x.example/a.png", "a", "image/png", 5)),
        (
            File("https://y.example/a.pdf", thumbnail=Thumbnail("file:t.png")),
            File("https://y.example/a.pdf", thumbnail=Thumbnail("https://x.example/t.png", "image/png", 5)),
        ),
        (Audio("file:a.mp3", length_s=3), Audio("https://x.example/a.mp3", "", "image/png", 5, 3)),
        (RichCard(Card("A", media=LOCAL), suggestions=()), RichCard(Card("A", media=THERE))),
        (
            Carousel((Card("A"), Card("B", media=LOCAL)), "small"),
            Carousel((Card("A"), Card("B", media=THERE)), "small"),
        ),
    ],
    ids=["file", "thumbnail", "audio", "card", "carousel"],
)
def test_local_files_are_replaced_by_what_stands_for_them(content: Content, placed_content: Content) -> None:
    assert placed(content, found) == placed_content


@pytest.mark.parametrize("content", [*CONTENTS, Text("file:a.png"), Location(1, 2)], ids=lambda c: type(c).__name__)
def test_content_without_them_is_the_same(content: Content) -> None:
    assert placed(content, found) is content


def test_what_is_not_found_passes_through() -> None:
    with pytest.raises(LookupError):
        placed(RichCard(Card(media=Media("file:gone.png"))), found)


def test_names() -> None:
    assert [local_name(url) for url in ("file:a/b.png", "File:a", "https://file:a", "")] == ["a/b.png", "a", "", ""]
    assert [media_type_of(name) for name in ("a.PNG", "a/b.jpeg", "a.exe", "png", "")] == [
        "image/png",
        "image/jpeg",
        "",
        "image/png",
        "",
    ]
    assert set(SUFFIXES.values()) <= MEDIA_TYPES


@pytest.mark.parametrize(
    ("status", "retry_after", "answer"),
    [
        (400, None, NotStored("42401")),
        (413, None, NotStored("42401")),
        (302, None, NotStored("42401")),
        (401, None, TokenRefused()),
        (429, "7", TryLater("42401", 7.0, throttled=True)),
        (408, None, TryLater("42401")),
        (503, "9", TryLater("42401", 9.0)),
    ],
)
def test_refusals(status: int, retry_after: str | None, answer: object) -> None:
    assert read_refusal(status, retry_after, "42401") == answer
