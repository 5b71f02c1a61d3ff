"""Files of ours at a platform: what an upload is, what answers to it mean, and their places in content.

Knows no platform's spelling: ``gsma_files`` and ``rbm_files`` do. Opens no file, either: octets are somebody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

import msgspec

from protocol.rcs.answers import TokenRefused, TryLater, error_word, is_busy, read_retry_after
from protocol.rcs.content import Audio, Card, Carousel, Content, File, Media, RichCard, Thumbnail
from protocol.rcs.exchange import Request
from protocol.rcs.limits import LOCAL

_Named = TypeVar("_Named", File, Audio, Media, Thumbnail)
_Record = TypeVar("_Record", bound=msgspec.Struct)

MEDIA_TYPES: frozenset[str] = frozenset(
    (
        "application/ogg",
        "application/pdf",
        *(f"audio/{kind}" for kind in ("3gpp", "aac", "mp3", "mp4", "mp4-latm", "mpeg", "mpg")),
        *(f"image/{kind}" for kind in ("gif", "jpeg", "png")),
        *(f"video/{kind}" for kind in ("h263", "m4v", "mp4", "mpeg", "mpeg4", "webm")),
    )
)
"""What handsets show, by the list of Google's platform; nobody publishes a longer one."""

# Not those of the machine that we happen to run on: its list is longer on some, and has other words.
SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        "aac": "audio/aac",
        "gif": "image/gif",
        "jpeg": "image/jpeg",
        "jpg": "image/jpeg",
        "m4a": "audio/mp4",
        "m4v": "video/m4v",
        "mp3": "audio/mpeg",
        "mp4": "video/mp4",
        "mpeg": "video/mpeg",
        "mpg": "video/mpeg",
        "ogg": "application/ogg",
        "pdf": "application/pdf",
        "png": "image/png",
        "webm": "video/webm",
    }
)
"""The media types of file names, by what follows the last dot in small letters."""


class LocalFile(msgspec.Struct, frozen=True):
    """A file of ours to upload. ``size`` is in octets, ``digest`` the SHA-256 of its content in hexadecimal digits.

    ``until`` is how long we would like it to be kept (Unix seconds).
    """

    name: str
    mime_type: str
    size: int
    digest: str
    until: float


class Posting(msgspec.Struct, frozen=True):
    """A request whose body is the octets of a file, between two pieces of our own."""

    request: Request
    before: bytes = b""
    after: bytes = b""


class Stored(msgspec.Struct, frozen=True):
    """The platform has it. ``ref`` is its name in messages, ``file_id`` in questions about it; either may be empty.

    ``is_ready``: messages may name it. ``until`` is when it will be gone (Unix seconds), 0 when that was not said.
    """

    ref: str
    file_id: str = ""
    is_ready: bool = True
    until: float = 0.0


class NotStored(msgspec.Struct, frozen=True):
    """The platform does not want it, could not use it, or does not have it any more."""

    error: str


FileAnswer = Stored | NotStored | TryLater | TokenRefused


class FileApi(msgspec.Struct, frozen=True, kw_only=True):
    """How one platform takes files.

    ``upload`` is given the bot and the file; ``read_upload`` status, body, the Retry-After header and the moment (Unix
    seconds). ``status`` asks for the state of a file by its id, where a platform can be asked; ``read_status`` as
    ``read_upload``, NotStored meaning that the file is gone. None of the readers raises. A file is kept for
    ``kept_s``, or as long as we ask for when that is 0. Sizes are octets.
    """

    upload: Callable[[str, LocalFile], Posting]
    read_upload: Callable[[int, bytes, str | None, float], FileAnswer]
    status: Callable[[str, str], Request] | None = None
    read_status: Callable[[int, bytes, str | None, float], FileAnswer] = lambda *_: NotStored("not_asked")
    media_types: frozenset[str] = MEDIA_TYPES
    size_max: int = 100 * 1024 * 1024
    kept_s: float = 0.0


class Place(msgspec.Struct, frozen=True):
    """What stands for a local file in a message: its URL there, its media type, and its size in octets."""

    url: str
    mime_type: str
    size: int


def media_type_of(name: str) -> str:
    """The media type that a file's name tells, or nothing."""
    return SUFFIXES.get(name.rpartition(".")[2].lower(), "")


def local_name(url: str) -> str:
    """The name of the local file that a URL means, or nothing: ``file:logo.png`` is logo.png."""
    return url[len(LOCAL) :] if url[: len(LOCAL)].lower() == LOCAL else ""


def placed(content: Content, find: Callable[[str], Place]) -> Content:
    """The same content with what ``find`` gives for the name of each local file; what it raises passes through.

    Content without local files is given back as it is.
    """
    match content:
        case File(thumbnail=thumbnail):
            small = None if thumbnail is None else _placed_one(thumbnail, find)
            return _changed(_placed_one(content, find), thumbnail=small)
        case Audio():
            return _placed_one(content, find)
        case RichCard(card=card):
            return _changed(content, card=_placed_card(card, find))
        case Carousel(cards=cards):
            again = tuple(_placed_card(card, find) for card in cards)
            is_same = all(new is old for new, old in zip(again, cards, strict=True))
            return content if is_same else _changed(content, cards=again)
        case _:
            return content


def _placed_card(card: Card, find: Callable[[str], Place]) -> Card:
    media = card.media
    if media is None:
        return card
    small = None if media.thumbnail is None else _placed_one(media.thumbnail, find)
    return _changed(card, media=_changed(_placed_one(media, find), thumbnail=small))


def _placed_one(named: _Named, find: Callable[[str], Place]) -> _Named:
    name = local_name(named.url)
    if not name:
        return named
    place = find(name)
    return msgspec.structs.replace(named, url=place.url, mime_type=place.mime_type, size=place.size)


def _changed(record: _Record, **members: object) -> _Record:
    if all(getattr(record, name) is value for name, value in members.items()):
        return record
    return msgspec.structs.replace(record, **members)


def read_refusal(status: int, retry_after: str | None, code: str) -> NotStored | TryLater | TokenRefused:
    """What an answer that is no success means for a file; ``code`` is the platform's own, if any."""
    if status == 401:
        return TokenRefused()
    error = error_word(status, code)
    if is_busy(status) or status < 300:
        return TryLater(error, read_retry_after(retry_after), throttled=status == 429)
    return NotStored(error)
