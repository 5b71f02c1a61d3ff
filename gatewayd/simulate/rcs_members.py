"""Small strict readers of JSON members; each refuses with a code of the catalogue.

Pure; knows nothing of what the members mean.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping

from gatewayd.simulate.rcs_catalogue import Refusal

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def absent(body: Mapping[str, object], name: str) -> bool:
    """Whether a member is missing; a JSON null counts as missing."""
    return body.get(name) is None


def record(
    value: object, where: str, *, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, object]:
    """An object with all of ``required`` and nothing besides ``optional``; unknown members are refused."""
    if not isinstance(value, dict):
        raise Refusal(42002, f"{where} is not an object")
    for name in required:
        if absent(value, name):
            raise Refusal(42002, f"{where}.{name} is missing")
    for name in value:
        if name not in required and name not in optional:
            raise Refusal(42002, f"{where} has no member {name[:40]!r}")
    return value


def choose(value: object, where: str, kinds: tuple[str, ...], *, none: int, several: int) -> tuple[str, object]:
    """An object that holds exactly one of ``kinds``, and nothing else: its name and its value."""
    body = record(value, where, required=(), optional=kinds)
    present = [(name, member) for name, member in body.items() if member is not None]
    if not present:
        raise Refusal(none, where)
    if len(present) > 1:
        raise Refusal(several, where)
    return present[0]


def text(
    body: Mapping[str, object],
    name: str,
    where: str,
    *,
    most: int,
    code: int = 42002,
    missing: int = 42002,
    required: bool = True,
) -> str:
    """A string of 1 to ``most`` characters; ``code`` when its length is wrong, ``missing`` when there is none."""
    if absent(body, name):
        if required:
            raise Refusal(missing, f"{where}.{name}")
        return ""
    value = body[name]
    if not isinstance(value, str):
        raise Refusal(42002, f"{where}.{name} is not a string")
    if not 1 <= len(value) <= most:
        raise Refusal(code, f"{where}.{name}: {len(value)} characters, 1 to {most} are allowed")
    return value


def size(body: Mapping[str, object], name: str, where: str, *, missing: int = 0) -> None:
    """A whole number from 0; ``missing`` is the code when it must be there."""
    if absent(body, name):
        if missing:
            raise Refusal(missing, f"{where}.{name}")
        return
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refusal(42002, f"{where}.{name} is not a whole number")
    if value < 0:
        raise Refusal(42206, f"{where}.{name}")


def moment(value: object, code: int, where: str) -> float:
    """Unix seconds of an RFC 3339 date and time, which must name its zone."""
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        raise Refusal(code, where)
    try:
        return dt.datetime.fromisoformat(value).timestamp()
    except (ValueError, OverflowError):
        raise Refusal(code, where) from None


def rfc3339(unix: float) -> str:
    """A Unix time as RFC 3339 in UTC, with milliseconds."""
    moment_utc = dt.datetime.fromtimestamp(unix, dt.UTC)
    return moment_utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def latitude_longitude(latitude: object, longitude: object, code: int, where: str) -> None:
    """Two numbers that are a position on the globe."""
    for value, most in ((latitude, 90.0), (longitude, 180.0)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
            raise Refusal(code, where)
