"""Strict checks of suggested replies and actions, as in a chip list or on a card (GSMA FNW.11, RCC.07 schema).

Pure; knows nothing of messages, rules or HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gatewayd.simulate.rcs_catalogue import Refusal
from gatewayd.simulate.rcs_members import absent, choose, latitude_longitude, moment, record, text

CHIPS_MAX = 11
CARD_SUGGESTIONS_MAX = 4
DISPLAY_TEXT_MAX = 25
POSTBACK_MAX = 2048
URL_MAX = 2048

Check = Callable[[object, str], None]


def check_chip_list(value: object) -> None:
    """``suggestedChipList``: 1 to 11 suggestions."""
    chips = record(value, "suggestedChipList", required=("suggestions",))
    check_suggestions(chips["suggestions"], "suggestedChipList.suggestions", CHIPS_MAX, too_many=42044)


def check_suggestions(value: object, where: str, most: int, too_many: int) -> None:
    """A list of 1 to ``most`` suggestions, each a reply or an action."""
    if not isinstance(value, list):
        raise Refusal(42002, f"{where} is not a list")
    if not value:
        raise Refusal(42043, where)
    if len(value) > most:
        raise Refusal(too_many, where)
    for number, suggestion in enumerate(value):
        _check_suggestion(suggestion, f"{where}[{number}]")


def _check_suggestion(value: object, where: str) -> None:
    kind, body = choose(value, where, ("reply", "action"), none=42045, several=42046)
    if kind == "reply":
        _check_label(record(body, f"{where}.reply", required=(), optional=("displayText", "postback")), where)
        return
    action = record(body, f"{where}.action", required=(), optional=("displayText", "postback", *ACTIONS))
    _check_label(action, where)
    kinds = {name: member for name, member in action.items() if name in ACTIONS}
    name, member = choose(kinds, where, tuple(ACTIONS), none=42050, several=42047)
    ACTIONS[name](member, f"{where}.action.{name}")


def _check_label(body: Mapping[str, object], where: str) -> None:
    text(body, "displayText", where, most=DISPLAY_TEXT_MAX, code=42050, missing=42050)
    if absent(body, "postback"):
        raise Refusal(42108, where)
    postback = record(body["postback"], f"{where}.postback", required=(), optional=("data",))
    if not isinstance(postback.get("data"), str) or not postback["data"]:
        raise Refusal(42108, where)
    text(postback, "data", where, most=POSTBACK_MAX, code=42049)


def _check_url(value: object, where: str) -> None:
    body = record(value, where, required=("openUrl",))
    target = record(body["openUrl"], where, required=("url",), optional=("application", "viewMode", "parameters"))
    text(target, "url", where, most=URL_MAX)
    if not absent(target, "application") and target["application"] not in ("browser", "webview"):
        raise Refusal(42002, f"{where}.openUrl.application")
    if target.get("application") != "webview" and not (absent(target, "viewMode") and absent(target, "parameters")):
        raise Refusal(42002, f"{where}.openUrl: viewMode and parameters are for a webview only")
    if not absent(target, "viewMode") and target["viewMode"] not in ("full", "half", "tall"):
        raise Refusal(42002, f"{where}.openUrl.viewMode")
    text(target, "parameters", where, most=200, required=False)


def _check_dialer(value: object, where: str) -> None:
    kinds = ("dialPhoneNumber", "dialEnrichedCall", "dialVideoCall")
    kind, body = choose(value, where, kinds, none=42055, several=42056)
    optional = ("fallbackUrl", "subject") if kind == "dialEnrichedCall" else ("fallbackUrl",)
    call = record(body, f"{where}.{kind}", required=("phoneNumber",), optional=optional)
    text(call, "phoneNumber", where, most=40)
    text(call, "subject", where, most=60, required=False)
    text(call, "fallbackUrl", where, most=URL_MAX, required=False)


def _check_map(value: object, where: str) -> None:
    kind, body = choose(value, where, ("showLocation", "requestLocationPush"), none=42053, several=42054)
    if kind == "requestLocationPush":
        record(body, f"{where}.{kind}", required=())
        return
    shown = record(body, f"{where}.{kind}", required=("location",), optional=("fallbackUrl",))
    text(shown, "fallbackUrl", where, most=URL_MAX, required=False)
    place = record(shown["location"], where, required=(), optional=("latitude", "longitude", "label", "query"))
    has_position = not (absent(place, "latitude") and absent(place, "longitude"))
    if has_position and not absent(place, "query"):
        raise Refusal(42052, where)
    if has_position:
        latitude_longitude(place.get("latitude"), place.get("longitude"), 42051, where)
    else:
        text(place, "query", where, most=200, code=42051, missing=42051)
    text(place, "label", where, most=100, required=False)


def _check_calendar(value: object, where: str) -> None:
    body = record(value, where, required=("createCalendarEvent",))
    event = record(
        body["createCalendarEvent"],
        where,
        required=("startTime", "endTime", "title"),
        optional=("description", "fallbackUrl"),
    )
    if moment(event["startTime"], 42003, where) > moment(event["endTime"], 42003, where):
        raise Refusal(42002, f"{where}: the event ends before it starts")
    text(event, "title", where, most=100)
    text(event, "description", where, most=500, required=False)
    text(event, "fallbackUrl", where, most=URL_MAX, required=False)


def _check_compose(value: object, where: str) -> None:
    kinds = ("composeTextMessage", "composeRecordingMessage")
    kind, body = choose(value, where, kinds, none=42057, several=42058)
    other = "text" if kind == "composeTextMessage" else "type"
    composed = record(body, f"{where}.{kind}", required=("phoneNumber", other))
    text(composed, "phoneNumber", where, most=40)
    if other == "text":
        text(composed, "text", where, most=100)
    elif composed["type"] not in ("AUDIO", "VIDEO"):
        raise Refusal(42002, f"{where}.{kind}.type")


def _check_device(value: object, where: str) -> None:
    body = record(value, where, required=("requestDeviceSpecifics",))
    record(body["requestDeviceSpecifics"], where, required=())


def _check_settings(value: object, where: str) -> None:
    kinds = ("disableAnonymization", "enableDisplayedNotifications")
    kind, body = choose(value, where, kinds, none=42059, several=42060)
    record(body, f"{where}.{kind}", required=())


ACTIONS: dict[str, Check] = {
    "urlAction": _check_url,
    "dialerAction": _check_dialer,
    "mapAction": _check_map,
    "calendarAction": _check_calendar,
    "composeAction": _check_compose,
    "deviceAction": _check_device,
    "settingsAction": _check_settings,
}
