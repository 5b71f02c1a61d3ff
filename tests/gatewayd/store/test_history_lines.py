"""What is kept of a group has every change and no text, and the names by which people look for it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from gatewayd.message import Attachment, Encoding, Message
from gatewayd.policy.billing import Record
from gatewayd.policy.journey import Progress, Segment, Stage
from gatewayd.store import history_lines
from gatewayd.store.history import History
from gatewayd.store.history_lines import TEXT_FIELDS, Outline, kept, texts_line, with_texts
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import CAPABILITY, DEAD_LETTER, DELIVERY, KINDS, MESSAGE, PROGRESS, SENT, Kind
from gatewayd.store.records import Capability, Cdr, Delivery, Sent

SECRET = b'for "you" alone'
HANDSET = "33612345678"
# Words of strangers that are no text of anybody's: addresses, names that carriers give, codes.
NO_TEXTS = {
    "account", "source", "destination", "service_type", "traffic_class", "udh", "reason", "queue", "rcs_link", "rcs_id",
    "fallback", "link", "error", "session_id", "sink", "sender", "id", "agent", "user", "request_id", "alias", "rules",
    "open_as", "encoding", "on_unknown", "stage", "state", "kind", "awaited", "concat", "links", "segments", "parts",
    "receipts", "handsets", "record", "events", "facts", "waiting", "active",
    "unanswered", "fingerprint", "channel", "told", "displayed", "owner", "ref", "file_id", "mime_type", "written",
    "handset", "end", "deciding", "known_as", "transliterate",
}  # fmt: skip


def message(number: int, **facts: Any) -> Message:
    given = {
        "account": "shop",
        "source_ton": 1,
        "source_npi": 1,
        "source": "SHOP",
        "destination_ton": 1,
        "destination_npi": 1,
        "destination": HANDSET,
        "payload": SECRET,
        "encoding": Encoding.GSM,
        "accepted_at": 1.5,
    }
    return Message(id=number, **{**given, **facts})


def mo(number: int, **facts: Any) -> Delivery:
    return Delivery(number, "shop", "mo", 1, 1, HANDSET, 1, 1, "33700000001", 1.0, 2.0, **facts)


def row(*changes: tuple[str, Any, Any]) -> bytes:
    """As the journal writes it."""
    return b"[" + b",\n".join(map(msgspec.json.encode, changes)) + b"]"


def read(parts: list[bytes]) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(b"".join(parts))
    return found


def names_of(*changes: tuple[str, Any, Any]) -> set[bytes]:
    return set(kept(1, 1.0, row(*changes)).names)


def test_a_group_is_one_object_with_a_line_for_each_change() -> None:
    progress = Progress(17, "shop", Stage.QUEUED, ("carrier",))
    group = kept(5, 1764124800.25, row(("message", 17, message(17)), ("progress", 17, progress), ("sent", "a|1", None)))
    octets = b"".join(group.parts)
    assert octets.count(b"\n") == 3
    assert octets.endswith(b"\n")
    assert group.length == len(octets)
    found = read(group.parts)
    assert (found["at"], found["sequence"]) == (1764124800.25, 5)
    assert [change[:2] for change in found["changes"]] == [["message", 17], ["progress", 17], ["sent", "a|1"]]
    assert found["changes"][0][2]["destination"] == HANDSET
    assert found["changes"][0][2]["payload"] == ""
    assert found["changes"][2][2] is None


@pytest.mark.parametrize(
    "changes",
    [
        [("message", 1, message(1))],
        [("message", 1, message(1, payload=b"")), ("message", 2, message(2, tlvs=((1, SECRET), (0x204, b"\0\1"))))],
        [("message", 1, message(1, tlvs=((0x1400, SECRET),))), ("progress", 1, None)],
        [("progress", 1, Progress(1, "shop", Stage.QUEUED, ("a",), parts=(1, 2), payload=SECRET))],
        [("delivery", 3, mo(3, payload=SECRET, postback=SECRET.decode(), tlvs=((1, SECRET),)))],
        [("delivery", 3, mo(3, postback=SECRET.decode()))],
        [("delivery", 3, mo(3, place=SECRET.decode(), attachment=Attachment("image/png", 3, '}"' + SECRET.decode())))],
        [("dead_letter", 3, mo(3, postback=SECRET.decode()))],
        [("delivery", 3, mo(3, tlvs=((1, SECRET),), postback='a"],"tlvs":[')), ("message", 1, message(1))],
    ],
)  # fmt: skip
def test_no_text_is_kept(changes: list[tuple[str, Any, Any]]) -> None:
    octets = b"".join(kept(1, 1.0, row(*changes)).parts)
    found = msgspec.json.decode(octets)
    for _, _, value in found["changes"]:
        assert all(not value.get(field) for field in TEXT_FIELDS if value)
    assert b"for " not in octets
    assert msgspec.json.encode(SECRET)[1:-1] not in octets


def test_every_field_that_can_hold_words_is_judged() -> None:
    """A new field is either no text, or history must know it for one."""
    found = set()
    for kind in KINDS:
        for field in msgspec.structs.fields(kind.type):
            if field.type not in (int, float, bool):
                found.add(field.name)
    unjudged = found - NO_TEXTS - TEXT_FIELDS
    assert unjudged == set(), "add them to history_lines.TEXT_FIELDS and its expressions, or to NO_TEXTS here"


def test_texts_are_taken_and_can_be_put_back() -> None:
    changes = [("message", 1, message(1)), ("progress", 1, None), ("message", 2, message(2, payload=b"other"))]
    group = kept(9, 2.5, row(*changes), with_texts=True)
    line = msgspec.json.decode(texts_line(9, 2.5, group.texts))
    assert (line["sequence"], line["at"]) == (9, 2.5)
    back = with_texts([(kind, key, value) for kind, key, value in read(group.parts)["changes"]], line["texts"])
    assert [msgspec.convert(value, Message).payload for _, _, value in back if value] == [SECRET, b"other"]
    assert kept(9, 2.5, row(*changes)).texts == []


def test_names_of_what_is_common() -> None:
    assert names_of(("message", 17, message(17)), ("progress", 17, Progress(17, "shop", Stage.QUEUED, ("a",)))) == {
        b"17",
        HANDSET.encode(),
    }
    assert names_of(("message", 17, message(17, destination="+" + HANDSET))) == {b"+" + HANDSET.encode()}
    assert names_of(("delivery", 18, None), ("note", 17, {"word": "refused"}), ("note", 0, {})) == {b"18", b"17", b"0"}
    assert names_of(("sent", "carrier|123", None)) == set()


def test_names_of_what_is_rare() -> None:
    record = Record("a2p", 1, "r", "1", message_ids=("1f", "not-hex"))
    cdr = Cdr(0, 1, "bot", HANDSET, record)
    assert names_of(("cdr", cdr.key, cdr)) >= {HANDSET.encode(), b"31"}
    assert names_of(("capability", f"rcs|{HANDSET}", Capability(True, "", 1.0, 2.0))) == {HANDSET.encode()}
    assert names_of(("delivery", 3, mo(3, payload=b"yes"))) == {b"3", HANDSET.encode()}
    assert names_of(("delivery", 3, mo(3))) == {b"3", HANDSET.encode()}


class Recorder:
    """A history that keeps what it is given, as it was."""

    def __init__(self) -> None:
        self.groups: list[tuple[bytes, Outline | None]] = []

    def append(self, sequence: int, at: float, row: bytes, outline: Outline | None = None) -> None:
        if row != b"[]":
            self.groups.append((row, outline))

    def sync(self) -> None: ...

    def close(self) -> None: ...


def put_anything(journal: Journal, chance: random.Random, *, is_plain: bool) -> None:
    """A change of a message's life; where not ``is_plain``, perhaps one with somebody's words in it."""
    number = chance.randrange(1, 1 << 62)
    receipt = msgspec.structs.replace(mo(number), kind="receipt")
    segments = [Segment("1f")]
    plain: list[tuple[Kind, int | str, Any]] = [
        (MESSAGE, number, message(number, payload=chance.randbytes(chance.randrange(80)))),
        (MESSAGE, number, message(number, destination=chance.choice(("+33600000001", 'a"b', "36180")))),
        (PROGRESS, number, Progress(number, "shop", Stage.SENT, ("a",), segments=segments)),
        (SENT, f"carrier|{number:x}", Sent(number)),
        (DELIVERY, number, receipt),
    ]
    odd: list[tuple[Kind, int | str, Any]] = [
        (MESSAGE, number, message(number, tlvs=((1, SECRET),))),
        (PROGRESS, number, Progress(number, "shop", Stage.QUEUED, ("a",), parts=(1, 2), payload=SECRET)),
        (DELIVERY, number, mo(number, payload=SECRET, postback=SECRET.decode())),
        (DELIVERY, number, msgspec.structs.replace(receipt, payload=SECRET)),
        (DELIVERY, number, msgspec.structs.replace(receipt, tlvs=((1, SECRET),))),
        (SENT, f"rcs|{number:x}", Sent(number, ended=True, told=(msgspec.structs.replace(receipt, payload=SECRET),))),
        (DEAD_LETTER, number, mo(number, postback=SECRET.decode())),
        (CAPABILITY, f"rcs|{HANDSET}", Capability(True, "", 1.0, 2.0)),
    ]
    kind, key, value = chance.choice(plain if is_plain else plain + odd)
    match chance.randrange(8):
        case 0:
            journal.delete(kind, key)
        case 1:
            journal.note(number, {"word": "refused"})
        case _:
            journal.put(kind, key, value)


@pytest.mark.parametrize("is_plain", [True, False])
@pytest.mark.parametrize("seed", range(5))
async def test_what_the_journal_knows_spares_the_look_and_changes_nothing(
    tmp_path: Path, seed: int, is_plain: bool
) -> None:
    chance, recorder = random.Random(seed), Recorder()
    journal = Journal(tmp_path / "spool", history=cast(History, recorder))
    for _ in range(40):
        for _ in range(chance.randrange(1, 12)):
            put_anything(journal, chance, is_plain=is_plain)
        await journal.durable()
    await journal.close()
    assert not is_plain or all(outline is not None for _, outline in recorder.groups)
    assert any(outline is not None for _, outline in recorder.groups)
    for row_of_group, outline in recorder.groups:
        plain = kept(7, 2.5, row_of_group, with_texts=True)
        quick = kept(7, 2.5, row_of_group, outline, with_texts=True)
        assert b"".join(quick.parts) == b"".join(plain.parts)
        assert quick.texts == plain.texts
        assert sorted([*quick.names, *(b"%d" % one for one in quick.ids)]) == sorted(plain.names)
        assert msgspec.json.encode(SECRET)[1:-1] not in b"".join(quick.parts)


async def test_every_field_that_holds_words_is_seen_by_who_writes_the_record(tmp_path: Path) -> None:
    """One alone in its group, so that nothing else sends history to look."""
    words: dict[str, Any] = {"payload": SECRET, "tlvs": ((1, SECRET),)}
    words |= {"postback": SECRET.decode(), "place": SECRET.decode()}
    words |= {"attachment": Attachment("image/png", 3, SECRET.decode())}
    assert words.keys() == TEXT_FIELDS
    bases = ((MESSAGE, message(7)), (PROGRESS, Progress(7, "shop", Stage.SENT, ("a",))), (DELIVERY, mo(7)))
    recorder = Recorder()
    journal = Journal(tmp_path / "spool", history=cast(History, recorder))
    for kind, value in bases:
        for field in TEXT_FIELDS & set(kind.type.__struct_fields__):
            journal.put(kind, 7, msgspec.structs.replace(value, **{field: words[field]}))
            await journal.durable()
    receipt = msgspec.structs.replace(mo(7, payload=SECRET), kind="receipt")
    journal.put(SENT, "rcs|7", Sent(7, ended=True, told=(receipt,)))
    await journal.durable()
    await journal.close()
    assert len(recorder.groups) == 9
    for row_of_group, outline in recorder.groups:
        octets = b"".join(kept(7, 2.5, row_of_group, outline).parts)
        assert b"for " not in octets
        assert msgspec.json.encode(SECRET)[1:-1] not in octets


def test_a_big_group_is_worked_on_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = [("message", number, message(number)) for number in range(100, 200)]
    whole = kept(1, 1.0, row(*changes), with_texts=True)
    monkeypatch.setattr(history_lines, "PIECE_OCTETS", 1_000)
    cut = kept(1, 1.0, row(*changes), with_texts=True)
    assert len(cut.parts) > 10
    assert b"".join(cut.parts) == b"".join(whole.parts)
    assert (cut.names, cut.texts) == (whole.names, whole.texts)
