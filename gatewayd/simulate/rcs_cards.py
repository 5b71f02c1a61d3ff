"""Strict checks of rich cards and carousels (GSMA FNW.11, RCC.07 schema).

Pure; knows nothing of messages, rules or HTTP.
"""

from __future__ import annotations

from gatewayd.simulate.rcs_catalogue import Refusal
from gatewayd.simulate.rcs_members import absent, choose, record, size, text
from gatewayd.simulate.rcs_suggestions import CARD_SUGGESTIONS_MAX, URL_MAX, check_suggestions

CARDS_MIN = 2
CARDS_MAX = 10
HEIGHTS = ("SHORT_HEIGHT", "MEDIUM_HEIGHT", "TALL_HEIGHT")
STYLES = ("titleFontStyle", "descriptionFontStyle", "style")
FONTS = frozenset(("italics", "bold", "underline"))


def check_rich_card(value: object) -> None:
    """``richcardMessage``: one card, or one carousel of 2 to 10."""
    where = "richcardMessage"
    outer = record(value, where, required=(), optional=("message",))
    if absent(outer, "message"):
        raise Refusal(42031, where)
    kinds = ("generalPurposeCard", "generalPurposeCardCarousel")
    kind, body = choose(outer["message"], where, kinds, none=42031, several=42032)
    card = record(body, kind, required=(), optional=("layout", "content"))
    if absent(card, "layout"):
        raise Refusal(42034, kind)
    if absent(card, "content"):
        raise Refusal(42035, kind)
    if kind == "generalPurposeCard":
        _check_card_layout(card["layout"])
        _check_content(card["content"], f"{kind}.content", small=False)
    else:
        _check_carousel(card["layout"], card["content"])


def _check_card_layout(value: object) -> None:
    where = "generalPurposeCard.layout"
    layout = record(value, where, required=(), optional=("cardOrientation", "imageAlignment", *STYLES))
    orientation = layout.get("cardOrientation")
    if orientation == "VERTICAL":
        if not absent(layout, "imageAlignment"):
            raise Refusal(42039, where)
    elif orientation == "HORIZONTAL":
        if absent(layout, "imageAlignment"):
            raise Refusal(42037, where)
        if layout["imageAlignment"] not in ("LEFT", "RIGHT"):
            raise Refusal(42038, where)
    else:
        raise Refusal(42036, where)
    _check_styles(layout, where)


def _check_styles(layout: dict[str, object], where: str) -> None:
    for name in ("titleFontStyle", "descriptionFontStyle"):
        fonts = layout.get(name)
        if fonts is not None and not (isinstance(fonts, list) and all(font in FONTS for font in fonts)):
            raise Refusal(42002, f"{where}.{name}")
    text(layout, "style", where, most=URL_MAX, required=False)


def _check_carousel(layout_value: object, cards: object) -> None:
    where = "generalPurposeCardCarousel"
    layout = record(layout_value, f"{where}.layout", required=(), optional=("cardWidth", *STYLES))
    if layout.get("cardWidth") not in ("SMALL_WIDTH", "MEDIUM_WIDTH"):
        raise Refusal(42040, where)
    _check_styles(layout, where)
    if not isinstance(cards, list):
        raise Refusal(42002, f"{where}.content is not a list")
    if len(cards) > CARDS_MAX:
        raise Refusal(42205, where)
    if len(cards) < CARDS_MIN:
        raise Refusal(42033, where)
    for number, card in enumerate(cards):
        _check_content(card, f"{where}.content[{number}]", small=layout["cardWidth"] == "SMALL_WIDTH")


def _check_content(value: object, where: str, *, small: bool) -> None:
    content = record(value, where, required=(), optional=("media", "title", "description", "suggestions"))
    if absent(content, "media") and absent(content, "title") and absent(content, "description"):
        raise Refusal(42042, where)
    if not absent(content, "media"):
        _check_media(content["media"], f"{where}.media", small=small)
    text(content, "title", where, most=200, code=42203, required=False)
    text(content, "description", where, most=2000, code=42204, required=False)
    if not absent(content, "suggestions"):
        check_suggestions(content["suggestions"], f"{where}.suggestions", CARD_SUGGESTIONS_MAX, too_many=42048)


def _check_media(value: object, where: str, *, small: bool) -> None:
    thumbnail = ("thumbnailUrl", "thumbnailContentType", "thumbnailFileSize")
    named = ("mediaUrl", "mediaContentType", "mediaFileSize", "height", "contentDescription")
    media = record(value, where, required=(), optional=(*named, *thumbnail))
    text(media, "mediaUrl", where, most=URL_MAX, missing=42104)
    text(media, "mediaContentType", where, most=200, missing=42105)
    size(media, "mediaFileSize", where, missing=42106)
    if media.get("height") not in HEIGHTS:
        raise Refusal(42107, where)
    if small and media["height"] == "TALL_HEIGHT":
        raise Refusal(42041, where)
    text(media, "contentDescription", where, most=200, code=42202, required=False)
    if not absent(media, "thumbnailUrl"):
        text(media, "thumbnailUrl", where, most=URL_MAX)
        text(media, "thumbnailContentType", where, most=200, missing=42100)
        size(media, "thumbnailFileSize", where, missing=42100)
