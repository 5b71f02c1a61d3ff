"""The trail, one line for each fate of a message, for people; and where and how all log lines are written.

Knows no message: it is given words and numbers, and masks what names a handset.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Final, TextIO

Value = str | int | float | bool | None

# What happens to every message is told at level debug, what happens to few at info: a line costs more than a message.
HOT_EVENTS: Final = frozenset({"accepted", "sent", "receipt", "delivered", "inbound"})

# Handsets, or perhaps handsets: an application's sender and a reply's destination may be names, which stay readable.
_HANDSETS: Final = frozenset({"handset"})
_ADDRESSES: Final = frozenset({"sender", "source", "destination"})
_MASK_HEAD: Final = 4
_MASK_TAIL: Final = 2

# Strangers choose some values; none of them fills the journal.
_VALUE_SIZE_MAX: Final = 200
_BREAKS_WORD: Final = frozenset(' "=\\')

# The priorities of sd-daemon(3), by which journald files a line.
_PRIORITIES: Final = (
    (logging.CRITICAL, "<2>"),
    (logging.ERROR, "<3>"),
    (logging.WARNING, "<4>"),
    (logging.INFO, "<6>"),
    (logging.NOTSET, "<7>"),
)


class Trail:
    """Says what became of messages, as logfmt: ``refused message=17 account=shop link=orange reason=no_route``."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("gatewayd.trail")

    @property
    def wants(self) -> bool:
        """Whether hot events are written at all: ask before gathering the fields of one."""
        return self._logger.isEnabledFor(logging.DEBUG)

    def say(self, event: str, **fields: Value) -> None:
        """Write one line. Fields that are None are left out; numbers of handsets are masked here."""
        level = logging.DEBUG if event in HOT_EVENTS else logging.INFO
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", line_of(event, fields))


def line_of(event: str, fields: dict[str, Value]) -> str:
    """The line for an event, masked and quoted, without any line break."""
    words = [event]
    words += [f"{key}={_written(_masked(key, value))}" for key, value in fields.items() if value is not None]
    return " ".join(words)


def mask(number: str) -> str:
    """A number as logs may show it: its first four and last two digits, nothing of one too short for that."""
    hidden = len(number) - _MASK_HEAD - _MASK_TAIL
    if hidden <= 0:
        return "*" * len(number)
    return f"{number[:_MASK_HEAD]}{'*' * hidden}{number[-_MASK_TAIL:]}"


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Send all log lines of ``level`` (debug, info, warning, error) and above to ``stream``, standard error by default.

    The journal keeps time and priority itself, so there a line carries only the latter, in the journal's own form.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_JournalFormatter() if _is_journal(stream) else _TerminalFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    # At debug a web server shows what strangers sent it, tokens included: no level of ours may.
    logging.getLogger("aiohttp").setLevel(max(logging.INFO, logging.getLogger().level))


class _TerminalFormatter(logging.Formatter):
    """Time in UTC, level, who says it, what."""

    def __init__(self) -> None:
        self.converter = time.gmtime
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")


class _JournalFormatter(logging.Formatter):
    """Every line with its priority: journald takes each line of a traceback for an entry of its own."""

    def __init__(self) -> None:
        super().__init__("%(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        prefix = next(prefix for level, prefix in _PRIORITIES if record.levelno >= level)
        return "\n".join(prefix + line for line in super().format(record).splitlines())


def _is_journal(stream: TextIO) -> bool:
    """Whether the stream is the one that systemd connected to the journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        status = os.fstat(stream.fileno())
    except OSError:  # also what a stream without a descriptor raises
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _masked(key: str, value: Value) -> Value:
    if isinstance(value, bool | float | None):
        return value
    if key in _HANDSETS or (key in _ADDRESSES and not any(map(str.isalpha, str(value)))):
        return mask(str(value))
    return value


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    if len(text) > _VALUE_SIZE_MAX:
        text = f"{text[:_VALUE_SIZE_MAX]}…"
    if not text.isprintable():
        return json.dumps(text)  # escapes everything that a terminal or the journal could take for a command
    if not text or not _BREAKS_WORD.isdisjoint(text):
        return json.dumps(text, ensure_ascii=False)
    return text
