"""The platform's error catalogue: each code's HTTP status and words, and the error body of GSMA FNW.11.

Knows nothing of requests, rules or time.
"""

from __future__ import annotations

import msgspec

# code: (HTTP status, words). The codes are those that MaaP platforms publish; the statuses of the 4xxxx codes that
# no platform documents are this simulator's choice: 400 for content, 404 for whatever is not there (or no more).
CATALOGUE: dict[int, tuple[int, str]] = {
    40001: (401, "no Authorization header"),
    40002: (401, "the Authorization header holds no bearer token"),
    40003: (401, "this token was not issued here, or was taken back"),
    40004: (401, "the token has expired"),
    40005: (401, "the token is malformed"),
    40006: (403, "the token's client may not use this bot"),
    40007: (403, "the token's scope does not cover this call"),
    40008: (401, "the bot's assertion is missing or not to be believed"),
    41000: (500, "internal error"),
    41001: (504, "the RCS network did not answer in time"),
    41002: (404, "the revocation failed: the message was delivered already"),
    41003: (429, "throttled: too many messages"),
    41004: (503, "the RCS network is busy"),
    41005: (503, "the RCS network is unavailable for a while"),
    41007: (400, "the message expired before it was delivered"),
    41009: (400, "the device cannot revoke messages"),
    41010: (400, "the message was delivered although it was revoked"),
    41011: (409, "the message was revoked already"),
    41117: (500, "the outcome of the revocation is not known"),
    41200: (404, "the contact is not an RCS user"),
    41210: (400, "the contact cannot receive text"),
    41211: (400, "the contact cannot receive files"),
    41212: (400, "the contact cannot receive rich cards"),
    42001: (403, "the bot is not in a state to call this API"),
    42002: (400, "the message lacks a required member or has a malformed one"),
    42003: (400, "the date and time are not of RFC 3339"),
    42004: (400, "messageContact is missing"),
    42005: (400, "the contact is malformed: E.164 with a leading + is expected"),
    42007: (403, "the contact is not on the bot's test list"),
    42009: (400, "the message holds no content"),
    42010: (400, "the message holds more than one content"),
    42011: (400, "the status is not one that may be set"),
    42012: (400, "isTyping is neither active nor idle"),
    42013: (400, "unknown trafficType"),
    42014: (400, "suggestedChipList goes with exactly one content, and never with isTyping"),
    42015: (400, "textMessage is empty"),
    42031: (400, "the rich card message holds no card"),
    42032: (400, "the rich card message holds both a card and a carousel"),
    42033: (400, "the carousel has too few or too many cards"),
    42034: (400, "the card has no layout"),
    42035: (400, "the card has no content"),
    42036: (400, "cardOrientation is neither HORIZONTAL nor VERTICAL"),
    42037: (400, "a HORIZONTAL card needs imageAlignment"),
    42038: (400, "imageAlignment is neither LEFT nor RIGHT"),
    42039: (400, "a VERTICAL card has no imageAlignment"),
    42040: (400, "cardWidth is neither SMALL_WIDTH nor MEDIUM_WIDTH"),
    42041: (400, "TALL_HEIGHT does not go with SMALL_WIDTH"),
    42042: (400, "the card has no media, title or description"),
    42043: (400, "the list of suggestions is empty"),
    42044: (400, "the chip list has more than 11 suggestions"),
    42045: (400, "the suggestion is neither a reply nor an action"),
    42046: (400, "the suggestion is both a reply and an action"),
    42047: (400, "the suggested action is more than one action"),
    42048: (400, "the card has more than 4 suggestions"),
    42049: (400, "the postback data is longer than 2048"),
    42050: (400, "displayText is not 1 to 25 characters, or the action is none that is known"),
    42051: (400, "the location needs latitude and longitude, or a query"),
    42052: (400, "the location holds both a position and a query"),
    42053: (400, "mapAction holds no known action"),
    42054: (400, "mapAction holds more than one action"),
    42055: (400, "dialerAction holds no known action"),
    42056: (400, "dialerAction holds more than one action"),
    42057: (400, "composeAction holds no known action"),
    42058: (400, "composeAction holds more than one action"),
    42059: (400, "settingsAction holds no known action"),
    42060: (400, "settingsAction holds more than one action"),
    42100: (400, "a thumbnail needs its type and its size"),
    42101: (400, "fileUrl is missing"),
    42102: (400, "the audio message's fileUrl is missing"),
    42103: (400, "pos is missing or malformed"),
    42104: (400, "mediaUrl is missing"),
    42105: (400, "mediaContentType is missing"),
    42106: (400, "mediaFileSize is missing"),
    42107: (400, "media height is missing or unknown"),
    42108: (400, "the postback data is missing"),
    42201: (400, "the location's label is longer than 200"),
    42202: (400, "contentDescription is not 1 to 200 characters"),
    42203: (400, "the title is not 1 to 200 characters"),
    42204: (400, "the description is not 1 to 2000 characters"),
    42205: (400, "the carousel has more than 10 cards"),
    42206: (400, "a size is negative"),
    42207: (400, "expiry is not a date and time of RFC 3339"),
    42208: (400, "expiry lies in the past"),
    42401: (400, "the file's type is missing or none that is taken"),
    42402: (400, "the file could not be downloaded"),
    42403: (404, "there is no such file"),
    42514: (409, "a message of this id is there already"),
    42601: (429, "too many requests"),
    42602: (405, "bulk requests are taken from 22:00 to 07:00 only"),
}


class Refusal(Exception):
    """A request that the platform refuses: ``code`` of the catalogue, its HTTP status, and words for people."""

    def __init__(self, code: int, detail: str = "", http_status: int = 0, retry_after_s: float | None = None) -> None:
        status, words = CATALOGUE.get(code, (400, "refused"))
        super().__init__(f"{code}: {detail or words}")
        self.code = code
        self.text = f"{words} ({detail})" if detail else words
        self.http_status = http_status or status
        self.retry_after_s = retry_after_s

    def body(self) -> bytes:
        """The error body of FNW.11."""
        return msgspec.json.encode({"reason": {"code": self.code, "text": self.text}})


def words_of(code: int) -> str:
    """What a code means, in words."""
    return CATALOGUE.get(code, (400, "refused"))[1]
