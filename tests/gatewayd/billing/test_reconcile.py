"""An invoice against our records: every kind of difference is told, and nothing else."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest

from gatewayd.billing import invoice as invoices
from gatewayd.billing.invoice import InvoiceFault
from gatewayd.billing.reconcile import Findings, reconcile
from gatewayd.billing.record_files import Line

START = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
PARIS = zoneinfo.ZoneInfo("Europe/Paris")


def ours(
    number: int, name: str = "single_message", user: str = "33612345678", hours: float = 0, is_free: bool = False
) -> Line:
    start = START + datetime.timedelta(hours=hours)
    ids = (f"m{number}",)
    return Line(f"0-{number}", name, is_free, "shop", "bot", user, "bot", start, None, ids, 1, 0, 1, 0.0, "r", "1")


def compared(text: str, *records: Line, zone: datetime.tzinfo = datetime.UTC) -> Findings:
    return reconcile(invoices.read(text, zone), records, 300.0, zone)


def told(found: Findings) -> list[tuple[str, int, str]]:
    return [(difference.kind, difference.line, difference.record) for difference in found.differences]


def test_all_agrees() -> None:
    text = (
        "Catégorie;Bot ID;MSISDN;Date début\n"
        "Message unique;bot;+33 6 12 34 56 78;01/03/2026 12:00:30\n"
        "A2P Conversation;bot;tel:+33612345679;2026-03-01 12:04:00\n"
    )
    found = compared(text, ours(1), ours(2, "a2p_conversation", "33612345679"), ours(3, "free", is_free=True, hours=50))
    assert told(found) == []
    assert (found.invoiced, found.recorded, found.agreeing) == (2, 2, 2)


def test_every_difference() -> None:
    text = (
        "class,agent,user,start,count\n"
        "single_message,bot,33600000001,2026-03-01T12:00:00Z,1\n"
        "conversation,bot,33600000002,2026-03-01T12:00:00Z,1\n"
        "conversation,bot,33600000003,2026-03-01T12:00:00Z,1\n"
        "single_message,bot,33600000004,2026-03-01T12:10:00Z,1\n"
        "single_message,bot,33600000005,2026-03-01T12:00:00Z,2\n"
        "free,bot,33600000007,2026-03-01T12:00:00Z,1\n"
    )
    found = compared(
        text,
        ours(2, user="33600000002"),
        ours(3, "free", user="33600000003", is_free=True),
        ours(4, user="33600000004"),
        ours(5, user="33600000005"),
        ours(6, user="33600000006"),
        ours(7, "free", user="33600000007", is_free=True),
    )
    assert told(found) == [
        ("not_recorded", 2, ""),
        ("other_class", 3, "0-2"),
        ("other_class", 4, "0-3"),
        ("not_recorded", 5, ""),
        ("other_count", 6, "0-5"),
        ("free", 7, "0-7"),
        ("not_invoiced", 0, "0-4"),
        ("not_invoiced", 0, "0-6"),
    ]
    assert "says free, which is free" in found.differences[2].text
    assert found.agreeing == 0


def test_no_line_takes_the_record_of_another() -> None:
    text = "class,user,start\nsingle,336,2026-03-01T12:00:00Z\na2p,336,2026-03-01T12:01:00Z\n"
    found = compared(text, ours(1, "a2p_conversation", "336"), ours(2, user="336"))
    assert told(found) == []
    twice = "class,user,start\nsingle,336,2026-03-01T12:00:00Z\nsingle,336,2026-03-01T12:00:00Z\n"
    assert told(compared(twice, ours(1, user="336"))) == [("not_recorded", 3, "")]


def test_days_and_message_ids() -> None:
    late = ours(1, user="336", hours=11.5)  # the next day already in Paris
    assert told(compared("class,user,day\nsingle,336,2026-03-02\n", late, zone=PARIS)) == []
    assert [kind for kind, _, _ in told(compared("class,user,day\nsingle,336,2026-03-02\n", late))] == [
        "not_recorded",
        "not_invoiced",
    ]
    by_id = "class,user,message id\nsingle,336,m2\n"
    assert told(compared(by_id, ours(1, user="336"), ours(2, user="336"))) == [("not_invoiced", 0, "0-1")]


def test_totals() -> None:
    records = [ours(1), ours(2), ours(3, hours=24), ours(4, is_free=True), ours(5, "a2p_conversation")]
    assert told(compared("class,quantity\nsingle,3\na2p,1\n", *records)) == []
    found = compared("class\tday\tquantity\nsingle\t2026-03-01\t1 003\nsingle\t2026-03-02\t1\n", *records)
    assert [difference.text for difference in found.differences] == [
        "a2p_conversation 2026-03-01: invoiced 0, recorded 1",
        "single_message 2026-03-01: invoiced 1003, recorded 2 and 1 that are free",
    ]
    assert (found.invoiced, found.recorded, found.agreeing) == (1004, 4, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column is the class; the header is empty"),
        ("a,b\n", "the header is a, b"),
        ("class,start\n", "neither single lines nor totals"),
        ("class,user,start\nx,336,soon\n", "line 2: 'soon' is no date or time"),
        ("class,count\nx,many\n", "line 2: 'many' is no count"),
    ],
)
def test_an_invoice_that_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(InvoiceFault, match=words):
        invoices.read(text, datetime.UTC)
