"""What a message may suggest to its reader: answers and actions, whichever platform carries them (RCC.07).

Knows no platform's spelling of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from protocol.rcs import timestamps
from protocol.rcs.errors import ContentFault
from protocol.rcs.limits import Limits, check_length, check_number, check_place, check_url

Application = Literal["browser", "webview"]
ViewMode = Literal["full", "half", "tall"]
Recording = Literal["audio", "video"]


class Suggestion(msgspec.Struct, frozen=True, gc=False):
    """What all of them have: shown as ``display_text``; ``postback`` comes back when it is tapped."""

    display_text: str
    postback: str = ""


class Reply(Suggestion, frozen=True, gc=False, tag="reply"):
    """A suggested answer."""


class OpenUrl(Suggestion, frozen=True, gc=False, tag="open_url"):
    """Opens a page; in a web view only where ``application`` says so, as older platforms know nothing but the URL."""

    url: str = ""
    application: Application | None = None
    view_mode: ViewMode | None = None
    parameters: str = ""
    description: str = ""


class Dial(Suggestion, frozen=True, gc=False, tag="dial"):
    """Dials a number (E.164 with its plus)."""

    phone_number: str = ""
    fallback_url: str = ""


class DialEnriched(Suggestion, frozen=True, gc=False, tag="dial_enriched"):
    """Begins an enriched call, with a subject."""

    phone_number: str = ""
    subject: str = ""
    fallback_url: str = ""


class DialVideo(Suggestion, frozen=True, gc=False, tag="dial_video"):
    """Begins a video call."""

    phone_number: str = ""
    fallback_url: str = ""


class ShowLocation(Suggestion, frozen=True, gc=False, tag="show_location"):
    """Shows a place on a map: a point in WGS 84 degrees, or what a ``query`` finds; never both."""

    latitude: float | None = None
    longitude: float | None = None
    label: str = ""
    query: str = ""
    fallback_url: str = ""


class RequestLocation(Suggestion, frozen=True, gc=False, tag="request_location"):
    """Asks the reader to share where they are."""


class CalendarEvent(Suggestion, frozen=True, gc=False, tag="calendar_event"):
    """Puts an event into the calendar; ``start`` and ``end`` are RFC 3339 moments."""

    start: str = ""
    end: str = ""
    title: str = ""
    description: str = ""
    fallback_url: str = ""


class ComposeText(Suggestion, frozen=True, gc=False, tag="compose_text"):
    """Drafts a text to a number."""

    phone_number: str = ""
    text: str = ""


class ComposeRecording(Suggestion, frozen=True, gc=False, tag="compose_recording"):
    """Records a sound or a film for a number."""

    phone_number: str = ""
    recording: Recording = "audio"


class RequestDevice(Suggestion, frozen=True, gc=False, tag="request_device"):
    """Asks for the handset's model and software."""


class DisableAnonymization(Suggestion, frozen=True, gc=False, tag="disable_anonymization"):
    """Asks the reader to show their number."""


class EnableDisplayed(Suggestion, frozen=True, gc=False, tag="enable_displayed"):
    """Asks the reader to allow read notifications."""


AnySuggestion = (
    Reply
    | OpenUrl
    | Dial
    | DialEnriched
    | DialVideo
    | ShowLocation
    | RequestLocation
    | CalendarEvent
    | ComposeText
    | ComposeRecording
    | RequestDevice
    | DisableAnonymization
    | EnableDisplayed
)
"""Each kind, told apart in JSON by ``type``."""


def tag_of(value: msgspec.Struct) -> str:
    """The ``type`` by which JSON tells it apart."""
    return str(value.__struct_config__.tag)


def check_suggestions(suggestions: Sequence[AnySuggestion], at: str, limits: Limits, most: int) -> None:
    """Raise ContentFault when a platform would refuse one of them, or their number. ``at`` is the way to them."""
    check_number(suggestions, at, most)
    for index, suggestion in enumerate(suggestions):
        _check(suggestion, f"{at}[{index}]", limits)


