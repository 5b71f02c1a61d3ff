"""Content in the spelling of the GSMA chatbot API (FNW.11, RCC.07): written for a handset, read from one.

Knows neither requests nor events; limits are checked before, in ``content``. Of a place, ``timestamp``, ``expiry`` and
``timeOffset`` are not written: a place that we send is no reader's position, and platforms differ in the offset's sign.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec

from protocol.rcs.content import (
    AnySuggestion,
    Audio,
    CalendarEvent,
    Card,
    Carousel,
    ComposeRecording,
    ComposeText,
    Content,
    Dial,
    DialEnriched,
    DialVideo,
    DisableAnonymization,
    EnableDisplayed,
    File,
    Inbound,
    Location,
    Media,
    OpenUrl,
    Reply,
    RequestDevice,
    RequestLocation,
    RichCard,
    ShowLocation,
    Text,
    Thumbnail,
)
from protocol.rcs.errors import RcsFault

TEXT_LENGTH_MAX = 16_000
"""Characters of a user's text: several times what any handset sends, and what 64 KiB hold in UTF-16 at the worst."""

_Tree = dict[str, Any]


def encode(content: Content) -> _Tree:
    """The members of RCSMessage that hold the content and its chips; to be sent with nothing else of their kind."""
    tree = _members(content)
    if content.suggestions:
        # Beside the content, not inside it (FNW.11); a chip list may never stand alone.
        tree["suggestedChipList"] = {"suggestions": _suggestions(content.suggestions)}
    return tree


def _members(content: Content) -> _Tree:
    match content:
        case Text(text=text):
            return {"textMessage": text}
        case File():
            return {"fileMessage": _file(content) | _thumbnail_of_file(content.thumbnail)}
        case Audio(length_s=length_s):
            return {"audioMessage": _file(content) | _given(playingLength=length_s)}
        case Location(latitude=latitude, longitude=longitude):
            place = {"pos": f"{latitude:.6f} {longitude:.6f}"} | _given(label=content.label, radius=content.radius_m)
            return {"geolocationPushMessage": place}
        case RichCard():
            layout: _Tree = {"cardOrientation": content.orientation.upper()}
            if content.image_alignment is not None:
                layout["imageAlignment"] = content.image_alignment.upper()
            card = {"layout": layout | _styles(content), "content": _card(content.card)}
            return {"richcardMessage": {"message": {"generalPurposeCard": card}}}
        case Carousel():
            layout = {"cardWidth": f"{content.width.upper()}_WIDTH"} | _styles(content)
            carousel = {"layout": layout, "content": [_card(card) for card in content.cards]}
            return {"richcardMessage": {"message": {"generalPurposeCardCarousel": carousel}}}


def _given(**members: object) -> _Tree:
    """Members that say something; the others are left out."""
    return {name: value for name, value in members.items() if value}


def _file(file: File | Audio) -> _Tree:
    return {"fileUrl": file.url} | _given(fileName=file.name, fileMIMEType=file.mime_type, fileSize=file.size)


def _thumbnail_of_file(thumbnail: Thumbnail | None) -> _Tree:
    if thumbnail is None:
        return {}
    return {"thumbnailUrl": thumbnail.url} | _given(
        thumbnailFileName=thumbnail.name,
        thumbnailMIMEType=thumbnail.mime_type,
        thumbnailFileSize=thumbnail.size,
    )


def _styles(content: RichCard | Carousel) -> _Tree:
    return _given(
        titleFontStyle=list(content.title_font_style),
        descriptionFontStyle=list(content.description_font_style),
        style=content.style_url,
    )


def _card(card: Card) -> _Tree:
    tree = _given(title=card.title, description=card.description)
    if card.media is not None:
        tree["media"] = _media(card.media)
    if card.suggestions:
        tree["suggestions"] = _suggestions(card.suggestions)
    return tree


def _media(media: Media) -> _Tree:
    tree: _Tree = {
        "mediaUrl": media.url,
        "mediaContentType": media.mime_type,
        "mediaFileSize": media.size,
        "height": f"{media.height.upper()}_HEIGHT",
    }
    thumbnail = media.thumbnail
    if thumbnail is not None:
        tree |= {
            "thumbnailUrl": thumbnail.url,
            "thumbnailContentType": thumbnail.mime_type,
            "thumbnailFileSize": thumbnail.size,
        }
    return tree | _given(contentDescription=media.description)


def _suggestions(suggestions: tuple[AnySuggestion, ...]) -> list[_Tree]:
    return [_suggestion(each) for each in suggestions]


