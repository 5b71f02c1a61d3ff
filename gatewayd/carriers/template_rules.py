"""Reads templates from the texts of their files, and tells all that is wrong with them.

Opens no file and sees no message.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from gatewayd.carriers.template_media import read_local_files
from gatewayd.carriers.templates import (
    BUILT_IN,
    PLACEHOLDER,
    URL_KEYS,
    Template,
    Tlv,
    content_from,
    fill,
    is_plain,
)
from gatewayd.config import values
from gatewayd.config.faults import Fault, Findings, dotted, guess, shown
from gatewayd.config.pattern_cost import WAYS_MAX, ways
from gatewayd.config.reading import read_table
from protocol.rcs.content import Content, check
from protocol.rcs.errors import ContentFault
from protocol.rcs.files import Place, placed
from protocol.rcs.limits import Limits

_KEYS: Final = frozenset({"description", "match", "content", "chips", "plain"})
_PATTERN_MAX: Final = 1_000
# What holds on every platform; what one alone wants is judged when something is sent there.
_LIMITS: Final = Limits(needs_media_facts=False)
_SAMPLES: Final = {"phone_number": "1", "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}
_SUGGESTION: Final = re.compile(r"suggestions\[(?P<index>\d+)\]")
_DOCUMENT: Final = "docs/templates.md shows what there is"


class _Match(msgspec.Struct, frozen=True, kw_only=True):
    accounts: tuple[str, ...] = ()
    senders: tuple[values.Pattern, ...] = ()
    service_types: tuple[values.Word, ...] = ()
    pattern: str = ""


class _Tlv(msgspec.Struct, frozen=True, kw_only=True):
    tag: Annotated[int, Meta(ge=0, le=65_535)]
    value: str = ""
    hex: str = ""


def read_all(
    texts: Mapping[str, str], accounts: frozenset[str] | None = None, media: Mapping[str, int] = MappingProxyType({})
) -> tuple[tuple[Template, ...], tuple[Fault, ...]]:
    """The sound templates among files, by their paths, in their order, and all faults.

    ``accounts`` are those that a template may name; None are any. ``media`` are the local files that there are, with
    their sizes in octets.
    """
    templates: list[Template] = []
    faults: list[Fault] = []
    for path, text in texts.items():
        findings = Findings(path)
        template = _read(Path(path).stem, text, accounts, media, findings)
        faults += findings.faults
        if template is not None and not findings.faults:
            templates.append(template)
    return tuple(templates), tuple(faults)


def _read(
    name: str, text: str, accounts: frozenset[str] | None, media: Mapping[str, int], findings: Findings
) -> Template | None:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        findings.fault("", f"is no TOML: {error}", "correct it there")
        return None
    for key in sorted(raw.keys() - _KEYS):
        findings.fault(dotted(key), "there is no such key", guess(key, _KEYS))
    conditions, tlv = _read_match(raw.get("match", {}), findings)
    if accounts is not None:
        for account in conditions.accounts:
            if account not in accounts:
                findings.fault("match.accounts", f"there is no account {shown(account)}", guess(account, accounts))
    pattern = _read_pattern(conditions.pattern, findings) if conditions.pattern else None
    content, chips = _read_result(raw, findings)
    groups = frozenset(pattern.groupindex) if pattern is not None else frozenset[str]()
    files = read_local_files(content, media, findings)
    used = _check_placeholders({"content": content or {}, "chips": chips}, groups, findings)
    if not findings.faults:
        _check_content(content, chips, findings)
    return Template(
        name=name,
        description=str(raw.get("description", "")),
        accounts=conditions.accounts,
        senders=conditions.senders,
        service_types=conditions.service_types,
        tlv=tlv,
        pattern=pattern,
        needs_url="url" in used,
        plain=raw.get("plain") is True,
        files=files,
        content=content,
        chips=tuple(chips),
    )


# -- when -----------------------------------------------------------------------------------------------------------


def _read_match(raw: Any, findings: Findings) -> tuple[_Match, Tlv | None]:
    tlv = None
    if isinstance(raw, dict) and "tlv" in raw:
        tlv = _read_tlv(raw["tlv"], findings)
        raw = {key: value for key, value in raw.items() if key != "tlv"}
    return read_table(_Match, "match", raw, findings) or _Match(), tlv


def _read_tlv(raw: Any, findings: Findings) -> Tlv | None:
    read = read_table(_Tlv, "match.tlv", raw, findings)
    if read is None:
        return None
    if read.value and read.hex:
        findings.fault("match.tlv.hex", "stands beside value", "keep one of the two")
    if not read.hex:
        return Tlv(read.tag, read.value.encode() if read.value else None)
    try:
        return Tlv(read.tag, bytes.fromhex(read.hex))
    except ValueError:
        findings.fault("match.tlv.hex", f"{shown(read.hex)} are no octets", 'write pairs of digits: "01ff"')
        return None


def _read_pattern(text: str, findings: Findings) -> re.Pattern[str] | None:
    key = "match.pattern"
    if len(text) > _PATTERN_MAX:
        findings.fault(key, f"has {len(text)} characters", f"{_PATTERN_MAX} are allowed")
        return None
    try:
        pattern = re.compile(text)
        cost = ways(text)
    except (re.error, RecursionError, OverflowError) as error:
        findings.fault(key, f"is no regular expression: {error}", "correct it there")
        return None
    if cost > WAYS_MAX:
        problem = f"could take too long: {cost} ways to try it at each place of a text, at most {WAYS_MAX}"
        findings.fault(key, problem, "bound its repetitions ({0,40} for *) or make them possessive (*+, ++)")
    for name in sorted(pattern.groupindex.keys() & set(BUILT_IN)):
        findings.fault(key, f"has a group {name}", "name it otherwise: {" + name + "} is built in")
    return pattern


# -- what -----------------------------------------------------------------------------------------------------------


def _read_result(raw: Mapping[str, Any], findings: Findings) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    content, chips, plain = raw.get("content"), raw.get("chips", []), raw.get("plain", False)
    if not isinstance(plain, bool):
        findings.fault("plain", f"{shown(plain)} is not true or false", "write true or false, without quotes")
    if content is not None and not isinstance(content, dict):
        findings.fault("content", f"{shown(content)} is not a table", "write [content] and its keys below")
        content = None
    if not isinstance(chips, list) or not all(isinstance(chip, dict) for chip in chips):
        findings.fault("chips", f"{shown(chips)} is not a list of tables", "write [[chips]] above each chip")
        chips = []
    if plain and (content or chips):
        findings.fault("plain", "stands beside content or chips", "keep one of them")
    if not plain and not raw.get("content") and not raw.get("chips"):
        findings.fault("content", "is missing", "give [content], [[chips]] or plain = true")
    return (_with_postbacks(content) if content else None), [_with_postback(chip) for chip in chips]


def _with_postbacks(tree: Any) -> Any:
    """Suggestions that say no postback answer with what they show: most platforms insist on one."""
    match tree:
        case dict():
            return {
                key: [_with_postback(item) for item in value]
                if key == "suggestions" and isinstance(value, list)
                else _with_postbacks(value)
                for key, value in tree.items()
            }
        case list():
            return [_with_postbacks(item) for item in tree]
        case _:
            return tree


def _with_postback(suggestion: Any) -> Any:
    if not isinstance(suggestion, dict) or "display_text" not in suggestion:
        return suggestion
    return {"postback": suggestion["display_text"], **suggestion}


def _check_placeholders(tree: Any, groups: frozenset[str], findings: Findings) -> set[str]:
    """The placeholders that are used; each must be a group of the pattern, or built in."""
    known, used = groups | set(BUILT_IN), set[str]()
    for key, text in _texts(tree):
        if re.search(r"[{}]", PLACEHOLDER.sub("", text)):
            findings.fault(key, "has a brace that is part of no placeholder", "write {{ or }} for a brace")
        for found in PLACEHOLDER.finditer(text):
            if found["name"] is not None:
                used.add(found["name"])
            if found["name"] not in known and found["name"] is not None:
                problem = f"the pattern has no group for {found[0]}"
                findings.fault(key, problem, f"{guess(found['name'], known)} (a group is written (?P<NAME>...))")
    return used


def _texts(tree: Any, key: str = "") -> Iterator[tuple[str, str]]:
    match tree:
        case str():
            yield key, tree
        case dict():
            for name, value in tree.items():
                yield from _texts(value, f"{key}.{dotted(name)}" if key else name)
        case list():
            for index, value in enumerate(tree):
                yield from _texts(value, f"{key}[{index}]")


def _check_content(content: Any, chips: list[Any], findings: Findings) -> None:
    """Make content of the template with sample words, and see whether a platform could take it."""
    sample_chips = [_sampled(chip) for chip in chips]
    sample = _sampled(content or {"type": "text", "text": "1"})
    try:
        made = content_from(sample)
    except msgspec.ValidationError as error:
        _say_shape(str(error), "content", findings)
        return
    try:
        whole = content_from(sample, sample_chips)
    except msgspec.ValidationError as error:
        _say_shape(str(error), "chips", findings)
        return
    _say_unknown(content, msgspec.to_builtins(made), "content", findings)
    added = msgspec.to_builtins(whole)["suggestions"][len(made.suggestions) :]
    _say_unknown(chips, added, "chips", findings)
    if content is not None and is_plain(whole) and content == {"type": "text", "text": "{text}"}:
        findings.fault("content", "changes nothing", "write plain = true")
    _say_limits(whole, content or {}, chips, findings)


def _sampled(value: Any, key: str = "") -> Any:
    match value:
        case dict():
            return {name: _sampled(item, name) for name, item in value.items()}
        case list():
            return [_sampled(item, key) for item in value]
        case str() if PLACEHOLDER.search(value):
            if key in URL_KEYS:
                return "https://example.com/1"
            return _SAMPLES.get(key) or fill(value, _Ones())
        case _:
            return value


class _Ones(dict[str, str]):
    """Any word is 1: short, and a number where one is wanted."""

    def __missing__(self, name: str) -> str:
        return "1"


def _say_shape(error: str, where: str, findings: Findings) -> None:
    problem, _, path = error.partition(" - at `$")
    findings.fault(f"{where}{path.rstrip('`')}", problem.replace("`", ""), _DOCUMENT)


def _say_unknown(given: Any, made: Any, where: str, findings: Findings) -> None:
    """Keys that became nothing: whoever wrote them would wait for their effect."""
    match given, made:
        case dict(), dict():
            for key, value in given.items():
                if key in made:
                    _say_unknown(value, made[key], f"{where}.{dotted(key)}", findings)
                else:
                    findings.fault(f"{where}.{dotted(key)}", "there is no such key", guess(key, made))
        case list(), list() | tuple():
            for index, (one, other) in enumerate(zip(given, made, strict=False)):
                _say_unknown(one, other, f"{where}[{index}]", findings)


def _say_limits(made: Content, content: Any, chips: list[Any], findings: Findings) -> None:
    """What no platform would take, unless it depends on the words."""
    own = content.get("suggestions", [])
    try:
        check(placed(made, lambda name: Place("https://example.com/1", "", 1)), _LIMITS)
    except ContentFault as fault:
        path = fault.element.partition(".")[2]
        at = _at({**content, "suggestions": [*own, *chips]}, path)
        if not any(PLACEHOLDER.search(text) for _, text in _texts(at)):
            findings.fault(_key_of(path, len(own)), fault.problem, "no platform takes that")


def _key_of(path: str, chips_from: int) -> str:
    """Where an element of the content stands in the file: its last suggestions may be the chips."""
    found = _SUGGESTION.match(path)
    if found is not None and int(found["index"]) >= chips_from:
        return f"chips[{int(found['index']) - chips_from}]{path[found.end() :]}"
    return f"content.{path}" if path else "content"


def _at(tree: Any, path: str) -> Any:
    for step in re.findall(r"[^.\[\]]+", path):
        try:
            tree = tree[int(step)] if isinstance(tree, list) else tree[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return tree
