"""Local files in templates: found where they are named, and each fault with its key and a remedy."""

from __future__ import annotations

import pytest

from gatewayd.carriers.template_media import SIZE_MAX
from gatewayd.carriers.template_preview import bodies_of, message_of, places_of
from gatewayd.carriers.template_rules import read_all
from gatewayd.carriers.templates import render

KNOWN = "known are big.mp4, empty.png, logo.png, raw.bin, sub/film.mp4, t.png"
MEDIA = {"logo.png": 9, "sub/film.mp4": 99, "empty.png": 0, "big.mp4": SIZE_MAX + 1, "raw.bin": 5, "t.png": 2}
CARD = '[content]\ntype = "rich_card"\n[content.card]\ntitle = "A"\n'


def media(members: str) -> str:
    return f"{CARD}media = {{ {members} }}\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            media('url = "file:lgo.png"'),
            'content.card.media.url: there is no file "lgo.png" in rcs.media_dir; did you mean logo.png?',
        ),
        (
            media('url = "file:/etc/passwd"'),
            'content.card.media.url: there is no file "/etc/passwd" in rcs.media_dir; ' + KNOWN,
        ),
        (
            media('url = "file:{text}.png"'),
            "content.card.media.url: a local file is named by a placeholder; write its whole name",
        ),
        (
            media('url = "file:empty.png"'),
            f"content.card.media.url: empty.png has 0 octets; platforms take 1 to {SIZE_MAX}",
        ),
        (
            media('url = "file:big.mp4"'),
            f"content.card.media.url: big.mp4 has {SIZE_MAX + 1} octets; platforms take 1 to {SIZE_MAX}",
        ),
        (
            media('url = "file:raw.bin"'),
            "content.card.media.mime_type: is missing; the name raw.bin does not tell it",
        ),
        (
            media('url = "file:raw.bin", mime_type = "image/pgn"'),
            'content.card.media.mime_type: "image/pgn" is no media type that platforms take; did you mean image/png?',
        ),
        (
            media('url = "file:t.png", thumbnail = { url = "file:t.png", mime_type = "image/gif" }'),
            "content.card.media.thumbnail.mime_type: t.png has another one above; give the same everywhere",
        ),
        (
            CARD + '[[content.card.suggestions]]\ntype = "open_url"\ndisplay_text = "Open"\nurl = "file:logo.png"\n',
            "content.card.suggestions[0].url: is a local file, and was not uploaded; no platform takes that",
        ),
    ],
)
def test_each_fault(text: str, fault: str) -> None:
    _, faults = read_all({"/t/a.toml": text}, None, MEDIA)
    assert [str(each) for each in faults] == [f"/t/a.toml: {fault}"]


def test_without_a_folder_the_key_for_it_is_named() -> None:
    _, faults = read_all({"/t/a.toml": media('url = "file:a.png"')})
    assert [fault.remedy for fault in faults] == ["name the folder that holds it in rcs.media_dir"]


def test_files_are_found_wherever_content_comes_from_one() -> None:
    texts = {
        "card": media('url = "file:sub/film.mp4", height = "tall", thumbnail = { url = "FILE:t.png" }'),
        "carousel": '[content]\ntype = "carousel"\n' + '[[content.cards]]\nmedia = { url = "file:logo.png" }\n' * 2,
        "file": '[content]\ntype = "file"\nurl = "file:raw.bin"\nmime_type = "application/pdf"\n'
        '[content.thumbnail]\nurl = "file:t.png"\n',
        "audio": '[content]\ntype = "audio"\nurl = "https://x.example/a.mp3"\n',
    }
    templates, faults = read_all(texts, None, MEDIA)
    assert faults == ()
    assert [dict(template.files) for template in templates] == [
        {"sub/film.mp4": "video/mp4", "t.png": "image/png"},
        {"logo.png": "image/png"},
        {"raw.bin": "application/pdf", "t.png": "image/png"},
        {},
    ]


def test_a_preview_shows_what_each_platform_would_be_sent() -> None:
    templates, _ = read_all({"card": media('url = "file:logo.png"')}, None, MEDIA)
    content = render(templates, message_of("shop", "SHOP", "?"), "?").content
    gsma, rbm = bodies_of(content, {}, places_of(templates, MEDIA))
    card = gsma.tree["RCSMessage"]["richcardMessage"]["message"]["generalPurposeCard"]["content"]
    assert (card["media"]["mediaUrl"], card["media"]["mediaFileSize"]) == ("https://gsma.example/logo.png", 9)
    card = rbm.tree["contentMessage"]["richCard"]["standaloneCard"]["cardContent"]
    assert card["media"]["uploadedRbmFile"] == {"fileName": "files/logo.png"}
    assert [body.problem for body in bodies_of(content, {})] == ["file:logo.png: no template names it"] * 2