def _suggestion(suggestion: AnySuggestion) -> _Tree:
    shown = {"displayText": suggestion.display_text, "postback": {"data": suggestion.postback}}
    if isinstance(suggestion, Reply):
        return {"reply": shown}
    return {"action": {**_action(suggestion), **shown}}


def _action(action: AnySuggestion) -> _Tree:
    match action:
        case OpenUrl():
            return {"urlAction": {"openUrl": _open_url(action)}}
        case Dial(phone_number=number, fallback_url=url):
            return {"dialerAction": {"dialPhoneNumber": {"phoneNumber": number} | _given(fallbackUrl=url)}}
        case DialEnriched(phone_number=number, subject=subject, fallback_url=url):
            call = {"phoneNumber": number} | _given(subject=subject, fallbackUrl=url)
            return {"dialerAction": {"dialEnrichedCall": call}}
        case DialVideo(phone_number=number, fallback_url=url):
            return {"dialerAction": {"dialVideoCall": {"phoneNumber": number} | _given(fallbackUrl=url)}}
        case ShowLocation():
            return {"mapAction": {"showLocation": _place(action)}}
        case RequestLocation():
            return {"mapAction": {"requestLocationPush": {}}}
        case CalendarEvent():
            event = {"startTime": action.start, "endTime": action.end, "title": action.title}
            event |= _given(description=action.description, fallbackUrl=action.fallback_url)
            return {"calendarAction": {"createCalendarEvent": event}}
        case ComposeText(phone_number=number, text=text):
            return {"composeAction": {"composeTextMessage": {"phoneNumber": number, "text": text}}}
        case ComposeRecording(phone_number=number, recording=kind):
            recording = {"phoneNumber": number, "type": kind.upper()}
            return {"composeAction": {"composeRecordingMessage": recording}}
        case RequestDevice():
            return {"deviceAction": {"requestDeviceSpecifics": {}}}
        case DisableAnonymization():
            return {"settingsAction": {"disableAnonymization": {}}}
        case EnableDisplayed():
            return {"settingsAction": {"enableDisplayedNotifications": {}}}
        case Reply():
            raise AssertionError


def _open_url(action: OpenUrl) -> _Tree:
    tree: _Tree = {"url": action.url}
    # Older platforms know the URL alone: the rest goes only where somebody asked for it.
    if action.application is not None:
        tree["application"] = action.application
    if action.view_mode is not None:
        tree["viewMode"] = action.view_mode
    return tree | _given(parameters=action.parameters)


def _place(action: ShowLocation) -> _Tree:
    if action.query:
        location: _Tree = {"query": action.query}
    else:
        location = {"latitude": action.latitude, "longitude": action.longitude} | _given(label=action.label)
    return {"location": location} | _given(fallbackUrl=action.fallback_url)


class _File(msgspec.Struct, rename="camel"):
    file_url: Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH_MAX)]
    file_name: str | None = None
    mime_type: str | None = msgspec.field(default=None, name="fileMIMEType")
    file_size: int | None = None
    playing_length: int | None = None


class _Position(msgspec.Struct):
    pos: str
    label: Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH_MAX)] | None = None


class UserContent(msgspec.Struct, rename="camel"):
    """The members of RCSMessage that a user's own words and files come in."""

    text_message: Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH_MAX)] | None = None
    file_message: _File | None = None
    audio_message: _File | None = None
    geolocation_push_message: _Position | None = None

    @property
    def has_content(self) -> bool:
        """Whether a user's own words or files are inside."""
        return not (
            self.text_message is None
            and self.file_message is None
            and self.audio_message is None
            and self.geolocation_push_message is None
        )


def decode(members: UserContent) -> Inbound:
    """What a user sent; raises RcsFault ``no_content`` or ``bad_position``."""
    if members.text_message is not None:
        return Text(members.text_message)
    if members.file_message is not None:
        file = members.file_message
        return File(file.file_url, file.file_name or "", file.mime_type or "", file.file_size or 0)
    if members.audio_message is not None:
        audio = members.audio_message
        facts = (audio.file_name or "", audio.mime_type or "", audio.file_size or 0, audio.playing_length or 0)
        return Audio(audio.file_url, *facts)
    if members.geolocation_push_message is not None:
        return _location_of(members.geolocation_push_message)
    raise RcsFault("no_content")


def _location_of(position: _Position) -> Location:
    # "latitude longitude" in the API's own words; a comma between them is common elsewhere and harmless to take.
    parts = re.split(r"[\s,]+", position.pos.strip())
    try:
        latitude, longitude = map(float, parts)
    except ValueError:
        raise RcsFault("bad_position") from None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise RcsFault("bad_position")
    return Location(latitude, longitude, position.label or "")
