"""Rows are read or refused as a whole, and what became of them survives an end at any moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.cli.batch import ACCEPTED, UNKNOWN, Batch, BatchFault, Row, read_rows, write_report


def batch(count: int = 4) -> Batch:
    return Batch([Row(f"3362000000{number}", "hello") for number in range(count)])


def answers(one: Batch) -> list[str]:
    return [row.answer for row in one.rows]


def test_columns_may_come_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('\ufefftext,name,to\n"Hello, you",x, +33612345678 \n', encoding="utf-8")
    assert read_rows(path) == [Row("+33612345678", "Hello, you")]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"number,text\n1,2\n", "to is missing"),
        (b"", "to and text is missing"),
        (b"to,text\n", "there is no row"),
        (b"to,text\nabc,x\n336123456,\n", "row 1: to is not a number\n.*row 2: the text is empty"),
        (b"to,text\n\xff,x\n", "decode"),
        (b'to,text\n1,"x\n', "unexpected end"),
    ],
)
def test_what_cannot_be_used_is_refused_with_all_its_faults(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(BatchFault, match=fault):
        read_rows(path)


def test_many_faults_are_not_all_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("to,text\n" + "x,y\n" * 25)
    with pytest.raises(BatchFault, match=r"and 5 more$"):
        read_rows(path)
    with pytest.raises(BatchFault, match="No such file"):
        read_rows(tmp_path / "no.csv")


def test_a_run_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    """Row 0 was accepted and delivered, 1 refused, 2 had no answer, 3 came back, as the process ended."""
    first = batch()
    assert first.keep(tmp_path / "state", resend_unknown=False) == 0
    for number in range(4):
        first.going(number)
    first.answered(0, ACCEPTED, "a1")
    first.answered(1, "ESME_RINVDSTADR")
    first.came_back(3)
    assert first.received("a1", "DELIVRD", "000")
    assert not first.received("zz", "DELIVRD", "000")
    first.close()
    with (tmp_path / "state").open("ab") as file:
        file.write(b'{"row":3,"ans')  # cut off
    again = batch()
    assert again.keep(tmp_path / "state", resend_unknown=False) == 3
    assert answers(again) == [ACCEPTED, "ESME_RINVDSTADR", UNKNOWN, ""]
    assert (again.rows[0].receipt, again.done, again.accepted, again.awaited) == ("DELIVRD", 2, 1, 0)
    assert again.next_row() == 3
    again.close()
    third = batch()
    third.keep(tmp_path / "state", resend_unknown=True)
    assert third.next_row() == 2
    third.close()


def test_receipts_of_an_earlier_run_are_known(tmp_path: Path) -> None:
    first = batch()
    first.keep(tmp_path / "state", resend_unknown=False)
    first.going(0)
    first.answered(0, ACCEPTED, "a1")
    first.close()
    again = batch()
    again.keep(tmp_path / "state", resend_unknown=False)
    assert again.awaited == 1
    assert again.received("a1", "ENROUTE", "000")
    assert again.awaited == 1
    assert again.received("a1", "UNDELIV", "00B")
    assert again.received("a1", "UNDELIV", "00B")
    assert again.awaited == 0
    again.close()


def test_another_file_is_not_gone_on_with(tmp_path: Path) -> None:
    first = batch()
    first.keep(tmp_path / "state", resend_unknown=False)
    first.close()
    with pytest.raises(BatchFault, match="state of another file"):
        batch(3).keep(tmp_path / "state", resend_unknown=False)
    (tmp_path / "letter").write_text("Dear Sir\n")
    with pytest.raises(BatchFault, match="no state of gatewayd send"):
        batch().keep(tmp_path / "letter", resend_unknown=False)


def test_the_report(tmp_path: Path) -> None:
    one = batch(2)
    one.answered(0, ACCEPTED, "a1")
    one.received("a1", "DELIVRD", "000")
    write_report(tmp_path / "r.csv", one.report())
    assert (tmp_path / "r.csv").read_text().splitlines() == [
        "row,to,answer,message_id,receipt,error",
        "1,33620000000,accepted,a1,DELIVRD,000",
        "2,33620000001,not sent,,,",
    ]
    assert (tmp_path / "r.csv").stat().st_mode & 0o777 == 0o600
    assert one.counts() == {"answers": {"accepted": 1, "not sent": 1}, "receipts": {"DELIVRD": 1}}
