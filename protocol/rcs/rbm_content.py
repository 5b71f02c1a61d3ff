"""Content in the spelling of Google's RCS for Business (v1 agentMessages): written for a handset, read from one.

Knows neither requests nor events; limits are checked before, in ``content``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from protocol.rcs.content import (
    AnySuggestion,
    Audio,
    CalendarEvent,
    Card,
    Carousel,
    Content,
    Dial,
    File,
    Inbound,
    Limits,
    Location,
    Media,
    OpenUrl,
    Reply,
    RequestLocation,
    RichCard,
    ShowLocation,
    Text,
    plain_text,
)
from protocol.rcs.errors import RcsFault
from protocol.rcs.files import MEDIA_TYPES
from protocol.rcs.limits import UPLOADED, is_uploaded

LIMITS = Limits(
    needs_media_facts=False,
    names_uploads=True,
    thumbnail_size_max=100_000,
    files_size_max=100 * 1024 * 1024,
    has_sound_in_cards=False,
    media_types=MEDIA_TYPES | {"image/jpg"},
    thumbnail_types=frozenset({"image/gif", "image/jpeg", "image/jpg", "image/png"}),
    dropped=frozenset(
        {
            "dial_enriched",
            "dial_video",
            "compose_text",
            "compose_recording",
            "request_device",
            "disable_anonymization",
            "enable_displayed",
        }
    ),
)
"""``compose_…`` is paused by Google, the others were never there: they are left out, and the rest is sent.

A PDF in a card is shown by Google Messages in India alone; no handset is asked for that here, so it is let through.
``forceRefresh`` of a file and the ``parameters`` of a webview have no place in its encoding.
"""

TEXT_LENGTH_MAX = 16_000

_Tree = dict[str, Any]


def encode(content: Content) -> _Tree:
    """The contentMessage. Suggestions that Google does not know are left out; a place becomes text and a map chip."""
    tree = _members(content)
    chips = _suggestions(content.suggestions)
    if isinstance(content, Location):
        show = {"latLong": {"latitude": content.latitude, "longitude": content.longitude}}
        label = {"label": content.label} if content.label else {}
        words = (content.label or "Map")[: LIMITS.display_text_max]
        chips.insert(0, {"action": {"text": words, "postbackData": "map", "viewLocationAction": show | label}})
    if chips:
        tree["suggestions"] = chips[: LIMITS.chips_max]
    return tree


def _members(content: Content) -> _Tree:
    match content:
        case Text(text=text):
            return {"text": text}
        case File(url=url, thumbnail=thumbnail):
            return _source(url, thumbnail.url if thumbnail is not None else "")
        case Audio(url=url):
            return _source(url)
        case Location():
            return {"text": plain_text(Location(content.latitude, content.longitude, content.label))}
        case RichCard(card=card):
            standalone: _Tree = {"cardOrientation": content.orientation.upper(), "cardContent": _card(card)}
            if content.image_alignment is not None:
                standalone["thumbnailImageAlignment"] = content.image_alignment.upper()
            return {"richCard": {"standaloneCard": standalone}}
        case Carousel(cards=cards, width=width):
            carousel = {"cardWidth": width.upper(), "cardContents": [_card(card) for card in cards]}
            return {"richCard": {"carouselCard": carousel}}


def _source(url: str, thumbnail_url: str = "") -> _Tree:
    """Where Google finds a file: at a URL, or among the agent's uploads under its name."""
    if is_uploaded(url):
        thumbnail = {"thumbnailName": thumbnail_url.removeprefix(UPLOADED)} if thumbnail_url else {}
        return {"uploadedRbmFile": {"fileName": url.removeprefix(UPLOADED)} | thumbnail}
    return {"contentInfo": {"fileUrl": url} | ({"thumbnailUrl": thumbnail_url} if thumbnail_url else {})}


