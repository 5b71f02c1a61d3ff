"""The trail, one line for each fate of a message; and where and how all log lines are written, for people or machines.

Knows no message: it is given words and numbers, and masks what names a handset.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
import sys
import time
from typing import Final, Literal, TextIO

from gatewayd.runtime.masking import Masker

Value = str | int | float | bool | None
Form = Literal["text", "json"]

# Handsets, or perhaps handsets: an application's sender and a reply's destination may be names, which stay readable.
_HANDSETS: Final = frozenset({"handset"})
_ADDRESSES: Final = frozenset({"sender", "source", "destination"})

# Strangers choose some values; none of them fills the journal.
_VALUE_SIZE_MAX: Final = 200
_BREAKS_WORD: Final = frozenset(' "=\\')

# How a line begins that tells of the daemon itself, or of what came from a peer; machines have fields for that.
_MARKS: Final = "=<> "

# The priorities of sd-daemon(3), by which journald files a line.
_PRIORITIES: Final = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
    (logging.NOTSET, 7),
)

# How the process masks; ``configure_logging`` gives it its key.
_masker = Masker()


def masked(number: str) -> str:
    """A number as every log line and answer of this process shows it."""
    return _masker(number)


class Said:
    """An event and its fields, made into a line only where somebody reads it; numbers are masked at once.

    The line is quoted, and has no break in it.
    """

    __slots__ = ("event", "fields")

    def __init__(self, event: str, fields: dict[str, Value]) -> None:
        self.event = event
        self.fields = {key: _masked(key, value) for key, value in fields.items() if value is not None}

    def __str__(self) -> str:
        return " ".join([self.event, *(f"{key}={_written(value)}" for key, value in self.fields.items())])


class Trail:
    """Says what became of messages, as logfmt: ``refused message=17 account=shop link=orange reason=no_route``.

    What happens to every message is told at level debug, for a line costs more than a message; what happens to few is
    said at info. Fields that are None are left out; numbers of handsets are masked here.
    """

    __slots__ = ("_logger", "wants")

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("gatewayd.trail")
        self.wants = self._logger.isEnabledFor(logging.DEBUG)
        """Whether ``tell`` writes anything: ask before gathering fields. The level is a process's from its start."""

    def tell(self, event: str, **fields: Value) -> None:
        """One line of what happens to every message."""
        say(self._logger, logging.DEBUG, event, **fields)

    def say(self, event: str, **fields: Value) -> None:
        """One line of what seldom happens."""
        say(self._logger, logging.INFO, event, **fields)


def say(logger: logging.Logger, level: int, event: str, **fields: Value) -> None:
    """One line of fields from elsewhere, quoted and masked in the same way; ``event`` may begin with a mark."""
    if logger.isEnabledFor(level):
        logger.log(level, "%s", Said(event, fields))


def configure_logging(
    level: str, stream: TextIO | None = None, *, form: Form = "text", key: bytes = b"", worker: int | None = None
) -> None:
    """Send all log lines of ``level`` (debug, info, warning, error) and above to ``stream``, standard error by default.

    The journal keeps time and priority itself, so there a line of text carries only the latter, in the journal's own
    form. ``key`` is that of the masked numbers in this process; ``worker`` is its number, where it is one of several.
    """
    global _masker
    _masker = Masker(key)
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    is_journal = _is_journal(stream)
    if form == "json":
        handler.setFormatter(_JsonFormatter(is_journal, worker))
    else:
        who = "%(name)s" if worker is None else f"%(name)s[{worker}]"
        handler.setFormatter(_JournalFormatter(who) if is_journal else _TerminalFormatter(who))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    # At debug a web server shows what strangers sent it, tokens included: no level of ours may.
    # And the loop's own debug lines are of no use to anybody here.
    for talker in ("aiohttp", "asyncio"):
        logging.getLogger(talker).setLevel(max(logging.INFO, logging.getLogger().level))
    logging.getLogger("aiohttp.server").addFilter(_without_octets)


def _without_octets(record: logging.LogRecord) -> bool:
    """Of what is no HTTP, a web server tells with its octets: a text, a number or a secret may be in them."""
    fault = record.exc_info[1] if record.exc_info else None
    if fault is not None and type(fault).__module__ == "aiohttp.http_exceptions":
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.msg, record.args = f"< {record.getMessage()}: no HTTP, {type(fault).__name__}", ()
        record.exc_info = record.exc_text = None
    return record.levelno >= logging.getLogger().level


class _TerminalFormatter(logging.Formatter):
    """Time in UTC, level, who says it, what."""

    def __init__(self, who: str) -> None:
        self.converter = time.gmtime
        super().__init__(f"%(asctime)s.%(msecs)03dZ %(levelname)s {who}: %(message)s", "%Y-%m-%dT%H:%M:%S")


class _JournalFormatter(logging.Formatter):
    """Every line with its priority: journald takes each line of a traceback for an entry of its own."""

    def __init__(self, who: str) -> None:
        super().__init__(f"{who}: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_priority_of(record)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


class _JsonFormatter(logging.Formatter):
    """One JSON object a line, a traceback included. The fields of the trail stand beside time, level and logger."""

    def __init__(self, is_journal: bool, worker: int | None) -> None:
        super().__init__()
        self._is_journal = is_journal
        self._who: dict[str, Value] = {} if worker is None else {"worker": worker}

    def format(self, record: logging.LogRecord) -> str:
        priority = _priority_of(record)
        when = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, Value] = {
            "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "priority": priority,
            "logger": record.name,
            **self._who,
        }
        said = record.args[0] if isinstance(record.args, tuple) and record.args else None
        if isinstance(said, Said):
            line |= {"event": said.event.lstrip(_MARKS), **{key: _short(value) for key, value in said.fields.items()}}
        else:
            line["text"] = record.getMessage()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        text = json.dumps(line, ensure_ascii=False)
        return f"<{priority}>{text}" if self._is_journal else text


def _priority_of(record: logging.LogRecord) -> int:
    return next(priority for level, priority in _PRIORITIES if record.levelno >= level)


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
        return masked(str(value))
    return value


def _short(value: Value) -> Value:
    if isinstance(value, str) and len(value) > _VALUE_SIZE_MAX:
        return f"{value[:_VALUE_SIZE_MAX]}…"
    return value


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(_short(str(value)))
    if not text.isprintable():
        return json.dumps(text)  # escapes everything that a terminal or the journal could take for a command
    if not text or not _BREAKS_WORD.isdisjoint(text):
        return json.dumps(text, ensure_ascii=False)
    return text
