"""The pages of docs/ that scripts make are what the tables say, and lead where they point to."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["bench", "links", "metrics", "smpp", "tlvs"])
def test_a_page_is_up_to_date(name: str) -> None:
    done = subprocess.run([ROOT / "scripts" / f"{name}-page", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["metrics", "smpp"])
def test_its_links_lead_somewhere(name: str) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+)?(#[^)]+)?\)", page)
    assert targets
    assert [file for file, _ in targets if file and not (ROOT / "docs" / file).exists()] == []
    headings = {"#" + line.lstrip("# ").lower().replace(" ", "-") for line in page.splitlines() if line.startswith("#")}
    assert [anchor for file, anchor in targets if anchor and not file and anchor not in headings] == []