def _card(card: Card) -> _Tree:
    tree: _Tree = {}
    if card.title:
        tree["title"] = card.title
    if card.description:
        tree["description"] = card.description
    if card.media is not None:
        tree["media"] = _media(card.media)
    suggestions = _suggestions(card.suggestions)
    if suggestions:
        tree["suggestions"] = suggestions
    return tree


def _media(media: Media) -> _Tree:
    thumbnail_url = media.thumbnail.url if media.thumbnail is not None else ""
    return {"height": media.height.upper()} | _source(media.url, thumbnail_url)


def _suggestions(suggestions: Sequence[AnySuggestion]) -> list[_Tree]:
    return [tree for each in suggestions if (tree := _suggestion(each)) is not None]


def _suggestion(suggestion: AnySuggestion) -> _Tree | None:
    shown: _Tree = {"text": suggestion.display_text, "postbackData": suggestion.postback}
    if isinstance(suggestion, Reply):
        return {"reply": shown}
    action = _action(suggestion)
    if action is None:
        return None
    url = getattr(suggestion, "fallback_url", "")
    return {"action": shown | ({"fallbackUrl": url} if url else {}) | action}


def _action(suggestion: AnySuggestion) -> _Tree | None:
    match suggestion:
        case OpenUrl():
            return {"openUrlAction": _open_url(suggestion)}
        case Dial(phone_number=number):
            return {"dialAction": {"phoneNumber": number}}
        case ShowLocation(query=query) if query:
            return {"viewLocationAction": {"query": query}}
        case ShowLocation(label=label):
            place: _Tree = {"latLong": {"latitude": suggestion.latitude, "longitude": suggestion.longitude}}
            return {"viewLocationAction": place | ({"label": label} if label else {})}
        case RequestLocation():
            return {"shareLocationAction": {}}
        case CalendarEvent():
            event = {"startTime": suggestion.start, "endTime": suggestion.end, "title": suggestion.title}
            if suggestion.description:
                event["description"] = suggestion.description
            return {"createCalendarEventAction": event}
        case _:
            return None


def _open_url(action: OpenUrl) -> _Tree:
    tree: _Tree = {"url": action.url}
    if action.application is not None:
        tree["application"] = action.application.upper()
    if action.view_mode is not None:
        tree["webviewViewMode"] = action.view_mode.upper()
    if action.description:
        tree["description"] = action.description
    return tree


class _Payload(msgspec.Struct, rename="camel"):
    file_uri: Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH_MAX)]
    mime_type: str | None = None
    file_size_bytes: int | str | None = None
    file_name: str | None = None


class _UserFile(msgspec.Struct):
    payload: _Payload


class _Place(msgspec.Struct):
    latitude: float = 0.0
    longitude: float = 0.0


class UserContent(msgspec.Struct, rename="camel"):
    """The members of a UserMessage that a user's own words and files come in."""

    text: Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH_MAX)] | None = None
    user_file: _UserFile | None = None
    location: _Place | None = None


def decode(members: UserContent) -> Inbound:
    """What a user sent; raises RcsFault ``no_content`` or ``bad_position``. A recording is a file of its kind."""
    if members.text is not None:
        return Text(members.text)
    if members.user_file is not None:
        payload = members.user_file.payload
        size = _size_of(payload.file_size_bytes)
        mime_type, name = payload.mime_type or "", payload.file_name or ""
        kind = Audio if mime_type.startswith("audio/") else File
        return kind(payload.file_uri, name, mime_type, size)
    if members.location is not None:
        place = members.location
        if not (-90 <= place.latitude <= 90 and -180 <= place.longitude <= 180):
            raise RcsFault("bad_position")
        return Location(place.latitude, place.longitude)
    raise RcsFault("no_content")


def _size_of(value: int | str | None) -> int:
    """Octets. JSON of 64 bit integers is written as text by Google's libraries."""
    text = str(value)[:15]
    return int(text) if text.isascii() and text.isdigit() else 0
