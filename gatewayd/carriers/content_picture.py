"""Content as a picture for a terminal: roughly what a handset shows.

Sends nothing and decides nothing; knows no template.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text as Words

from protocol.rcs.content import Audio, Card, Carousel, Content, File, Location, Media, RichCard, Text
from protocol.rcs.suggestions import AnySuggestion, Reply, tag_of, words_of

PHONE_WIDTH = 48
_CARD_WIDTH = 42


def picture_of(content: Content, title: str) -> RenderableType:
    """The panel of a handset; a carousel's cards lie side by side where the terminal is wide enough."""
    rows: list[RenderableType] = [_content(content)]
    if content.suggestions:
        rows += [Words(), *_chips(content.suggestions)]
    width = None if isinstance(content, Carousel) else PHONE_WIDTH
    return Panel(Group(*rows), title=Words(title), width=width, title_align="left")


def _content(content: Content) -> RenderableType:
    match content:
        case Text(text=text):
            return Panel(Words(text), width=_CARD_WIDTH)
        case RichCard(card=card):
            return _card(card)
        case File(url=url, name=name) | Audio(url=url, name=name):
            return Panel(Words(f"[{tag_of(content)}] {name or url}"), width=_CARD_WIDTH)
        case Location(latitude=latitude, longitude=longitude, label=label):
            return Panel(Words(f"[map] {label} {latitude:.5f}, {longitude:.5f}"), width=_CARD_WIDTH)
        case Carousel(cards=cards):
            return Columns([_card(card) for card in cards])


def _card(card: Card) -> RenderableType:
    rows: list[RenderableType] = []
    if card.media is not None:
        rows.append(_media(card.media))
    if card.title:
        rows.append(Words(card.title, style="bold"))
    if card.description:
        rows.append(Words(card.description))
    rows += _buttons(card.suggestions)
    return Panel(Group(*rows), width=_CARD_WIDTH)


def _media(media: Media) -> RenderableType:
    rows = {"short": 1, "medium": 3, "tall": 5}[media.height]
    words = Words(f"{media.mime_type or 'media'}\n{media.url}", style="dim", justify="center", overflow="fold")
    return Panel(words, height=rows + 4, style="on grey15")


def _buttons(suggestions: Sequence[AnySuggestion]) -> Iterable[RenderableType]:
    for suggestion in suggestions:
        yield Words("─" * (_CARD_WIDTH - 4), style="dim")
        yield Words(suggestion.display_text, style="bold cyan", justify="center")
        yield Words(_target(suggestion), style="dim", justify="center", overflow="fold")


def _chips(suggestions: Sequence[AnySuggestion]) -> Iterable[RenderableType]:
    line = Words()
    for suggestion in suggestions:
        line.append(f"( {suggestion.display_text} )", style="bold cyan")
        line.append("  ")
    yield line
    for suggestion in suggestions:
        yield Words(f"{suggestion.display_text} → {_target(suggestion)}", style="dim", overflow="fold")


def _target(suggestion: AnySuggestion) -> str:
    if isinstance(suggestion, Reply):
        return f"answers {suggestion.postback}"
    words = words_of(suggestion).removeprefix(f"{suggestion.display_text}: ")
    return f"{tag_of(suggestion)} {words}".strip()
