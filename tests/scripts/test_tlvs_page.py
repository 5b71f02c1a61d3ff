"""docs/tlvs.md is what the table of TLVs says."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_up_to_date() -> None:
    done = subprocess.run([ROOT / "scripts" / "tlvs-page", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
