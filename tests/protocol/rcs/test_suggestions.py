"""Twin of protocol.rcs.suggestions."""

from __future__ import annotations

import pytest

from protocol.rcs.errors import ContentFault
from protocol.rcs.limits import Limits
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
    tag_of,
    words_of,
)

LIMITS = Limits()
NUMBER = "+33123456789"
START, END = "2026-11-22T15:00:00Z", "2026-11-22T16:00:00+01:00"

EACH: tuple[AnySuggestion, ...] = (
    Reply("a", "p"),
    OpenUrl("a", "p", "https://x.example", "webview", "half", "q=1"),
    Dial("a", "p", NUMBER, "https://x.example"),
    DialEnriched("a", "p", NUMBER, "x" * 60),
    DialVideo("a", "p", NUMBER),
    ShowLocation("a", "p", 48.85, 2.35, "x" * 100),
    ShowLocation("a", "p", query="Tour Eiffel"),
    RequestLocation("a", "p"),
    CalendarEvent("a", "p", START, START, "Rendez-vous", "x" * 500),
    ComposeText("a", "p", NUMBER, "x" * 100),
    ComposeRecording("a", "p", NUMBER, "video"),
    RequestDevice("a", "p"),
    DisableAnonymization("a", "p"),
    EnableDisplayed("a", "p"),
)


@pytest.mark.parametrize("suggestion", EACH, ids=tag_of)
def test_each_kind_passes_at_its_limits(suggestion: AnySuggestion) -> None:
    check_suggestions([suggestion], "s", LIMITS, 11)


@pytest.mark.parametrize(
    ("suggestion", "said"),
    [
        (Reply("", "p"), "s[0].display_text: is empty"),
        (Reply("y", ""), "s[0].postback: is empty"),
        (Reply("y", "z" * 2049), "s[0].postback: 2049 characters, at most 2048"),
        (OpenUrl("y", "p"), "s[0].url: is empty"),
        (OpenUrl("y", "p", "https://" + "x" * 2041), "s[0].url: 2049 characters, at most 2048"),
        (OpenUrl("y", "p", "https://x", view_mode="full"), "s[0]: view_mode and parameters are a webview's alone"),
        (Dial("y", "p", "12a"), "s[0].phone_number: is no phone number"),
        (Dial("y", "p", NUMBER, "nowhere"), "s[0].fallback_url: is no URL: it has no scheme"),
        (DialEnriched("y", "p", NUMBER, "x" * 61), "s[0].subject: 61 characters, at most 60"),
        (DialVideo("y", "p", ""), "s[0].phone_number: is no phone number"),
        (ShowLocation("y", "p", 1.0, 1.0, query="q"), "s[0]: has both a point and a query"),
        (ShowLocation("y", "p", 1.0), "s[0]: has half a point: latitude and longitude are needed"),
        (ShowLocation("y", "p", 91.0, 0.0), "s[0].latitude: must be between -90 and 90"),
        (ShowLocation("y", "p", 1.0, 0.0, "x" * 101), "s[0].label: 101 characters, at most 100"),
        (ShowLocation("y", "p"), "s[0].query: is empty"),
        (CalendarEvent("y", "p", "soon", END, "t"), "s[0].start: is no RFC 3339 moment"),
        (CalendarEvent("y", "p", START, "", "t"), "s[0].end: is no RFC 3339 moment"),
        (CalendarEvent("y", "p", "2026-11-22T17:00:00Z", START, "t"), "s[0].end: lies before start"),
        (CalendarEvent("y", "p", START, START), "s[0].title: is empty"),
        (ComposeText("y", "p", NUMBER, "x" * 101), "s[0].text: 101 characters, at most 100"),
        (ComposeRecording("y", "p", "abc"), "s[0].phone_number: is no phone number"),
    ],
)
def test_what_breaks_a_limit_is_named(suggestion: AnySuggestion, said: str) -> None:
    with pytest.raises(ContentFault) as caught:
        check_suggestions([suggestion], "s", LIMITS, 11)
    assert str(caught.value) == said


def test_their_number_is_limited() -> None:
    with pytest.raises(ContentFault, match=r"s: 2, at most 1"):
        check_suggestions([Reply("a", "b")] * 2, "s", LIMITS, 1)


def test_a_platform_may_do_without_a_postback() -> None:
    check_suggestions([Reply("a")], "s", Limits(needs_postback=False), 1)


@pytest.mark.parametrize(
    ("suggestion", "words"),
    [
        (Reply("OK", "p"), ""),
        (OpenUrl("Voir", "p", "https://x.example"), "Voir: https://x.example"),
        (Dial("Appeler", "p", NUMBER), f"Appeler: {NUMBER}"),
        (DialEnriched("Appeler", "p", NUMBER), f"Appeler: {NUMBER}"),
        (DialVideo("Voir", "p", NUMBER), f"Voir: {NUMBER}"),
        (ShowLocation("Carte", "p", 1.0, 2.0), "Carte: geo:1.000000,2.000000"),
        (ShowLocation("Carte", "p", query="Paris"), "Carte: Paris"),
        (CalendarEvent("Noter", "p", START, END, "RDV"), f"Noter: RDV, {START}"),
        (RequestLocation("Où ?", "p"), ""),
    ],
)
def test_what_remains_in_plain_text(suggestion: AnySuggestion, words: str) -> None:
    assert words_of(suggestion) == words
