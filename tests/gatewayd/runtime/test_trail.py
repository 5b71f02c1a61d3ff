"""One readable line a fate, no number in clear, nothing that strangers could forge; and the log's two forms."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp.http_exceptions import BadHttpMethod
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.runtime.masking import Masker
from gatewayd.runtime.trail import Form, Said, Trail, Value, configure_logging, masked, say

KEY = bytes(32)
NUMBER = "33612345678"


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The root logger and the mask, put back afterwards."""
    monkeypatch.setattr("gatewayd.runtime.trail._masker", Masker())
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for talker in ("aiohttp", "asyncio"):
        logging.getLogger(talker).setLevel(logging.NOTSET)
    logging.getLogger("aiohttp.server").filters.clear()


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"message": 17, "account": "shop", "link": None}, "refused message=17 account=shop"),
        ({"handset": "33612345678"}, "refused handset=3361*****78"),
        ({"sender": "Shop", "destination": "36180"}, "refused sender=Shop destination=*****"),
        ({"sender": "33612345678"}, "refused sender=3361*****78"),
        ({"handset": 33612345678}, "refused handset=3361*****78"),
        ({"reason": "rule 3: account shop"}, 'refused reason="rule 3: account shop"'),
        ({"reason": 'a "b" c\\d'}, r'refused reason="a \"b\" c\\d"'),
        ({"reason": "", "error": "x=y"}, 'refused reason="" error="x=y"'),
        ({"reason": "été"}, "refused reason=été"),
        ({"reason": "dix été"}, 'refused reason="dix été"'),
        ({"error": "a\nfake line\x1b[0m"}, r'refused error="a\nfake line\u001b[0m"'),
        ({"waited_s": 1.23456, "last": True, "first": False}, "refused waited_s=1.235 last=true first=false"),
    ],
)
def test_line(fields: dict[str, Value], line: str) -> None:
    assert str(Said("refused", fields)) == line


@given(st.text(min_size=1))
@settings(max_examples=100, deadline=None)
def test_no_value_breaks_the_line(text: str) -> None:
    line = str(Said("refused", {"reason": text, "message": 1}))
    assert line.isprintable()
    assert re.fullmatch(r'refused reason=([^ "=]+|"([^"\\]|\\.)*") message=1', line)


def test_long_values_are_cut() -> None:
    assert len(str(Said("refused", {"reason": "x" * 10_000}))) < 300


def test_what_happens_to_every_message_is_written_at_debug_only(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "some.trail"):
        trail = Trail(logging.getLogger("some.trail"))
        wanted_at_info = trail.wants
        trail.tell("accepted", message=1)
        trail.say("mo_refused", message=2)
    with caplog.at_level(logging.DEBUG, "some.trail"):
        trail = Trail(logging.getLogger("some.trail"))
        wanted_at_debug = trail.wants
        trail.tell("accepted", message=3)
    assert (wanted_at_info, wanted_at_debug) == (False, True)
    assert caplog.messages == ["mo_refused message=2", "accepted message=3"]
    assert [record.levelname for record in caplog.records] == ["INFO", "DEBUG"]


