"""The messages of one ``gatewayd send``: read from a file, what became of each, and all of it kept to go on later.

Knows rows and files, no connection and no terminal.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from gatewayd.message import State

FAULTS_SHOWN: Final = 20
COLUMNS: Final = ("to", "text")
REPORT_COLUMNS: Final = ("row", "to", "answer", "message_id", "receipt", "error")
ACCEPTED: Final = "accepted"
UNKNOWN: Final = "unknown"
_NOT_SENT: Final = "not sent"


class BatchFault(Exception):
    """A file that cannot be used; the sentences say why."""


class Row(msgspec.Struct):
    """One message and what became of it. ``answer`` is empty until it was sent."""

    to: str
    text: str
    answer: str = ""
    message_id: str = ""
    receipt: str = ""
    error: str = ""


class _Note(msgspec.Struct, omit_defaults=True):
    """One line of a state file: of a row, what happened; in the first line, whose state it is."""

    row: int = -1
    file: str = ""
    answer: str = ""
    id: str = ""
    receipt: str = ""
    error: str = ""


def read_rows(path: Path) -> list[Row]:
    """The rows of a CSV file with the columns to and text; others are left alone. Raises BatchFault with all faults."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                is_missing = f"{' and '.join(missing)} is missing"
                raise BatchFault(f"{path}: the first line must name the columns, with commas between; {is_missing}")
            rows = [Row((line["to"] or "").strip(), line["text"] or "") for line in reader]
    except OSError as error:
        raise BatchFault(f"{path}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise BatchFault(f"{path}: {error}") from error
    if not rows:
        raise BatchFault(f"{path}: there is no row")
    return checked(rows, f"{path}: ")


def checked(rows: list[Row], where: str = "") -> list[Row]:
    """The same rows, if all of them can be sent. Raises BatchFault with all faults."""
    faults = [f"{where}row {number}: {fault}" for number, row in enumerate(rows, 1) if (fault := _fault_of(row))]
    if faults:
        more = [f"and {len(faults) - FAULTS_SHOWN} more"] if len(faults) > FAULTS_SHOWN else []
        raise BatchFault("\n".join([*faults[:FAULTS_SHOWN], *more]))
    return rows


def _fault_of(row: Row) -> str:
    digits = row.to.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal() and 3 <= len(digits) <= 15):
        return "to is not a number"
    return "" if row.text else "the text is empty"


