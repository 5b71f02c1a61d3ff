"""What applications are owed and have not taken: shown, offered again at once, or dropped for good, by sink or all.

What a drop does to an outbox, the outbox says; that of any sink but SMPP is a courier.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import msgspec

from gatewayd.asking.asked import SLICE, Asked, AskFault, Row
from gatewayd.flow.owing import SMPP
from gatewayd.senders.names import message_id_text
from gatewayd.store.kinds import DELIVERY, Key
from gatewayd.store.records import Delivery
from gatewayd.store.walking import walk

KINDS: Final = ("receipt", "mo", "session")

_decode = msgspec.json.Decoder(Delivery).decode


class _Wanted:
    """Which deliveries are meant."""

    def __init__(self, asked: Asked) -> None:
        self.account, self.kind, self.id = asked.text("account"), asked.text("kind"), asked.text("id")
        self.sink = sink_of(asked)
        self._until = asked.worker.desk.now() - asked.number("older_s")
        if self.kind not in ("", *KINDS):
            raise AskFault(f"{self.kind} is no kind of delivery: {', '.join(KINDS)}")

    def takes(self, delivery: Delivery) -> bool:
        """Whether this one is."""
        return (
            self.account in ("", delivery.account)
            and self.kind in ("", delivery.kind)
            and self.sink in ("", delivery.sink or SMPP)
            and self.id in ("", message_id_text(delivery.id))
            and delivery.created_at <= self._until
        )


async def listed(asked: Asked) -> dict[str, Any]:
    """Rows of deliveries, the oldest first."""
    wanted = _Wanted(asked)

    def row_of(key: Key, text: bytes | str) -> Row | None:
        delivery = _decode(text)
        return _row(asked, delivery) if wanted.takes(delivery) else None

    rows, upto = await asked.rows(walk(asked.worker.journal, DELIVERY, asked.after), row_of)
    return {"rows": rows, "limit": asked.limit, "upto": upto}


def _row(asked: Asked, delivery: Delivery) -> Row:
    box, courier = asked.worker.outbox.box(delivery.account), asked.worker.posting.couriers.get(delivery.sink)
    waits = courier.is_postponed(delivery) if courier else box is not None and delivery.id in box.postponed
    return {
        "key": delivery.id,
        "id": message_id_text(delivery.id),
        "account": delivery.account,
        "sink": delivery.sink or SMPP,
        "kind": delivery.kind,
        "message": message_id_text(delivery.message_id) if delivery.message_id else "",
        "handset": asked.shown(delivery.source),
        "state": str(delivery.state) if delivery.kind == "receipt" else "",
        "age_s": round(asked.worker.desk.now() - delivery.created_at, 1),
        "attempts": delivery.attempts,
        "is_postponed": waits,
        "due": delivery.due,
        "worker": asked.worker.slot,
    }


def replay(asked: Asked) -> dict[str, int]:
    """Offer at once what an application refused for now."""
    account, sink, worker = _account(asked), sink_of(asked), asked.worker
    offered = worker.outbox.replay(account) if sink in ("", SMPP) else 0
    if sink != SMPP:
        offered += worker.posting.offer_now(account, sink)
    return {"offered": offered}


async def drop(asked: Asked) -> dict[str, Any]:
    """Forget deliveries of one account; durable when this returns."""
    account, wanted, worker = _account(asked), _Wanted(asked), asked.worker
    chosen: dict[str, dict[int, str]] = defaultdict(dict)
    upto = None
    for count, (key, text) in enumerate(walk(worker.journal, DELIVERY, asked.after), 1):
        delivery = _decode(text)
        if wanted.takes(delivery):
            chosen[delivery.sink][delivery.id] = delivery.kind
        if count % SLICE == 0:
            if asked.is_out_of_time:
                upto = key
                break
            await asked.breathe()
    dropped = worker.outbox.drop(account, chosen.pop("", {}))
    dropped += sum(worker.posting.couriers[sink].drop(account, of_sink) for sink, of_sink in chosen.items())
    await worker.journal.durable()
    return {"changed": dropped, "cursor": {str(worker.slot): upto} if upto is not None else {}}


def sink_of(asked: Asked) -> str:
    """The sink that is meant, or nothing for all."""
    sink = asked.text("sink")
    sinks = (SMPP, *asked.worker.posting.couriers)
    if sink not in ("", *sinks):
        raise AskFault(f"{sink} is no sink: {', '.join(sinks)}")
    return sink


def _account(asked: Asked) -> str:
    """The account that is meant: one of the configuration, or one that is gone and still owed something."""
    account, worker = asked.text("account"), asked.worker
    if not account:
        raise AskFault("name an account")
    is_owed = worker.outbox.box(account) is not None or any(c.knows(account) for c in worker.posting.couriers.values())
    if account not in worker.config.accounts and not is_owed:
        raise AskFault(f"there is no account {account}", "unknown")
    return account
