"""The API does what its description says: schemathesis reads the one and calls the other. People can read it, too."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.daemon.process import Daemon
from tests.daemon.test_http_strangers import base, tables_of
from tests.support.api import KEY, Api

pytestmark = pytest.mark.timeout(120)
SCHEMATHESIS = shutil.which("st", path=str(Path(sys.executable).parent))
# What the schema allows and the gateway refuses all the same: content beyond a platform's limits, senders of others.
# And a message that was taken back is no resource that is gone: how it ended can be asked.
NEVER = ("positive_data_acceptance", "use_after_free")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("described")
    daemon = Daemon(folder, tables_of(folder, ready_without_links=True))
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.mark.skipif(SCHEMATHESIS is None, reason="schemathesis is not installed")
@pytest.mark.parametrize(
    ("selection", "excluded"),
    [
        (("--exclude-path", "/v1/messages/batch"), NEVER),
        # A batch is taken although a message in it is none: each has its own result.
        (
            ("--include-path", "/v1/messages/batch", "--phases", "examples,fuzzing"),
            (*NEVER, "negative_data_rejection"),
        ),
    ],
    ids=["alone", "batch"],
)
def test_it_does_what_its_description_says(
    daemon: Daemon, tmp_path: Path, selection: tuple[str, ...], excluded: tuple[str, ...]
) -> None:
    assert SCHEMATHESIS is not None
    command = [SCHEMATHESIS, "run", f"{base(daemon)}/openapi.json", "--header", f"Authorization: Bearer {KEY}"]
    bounds = ["--max-examples", "15", "--generation-deterministic", "--request-timeout", "10", "--no-color"]
    checks = ["--exclude-checks", ",".join(excluded), "--warnings", "off"]
    ended = subprocess.run(
        [*command, *bounds, *checks, *selection], cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False
    )
    assert ended.returncode == 0, ended.stdout[-6_000:] + ended.stderr[-2_000:]


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


async def test_the_page_stands_alone_and_leads_nowhere_wrong(daemon: Daemon) -> None:
    api = Api(base(daemon), "")
    try:
        answer = await api.call("GET", "/docs")
        described = await api.call("GET", "/openapi.json")
    finally:
        await api.close()
    page = Page()
    page.feed(answer.body)
    assert page.fetched == []
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert len(set(page.ids)) == len(page.ids)
    assert {link for link in page.links if link.startswith("#")} <= {f"#{one}" for one in page.ids}
    assert {link for link in page.links if not link.startswith("#")} == {"/openapi.json"}
    for methods in described.body["paths"].values():
        for call in methods.values():
            assert call["operationId"] in page.ids