def geo_uri(latitude: float, longitude: float) -> str:
    """A place in WGS 84 degrees as RFC 5870 writes it, to about a decimetre."""
    return f"geo:{latitude:.6f},{longitude:.6f}"


def words_of(suggestion: AnySuggestion) -> str:
    """What remains of it in plain text: an action's address behind its words; nothing for what text can't do."""
    match suggestion:
        case OpenUrl(url=target) | Dial(phone_number=target) | DialEnriched(phone_number=target):
            return f"{suggestion.display_text}: {target}"
        case DialVideo(phone_number=target):
            return f"{suggestion.display_text}: {target}"
        case ShowLocation(latitude=float() as latitude, longitude=float() as longitude):
            return f"{suggestion.display_text}: {geo_uri(latitude, longitude)}"
        case ShowLocation(query=query):
            return f"{suggestion.display_text}: {query}"
        case CalendarEvent(title=title, start=start):
            return f"{suggestion.display_text}: {title}, {start}"
        case _:
            return ""


def _check(suggestion: AnySuggestion, at: str, limits: Limits) -> None:
    check_length(suggestion.display_text, f"{at}.display_text", limits.display_text_max)
    check_length(suggestion.postback, f"{at}.postback", limits.postback_max, least=int(limits.needs_postback))
    match suggestion:
        case OpenUrl():
            _check_open_url(suggestion, at, limits)
        case ShowLocation():
            _check_place(suggestion, at, limits)
        case CalendarEvent():
            _check_event(suggestion, at, limits)
        case ComposeText(phone_number=number, text=text):
            _check_number(number, at)
            check_length(text, f"{at}.text", limits.compose_text_max)
        case DialEnriched(phone_number=number, subject=subject, fallback_url=url):
            _check_number(number, at)
            check_length(subject, f"{at}.subject", limits.subject_max, least=0)
            _check_fallback(url, at, limits)
        case Dial(phone_number=number, fallback_url=url) | DialVideo(phone_number=number, fallback_url=url):
            _check_number(number, at)
            _check_fallback(url, at, limits)
        case ComposeRecording(phone_number=number):
            _check_number(number, at)
        case _:
            pass


def _check_open_url(action: OpenUrl, at: str, limits: Limits) -> None:
    check_url(action.url, f"{at}.url", limits)
    check_length(action.parameters, f"{at}.parameters", limits.parameters_max, least=0)
    if action.application != "webview" and (action.view_mode or action.parameters):
        raise ContentFault("contradiction", at, "view_mode and parameters are a webview's alone")


def _check_place(action: ShowLocation, at: str, limits: Limits) -> None:
    has_point = action.latitude is not None or action.longitude is not None
    if has_point and action.query:
        raise ContentFault("contradiction", at, "has both a point and a query")
    if has_point:
        if action.latitude is None or action.longitude is None:
            raise ContentFault("missing", at, "has half a point: latitude and longitude are needed")
        check_place(action.latitude, action.longitude, at)
        check_length(action.label, f"{at}.label", limits.place_label_max, least=0)
    else:
        check_length(action.query, f"{at}.query", limits.query_max)
    _check_fallback(action.fallback_url, at, limits)


def _check_event(action: CalendarEvent, at: str, limits: Limits) -> None:
    moments = []
    for name, moment in (("start", action.start), ("end", action.end)):
        unix = timestamps.read(moment)
        if not unix:
            raise ContentFault("bad_value", f"{at}.{name}", "is no RFC 3339 moment")
        moments.append(unix)
    if moments[1] < moments[0]:
        raise ContentFault("contradiction", f"{at}.end", "lies before start")
    check_length(action.title, f"{at}.title", limits.event_title_max)
    check_length(action.description, f"{at}.description", limits.event_description_max, least=0)
    _check_fallback(action.fallback_url, at, limits)


def _check_number(number: str, at: str) -> None:
    digits = number.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
        raise ContentFault("bad_value", f"{at}.phone_number", "is no phone number")


def _check_fallback(url: str, at: str, limits: Limits) -> None:
    if url:
        check_url(url, f"{at}.fallback_url", limits)
