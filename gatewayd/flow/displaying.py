"""Messages that were read: one more receipt after the DELIVRD one, for accounts that have a word for it.

A message is mostly read when it has had its end and left the store. What its receipt was stays with the platform's name
for it until then. Knows no platform; what a receipt looks like is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from gatewayd.config import schema
from gatewayd.flow.owing import due_of
from gatewayd.message import Channel, State
from gatewayd.store.implied import name_of
from gatewayd.store.kinds import SENT
from gatewayd.store.records import Delivery, Facts, Sent

if TYPE_CHECKING:
    from gatewayd.flow.desk import Desk

_HOUR_S = 3_600.0


def telling(accounts: Mapping[str, schema.Account], owed: Iterable[Delivery | None]) -> tuple[Delivery, ...]:
    """Those of a message's last receipts that another one will follow, should it be read."""
    return tuple(
        receipt
        for receipt in owed
        if receipt is not None and receipt.state is State.DELIVRD and _word(accounts, receipt.account)
    )


def wait_s(accounts: Mapping[str, schema.Account], told: Iterable[Delivery]) -> float:
    """For how long that is awaited."""
    return max((accounts[receipt.account].displayed_wait_h * _HOUR_S for receipt in told), default=0.0)


def on_displayed(desk: Desk, link: str, carrier_id: str, at: float) -> None:
    """A message was read, at the platform's time ``at`` (0 for now): told once, and only of one that has had its end.

    In one group with the note that it was told, so that a crash neither loses nor repeats it.
    """
    sent = desk.spool.named(link, carrier_id)
    if sent is None or not sent.told:
        return
    for receipt in sent.told:
        word = _word(desk.accounts, receipt.account)
        if word and desk.now() <= receipt.created_at + wait_s(desk.accounts, [receipt]):
            desk.owe(_after(receipt, desk, word, at), Facts(Channel.RCS))
    desk.spool.journal.put(SENT, name_of(link, carrier_id), Sent(sent.message_id, ended=True, due=sent.due))


def _after(receipt: Delivery, desk: Desk, word: str, at: float) -> Delivery:
    now = desk.now()
    return msgspec.structs.replace(
        receipt,
        id=desk.spool.new_id(),
        created_at=now,
        due=due_of(desk.accounts[receipt.account], now),
        attempts=0,
        done_at=at or now,
        displayed=word,
        follows=receipt.id,
    )


def _word(accounts: Mapping[str, schema.Account], name: str) -> str:
    account = accounts.get(name)
    return account.displayed_receipts if account is not None else ""
