"""Small strict readers of JSON members of Google's RBM API; each refuses with 400 and the element's name.

Pure; knows nothing of what the members mean.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping

from gatewayd.simulate.rbm_refusals import invalid

E164 = re.compile(r"\+[1-9]\d{4,14}", re.ASCII)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
URL_MAX = 2048


def record(value: object, where: str, known: tuple[str, ...]) -> dict[str, object]:
    """An object with no members besides ``known``; those that are null are left out."""
    if not isinstance(value, dict):
        raise invalid(where, "it is not an object")
    for name in value:
        if name not in known:
            raise invalid(where, f"unknown name {name[:40]!r}")
    return {name: member for name, member in value.items() if member is not None}


def only_one(body: Mapping[str, object], where: str, kinds: tuple[str, ...]) -> str:
    """The one of ``kinds`` that is there."""
    present = [name for name in kinds if name in body]
    if len(present) != 1:
        raise invalid(where, f"exactly one of {', '.join(kinds)} must be set, {len(present)} are")
    return present[0]


def text(body: Mapping[str, object], name: str, where: str, most: int, *, required: bool = True) -> str:
    """A string of 1 to ``most`` characters."""
    if name not in body:
        if required:
            raise invalid(f"{where}.{name}", "it is missing")
        return ""
    value = body[name]
    if not isinstance(value, str):
        raise invalid(f"{where}.{name}", "it is not a string")
    if not 1 <= len(value) <= most:
        raise invalid(f"{where}.{name}", f"{len(value)} characters, 1 to {most} are allowed")
    return value


def word(body: Mapping[str, object], name: str, where: str, words: tuple[str, ...], *, required: bool = True) -> str:
    """One of ``words``."""
    if name not in body and not required:
        return ""
    value = body.get(name)
    if value not in words:
        raise invalid(f"{where}.{name}", f"it is none of {', '.join(words)}")
    return str(value)


def url(body: Mapping[str, object], name: str, where: str, *, required: bool = True) -> str:
    """An http or https URL."""
    value = text(body, name, where, URL_MAX, required=required)
    if value and not value.startswith(("http://", "https://")):
        raise invalid(f"{where}.{name}", "it is not an http or https URL")
    return value


def listed(value: object, where: str, least: int, most: int) -> list[object]:
    """A list of ``least`` to ``most``."""
    if not isinstance(value, list):
        raise invalid(where, "it is not a list")
    if not least <= len(value) <= most:
        raise invalid(where, f"{len(value)} given, {least} to {most} are allowed")
    return value


def moment(value: object, where: str) -> float:
    """Unix seconds of an RFC 3339 date and time."""
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        raise invalid(where, "it is not a date and time of RFC 3339")
    try:
        return dt.datetime.fromisoformat(value).timestamp()
    except (ValueError, OverflowError):
        raise invalid(where, "it is no date and time that exists") from None


def degrees(body: Mapping[str, object], name: str, where: str, most: float) -> None:
    """A number from ``-most`` to ``most``."""
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
        raise invalid(f"{where}.{name}", f"it is not a number from -{most:g} to {most:g}")
