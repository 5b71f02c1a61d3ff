"""What messages become: which template is for which, what placeholders stand for, and what stays a text."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.carriers.template_preview import message_of
from gatewayd.carriers.template_rules import read_all
from gatewayd.carriers.templates import Rendering, Templates, is_plain, render
from gatewayd.message import TAG_CONTENT, Encoding
from protocol.rcs.content import Card, Content, Location, OpenUrl, Reply, RichCard, Text
from protocol.rcs.errors import RcsFault

CARD = """
[content]
type = "rich_card"
[content.card]
title = "{title}"
description = "{rest} ({sender})"
[[content.card.suggestions]]
type = "open_url"
display_text = "Open"
url = "{url}"
"""
CHIP = '[[chips]]\ntype = "reply"\ndisplay_text = "STOP"\n'


def rendered(*templates: str, text: str, account: str = "shop", sender: str = "SHOP", **more: object) -> Rendering:
    found, faults = read_all({f"/t/{number}.toml": template for number, template in enumerate(templates)})
    assert faults == ()
    return render(found, message_of(account, sender, text, **more), text)  # type: ignore[arg-type]


def with_match(match: str, rest: str = CHIP) -> str:
    return f"[match]\n{match}\n{rest}"


def test_a_text_becomes_a_card() -> None:
    template = with_match("pattern = 'Order (?P<title>\\w+)'", CARD)
    made = rendered(template, text="Order A1 is here: https://x.example/a?b=1. Bye")
    button = OpenUrl("Open", "Open", url="https://x.example/a?b=1")
    assert made.content == RichCard(Card("A1", "Order A1 is here. Bye (SHOP)", suggestions=(button,)))
    assert (made.is_plain, made.story, made.error) == (False, (("0", ""),), "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("See https://x.example/1", "See"),
        ("See: https://x.example/1 for more", "See for more"),
        ("https://x.example/1", ""),
        ("Go (https://x.example/1)", "Go ()"),
        ("No address", "No address"),
    ],
)
def test_the_text_without_its_address(text: str, words: str) -> None:
    template = '[content]\ntype = "text"\ntext = "<{rest}>"\n'
    assert rendered(template, text=text).content == Text(f"<{words}>")


@pytest.mark.parametrize(
    ("match", "changed", "refusal"),
    [
        ('accounts = ["shop"]', {"account": "bank"}, "the account is another"),
        ('senders = ["SH*", "33700000001"]', {"sender": "BANK"}, "the sender is another"),
        ('service_types = ["TRK"]', {"service_type": "OTP"}, "the service_type is another"),
        ('tlv = { tag = 0x1400, value = "rich" }', {"tlvs": []}, "TLV 0x1400 is not there, or has another value"),
        ("pattern = '^Hello$'", {"text": "Hello, you"}, "the pattern is not in the text"),
        ("pattern = 'Hello'", {"text": "Hello" * 1000}, "the text has more than 3072 characters"),
    ],
)
def test_each_condition(match: str, changed: dict[str, object], refusal: str) -> None:
    facts = {"text": "Hello", "service_type": "TRK", "tlvs": [(0x1400, b"rich\0")]}
    chip = Reply("STOP", "STOP")
    assert rendered(with_match(match), **facts).content == Text("Hello", (chip,))  # type: ignore[arg-type]
    made = rendered(with_match(match), **(facts | changed))  # type: ignore[arg-type]
    assert (made.is_plain, made.story) == (True, (("0", refusal),))


def test_tlvs_by_octets_or_at_all() -> None:
    assert not rendered(with_match('tlv = { tag = 5121, hex = "01ff" }'), text="?", tlvs=[(5121, b"\x01\xff")]).is_plain
    assert not rendered(with_match("tlv = { tag = 5121 }"), text="?", tlvs=[(5121, b"any")]).is_plain
    assert rendered(with_match("tlv = { tag = 5121 }"), text="?").is_plain


def test_the_first_content_counts_and_all_chips_are_added() -> None:
    first = '[content]\ntype = "text"\ntext = "1"\n'
    made = rendered(first, first.replace('"1"', '"2"'), CHIP, text="?")
    assert made.content == Text("1", (Reply("STOP", "STOP"),))
    assert made.story == (("0", ""), ("1", "an earlier one gave the content"), ("2", ""))


def test_plain_ends_it() -> None:
    made = rendered(with_match("pattern = 'code'", "").replace("[match]", "plain = true\n[match]"), CHIP, text="code 1")
    assert (made.content, made.story) == (Text("code 1"), (("0", ""),))


def test_a_template_with_the_address_is_for_texts_with_one() -> None:
    made = rendered(CARD.replace("{title}", "Look"), text="no address")
    assert made.story == (("0", "the text holds no web address"),)


def test_numbers_may_come_from_the_text() -> None:
    template = with_match(
        "pattern = 'at (?P<lat>[-\\d.]{1,12}),(?P<lon>[-\\d.]{1,12})'",
        '[content]\ntype = "location"\nlatitude = "{lat}"\nlongitude = "{lon}"\n',
    )
    assert rendered(template, text="We are at 48.85,2.35!").content == Location(48.85, 2.35)
    faulty = rendered(template, text="We are at 48.85.1,2.35")
    assert faulty.content == Text("We are at 48.85.1,2.35")
    assert faulty.error


def test_addresses_hold_only_what_addresses_may() -> None:
    url = 'url = "https://x.example/{name}"'
    template = with_match(
        "pattern = '(?P<name>.{1,20})$'", CARD.replace("{title}", "{{1}}").replace('url = "{url}"', url)
    )
    content = rendered(template, text="é {x} &").content
    assert isinstance(content, RichCard)
    assert content.card.title == "{1}"
    (button,) = content.card.suggestions
    assert isinstance(button, OpenUrl)
    assert button.url == "https://x.example/%C3%A9%20%7Bx%7D%20&"


def test_a_group_that_caught_nothing_is_empty() -> None:
    template = with_match("pattern = 'a(?P<b>b)?'", '[content]\ntype = "text"\ntext = "<{b}>"\n')
    assert rendered(template, text="ac").content == Text("<>")


def test_a_link_asks_for_content() -> None:
    faults: list[str] = []
    templates = Templates(faults.append)
    message = message_of("shop", "SHOP", "at x")
    assert templates.content_of(message) == Text("at x")
    place = '[content]\ntype = "location"\nlatitude = "{lat}"\nlongitude = 2\n'
    templates.learn(read_all({"a": with_match("pattern = 'at (?P<lat>.)'", place)})[0])
    assert templates.content_of(message) == Text("at x")
    assert faults == ["template_bad_value"]
    templates.learn(read_all({"a": CHIP})[0])
    assert templates.content_of(message) == Text("at x", (Reply("STOP", "STOP"),))
    with pytest.raises(RcsFault, match="binary"):
        templates.content_of(msgspec.structs.replace(message, encoding=Encoding.BINARY))


@pytest.mark.parametrize(
    ("content", "plain"), [(Text("?"), True), (Text("?", (Reply("1", "1"),)), False), (Location(1, 2), False)]
)
def test_what_is_plain(content: Content, plain: bool) -> None:
    assert is_plain(content) is plain


@given(st.text(max_size=60), st.sampled_from(["", " https://x.example/{a}", "{text}", " STOP"]))
@settings(max_examples=60, deadline=None)
def test_words_of_a_text_never_become_placeholders(text: str, tail: str) -> None:
    whole = (text + tail).encode("utf-16-be", "ignore").decode("utf-16-be")
    made = rendered('[content]\ntype = "text"\ntext = "<{text}>"\n', CHIP, text=whole)
    assert made.content == Text(f"<{whole}>", (Reply("STOP", "STOP"),))


def test_a_sender_may_name_one_and_give_its_words() -> None:
    found, _ = read_all({"/t/order.toml": with_match("pattern = 'Order (?P<title>\\w+)'\naccounts = ['shop']", CARD)})
    templates = Templates()
    templates.learn(found)
    made = templates.filled("order", "shop", {"title": "A1", "url": "ours wins"}, "See https://x.example/1", "SHOP")
    button = OpenUrl("Open", "Open", url="https://x.example/1")
    assert made == RichCard(Card("A1", "See (SHOP)", suggestions=(button,)))
    for name, account in (("order", "bank"), ("other", "shop")):
        with pytest.raises(LookupError):
            templates.filled(name, account, {}, "x", "SHOP")
    with pytest.raises(ValueError, match="the parameter title is missing"):
        templates.filled("order", "shop", {}, "x", "SHOP")


def test_what_a_sender_made_rich_goes_before_templates() -> None:
    found, _ = read_all({"/t/0.toml": CHIP})
    templates = Templates()
    templates.learn(found)
    own = msgspec.json.encode(Location(1.0, 2.0))
    message = msgspec.structs.replace(message_of("shop", "SHOP", "text"), tlvs=((TAG_CONTENT, own),))
    assert templates.content_of(message) == Location(1.0, 2.0)
    for octets in (b"{", b'{"type":"text","text":"\xff"}', b'{"type":"text","x":' + b"[" * 60_000):
        unreadable = msgspec.structs.replace(message, tlvs=((TAG_CONTENT, octets),))
        assert templates.content_of(unreadable) == Text("text", (Reply("STOP", "STOP"),))
