"""Twin of protocol.rcs.content."""

from __future__ import annotations

import pytest

from protocol.rcs.content import Audio, Dial, File, Inbound, Location, OpenUrl, Reply, Text, check_text, plain_text
from protocol.rcs.errors import RcsFault


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (Text("Oui"), "Oui"),
        (File("https://files.example/a.pdf", "a.pdf"), "https://files.example/a.pdf"),
        (Audio("https://files.example/a.amr"), "https://files.example/a.amr"),
        (Location(48.8566, 2.3522), "geo:48.856600,2.352200"),
        (Location(48.8566, 2.3522, "Paris"), "Paris geo:48.856600,2.352200"),
    ],
)
def test_what_a_receiver_of_plain_text_is_given(content: Inbound, words: str) -> None:
    assert plain_text(content) == words


OK = Reply("OK", "ack:42")


@pytest.mark.parametrize(
    "content",
    [
        Text("x"),
        Text("x" * 3072),
        Text("x", (OK,) * 11),
        Text("x", (Reply("y" * 25, "z" * 2048),)),
        Text("x", (OpenUrl("Suivre", "suivi:42", "https://exemple.fr"), Dial("Appeler", "appel", "+33123456789"))),
    ],
)
def test_content_at_its_limits_passes(content: Text) -> None:
    check_text(content)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (Text(""), "text_empty"),
        (Text("x" * 3073), "text_too_long"),
        (Text("x", (OK,) * 12), "suggestions_number"),
        (Text("x", (Reply("", "p"),)), "display_text_length"),
        (Text("x", (Reply("y" * 26, "p"),)), "display_text_length"),
        (Text("x", (Reply("y", ""),)), "postback_length"),
        (Text("x", (Dial("y", "z" * 2049, "+33123456789"),)), "postback_length"),
        (Text("x", (OpenUrl("y", "p", ""),)), "no_url"),
    ],
)
def test_content_beyond_a_limit_is_named(content: Text, kind: str) -> None:
    with pytest.raises(RcsFault) as caught:
        check_text(content)
    assert caught.value.kind == kind


def test_the_limit_of_a_text_is_the_platforms() -> None:
    with pytest.raises(RcsFault, match="text_too_long"):
        check_text(Text("x" * 1025), text_length_max=1024)
