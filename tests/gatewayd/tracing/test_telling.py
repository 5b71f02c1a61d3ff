"""What may be told of a story: no number in clear unless it is wanted so, and nothing that nobody tells."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatewayd.runtime.masking import Masker
from gatewayd.tracing.telling import Question, Told, shown, tell
from gatewayd.tracing.timeline import Event, Story

NUMBER = "33612345678"
SECRET = "the code is 4711"
MESSAGE: dict[str, Any] = {
    "account": "shop",
    "source": "SHOP",
    "destination": NUMBER,
    "payload": base64.b64encode(SECRET.encode()).decode(),
    "tlvs": [[5, "AAAA"]],
}


def story() -> Story:
    facts = {"account": "shop", "source": "SHOP", "handset": NUMBER, "receipt": "final", "parts": ["a", "b"]}
    return Story(1, [Event(1.0, "accepted", facts)], MESSAGE, {"stage": "sent", "links": ["a"], "payload": "x"})


@pytest.mark.parametrize("with_text", [False, True])
def test_numbers_and_texts_are_told_as_they_may_be(with_text: bool) -> None:
    masker = Masker(b"k" * 32)
    told = msgspec.json.encode(shown(story(), masker, with_text=with_text)).decode()
    assert NUMBER not in told
    assert (SECRET in told) == with_text
    assert MESSAGE["payload"] not in told
    assert told.count(masker(NUMBER)) == 2
    assert "SHOP" in told
    assert NUMBER in msgspec.json.encode(shown(story(), str)).decode()


def test_what_is_told_is_the_same_after_its_way_through_a_socket() -> None:
    told = Told([shown(story(), str, with_text=True)], is_list=True)
    assert msgspec.json.decode(msgspec.json.encode(told), type=Told) == told


def test_short_codes_are_nobodys_numbers() -> None:
    told = shown(Story(1, message={"source": "36180", "destination": NUMBER}), Masker(b"k"))
    assert told.message["source"] == "36180"


def test_a_folder_that_is_not_there_tells_nothing(tmp_path: Path) -> None:
    for what in (NUMBER, "68854a6b54001"):
        assert tell(Question(str(tmp_path / "no"), what, 10)).stories == []


def test_a_spool_that_is_none_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "worker-0.spool").write_bytes(b"no database at all" * 100)
    told = tell(Question(str(tmp_path), NUMBER, 10))
    assert (told.fault, told.is_denied) == (f"{tmp_path}: file is not a database", False)


def test_a_spool_that_may_not_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "worker-0.spool").symlink_to(tmp_path / "gone")
    told = tell(Question(str(tmp_path), NUMBER, 10))
    assert (told.fault, told.is_denied) == (f"{tmp_path}: unable to open database file", True)


def test_as_a_process_of_its_own(tmp_path: Path) -> None:
    question = msgspec.json.encode(Question(str(tmp_path), NUMBER, 10))
    command = [sys.executable, "-m", "gatewayd.tracing.telling"]
    done = subprocess.run(command, input=question, capture_output=True, check=True, timeout=60)
    assert msgspec.json.decode(done.stdout, type=Told) == Told(is_list=True)
