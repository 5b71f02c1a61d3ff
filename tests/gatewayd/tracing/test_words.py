"""Every event has a sentence, no gap of which shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from gatewayd.flow import notes
from gatewayd.tracing import timeline
from gatewayd.tracing.timeline import Event, Story
from gatewayd.tracing.words import SENTENCES, end_of, offset, plain, sentence

NUMBER = "33612345678"
ROOT = Path(timeline.__file__).parents[1]


def said_in(path: str) -> set[str]:
    """The words that a module gives to events (of the timeline) or notes (elsewhere)."""
    told_by = "_say" if path.startswith("tracing") else "note"
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        name = getattr(getattr(node, "func", None), "attr", "")
        if isinstance(node, ast.Call) and name == told_by:
            found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}
    return found


@pytest.mark.parametrize(
    "path",
    ["tracing/timeline.py", "flow/notes.py", "flow/outbound.py", "flow/reach.py", "flow/desk.py", "flow/joining.py"],
)
def test_every_event_has_a_sentence(path: str) -> None:
    said = said_in(path) - {"wait"}
    assert said
    assert said - set(SENTENCES) == set()


def test_facts_that_are_missing_leave_no_gap() -> None:
    assert sentence(Event(1.0, "refused", {"link": "rcs", "error": "http_404"})) == "rcs refused it: http_404"
    assert sentence(Event(1.0, "refused", {"link": "rcs", "segment": "1 of 2", "error": "x"})) == (
        "rcs refused it, segment 1 of 2: x"
    )
    assert sentence(Event(1.0, "refused", {})) == "? refused it: ?"
    assert sentence(Event(1.0, "ended", {"state": "DELIVRD", "error": "000"})) == "end: DELIVRD"
    assert sentence(Event(1.0, "something_new", {"a": 1})) == "something_new a=1"


@pytest.mark.parametrize("word", SENTENCES)
def test_sentences_are_sound(word: str) -> None:
    assert SENTENCES[word].count("[") == SENTENCES[word].count("]")
    shown = sentence(Event(1.0, word, {}))
    assert not re.search(r"[\[\]{}]", shown)


def test_a_text_is_told_where_there_is_one() -> None:
    story = Story(1, [Event(1.0, "accepted", {})], {"destination": NUMBER, "account": "shop"})
    assert plain(story)["handset"] == NUMBER
    assert "text" not in plain(story)
    story.text = "hello"
    assert plain(story)["text"] == "hello"


def test_moments_and_spans() -> None:
    facts = {"link": "rcs", "error": "429", "retry_s": 30.0, "scope": "agent"}
    assert sentence(Event(1.0, "deferred", facts)).endswith("429, again in 30 s, rests: agent")
    told = plain(Story(1, [Event(1764124800.5, "put_off", {"link": "a", "until": 1764124801.0})]))
    assert told["events"][0]["time"] == "2025-11-26T02:40:00.500Z"
    assert told["events"][0]["until"] == "2025-11-26T02:40:01.000Z"
    assert [offset(seconds) for seconds in (0.5321, 182, 18_605)] == ["+0.532 s", "+3 min 02", "+5 h 10"]


def test_the_end_in_a_word() -> None:
    assert end_of(Story(1, state="UNDELIV", error="042")) == "UNDELIV 042"
    assert end_of(Story(1, state="DELIVRD", error="000")) == "DELIVRD"
    assert end_of(Story(1, progress={"stage": "queued", "links": ["a"]})) == "queued on a"
    assert end_of(Story(1)) == "waits for its application"


def test_notes_about_links_have_their_own_words() -> None:
    assert "link_wait" in SENTENCES
    assert notes.LINK == 0
