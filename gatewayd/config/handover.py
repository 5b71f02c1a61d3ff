"""A checked configuration on its way from the process that read it to those that work by it, and what a reload keeps.

Reads no file: a worker that starts anew must get what is in force, whatever stands in the file by then.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from gatewayd.config import schema
from gatewayd.config.load import Loaded

# What is opened, mapped, counted or built once, when the daemon starts: whoever changes it must hear that it waits.
RESTART_KEYS: Final = (
    ("daemon", "spool_dir"),
    ("daemon", "runtime_dir"),
    ("daemon", "workers"),
    ("daemon", "log_format"),
    *(
        (name, key)
        for name, table in (
            ("history", schema.History),
            ("control", schema.Control),
            ("smpp", schema.SmppServer),
            ("webhooks", schema.Webhooks),
            ("http", schema.Http),
            ("mqtt", schema.Mqtt),
            ("metrics", schema.Metrics),
            ("parts", schema.Parts),
            ("store", schema.Store),
        )
        for key in table.__struct_fields__
        if (name, key) != ("smpp", "default_messages")  # it is looked at message by message
    ),
)


def pack(loaded: Loaded) -> dict[str, Any]:
    """The configuration and its secrets as plain values, for a private channel and for nothing else."""
    return {
        "path": str(loaded.path),
        "config": msgspec.to_builtins(loaded.config),
        "secrets": dict(loaded.secrets),
        "templates": dict(loaded.templates),
        "media": dict(loaded.media),
        "receipts": dict(loaded.receipts),
    }


def unpack(packed: Mapping[str, Any]) -> Loaded:
    """What ``pack`` was given, without its warnings."""
    return Loaded(
        path=Path(packed["path"]),
        config=msgspec.convert(packed["config"], schema.Config),
        warnings=(),
        secrets=packed["secrets"],
        templates=packed["templates"],
        media=packed["media"],
        receipts=packed["receipts"],
    )


def in_force(old: Loaded, new: Loaded) -> tuple[Loaded, tuple[str, ...]]:
    """``new``, but for the keys that only a restart can change; and the names of those that differ."""
    config, waiting = new.config, []
    for table, key in RESTART_KEYS:
        before, after = getattr(getattr(old.config, table), key), getattr(getattr(config, table), key)
        if before != after:
            waiting.append(f"{table}.{key}")
            kept = msgspec.structs.replace(getattr(config, table), **{key: before})
            config = msgspec.structs.replace(config, **{table: kept})
    return dataclasses.replace(new, config=config), tuple(waiting)