class Batch:
    """All rows, and the state file, if there is one.

    That a row goes is written down before it does, so that after a crash nothing is sent twice unseen: what has no
    answer is ``unknown``, and goes again only if that is wanted.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._by_id: dict[str, int] = {}
        self._state: IO[bytes] | None = None
        self._next = 0
        # How many have an answer, were accepted, and have a receipt: asked for often, and rows may be a million.
        self.done = 0
        self.accepted = 0
        self.received_count = 0

    def keep(self, path: Path, *, resend_unknown: bool) -> int:
        """Go on from a state file, or begin one; how many rows it had answers for. Raises BatchFault or OSError."""
        name = self.fingerprint()
        if path.exists() and path.stat().st_size:
            self._resume(path, name, resend_unknown)
            self._state = path.open("ab", buffering=0)
        else:
            self._state = path.open("xb" if not path.exists() else "ab", buffering=0)
            path.chmod(0o600)
            self._note(_Note(file=name))
        self.done = sum(row.answer not in ("", UNKNOWN) for row in self.rows)
        self.accepted = sum(row.answer == ACCEPTED for row in self.rows)
        self.received_count = sum(bool(row.receipt) for row in self.rows)
        return sum(bool(row.answer) for row in self.rows)

    def fingerprint(self) -> str:
        """What tells these rows from others."""
        hashed = hashlib.sha256()
        for row in self.rows:
            hashed.update(f"{row.to}\0{row.text}\0".encode())
        return hashed.hexdigest()

    def _resume(self, path: Path, name: str, resend_unknown: bool) -> None:
        notes = list(_notes_of(path))
        if not notes or notes[0].file != name:
            raise BatchFault(f"{path} is the state of another file: name a fresh one, or remove it")
        for note in notes[1:]:
            if 0 <= note.row < len(self.rows):
                self._apply(note)
        if resend_unknown:
            for row in self.rows:
                if row.answer == UNKNOWN:
                    row.answer = ""

    def _apply(self, note: _Note) -> None:
        row = self.rows[note.row]
        if note.receipt:
            row.receipt, row.error = note.receipt, note.error
        else:
            row.answer, row.message_id = ("" if note.answer == _NOT_SENT else note.answer or UNKNOWN), note.id
            if note.id:
                self._by_id[note.id] = note.row

    def _note(self, note: _Note) -> None:
        if self._state is not None:
            self._state.write(msgspec.json.encode(note) + b"\n")

    # -- on the way -----------------------------------------------------------------------------------------------

    def next_row(self) -> int | None:
        """The next row that is to be sent."""
        while self._next < len(self.rows):
            if not self.rows[self._next].answer:
                return self._next
            self._next += 1
        return None

    def going(self, number: int) -> None:
        """A row is about to leave."""
        self.rows[number].answer = UNKNOWN
        self._note(_Note(row=number))

    def came_back(self, number: int) -> None:
        """It was not taken now and will go again."""
        self.rows[number].answer = ""
        self._next = min(self._next, number)
        self._note(_Note(row=number, answer=_NOT_SENT))

    def answered(self, number: int, answer: str, message_id: str = "") -> None:
        """Its answer: ``accepted``, or why not."""
        row = self.rows[number]
        row.answer, row.message_id = answer, message_id
        self.done += answer != UNKNOWN
        self.accepted += answer == ACCEPTED
        if message_id:
            self._by_id[message_id] = number
        self._note(_Note(row=number, answer=answer, id=message_id))

    def received(self, message_id: str, state: str, error: str) -> bool:
        """A receipt; whether it is of one of these."""
        number = self._by_id.get(message_id)
        if number is None:
            return False
        if State(state).is_final:
            self.received_count += not self.rows[number].receipt
            self.rows[number].receipt, self.rows[number].error = state, error
            self._note(_Note(row=number, receipt=state, error=error))
        return True

    def close(self) -> None:
        """Nothing more will be noted."""
        if self._state is not None:
            self._state.close()

    # -- at the end -----------------------------------------------------------------------------------------------

    @property
    def awaited(self) -> int:
        """How many were accepted and have no receipt."""
        return self.accepted - self.received_count

    def counts(self) -> dict[str, dict[str, int]]:
        """How many had which answer, and which receipt."""
        answers = Counter(row.answer or _NOT_SENT for row in self.rows)
        receipts = Counter(row.receipt or "none yet" for row in self.rows if row.answer == ACCEPTED)
        return {"answers": dict(answers.most_common()), "receipts": dict(receipts.most_common())}

    def report(self) -> Iterator[Sequence[Any]]:
        """What became of each row, with a heading."""
        yield REPORT_COLUMNS
        for number, row in enumerate(self.rows, 1):
            yield number, row.to, row.answer or _NOT_SENT, row.message_id, row.receipt, row.error


def write_report(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """The report as a CSV file, for its owner alone: it has whole numbers. Raises OSError."""
    with path.open("w", encoding="utf-8", newline="") as file:
        path.chmod(0o600)
        csv.writer(file).writerows(rows)


def _notes_of(path: Path) -> Iterator[_Note]:
    """All whole lines: the last one may have been cut off."""
    decode = msgspec.json.Decoder(_Note).decode
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                try:
                    yield decode(line)
                except msgspec.MsgspecError as error:
                    raise BatchFault(f"{path} is no state of gatewayd send ({error})") from error