def test_the_trail_has_a_logger_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Trail().say("expired", message=5)
    assert [record.name for record in caplog.records] == ["gatewayd.trail"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_from_elsewhere_has_fields_quoted_and_masked(root: logging.Logger, form: Form) -> None:
    stream = io.StringIO()
    configure_logging("info", stream, form=form, worker=1)
    say(logging.getLogger("a"), logging.DEBUG, "< unheard")
    say(logging.getLogger("a"), logging.WARNING, "< bind_refused", account="shop\n= fake", handset=NUMBER, at=None)
    line = stream.getvalue()
    if form == "text":
        assert line.endswith('WARNING a[1]: < bind_refused account="shop\\n= fake" handset=3361*****78\n')
    else:
        said = json.loads(line)
        assert (said["worker"], said["event"], said["account"]) == (1, "bind_refused", "shop\n= fake")
        assert (said["handset"], "at" in said) == ("3361*****78", False)


def test_terminal_form(root: logging.Logger) -> None:
    stream = io.StringIO()
    configure_logging("info", stream)
    logging.getLogger("a.b").info("hello %s", "world")
    logging.getLogger("a.b").debug("unheard")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO a\.b: hello world\n", stream.getvalue())


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_the_web_server_shows_at_no_level_what_strangers_sent(root: logging.Logger, level: str) -> None:
    stream = io.StringIO()
    configure_logging(level, stream)
    server = logging.getLogger("aiohttp.server")
    server.debug("Authorization: secret")
    logging.getLogger("asyncio").debug("the loop's secret")
    server.info("nothing new")
    assert "secret" not in stream.getvalue()
    assert ("nothing new" in stream.getvalue()) == (level in ("debug", "info"))


@pytest.mark.parametrize("level", ["debug", "info", "warning"])
def test_what_is_no_http_is_told_without_its_octets(root: logging.Logger, level: str) -> None:
    """The rest of a body whose length was wrong, an address with a space in it: the server quotes them."""
    stream = io.StringIO()
    configure_logging(level, stream)
    server = logging.getLogger("aiohttp.server")
    for fault in (BadHttpMethod("GET /send?password=secret&to=33612345678"), ValueError("a fault of ours")):
        server.error("Error handling request from %s", "192.0.2.1", exc_info=fault)
    said = stream.getvalue()
    assert "secret" not in said
    assert NUMBER not in said
    assert ("INFO aiohttp.server: < Error handling request from 192.0.2.1: no HTTP, BadHttpMethod" in said) == (
        level != "warning"
    )
    assert "ERROR aiohttp.server: Error handling request" in said
    assert "ValueError: a fault of ours" in said


def test_warnings_are_logged_and_handlers_replaced(root: logging.Logger) -> None:
    stream = io.StringIO()
    configure_logging("debug", io.StringIO())
    configure_logging("debug", stream)
    assert len(root.handlers) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("beware", stacklevel=1)
    assert "WARNING py.warnings" in stream.getvalue()


def test_journal_form(root: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        configure_logging("debug", stream)
        logger = logging.getLogger("a")
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
            logger.log(level, "word")
        logger.error("two\nlines")
        stream.seek(0)
        lines = stream.read().splitlines()
    assert lines == ["<7>a: word", "<6>a: word", "<4>a: word", "<3>a: word", "<2>a: word", "<3>a: two", "<3>lines"]


def test_another_stream_than_the_journals(
    root: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    with (tmp_path / "file").open("w+") as stream:
        configure_logging("info", stream)
        logging.getLogger("a").info("word")
        stream.seek(0)
        assert stream.read().endswith("Z INFO a: word\n")


def test_standard_error_is_the_default(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    logging.getLogger("a").info("word")
    assert capsys.readouterr().err.endswith("INFO a: word\n")


def lines_of(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_lines_for_machines(root: logging.Logger) -> None:
    stream = io.StringIO()
    configure_logging("debug", stream, form="json", key=KEY)
    Trail().say("fallback", message="6885", handset="+" + NUMBER, link="carrier", reason="dead\nline", error=None)
    logging.getLogger("a.b").warning("two %s", "words")
    first, second = lines_of(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(first.pop("time")))
    assert first == {
        "level": "info",
        "priority": 6,
        "logger": "gatewayd.trail",
        "event": "fallback",
        "message": "6885",
        "handset": Masker(KEY)(NUMBER),
        "link": "carrier",
        "reason": "dead\nline",
    }
    assert (second["level"], second["priority"], second["text"]) == ("warning", 4, "two words")


def test_a_traceback_is_one_line_for_machines(root: logging.Logger) -> None:
    stream = io.StringIO()
    configure_logging("info", stream, form="json")
    try:
        raise ValueError("of no use")
    except ValueError:
        logging.getLogger("a").exception("it failed")
    (line,) = lines_of(stream)
    assert line["text"] == "it failed"
    assert "ValueError: of no use" in str(line["exception"])


def test_long_values_are_cut_for_machines_too(root: logging.Logger) -> None:
    stream = io.StringIO()
    configure_logging("info", stream, form="json")
    Trail().say("refused", reason="x" * 10_000)
    assert len(stream.getvalue()) < 500


def test_the_journal_has_its_priority_before_the_object(
    root: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        configure_logging("debug", stream, form="json")
        logging.getLogger("a").error("word")
        stream.seek(0)
        line = stream.read()
    assert line.startswith("<3>{")
    assert json.loads(line[3:])["text"] == "word"


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("field", ["handset", "sender", "source", "destination"])
def test_no_form_shows_a_number(root: logging.Logger, form: str, field: str) -> None:
    stream = io.StringIO()
    configure_logging("debug", stream, form="json" if form == "json" else "text", key=KEY)
    for number in (NUMBER, f"+{NUMBER}", f"00{NUMBER}"):
        Trail().say("sent", **{field: number})
    assert NUMBER not in stream.getvalue()
    assert stream.getvalue().count(Masker(KEY)(NUMBER)) == 3
    assert masked(NUMBER) == Masker(KEY)(NUMBER)
