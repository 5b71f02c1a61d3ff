"""Faults of templates, each with its file, its key and a remedy; and the templates that are shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.carriers.template_preview import bodies_of, message_of
from gatewayd.carriers.template_rules import read_all
from gatewayd.carriers.templates import render
from protocol.rcs.content import Reply, RichCard, Text

SHIPPED = Path(__file__).resolve().parents[3] / "conf" / "templates"
CHIP = '[[chips]]\ntype = "reply"\ndisplay_text = "Yes"\n'
CARD = '[content]\ntype = "rich_card"\n[content.card]\ntitle = "A"\n'
TOO_LONG = (
    " to try it at each place of a text, at most 4000; "
    "bound its repetitions ({0,40} for *) or make them possessive (*+, ++)"
)
GROUP = " (a group is written (?P<NAME>...))"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("=", "is no TOML: Invalid statement (at line 1, column 1); correct it there"),
        ("zzz = 1\n" + CHIP, "zzz: there is no such key; known are chips, content, description, match, plain"),
        ("", "content: is missing; give [content], [[chips]] or plain = true"),
        ("plain = 1", "plain: 1 is not true or false; write true or false, without quotes"),
        ("plain = true\n" + CHIP, "plain: stands beside content or chips; keep one of them"),
        ("content = 1", "content: 1 is not a table; write [content] and its keys below"),
        ("chips = 1", "chips: 1 is not a list of tables; write [[chips]] above each chip"),
        ("match = 1\n" + CHIP, "match: 1 is not a table; write [match] and its keys below"),
        ('match.acounts = ["a"]\n' + CHIP, "match.acounts: there is no such key; did you mean accounts?"),
        ('match.accounts = ["shp"]\n' + CHIP, 'match.accounts: there is no account "shp"; did you mean shop?'),
        (
            'match.senders = ["*a"]\n' + CHIP,
            'match.senders: "*a" is not a sender; give up to 20 characters; a * may end it',
        ),
        ("match.tlv = { tag = 70000 }\n" + CHIP, "match.tlv.tag: 70000 is out of range; give 0 to 65535"),
        (
            'match.tlv = { tag = 1, hex = "0" }\n' + CHIP,
            'match.tlv.hex: "0" are no octets; write pairs of digits: "01ff"',
        ),
        (
            'match.tlv = { tag = 1, hex = "00", value = "a" }\n' + CHIP,
            "match.tlv.hex: stands beside value; keep one of the two",
        ),
        (
            "match.pattern = '*'\n" + CHIP,
            "match.pattern: is no regular expression: nothing to repeat at position 0; correct it there",
        ),
        (
            "match.pattern = '\\S+a\\S+b'\n" + CHIP,
            f"match.pattern: could take too long: {3072**2} ways{TOO_LONG}",
        ),
        (f"match.pattern = '{'a' * 1001}'\n" + CHIP, "match.pattern: has 1001 characters; 1000 are allowed"),
        (
            "match.pattern = '(?P<url>a)'\n" + CHIP,
            "match.pattern: has a group url; name it otherwise: {url} is built in",
        ),
        (
            CARD + 'description = "{txt}"',
            f"content.card.description: the pattern has no group for {{txt}}; did you mean text?{GROUP}",
        ),
        (
            CHIP + 'postback = "{"',
            "chips[0].postback: has a brace that is part of no placeholder; write {{ or }} for a brace",
        ),
        (CARD + "titel = 1", "content.card.titel: there is no such key; did you mean title?"),
        (
            CARD + "description = 1",
            "content.card.description: Expected str, got int; docs/templates.md shows what there is",
        ),
        ('[content]\ntype = "card"', "content.type: Invalid value 'card'; docs/templates.md shows what there is"),
        (CHIP + "zzz = 1", "chips[0].zzz: there is no such key; known are display_text, postback, type"),
        (
            '[[chips]]\ntype = "reply"',
            "chips[0]: Object missing required field display_text; docs/templates.md shows what there is",
        ),
        (CHIP.replace("Yes", "Y" * 26), "chips[0].display_text: 26 characters, at most 25; no platform takes that"),
        (
            '[content]\ntype = "text"\ntext = "{text}"',
            "content: changes nothing; write plain = true",
        ),
        (
            CARD + '[[content.card.suggestions]]\ntype = "open_url"\ndisplay_text = "{text}"\nurl = "nowhere"',
            "content.card.suggestions[0].url: is no URL: it has no scheme; no platform takes that",
        ),
    ],
)
def test_each_fault(text: str, fault: str) -> None:
    templates, faults = read_all({"/t/a.toml": text, "/t/b.toml": CHIP}, frozenset({"shop", "bank"}))
    assert [str(each) for each in faults] == [f"/t/a.toml: {fault}"]
    assert [template.name for template in templates] == ["b"]


def test_every_kind_of_content_and_suggestion_can_be_written() -> None:
    texts = {
        "carousel": '[content]\ntype = "carousel"\n'
        + '[[content.cards]]\ntitle = "{text}"\nmedia = { url = "https://x.example/{text}.png", size = 1 }\n' * 2,
        "file": '[content]\ntype = "file"\nurl = "{url}"\nmime_type = "application/pdf"\nsize = 9\n',
        "audio": '[content]\ntype = "audio"\nurl = "{url}"\n',
        "location": '[content]\ntype = "location"\nlatitude = 1\nlongitude = 2\n',
        "event": '[[chips]]\ntype = "calendar_event"\ndisplay_text = "Note it"\nstart = "{text}"\nend = "{text}"\n'
        'title = "T"\n',
        "dial": '[[chips]]\ntype = "dial"\ndisplay_text = "Call"\nphone_number = "{sender}"\n',
    }
    templates, faults = read_all(texts)
    assert faults == ()
    assert [template.name for template in templates] == list(texts)


@pytest.mark.parametrize(
    ("text", "matching"),
    [
        ("Your code is 123456. STOP au 36111", ["10-otp"]),
        ("Your parcel AB123456789FR is on its way: https://t.example/AB1", ["20-parcel"]),
        ("Colis 6A12345678901 livré https://t.example/a STOP au 36111", ["20-parcel", "90-stop"]),
        ("Your parcel collection is late: https://t.example/a", []),
        ("Monday at 10:00? Reply YES or NO", ["30-appointment"]),
        ("RDV lundi. Répondez OUI ou NON", ["30-appointment"]),
        ("Sales! Text STOP to end", ["90-stop"]),
        ("We never stop", []),
    ],
)
def test_the_shipped_templates(text: str, matching: list[str]) -> None:
    templates, faults = read_all({str(path): path.read_text() for path in sorted(SHIPPED.glob("*.toml"))})
    assert faults == ()
    made = render(templates, message_of("shop", "SHOP", text), text)
    assert [name for name, refusal in made.story if not refusal] == matching
    assert [body.problem for body in bodies_of(made.content, {})] == ["", ""]


def test_what_the_shipped_templates_make() -> None:
    templates, _ = read_all({str(path): path.read_text() for path in sorted(SHIPPED.glob("*.toml"))})
    text = "Reply YES or NO. STOP au 36111"
    made = render(templates, message_of("shop", "SHOP", text), text)
    assert made.content == Text(text, tuple(Reply(word, word) for word in ("YES", "NO", "STOP")))
    text = "Colis 6A12345678901 ici: https://t.example/a"
    made = render(templates, message_of("shop", "SHOP", text), text)
    assert isinstance(made.content, RichCard)
    assert (made.content.card.title, made.content.card.description) == (
        "Parcel 6A12345678901",
        "Colis 6A12345678901 ici",
    )
