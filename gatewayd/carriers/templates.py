"""Rich from plain: what a message becomes on an RCS link, by the first templates that it matches. Pure.

Knows no file and no platform: ``template_rules`` reads templates, and a link sees to it that content fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import msgspec

from gatewayd.config.pattern_cost import TEXT_MAX
from gatewayd.message import TAG_CONTENT, Encoding, Message
from protocol.rcs.answers import JSON_FAULTS
from protocol.rcs.content import AnySuggestion, Content, Text
from protocol.rcs.errors import RcsFault
from protocol.smpp import text as alphabets
from protocol.smpp.headers import shift_of

Words = Mapping[str, str]
"""What placeholders stand for."""

BUILT_IN: Final = ("text", "rest", "url", "sender")
"""Placeholders of every template: the text, the text without its first web address, that address, the sender."""

PLACEHOLDER: Final = re.compile(r"\{\{|\}\}|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}")
URL_KEYS: Final = frozenset({"url", "fallback_url", "style_url"})

_URL: Final = re.compile(r"https?://[^\s<>\"]{1,2000}+", re.IGNORECASE)
_URL_END: Final = ".,;:!?)]}'"
_URL_SAFE: Final = "%/:?#[]@!$&'()*+,;=-._~"

_decode_content: Final[Callable[[bytes], Content]] = msgspec.json.Decoder(Content).decode


class Tlv(msgspec.Struct, frozen=True):
    """A TLV that the sender must have given; ``value`` None is any."""

    tag: int
    value: bytes | None = None


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """One template: when it is for a message, and what becomes of it.

    ``plain``: nothing, and no later template is looked at. ``content`` is the tree of the content with placeholders;
    the first one counts. ``chips`` are suggestions that are added to whatever the content is. ``files`` are the media
    types of the local files in it, by name.
    """

    name: str
    description: str = ""
    accounts: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    service_types: tuple[str, ...] = ()
    tlv: Tlv | None = None
    pattern: re.Pattern[str] | None = None
    needs_url: bool = False
    plain: bool = False
    files: Mapping[str, str] = MappingProxyType({})
    content: Mapping[str, Any] | None = None
    chips: tuple[Mapping[str, Any], ...] = ()


def files_of(templates: Iterable[Template]) -> dict[str, str]:
    """The media types of all local files that templates name, by name."""
    return {name: kind for template in templates for name, kind in template.files.items()}


class Rendering(msgspec.Struct, frozen=True):
    """What became of a message, and for each template its name and why it was not for it (empty: it was)."""

    content: Content
    story: tuple[tuple[str, str], ...] = ()
    error: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether it is but a text."""
        return is_plain(self.content)


def is_plain(content: Content) -> bool:
    """Whether content is a text without suggestions: what it is to those who bill it."""
    return type(content) is Text and not content.suggestions


def text_of(message: Message) -> Text:
    """The words of a message as they are; raises RcsFault ``binary`` and SmppFault for what is no text."""
    if message.encoding is Encoding.BINARY:
        raise RcsFault("binary")
    return Text(alphabets.decode(message.payload, message.encoding, shift=shift_of(message.udh)))


def own_content_of(message: Message) -> Content | None:
    """The rich content that its sender gave it; it was judged when the message was taken."""
    for tag, value in message.tlvs:
        if tag == TAG_CONTENT:
            try:
                return _decode_content(value)
            except JSON_FAULTS:  # taken by another version of us
                return None
    return None


class Templates:
    """All templates in force, in order. ``on_fault`` hears a word when one gives what is no content."""

    def __init__(self, on_fault: Callable[[str], None] = lambda kind: None) -> None:
        self._templates: tuple[Template, ...] = ()
        self._on_fault = on_fault

    def learn(self, templates: Iterable[Template]) -> None:
        """Use these from now on."""
        self._templates = tuple(templates)

    def filled(self, name: str, account: str, parameters: Words, text: str, sender: str) -> Content:
        """What a template makes for somebody who names it, whatever its conditions but the accounts.

        Raises LookupError when there is none for the account, ValueError with a sentence when it makes nothing.
        """
        found = next((one for one in self._templates if one.name == name and not one.plain), None)
        if found is None or (found.accounts and account not in found.accounts):
            raise LookupError(name)
        url = _url_in(text)
        words = {**parameters, "text": text, "rest": _without(text, url), "url": url, "sender": sender}
        try:
            tree = fill(found.content or {"type": "text", "text": text}, words)
            return content_from(tree, [fill(chip, words) for chip in found.chips])
        except KeyError as error:
            raise ValueError(f"the parameter {error.args[0]} is missing") from None
        except msgspec.ValidationError as error:
            raise ValueError("the parameters make no content of it") from error

    def content_of(self, message: Message) -> Content:
        """What to send; raises as ``text_of`` does."""
        if message.tlvs and (own := own_content_of(message)) is not None:
            return own
        plain = text_of(message)
        if not self._templates:
            return plain
        rendering = render(self._templates, message, plain.text)
        if rendering.error:
            self._on_fault("template_bad_value")
        return rendering.content


