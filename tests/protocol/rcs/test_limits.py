"""Twin of protocol.rcs.limits."""

from __future__ import annotations

import pytest

from protocol.rcs.errors import ContentFault
from protocol.rcs.limits import Limits, check_length, check_number, check_place, check_size, check_source, check_url


def test_the_edges_of_a_length() -> None:
    check_length("ab", "x", 2)
    check_length("", "x", 2, least=0)
    with pytest.raises(ContentFault, match="x: is empty") as caught:
        check_length("", "x", 2)
    assert (caught.value.kind, caught.value.element) == ("content_empty", "x")
    with pytest.raises(ContentFault, match="x: 3 characters, at most 2") as caught:
        check_length("abc", "x", 2)
    assert caught.value.kind == "content_too_long"


def test_the_edges_of_a_number() -> None:
    check_number((1, 2), "x", 2, least=2)
    with pytest.raises(ContentFault, match="x: 1, at least 2"):
        check_number((1,), "x", 2, least=2)
    with pytest.raises(ContentFault, match="x: 3, at most 2"):
        check_number((1, 2, 3), "x", 2)


def test_a_url_has_a_scheme_and_a_length() -> None:
    check_url("https://x.example", "u", Limits())
    check_url("mailto:a@b.example", "u", Limits())
    with pytest.raises(ContentFault, match="u: 18 characters, at most 17"):
        check_url("https://xx.example", "u", Limits(url_max=17))
    with pytest.raises(ContentFault, match="no scheme"):
        check_url("x.example", "u", Limits())


def test_sizes_and_places_have_bounds() -> None:
    check_size(0, "s", 10)
    with pytest.raises(ContentFault, match="s: 11 octets, at most 10"):
        check_size(11, "s", 10)
    check_place(90, -180, "p")
    with pytest.raises(ContentFault, match=r"p\.latitude"):
        check_place(float("nan"), 0, "p")


def test_a_file_comes_from_a_url_or_where_a_platform_names_uploads_by_name() -> None:
    by_name = Limits(names_uploads=True)
    check_source("https://x.example/a", "x", by_name)
    check_source("uploaded:files/1", "x", by_name)
    for url, limits, problem in [
        ("uploaded:", by_name, "9 characters|is empty"),
        ("uploaded:files/1", Limits(), "is the name of an uploaded file"),
        ("Uploaded:files/1", by_name, "is the name of an uploaded file"),
        ("file:a.png", by_name, "is a local file, and was not uploaded"),
    ]:
        with pytest.raises(ContentFault, match=f"x: ({problem})"):
            check_source(url, "x", limits)
