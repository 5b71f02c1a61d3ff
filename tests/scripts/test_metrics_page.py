"""docs/metrics.md is what the declarations say."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_up_to_date() -> None:
    done = subprocess.run([ROOT / "scripts" / "metrics-page", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_its_links_lead_somewhere() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+)?(#[^)]+)?\)", page)
    assert [name for name, _ in targets if name and not (ROOT / "docs" / name).exists()] == []
    headings = {"#" + line.lstrip("# ").lower().replace(" ", "-") for line in page.splitlines() if line.startswith("#")}
    assert [anchor for name, anchor in targets if anchor and not name and anchor not in headings] == []
