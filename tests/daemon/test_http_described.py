"""The API does what its description says: schemathesis reads the one and calls the other. People can read it, too."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gatewayd.senders import http_page
from gatewayd.senders.http_openapi import described
from tests.daemon.process import Daemon
from tests.daemon.test_http_strangers import base, tables_of
from tests.support.api import KEY

pytestmark = pytest.mark.timeout(120)
SCHEMATHESIS = shutil.which("st", path=str(Path(sys.executable).parent))
# What the schema allows and the gateway refuses all the same: content beyond a platform's limits, senders of others.
# And a message that was taken back is no resource that is gone: how it ended can be asked.
COMMON = """
warnings = false
[generation]
max-examples = 15
deterministic = true
[checks]
positive_data_acceptance.enabled = false
use_after_free.enabled = false
"""
# Each field of rich content, in each wrong way, is thousands of calls: the long tests make them, and follow the links
# from those that were taken. And a batch is taken although a message in it is none: each has its own result.
ALL = """
[[operations]]
include-path = "/v1/messages"
[operations.phases]
coverage.enabled = false

[[operations]]
include-path = "/v1/messages/batch"
[operations.phases]
coverage.enabled = false
stateful.enabled = false
[operations.checks]
negative_data_rejection.enabled = false
"""
EACH_FIELD = ("--exclude-path", "/v1/messages/batch")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """One for each run: who tries many wrong keys is not heard for a while."""
    daemon = Daemon(tmp_path, tables_of(tmp_path, ready_without_links=True))
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.mark.skipif(SCHEMATHESIS is None, reason="schemathesis is not installed")
@pytest.mark.parametrize(
    ("more", "words", "operations"),
    [(ALL, (), 9), pytest.param("", EACH_FIELD, 8, marks=pytest.mark.long)],
    ids=["all", "each field of a message"],
)
def test_it_does_what_its_description_says(
    daemon: Daemon, tmp_path: Path, more: str, words: tuple[str, ...], operations: int
) -> None:
    assert SCHEMATHESIS is not None
    config = tmp_path / "schemathesis.toml"
    config.write_text(COMMON + more, encoding="utf-8")
    command: list[str | Path] = [SCHEMATHESIS, "--config-file", config, "run", f"{base(daemon)}/openapi.json", *words]
    how = ["--header", f"Authorization: Bearer {KEY}", "--request-timeout", "10", "--no-color"]
    ended = subprocess.run([*command, *how], cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False)
    told = ended.stdout[-6_000:] + ended.stderr[-2_000:]
    assert ended.returncode == 0, told
    assert f"Tested: {operations}" in ended.stdout, told


class Page(HTMLParser):
    """What a page links to and fetches."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "link", "iframe") or "src" in given:
            self.fetched.append(tag)
        if tag == "a":
            self.links.append(given["href"] or "")
        if given.get("id"):
            self.ids.append(given["id"] or "")


def test_the_page_stands_alone_and_leads_nowhere_wrong() -> None:
    text, description = http_page.page(), described()
    page = Page()
    page.feed(text)
    assert page.fetched == []
    assert "default-src 'none'" in http_page.HEADERS["Content-Security-Policy"]
    assert len(set(page.ids)) == len(page.ids)
    assert {link for link in page.links if link.startswith("#")} <= {f"#{one}" for one in page.ids}
    assert {link for link in page.links if not link.startswith("#")} == {"/openapi.json"}
    for methods in description["paths"].values():
        for call in methods.values():
            assert call["operationId"] in page.ids
