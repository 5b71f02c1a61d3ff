"""A callback as Jasmin makes it: fields by GET or POST, acknowledged by two words. Makes no request."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from gatewayd.policy.callbacks import ACCEPTED, REFUSED, Call
from gatewayd.senders.errors_told import error_code
from gatewayd.senders.product_ids import uuid_of
from gatewayd.store.records import Delivery
from protocol.smpp.constants import Status

ACKNOWLEDGED: Final = b"ACK/Jasmin"
_ABSENT: Final = "ND"
_UNSENDABLE: Final = re.compile(r"[^!-~]")


def fields(delivery: Delivery, call: Call) -> dict[str, str]:
    """What is told. A refusal is of the first level where that is asked for, else of the second."""
    is_first = call.event == ACCEPTED or (call.event == REFUSED and call.callback.mask & ACCEPTED)
    return _first(delivery, call) if is_first else _second(delivery, call)


def address(call: Call) -> str:
    """As its sender wrote it, without a fragment, and with nothing that cannot be sent."""
    return _UNSENDABLE.sub(lambda match: quote(match[0]), call.callback.url.partition("#")[0])


def _first(delivery: Delivery, call: Call) -> dict[str, str]:
    status = Status.ESME_ROK.name
    if call.event == REFUSED:
        status = delivery.error if delivery.error in Status.__members__ else Status.ESME_RSUBMITFAIL.name
    return {
        "id": uuid_of(delivery.message_id),
        "level": "1",
        "message_status": status,
        "connector": call.link,
    }


def _second(delivery: Delivery, call: Call) -> dict[str, str]:
    carrier_id = call.carrier_id.upper().lstrip("0") or _ABSENT
    return {
        "id": uuid_of(delivery.message_id),
        "level": "2",
        "message_status": delivery.state.value,
        "connector": carrier_id,  # so Jasmin does, and not the name of the connector
        "id_smsc": carrier_id,
        "sub": "001",
        "dlvrd": "001" if delivery.state == "DELIVRD" else "000",
        "subdate": _minutes(delivery.submitted_at),
        "donedate": _minutes(delivery.done_at),
        "err": error_code(delivery.error),
        "text": _ABSENT,
    }


def _minutes(unix: float) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%y%m%d%H%M}"
