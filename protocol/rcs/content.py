"""The neutral content model: what a message to or from a handset holds, whichever platform carries it.

Knows no platform's spelling of it: ``gsma_content`` and ``rbm_content`` do. Every record also decodes from JSON, told
apart by ``type``.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from protocol.rcs.errors import ContentFault
from protocol.rcs.limits import (
    Limits,
    check_length,
    check_number,
    check_place,
    check_size,
    check_source,
    check_type,
    check_url,
    is_uploaded,
)
from protocol.rcs.suggestions import (
    AnySuggestion,
    CalendarEvent,
    ComposeRecording,
    ComposeText,
    Dial,
    DialEnriched,
    DialVideo,
    DisableAnonymization,
    EnableDisplayed,
    OpenUrl,
    Reply,
    RequestDevice,
    RequestLocation,
    ShowLocation,
    check_suggestions,
    geo_uri,
    tag_of,
    words_of,
)

__all__ = [
    "AnySuggestion",
    "Audio",
    "CalendarEvent",
    "Card",
    "Carousel",
    "ComposeRecording",
    "ComposeText",
    "Content",
    "Dial",
    "DialEnriched",
    "DialVideo",
    "DisableAnonymization",
    "EnableDisplayed",
    "File",
    "Inbound",
    "Limits",
    "Location",
    "Media",
    "OpenUrl",
    "Reply",
    "RequestDevice",
    "RequestLocation",
    "RichCard",
    "ShowLocation",
    "Text",
    "Thumbnail",
    "check",
    "geo_uri",
    "plain_text",
]

Height = Literal["short", "medium", "tall"]
Width = Literal["small", "medium"]
Orientation = Literal["vertical", "horizontal"]
Alignment = Literal["left", "right"]
FontStyle = Literal["italics", "bold", "underline"]

Suggestions = tuple[AnySuggestion, ...]


class Thumbnail(msgspec.Struct, frozen=True, gc=False):
    """A small picture that stands for a file; ``size`` in octets, 0 when unknown."""

    url: str
    mime_type: str = ""
    size: int = 0
    name: str = ""


class Text(msgspec.Struct, frozen=True, gc=False, tag="text"):
    """A text with its suggestion chips, if any."""

    text: str
    suggestions: Suggestions = ()


class File(msgspec.Struct, frozen=True, gc=False, tag="file"):
    """A file at a URL; ``size`` is in octets, 0 when unknown."""

    url: str
    name: str = ""
    mime_type: str = ""
    size: int = 0
    thumbnail: Thumbnail | None = None
    suggestions: Suggestions = ()


class Audio(msgspec.Struct, frozen=True, gc=False, tag="audio"):
    """A recording at a URL; ``size`` is in octets, ``length_s`` how long it plays; 0 when unknown."""

    url: str
    name: str = ""
    mime_type: str = ""
    size: int = 0
    length_s: int = 0
    suggestions: Suggestions = ()


class Location(msgspec.Struct, frozen=True, gc=False, tag="location"):
    """A place in WGS 84 decimal degrees."""

    latitude: float
    longitude: float
    label: str = ""
    radius_m: float = 0.0
    suggestions: Suggestions = ()


class Media(msgspec.Struct, frozen=True, gc=False):
    """The picture or film of a card."""

    url: str
    mime_type: str = ""
    size: int = 0
    height: Height = "medium"
    thumbnail: Thumbnail | None = None
    description: str = ""


class Card(msgspec.Struct, frozen=True, gc=False):
    """What one card shows: at least one of media, title and description."""

    title: str = ""
    description: str = ""
    media: Media | None = None
    suggestions: Suggestions = ()


class RichCard(msgspec.Struct, frozen=True, gc=False, tag="rich_card"):
    """One card that stands alone. ``image_alignment`` is a horizontal card's; its ``suggestions`` are chips below."""

    card: Card
    orientation: Orientation = "vertical"
    image_alignment: Alignment | None = None
    title_font_style: tuple[FontStyle, ...] = ()
    description_font_style: tuple[FontStyle, ...] = ()
    style_url: str = ""
    suggestions: Suggestions = ()


class Carousel(msgspec.Struct, frozen=True, gc=False, tag="carousel"):
    """Cards in a row, to be swiped through."""

    cards: tuple[Card, ...]
    width: Width = "medium"
    title_font_style: tuple[FontStyle, ...] = ()
    description_font_style: tuple[FontStyle, ...] = ()
    style_url: str = ""
    suggestions: Suggestions = ()


Inbound = Text | File | Audio | Location
"""What a handset can send."""

Content = Text | File | Audio | Location | RichCard | Carousel
"""What can be sent to a handset."""


def check(content: Content, limits: Limits) -> None:
    """Raise ContentFault, which names the element, when a platform with these limits would refuse the content."""
    name = tag_of(content)
    if name in limits.unsupported:
        raise ContentFault("unsupported", name, "is not known to this platform")
    match content:
        case Text(text=text):
            check_length(text, name, limits.text_max)
        case File():
            _check_file(content, limits)
        case Audio():
            _check_audio(content, limits)
        case Location(latitude=latitude, longitude=longitude, label=label):
            check_place(latitude, longitude, name)
            check_length(label, f"{name}.label", limits.label_max, least=0)
            if content.radius_m < 0:
                raise ContentFault("out_of_range", f"{name}.radius_m", "is negative")
        case RichCard():
            _check_rich_card(content, limits)
        case Carousel(cards=cards):
            _check_style(content.style_url, f"{name}.style_url", limits)
            check_number(cards, f"{name}.cards", limits.cards_max, least=limits.cards_min)
            for index, card in enumerate(cards):
                at = f"{name}.cards[{index}]"
                _check_card(card, at, limits)
                if content.width == "small" and card.media is not None and card.media.height == "tall":
                    raise ContentFault("contradiction", f"{at}.media.height", "a small carousel has no tall media")
    check_suggestions(content.suggestions, f"{name}.suggestions", limits, limits.chips_max)
    if limits.files_size_max:
        check_size(sum(_sizes_of(content)), name, limits.files_size_max)


