"""A message that takes the place of one that waits (SMPP 3.4 section 5.2.18): the older is deleted in the commit in
which the newer is taken, so that of both exactly one goes.

Which may be replaced is found by account, source, destination and service_type, as the standard asks; a row of the
handset's home names the last of them. What has left, or perhaps left, stays: then both go.
"""

from __future__ import annotations

import hashlib
from typing import Final

from gatewayd.flow.desk import Desk
from gatewayd.message import Message, State
from gatewayd.policy.intervention import may_replace
from gatewayd.policy.journey import Finish
from gatewayd.policy.numbering import handset_of
from gatewayd.store.kinds import TAKEN
from gatewayd.store.records import Taken

REPLACED: Final = "replaced"
KEEP_S: Final = 259_200.0
"""How long one without a validity period is looked for after its moment to go: three days."""
_DIGEST_SIZE: Final = 16


def supersede(desk: Desk, message: Message) -> bool:
    """Delete what the message replaces, if that waits, and let it be replaced itself; whether anything was deleted."""
    key, journal = key_of(message), desk.spool.journal
    known: Taken | None = journal.get(TAKEN, key)
    due = message.expires_at or max(message.deliver_at, desk.now()) + KEEP_S
    journal.put(TAKEN, key, Taken(message.id, "", due))
    return known is not None and message.replaces and _delete(desk, known.message_id)


def _delete(desk: Desk, message_id: int) -> bool:
    journey = desk.journey(message_id)
    if journey is None or message_id in desk.flying or not may_replace(journey.progress, 0.0):
        return False
    desk.apply(journey, Finish(State.DELETED, REPLACED), journey.progress.queue)
    return True


def key_of(message: Message) -> str:
    """As keys of repeated submits are written: account, digest, handset."""
    said = (REPLACED, message.told.source, message.service_type)
    digest = hashlib.blake2b(repr(said).encode(), digest_size=_DIGEST_SIZE).hexdigest()
    handset = handset_of(message.destination, message.destination_ton, message.destination_npi)
    return f"{message.account}|{digest}|{handset}"
