"""Strict checks of rich cards, carousels and the files in them (Google's RBM API).

Pure; knows nothing of messages, rules or HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gatewayd.simulate.rbm_members import listed, only_one, record, text, url, word
from gatewayd.simulate.rbm_refusals import invalid
from gatewayd.simulate.rbm_suggestions import check_suggestions

CARDS_MIN = 2
CARDS_MAX = 10
HEIGHTS = ("SHORT", "MEDIUM", "TALL")
FILES = ("contentInfo", "uploadedRbmFile", "fileName")

IsFile = Callable[[str], bool]


class CardChecks:
    """The checks, with what an agent may vary: which uploaded files there are, and how many suggestions a card has."""

    def __init__(self, is_file: IsFile, suggestions_max: int) -> None:
        self._is_file = is_file
        self._suggestions_max = suggestions_max

    def check_rich_card(self, value: object, where: str) -> set[str]:
        """``richCard``; returns the features that a device needs for it."""
        card = record(value, where, ("standaloneCard", "carouselCard"))
        kind = only_one(card, where, ("standaloneCard", "carouselCard"))
        where = f"{where}.{kind}"
        if kind == "standaloneCard":
            return {"RICHCARD_STANDALONE", *self._standalone(card[kind], where)}
        return {"RICHCARD_CAROUSEL", *self._carousel(card[kind], where)}

    def check_file(self, body: Mapping[str, object], where: str) -> None:
        """Whichever of the three ways of naming a file is there."""
        kind = only_one(body, where, FILES)
        where = f"{where}.{kind}"
        if kind == "contentInfo":
            info = record(body[kind], where, ("fileUrl", "thumbnailUrl", "forceRefresh"))
            url(info, "fileUrl", where)
            url(info, "thumbnailUrl", where, required=False)
            if not isinstance(info.get("forceRefresh", False), bool):
                raise invalid(f"{where}.forceRefresh", "it is not true or false")
        elif kind == "uploadedRbmFile":
            uploaded = record(body[kind], where, ("fileName", "thumbnailName"))
            self._check_name(text(uploaded, "fileName", where, 200), f"{where}.fileName")
            thumbnail = text(uploaded, "thumbnailName", where, 200, required=False)
            if thumbnail:
                self._check_name(thumbnail, f"{where}.thumbnailName")
        else:
            self._check_name(body[kind], where)

    def _standalone(self, value: object, where: str) -> set[str]:
        card = record(value, where, ("cardOrientation", "thumbnailImageAlignment", "cardContent"))
        orientation = word(card, "cardOrientation", where, ("HORIZONTAL", "VERTICAL"))
        alignment = word(card, "thumbnailImageAlignment", where, ("LEFT", "RIGHT"), required=False)
        if alignment and orientation == "VERTICAL":
            raise invalid(f"{where}.thumbnailImageAlignment", "it is for horizontal cards only")
        needed, content = self._content(card.get("cardContent"), f"{where}.cardContent", small=False)
        others = ("title", "description", "suggestions")
        if orientation == "HORIZONTAL" and "media" in content and not any(content.get(name) for name in others):
            raise invalid(f"{where}.cardContent", "a horizontal card needs more than media")
        return needed

    def _carousel(self, value: object, where: str) -> set[str]:
        card = record(value, where, ("cardWidth", "cardContents"))
        small = word(card, "cardWidth", where, ("SMALL", "MEDIUM")) == "SMALL"
        needed: set[str] = set()
        contents = listed(card.get("cardContents"), f"{where}.cardContents", CARDS_MIN, CARDS_MAX)
        for number, content in enumerate(contents):
            needed |= self._content(content, f"{where}.cardContents[{number}]", small=small)[0]
        return needed

    def _content(self, value: object, where: str, *, small: bool) -> tuple[set[str], dict[str, object]]:
        content = record(value, where, ("media", "title", "description", "suggestions"))
        if not any(name in content for name in ("media", "title", "description")):
            raise invalid(where, "a card needs media, a title or a description")
        text(content, "title", where, 200, required=False)
        text(content, "description", where, 2000, required=False)
        if "media" in content:
            self._media(content["media"], f"{where}.media", small=small)
        if "suggestions" not in content:
            return set(), content
        return check_suggestions(content["suggestions"], f"{where}.suggestions", self._suggestions_max), content

    def _media(self, value: object, where: str, *, small: bool) -> None:
        media = record(value, where, ("height", *FILES))
        if word(media, "height", where, HEIGHTS) == "TALL" and small:
            raise invalid(f"{where}.height", "TALL does not go with a SMALL carousel")
        self.check_file(media, where)

    def _check_name(self, name: object, where: str) -> None:
        if not isinstance(name, str) or not self._is_file(name):
            raise invalid(where, "there is no such file")
