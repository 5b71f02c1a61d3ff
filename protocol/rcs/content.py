"""The neutral content model: what a message to or from a handset holds, whichever platform carries it.

Knows no platform's spelling of it.
"""

from __future__ import annotations

import msgspec

from protocol.rcs.errors import RcsFault

TEXT_LENGTH_MAX = 3072
"""Characters of one text. GSMA FNW.11's own number is not public; this is the limit of the widest platform."""

DISPLAY_TEXT_LENGTH_MAX = 25
POSTBACK_LENGTH_MAX = 2048
CHIPS_MAX = 11


class Reply(msgspec.Struct, frozen=True, gc=False, tag="reply"):
    """A suggested answer: shown as ``display_text``, its ``postback`` comes back when it is tapped."""

    display_text: str
    postback: str


class OpenUrl(msgspec.Struct, frozen=True, gc=False, tag="open_url"):
    """A suggested action: opens a page."""

    display_text: str
    postback: str
    url: str


class Dial(msgspec.Struct, frozen=True, gc=False, tag="dial"):
    """A suggested action: dials a number (E.164 with its plus)."""

    display_text: str
    postback: str
    phone_number: str


Suggestion = Reply | OpenUrl | Dial


class Text(msgspec.Struct, frozen=True, gc=False, tag="text"):
    """A text with its suggestion chips, if any."""

    text: str
    suggestions: tuple[Suggestion, ...] = ()


class File(msgspec.Struct, frozen=True, gc=False, tag="file"):
    """A file at a URL; ``size`` is in octets, 0 when unknown."""

    url: str
    name: str = ""
    mime_type: str = ""
    size: int = 0


class Audio(msgspec.Struct, frozen=True, gc=False, tag="audio"):
    """A recording at a URL; ``size`` is in octets, 0 when unknown."""

    url: str
    name: str = ""
    mime_type: str = ""
    size: int = 0


class Location(msgspec.Struct, frozen=True, gc=False, tag="location"):
    """A place in WGS 84 decimal degrees."""

    latitude: float
    longitude: float
    label: str = ""


Inbound = Text | File | Audio | Location
"""What a handset can send. Only ``Text`` can be sent to one, so far."""


def plain_text(content: Inbound) -> str:
    """What a receiver that knows nothing but text is given: the text, the URL, or a geo URI (RFC 5870)."""
    match content:
        case Text(text=text):
            return text
        case File(url=url) | Audio(url=url):
            return url
        case Location(latitude=latitude, longitude=longitude, label=label):
            place = f"geo:{latitude:.6f},{longitude:.6f}"
            return f"{label} {place}" if label else place


def check_text(content: Text, text_length_max: int = TEXT_LENGTH_MAX) -> None:
    """Raise RcsFault when a platform would refuse the text or its chips (RCC.07 chatbot message schema)."""
    if not content.text:
        raise RcsFault("text_empty")
    if len(content.text) > text_length_max:
        raise RcsFault("text_too_long")
    if len(content.suggestions) > CHIPS_MAX:
        raise RcsFault("suggestions_number")
    for suggestion in content.suggestions:
        _check_suggestion(suggestion)


def _check_suggestion(suggestion: Suggestion) -> None:
    if not 1 <= len(suggestion.display_text) <= DISPLAY_TEXT_LENGTH_MAX:
        raise RcsFault("display_text_length")
    # The schema lets an absent postback pass, Samsung's platform does not: one is always asked for.
    if not 1 <= len(suggestion.postback) <= POSTBACK_LENGTH_MAX:
        raise RcsFault("postback_length")
    if isinstance(suggestion, OpenUrl) and not suggestion.url:
        raise RcsFault("no_url")