def render(templates: Sequence[Template], message: Message, text: str) -> Rendering:
    """Go through the templates in order. What gives no content in the end (``error``) stays the text."""
    url = _url_in(text)
    built_in = {"text": text, "rest": _without(text, url), "url": url, "sender": message.source}
    tree: Any = None
    chips: list[Any] = []
    story: list[tuple[str, str]] = []
    for template in templates:
        found, refusal = _match(template, message, text, url)
        if not refusal and template.content is not None and tree is not None:
            refusal = "an earlier one gave the content"
        story.append((template.name, refusal))
        if refusal:
            continue
        if template.plain:
            break
        words = {**built_in, **found}
        if template.content is not None:
            tree = fill(template.content, words)
        chips += [fill(chip, words) for chip in template.chips]
    return _rendering(text, tree, chips, tuple(story))


def fill(value: Any, words: Words, key: str = "") -> Any:
    """The same tree with words in the place of placeholders; addresses get only what an address may hold."""
    match value:
        case str():
            return _filled(value, words, key in URL_KEYS) if "{" in value or "}" in value else value
        case dict():
            return {name: fill(item, words, name) for name, item in value.items()}
        case list():
            return [fill(item, words, key) for item in value]
        case _:
            return value


def content_from(tree: Mapping[str, Any], chips: Sequence[Any] = ()) -> Content:
    """The content that a tree is, with chips added; raises msgspec.ValidationError. Numbers may be given as texts."""
    content: Content = msgspec.convert(tree, Content, strict=False)
    if not chips:
        return content
    more = msgspec.convert(list(chips), tuple[AnySuggestion, ...], strict=False)
    return msgspec.structs.replace(content, suggestions=(*content.suggestions, *more))


def _rendering(text: str, tree: Any, chips: Sequence[Any], story: tuple[tuple[str, str], ...]) -> Rendering:
    if tree is None and not chips:
        return Rendering(Text(text), story)
    try:
        return Rendering(content_from(tree or {"type": "text", "text": text}, chips), story)
    except msgspec.ValidationError as error:
        return Rendering(Text(text), story, str(error))


def _match(template: Template, message: Message, text: str, url: str) -> tuple[Words, str]:
    """What the pattern caught, or why the template is not for this message."""
    refusal = _refusal(template, message, url)
    if refusal or template.pattern is None:
        return {}, refusal
    if len(text) > TEXT_MAX:
        return {}, f"the text has more than {TEXT_MAX} characters"
    found = template.pattern.search(text)
    if found is None:
        return {}, "the pattern is not in the text"
    return found.groupdict(""), ""


def _refusal(template: Template, message: Message, url: str) -> str:
    if template.accounts and message.account not in template.accounts:
        return "the account is another"
    if template.senders and not any(_is_like(message.source, sender) for sender in template.senders):
        return "the sender is another"
    if template.service_types and message.service_type not in template.service_types:
        return "the service_type is another"
    if template.tlv is not None and not _has(message, template.tlv):
        return f"TLV {template.tlv.tag:#06x} is not there, or has another value"
    if template.needs_url and not url:
        return "the text holds no web address"
    return ""


def _is_like(sender: str, pattern: str) -> bool:
    return sender.startswith(pattern[:-1]) if pattern.endswith("*") else sender == pattern


def _has(message: Message, wanted: Tlv) -> bool:
    # A C-octet string ends with a NUL, which nobody writes into a template.
    values = [value for tag, value in message.tlvs if tag == wanted.tag]
    return bool(values) if wanted.value is None else any(wanted.value in (value, value[:-1]) for value in values)


def _url_in(text: str) -> str:
    found = _URL.search(text)
    return found[0].rstrip(_URL_END) if found else ""


def _without(text: str, url: str) -> str:
    if not url:
        return text
    before, _, after = text.partition(url)
    before, after = before.rstrip(" :-\n"), after.strip()
    # What led to the address goes with it, and what ends the sentence stays at its end.
    return f"{before}{after}" if after[:1] in _URL_END else f"{before} {after}".strip()


def _filled(text: str, words: Words, is_url: bool) -> str:
    is_whole = PLACEHOLDER.fullmatch(text) is not None

    def word(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None:
            return found[0][0]
        value = words[name]
        return quote(value, safe=_URL_SAFE) if is_url and not is_whole else value

    return PLACEHOLDER.sub(word, text)
