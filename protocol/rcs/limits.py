"""The limits of a platform's content as data, and the few questions that every element is asked.

Knows no element: the ways to them come from ``content`` and ``suggestions``.
"""

from __future__ import annotations

from collections.abc import Sized

import msgspec

from protocol.rcs.errors import ContentFault

LOCAL = "file:"
"""Begins the URL of a file of ours that is still to be uploaded: no platform knows it."""

UPLOADED = "uploaded:"
"""Begins the URL of an uploaded file on platforms that name files instead of giving them an address."""


class Limits(msgspec.Struct, frozen=True):
    """What one platform takes. Lengths are characters, sizes octets; the defaults are those of RCC.07 and Samsung.

    ``unsupported`` names content by its tag (``audio``); ``dropped`` are suggestions by theirs, which a platform does
    not know and which its encoding leaves out. ``needs_media_facts``: media must say their type and their size, and a
    thumbnail its own (FNW.11). ``media_types`` are all that it takes, ``thumbnail_types`` of thumbnails; empty is any.
    ``has_sound_in_cards``: a card's media may be a recording. ``files_size_max`` bounds all files of a message,
    together; 0 does not. ``needs_postback``: the schema lets an absent one pass, Samsung's platform does not.
    ``names_uploads``: an uploaded file has a name and no URL, which is written ``uploaded:NAME`` here.
    """

    text_max: int = 3072
    label_max: int = 200
    title_max: int = 200
    description_max: int = 2000
    media_description_max: int = 200
    cards_min: int = 2
    cards_max: int = 10
    card_suggestions_max: int = 4
    chips_max: int = 11
    display_text_max: int = 25
    postback_max: int = 2048
    url_max: int = 2048
    parameters_max: int = 200
    subject_max: int = 60
    place_label_max: int = 100
    query_max: int = 200
    event_title_max: int = 100
    event_description_max: int = 500
    compose_text_max: int = 100
    file_size_max: int = 100 * 1024 * 1024
    thumbnail_size_max: int = 100 * 1024 * 1024
    files_size_max: int = 0
    payload_size_max: int = 250_000
    needs_media_facts: bool = True
    needs_postback: bool = True
    names_uploads: bool = False
    has_sound_in_cards: bool = True
    media_types: frozenset[str] = frozenset()
    thumbnail_types: frozenset[str] = frozenset()
    unsupported: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()


def check_length(value: str, at: str, most: int, *, least: int = 1) -> None:
    """Raise ContentFault unless ``value`` has ``least`` to ``most`` characters."""
    if len(value) < least:
        raise ContentFault("empty", at, "is empty")
    if len(value) > most:
        raise ContentFault("too_long", at, f"{len(value)} characters, at most {most}")


def check_number(items: Sized, at: str, most: int, *, least: int = 0) -> None:
    """Raise ContentFault unless there are ``least`` to ``most`` of them."""
    if len(items) < least:
        raise ContentFault("too_few", at, f"{len(items)}, at least {least}")
    if len(items) > most:
        raise ContentFault("too_many", at, f"{len(items)}, at most {most}")


def check_url(url: str, at: str, limits: Limits) -> None:
    """Raise ContentFault unless it is a URL that a handset can follow."""
    check_length(url, at, limits.url_max)
    if "://" not in url and ":" not in url:
        raise ContentFault("bad_value", at, "is no URL: it has no scheme")
    if url[: len(LOCAL)].lower() == LOCAL:
        raise ContentFault("bad_value", at, "is a local file, and was not uploaded")
    if url[: len(UPLOADED)].lower() == UPLOADED:
        raise ContentFault("bad_value", at, "is the name of an uploaded file, and no URL")


def is_uploaded(url: str) -> bool:
    """Whether it is no URL but the name of an uploaded file."""
    return url.startswith(UPLOADED)


def check_source(url: str, at: str, limits: Limits) -> None:
    """Raise ContentFault unless a platform with these limits can get a file from there."""
    if limits.names_uploads and is_uploaded(url):
        check_length(url, at, limits.url_max, least=len(UPLOADED) + 1)
    else:
        check_url(url, at, limits)


def check_size(size: int, at: str, most: int) -> None:
    """Raise ContentFault unless a file's size (0 = not known) is within bounds."""
    if size < 0:
        raise ContentFault("out_of_range", at, "is negative")
    if size > most:
        raise ContentFault("too_large", at, f"{size} octets, at most {most}")


def check_type(mime_type: str, at: str, known: frozenset[str]) -> None:
    """Raise ContentFault for a media type (empty = not known) that is not among the known ones (none = any)."""
    if mime_type and known and mime_type.partition(";")[0].strip().lower() not in known:
        raise ContentFault("unsupported", at, f"{mime_type} is not taken by this platform")


def check_place(latitude: float, longitude: float, at: str) -> None:
    """Raise ContentFault unless the point lies on the globe (WGS 84 decimal degrees)."""
    if not -90 <= latitude <= 90:
        raise ContentFault("out_of_range", f"{at}.latitude", "must be between -90 and 90")
    if not -180 <= longitude <= 180:
        raise ContentFault("out_of_range", f"{at}.longitude", "must be between -180 and 180")
