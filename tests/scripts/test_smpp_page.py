"""docs/smpp.md is what the tables say, and leads where it points to."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_up_to_date() -> None:
    done = subprocess.run([ROOT / "scripts" / "smpp-page", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_its_links_lead_somewhere() -> None:
    page = (ROOT / "docs" / "smpp.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]+)?\)", page)
    assert targets
    assert [name for name in targets if not (ROOT / "docs" / name).exists()] == []
