"""Strict checks of suggested replies and actions of Google's RBM API, and what a device must know for each.

Pure; knows nothing of messages, rules or HTTP.
"""

from __future__ import annotations

from collections.abc import Callable

from gatewayd.simulate.rbm_members import E164, degrees, listed, moment, only_one, record, text, url, word
from gatewayd.simulate.rbm_refusals import invalid

CHIPS_MAX = 11
TEXT_MAX = 25
POSTBACK_MAX = 2048

Check = Callable[[object, str], str]


def check_suggestions(value: object, where: str, most: int) -> set[str]:
    """A list of at most ``most``; returns the features that a device needs for them."""
    needed = {_check_suggestion(one, f"{where}[{number}]") for number, one in enumerate(listed(value, where, 0, most))}
    return needed - {""}


def _check_suggestion(value: object, where: str) -> str:
    suggestion = record(value, where, ("reply", "action"))
    kind = only_one(suggestion, where, ("reply", "action"))
    where = f"{where}.{kind}"
    if kind == "reply":
        body = record(suggestion[kind], where, ("text", "postbackData"))
    else:
        body = record(suggestion[kind], where, ("text", "postbackData", "fallbackUrl", "composeAction", *ACTIONS))
        url(body, "fallbackUrl", where, required=False)
    text(body, "text", where, TEXT_MAX)
    text(body, "postbackData", where, POSTBACK_MAX)
    if kind == "reply":
        return ""
    if "composeAction" in body:
        raise invalid(f"{where}.composeAction", "this action is paused")
    name = only_one(body, where, tuple(ACTIONS))
    return ACTIONS[name](body[name], f"{where}.{name}")


def _open_url(value: object, where: str) -> str:
    body = record(value, where, ("url", "application", "webviewViewMode", "description"))
    url(body, "url", where)
    application = word(body, "application", where, ("BROWSER", "WEBVIEW"), required=False)
    mode = word(body, "webviewViewMode", where, ("FULL", "HALF", "TALL"), required=False)
    if mode and application != "WEBVIEW":
        raise invalid(f"{where}.webviewViewMode", "it is for a webview only")
    text(body, "description", where, 2000, required=False)
    return "ACTION_OPEN_URL_IN_WEBVIEW" if application == "WEBVIEW" else "ACTION_OPEN_URL"


def _dial(value: object, where: str) -> str:
    body = record(value, where, ("phoneNumber",))
    if not E164.fullmatch(text(body, "phoneNumber", where, 20)):
        raise invalid(f"{where}.phoneNumber", "it is not of E.164 with a leading +")
    return "ACTION_DIAL"


def _view_location(value: object, where: str) -> str:
    body = record(value, where, ("latLong", "query", "label"))
    if only_one(body, where, ("latLong", "query")) == "query":
        text(body, "query", where, 2000)
    else:
        place = record(body["latLong"], f"{where}.latLong", ("latitude", "longitude"))
        degrees(place, "latitude", f"{where}.latLong", 90.0)
        degrees(place, "longitude", f"{where}.latLong", 180.0)
    text(body, "label", where, 200, required=False)
    return "ACTION_VIEW_LOCATION"


def _share_location(value: object, where: str) -> str:
    record(value, where, ())
    return "ACTION_SHARE_LOCATION"


def _calendar(value: object, where: str) -> str:
    body = record(value, where, ("startTime", "endTime", "title", "description"))
    starts = moment(body.get("startTime"), f"{where}.startTime")
    if moment(body.get("endTime"), f"{where}.endTime") < starts:
        raise invalid(f"{where}.endTime", "the event ends before it starts")
    text(body, "title", where, 100)
    text(body, "description", where, 500, required=False)
    return "ACTION_CREATE_CALENDAR_EVENT"


ACTIONS: dict[str, Check] = {
    "openUrlAction": _open_url,
    "dialAction": _dial,
    "viewLocationAction": _view_location,
    "shareLocationAction": _share_location,
    "createCalendarEventAction": _calendar,
}
