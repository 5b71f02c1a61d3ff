"""What a worker is handed equals what was read, and a reload keeps what only a restart can change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from gatewayd.config import handover, schema

if TYPE_CHECKING:
    from tests.gatewayd.config.conftest import Desk


def test_what_is_handed_over_is_what_was_read(desk: Desk) -> None:
    loaded = desk.load(("[smpp]", '[daemon]\nworkers = "auto"\n[smpp]'))
    line = msgspec.json.encode(handover.pack(loaded))
    again = handover.unpack(msgspec.json.decode(line))
    assert again == loaded
    assert again.link_secret("carrier", "password_file") == "s3cret"
    assert again.password_hash("shop") == loaded.password_hash("shop")


def test_a_reload_changes_what_it_can(desk: Desk) -> None:
    old = desk.load()
    new = desk.load(("port = 2776", "port = 2777"))
    assert handover.in_force(old, new) == (new, ())


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (("[smpp]", '[daemon]\nspool_dir = "/spool"\n[smpp]'), "daemon.spool_dir"),
        (("[smpp]", '[daemon]\nruntime_dir = "/run/gw"\n[smpp]'), "daemon.runtime_dir"),
        (("[smpp]", "[daemon]\nworkers = 2\n[smpp]"), "daemon.workers"),
        (("127.0.0.1:2775", "127.0.0.1:2770"), "smpp.listen"),
        (("127.0.0.1:8080", "127.0.0.1:8088"), "webhooks.listen"),
        (("[smpp]", '[metrics]\nlisten = ""\n[smpp]'), "metrics.listen"),
        (("[smpp]", "[smpp]\nwindow = 7"), "smpp.window"),
        (("[smpp]", "[parts]\njoin_timeout_s = 5\n[smpp]"), "parts.join_timeout_s"),
        (("[smpp]", "[store]\npending_max = 5\n[smpp]"), "store.pending_max"),
    ],
)
def test_a_reload_keeps_what_only_a_restart_can_change(desk: Desk, change: tuple[str, str], key: str) -> None:
    old = desk.load()
    new = desk.load(change, ("port = 2776", "port = 2777"))
    kept, waiting = handover.in_force(old, new)
    assert waiting == (key,)
    assert kept.config.links["carrier"].port == 2777
    table, _, name = key.partition(".")
    assert getattr(getattr(kept.config, table), name) == getattr(getattr(old.config, table), name)


def test_every_such_key_exists() -> None:
    for table, key in handover.RESTART_KEYS:
        assert hasattr(getattr(schema.Config(), table), key)