def plain_text(content: Content) -> str:
    """What a receiver that knows nothing but text is given: words, URLs, and a geo URI (RFC 5870) for a place.

    Actions follow on lines of their own; suggested answers are left out, as what they would answer is in the words.
    """
    lines = [_words(content), *map(words_of, content.suggestions)]
    return "\n".join(line for line in lines if line)


def _words(content: Content) -> str:
    match content:
        case Text(text=text):
            return text
        case File(url=url) | Audio(url=url):
            return url
        case Location(latitude=latitude, longitude=longitude, label=label):
            place = geo_uri(latitude, longitude)
            return f"{label} {place}" if label else place
        case RichCard(card=card):
            return _words_of_card(card)
        case Carousel(cards=cards):
            return "\n\n".join(map(_words_of_card, cards))


def _words_of_card(card: Card) -> str:
    lines = [card.title, card.description, *map(words_of, card.suggestions)]
    # A picture says little as an address: it stands in only where nothing else does.
    return "\n".join(line for line in lines if line) or (card.media.url if card.media is not None else "")


def _check_octets(shown: File | Audio | Media, at: str, limits: Limits) -> None:
    check_source(shown.url, f"{at}.url", limits)
    check_size(shown.size, f"{at}.size", limits.file_size_max)
    check_type(shown.mime_type, f"{at}.mime_type", limits.media_types)


def _check_file(file: File, limits: Limits) -> None:
    _check_octets(file, "file", limits)
    if file.thumbnail is not None:
        _check_thumbnail(file.thumbnail, "file.thumbnail", limits, file.url)


def _check_audio(audio: Audio, limits: Limits) -> None:
    _check_octets(audio, "audio", limits)
    if audio.length_s < 0:
        raise ContentFault("out_of_range", "audio.length_s", "is negative")


def _check_style(url: str, at: str, limits: Limits) -> None:
    if url:
        check_url(url, at, limits)


def _sizes_of(content: Content) -> list[int]:
    """The sizes of all files that a message names, as far as they are known."""
    match content:
        case Audio(size=size):
            return [size]
        case File():
            return _sizes_with_thumbnail(content)
        case RichCard(card=card):
            return _sizes_with_thumbnail(card.media)
        case Carousel(cards=cards):
            return [size for card in cards for size in _sizes_with_thumbnail(card.media)]
        case _:
            return []


def _sizes_with_thumbnail(shown: File | Media | None) -> list[int]:
    if shown is None:
        return []
    return [shown.size, shown.thumbnail.size if shown.thumbnail is not None else 0]


def _check_thumbnail(thumbnail: Thumbnail, at: str, limits: Limits, url: str) -> None:
    check_source(thumbnail.url, f"{at}.url", limits)
    if is_uploaded(thumbnail.url) != is_uploaded(url):
        raise ContentFault("contradiction", f"{at}.url", "of a file and its thumbnail, only one was uploaded")
    check_size(thumbnail.size, f"{at}.size", limits.thumbnail_size_max)
    check_type(thumbnail.mime_type, f"{at}.mime_type", limits.thumbnail_types)
    if limits.needs_media_facts:
        _check_facts(thumbnail.mime_type, thumbnail.size, at)


def _check_facts(mime_type: str, size: int, at: str) -> None:
    if not mime_type:
        raise ContentFault("missing", f"{at}.mime_type", "is needed by this platform")
    if size <= 0:
        raise ContentFault("missing", f"{at}.size", "is needed by this platform")


def _check_rich_card(content: RichCard, limits: Limits) -> None:
    _check_card(content.card, "rich_card.card", limits)
    _check_style(content.style_url, "rich_card.style_url", limits)
    if content.orientation == "vertical" and content.image_alignment is not None:
        raise ContentFault("contradiction", "rich_card.image_alignment", "is for a horizontal card only")
    if content.orientation == "horizontal" and content.image_alignment is None:
        raise ContentFault("missing", "rich_card.image_alignment", "is needed by a horizontal card")
    card = content.card
    if content.orientation == "horizontal" and card.media and not (card.title or card.description or card.suggestions):
        raise ContentFault("missing", "rich_card.card", "a horizontal card with media needs words or a suggestion")


def _check_card(card: Card, at: str, limits: Limits) -> None:
    if card.media is None and not card.title and not card.description:
        raise ContentFault("empty", at, "has neither media, title nor description")
    check_length(card.title, f"{at}.title", limits.title_max, least=0)
    check_length(card.description, f"{at}.description", limits.description_max, least=0)
    if card.media is not None:
        _check_media(card.media, f"{at}.media", limits)
    check_suggestions(card.suggestions, f"{at}.suggestions", limits, limits.card_suggestions_max)


def _check_media(media: Media, at: str, limits: Limits) -> None:
    _check_octets(media, at, limits)
    if not limits.has_sound_in_cards and media.mime_type.startswith("audio/"):
        raise ContentFault("unsupported", f"{at}.mime_type", "a card shows no recording on this platform")
    check_length(media.description, f"{at}.description", limits.media_description_max, least=0)
    if limits.needs_media_facts:
        _check_facts(media.mime_type, media.size, at)
    if media.thumbnail is not None:
        _check_thumbnail(media.thumbnail, f"{at}.thumbnail", limits, media.url)
