"""The files of a folder of templates are read whole and in order, and what cannot be read forbids a start."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import msgspec

from gatewayd.config import handover

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk

PROVIDER = "[providers.orange]\n"
NAMED = (PROVIDER, '[rcs]\ntemplates_dir = "templates"\n\n' + PROVIDER)


def test_without_a_folder_there_are_none(desk: Desk) -> None:
    assert desk.load().templates == {}


def test_files_come_in_the_order_of_their_names(desk: Desk) -> None:
    folder = desk.folder / "templates"
    folder.mkdir()
    for name in ("20-b.toml", "10-a.toml", "notes.txt"):
        (folder / name).write_text(f"# é {name}\n", encoding="utf-8-sig")
    loaded = desk.load(NAMED)
    assert list(loaded.templates.items()) == [(str(folder / n), f"# é {n}\n") for n in ("10-a.toml", "20-b.toml")]
    assert loaded.config.rcs.templates_dir == str(folder)
    again = handover.unpack(msgspec.json.decode(msgspec.json.encode(handover.pack(loaded))))
    assert again == dataclasses.replace(loaded, warnings=())


def test_a_folder_that_is_not_there(desk: Desk) -> None:
    assert desk.faults(NAMED) == ['rcs.templates_dir: there is no folder "DIR/templates"; create it']


def test_a_folder_without_templates(desk: Desk) -> None:
    (desk.folder / "templates").mkdir()
    assert desk.warnings(NAMED) == [
        'rcs.templates_dir: holds no template: "DIR/templates"; put files NAME.toml there',
    ]


def test_files_that_cannot_be_read(desk: Desk) -> None:
    folder = desk.folder / "templates"
    (folder / "a.toml").mkdir(parents=True)
    (folder / "b.toml").write_bytes(b"# \xff")
    (folder / "c.toml").write_bytes(b"#" * 262_145)
    assert desk.faults(NAMED) == [
        'rcs.templates_dir: "DIR/templates/a.toml" cannot be read (Is a directory); check that this user may read it',
        'rcs.templates_dir: "DIR/templates/b.toml" is not UTF-8 text (octet 3); save it as UTF-8',
        'rcs.templates_dir: "DIR/templates/c.toml" has more than 262144 octets; cut it in several',
    ]
