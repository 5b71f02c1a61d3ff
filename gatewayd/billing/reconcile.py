"""An operator's invoice against our records: what differs, line by line. Knows no file and no terminal."""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from gatewayd.billing.invoice import InvoiceLine
from gatewayd.billing.record_files import Line


class Difference(msgspec.Struct, frozen=True):
    """One difference. ``line`` is the invoice's, 0 where it has none; ``record`` ours, empty where we have none."""

    kind: str
    line: int
    record: str
    text: str


class Findings(msgspec.Struct, frozen=True):
    """What came of it: how much agrees, and what does not."""

    invoiced: int
    recorded: int
    agreeing: int
    differences: list[Difference]


def reconcile(
    invoice: Sequence[InvoiceLine], records: Iterable[Line], tolerance_s: float, zone: datetime.tzinfo
) -> Findings:
    """Compare single lines where the invoice names users, else totals by class, agent and day as far as it has them.

    Records that cost nothing are expected on no invoice.
    """
    ours = list(records)
    if any(line.user for line in invoice):
        return _by_line(invoice, ours, datetime.timedelta(seconds=tolerance_s), zone)
    return _by_total(invoice, ours, zone)


# -- single lines -----------------------------------------------------------------------------------------------------


def _by_line(
    invoice: Sequence[InvoiceLine], records: list[Line], tolerance: datetime.timedelta, zone: datetime.tzinfo
) -> Findings:
    by_user: dict[str, list[Line]] = defaultdict(list)
    for record in records:
        by_user[record.user].append(record)
    charged: dict[int, Line] = {}
    left: set[str] = {record.id for record in records}
    # First what agrees in everything, then what is the same fact under another class: no line may take another's.
    for is_same in (_same_class, _any_class):
        for line in invoice:
            if line.number not in charged:
                near = [r for r in by_user[line.user] if r.id in left and is_same(line, r)]
                best = _nearest(line, near, tolerance, zone)
                if best is not None:
                    charged[line.number] = best
                    left.discard(best.id)
    differences = [
        difference for line in invoice if (difference := _judged(line, charged.get(line.number))) is not None
    ]
    differences += [
        Difference("not_invoiced", 0, r.id, f"{_shown(r)}: not on the invoice")
        for r in records
        if r.id in left and not r.is_free
    ]
    agreeing = len(invoice) - sum(difference.line > 0 for difference in differences)
    return Findings(len(invoice), sum(not r.is_free for r in records), agreeing, differences)


def _same_class(line: InvoiceLine, record: Line) -> bool:
    return record.class_name == line.class_name and _same_agent(line, record)


def _any_class(line: InvoiceLine, record: Line) -> bool:
    return _same_agent(line, record)


def _same_agent(line: InvoiceLine, record: Line) -> bool:
    return not line.agent or line.agent == record.agent


def _nearest(
    line: InvoiceLine, records: Sequence[Line], tolerance: datetime.timedelta, zone: datetime.tzinfo
) -> Line | None:
    for record in records:
        if line.message_id and line.message_id in record.message_ids:
            return record
    if line.start is None:
        return records[0] if records else None
    if line.is_day:
        day = line.start.date()
        return next((record for record in records if record.start.astimezone(zone).date() == day), None)
    start = line.start
    best = min(records, key=lambda record: abs(record.start - start), default=None)
    return best if best is not None and abs(best.start - start) <= tolerance else None


def _judged(line: InvoiceLine, record: Line | None) -> Difference | None:
    start = line.start.isoformat() if line.start else ""
    what = " ".join(filter(None, (line.class_name, line.agent, line.user, start)))
    if record is None:
        return Difference("not_recorded", line.number, "", f"{what}: not in our records")
    if record.class_name != line.class_name:
        price = ", which is free" if record.is_free else ""
        text = f"{what}: our record {record.id} says {record.class_name}{price}"
        return Difference("other_class", line.number, record.id, text)
    if record.is_free:
        return Difference("free", line.number, record.id, f"{what}: our record {record.id} says that it is free")
    if line.count != 1:
        return Difference("other_count", line.number, record.id, f"{what}: charged {line.count} times, recorded once")
    return None


def _shown(record: Line) -> str:
    return f"{record.id} {record.class_name} {record.agent} {record.user} {record.start.isoformat()}"


# -- totals -----------------------------------------------------------------------------------------------------------

_Group = tuple[str, str, str]


def _by_total(invoice: Sequence[InvoiceLine], records: list[Line], zone: datetime.tzinfo) -> Findings:
    """By class, and by agent and day where the invoice says them."""
    has_agents, has_days = any(line.agent for line in invoice), any(line.start for line in invoice)
    theirs: Counter[_Group] = Counter()
    numbers: dict[_Group, int] = {}
    for line in invoice:
        day = line.start.astimezone(zone).date().isoformat() if line.start else ""
        group = line.class_name, line.agent, day
        theirs[group] += line.count
        numbers.setdefault(group, line.number)

    def group_of(record: Line) -> _Group:
        day = record.start.astimezone(zone).date().isoformat() if has_days else ""
        return record.class_name, record.agent if has_agents else "", day

    payable = Counter(group_of(record) for record in records if not record.is_free)
    free = Counter(group_of(record) for record in records if record.is_free)
    differences = []
    for group in sorted({*theirs, *payable}):
        if theirs[group] != payable[group]:
            hint = f" and {free[group]} that are free" if free[group] else ""
            text = f"{' '.join(filter(None, group))}: invoiced {theirs[group]}, recorded {payable[group]}{hint}"
            differences.append(Difference("other_count", numbers.get(group, 0), "", text))
    agreeing = sum(min(theirs[group], payable[group]) for group in theirs)
    return Findings(sum(theirs.values()), sum(payable.values()), agreeing, differences)
