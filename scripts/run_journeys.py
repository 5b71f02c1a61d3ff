"""The journeys that scripts/run shows: what is sent to which handset, what must come of it, and what did.

What was seen is taken from the ledgers of the simulated application, carrier and platform alone; the daemon is not
asked. Prints nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from gatewayd.simulate.behaviour import Rule
from gatewayd.simulate.composing import compose
from gatewayd.simulate.esme import Esme
from gatewayd.simulate.esme_ledger import Receipt, Submitted, Text, joined
from gatewayd.simulate.rcs_behaviour import Rule as RcsRule
from gatewayd.simulate.smsc import Smsc
from protocol.smpp.constants import Tag, status_name
from protocol.smpp.records import SubmitSm

SENDER = "DEMO"
PATIENCE_S = 15.0

# Vendor TLVs of the gateway, as its README has them.
TAG_SESSION_ID, TAG_POSTBACK = 0x1490, 0x1491

# From the range that France keeps free for films: nobody is ever reached by accident.
DELIVERED = "33639980001"
WITHOUT_RCS = "33639980002"
OUT_OF_REACH = "33639980003"
LONG = "33639980004"
ANSWERING = "33639980005"
REFUSED = "33639980006"
THROTTLED = "33639980007"
SWITCHED_OFF = "33639980008"

LONG_TEXT = (
    "Votre commande n° 4711 est prête 🎉 Elle vous attend à la boutique du 12, rue de l'Été, jusqu'au samedi à 19 h. "
    "Pensez à prendre une pièce d'identité ; à défaut, votre numéro de commande suffira."
)

RCS_RULES = (
    RcsRule(handset=rf"\+({WITHOUT_RCS}|{REFUSED}|{THROTTLED}|{SWITCHED_OFF})", capable=False),
    # The gateway's deadline must end it, not the platform's own clock.
    RcsRule(handset=rf"\+{OUT_OF_REACH}", delivery="never", on_expiry="ignore"),
    RcsRule(handset=rf"\+{ANSWERING}", reply_text="Oui, à 10 h", reply_after_s=0.2),
)
SMS_RULES = (
    Rule(destination=REFUSED, answer="refuse", status="ESME_RINVDSTADR"),
    Rule(destination=SWITCHED_OFF, receipt_state="UNDELIV", receipt_error="027"),
)
THROTTLE = Rule(destination=THROTTLED, answer="throttle", times=2)


class Sight(msgspec.Struct, frozen=True):
    """One thing that somebody saw: the word that is compared, and the words that a person reads."""

    word: str
    detail: str


class Fate(msgspec.Struct, frozen=True):
    """What must be seen, in order: by the application, by the RCS platform, by the SMS carrier, by the application."""

    answers: tuple[str, ...] = ("ESME_ROK",)
    platform: tuple[str, ...] = ()
    carrier: tuple[str, ...] = ()
    receipts: tuple[str, ...] = ("DELIVRD",)
    replies: tuple[str, ...] = ()


Seen = Mapping[str, Sequence[Sight]]
"""What was seen, under the names of a Fate's fields."""


class Journey(msgspec.Struct, frozen=True):
    """One message on its way. ``reference`` is the application's own number for it, 0 for none.

    ``tap`` is the text and the postback of a suggestion that the handset taps once its other reply has come.
    """

    title: str
    handset: str
    text: str
    fate: Fate
    reference: int = 0
    tap: tuple[str, str] | None = None


class Ending(msgspec.Struct, frozen=True):
    """A journey that has been made."""

    journey: Journey
    seen: Seen
    parts: int
    took_s: float

    @property
    def is_as_expected(self) -> bool:
        """Whether all that had to be seen was seen, and nothing else."""
        return all(is_met(self.journey.fate, self.seen, name) for name in Fate.__struct_fields__)


class World(Protocol):
    """Everybody but the daemon."""

    esme: Esme
    smsc: Smsc

    async def platform_ledger(self, contact: str) -> dict[str, Any]:
        """What the RCS platform has seen of one contact."""

    async def say(self, contact: str, reply: str, postback: str) -> None:
        """Let a handset tap a suggestion."""


JOURNEYS = (
    Journey(
        "The handset takes RCS",
        DELIVERED,
        "Your table is booked for 20:00.",
        Fate(platform=("delivered",)),
    ),
    Journey(
        "The handset has no RCS: SMS instead",
        WITHOUT_RCS,
        "Your table is booked for 20:00.",
        Fate(carrier=("ESME_ROK",)),
    ),
    Journey(
        "RCS does not arrive in time: revoked, then SMS",
        OUT_OF_REACH,
        "Your code is 482913.",
        Fate(platform=("cancelled",), carrier=("ESME_ROK",)),
    ),
    Journey(
        "A long message in parts, with accents and an emoji: one RCS text, a receipt for each part",
        LONG,
        LONG_TEXT,
        Fate(answers=("ESME_ROK",) * 3, platform=("delivered",), receipts=("DELIVRD",) * 3),
    ),
    Journey(
        "The handset replies, by a text and by a tapped suggestion: both come back in their session",
        ANSWERING,
        "Shall we come tomorrow?",
        Fate(
            platform=("delivered",),
            replies=("Oui, à 10 h (session, reference 4711)", "Later (session, reference 4711, postback slot=2)"),
        ),
        reference=4711,
        tap=("Later", "slot=2"),
    ),
    Journey(
        "The carrier refuses the number: the receipt says so",
        REFUSED,
        "Hello?",
        Fate(carrier=("ESME_RINVDSTADR",), receipts=("UNDELIV",)),
    ),
    Journey(
        "The handset stays switched off: the carrier's receipt is handed on",
        SWITCHED_OFF,
        "Are you there?",
        Fate(carrier=("ESME_ROK",), receipts=("UNDELIV",)),
    ),
    Journey(
        "The carrier asks to slow down, twice: delivered all the same",
        THROTTLED,
        "Your parcel arrives today.",
        Fate(carrier=("ESME_RTHROTTLED", "ESME_RTHROTTLED", "ESME_ROK")),
    ),
)


def is_met(fate: Fate, seen: Seen, name: str) -> bool:
    """Whether one field of a fate was seen exactly."""
    expected: tuple[str, ...] = getattr(fate, name)
    return expected == tuple(sight.word for sight in seen[name])


async def travel(journey: Journey, world: World, patience_s: float = PATIENCE_S) -> Ending:
    """Send the message, and wait until everything expected was seen; then, or when patience ends, say what was."""
    began = time.monotonic()
    submits = [world.esme.submit(pdu) for pdu in pdus_of(journey)]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            await _expect(journey, world, replies=1 if journey.tap else len(journey.fate.replies))
            if journey.tap is not None:
                await world.say(f"+{journey.handset}", *journey.tap)
            await _expect(journey, world, replies=len(journey.fate.replies))
    # Whoever caused what the application has seen wrote it down before.
    took_s = time.monotonic() - began
    return Ending(journey, await see(journey, world), len(submits), took_s)


async def look_again(ending: Ending, world: World) -> Ending:
    """The same journey, seen later: something may have come twice."""
    seen = await see(ending.journey, world)
    return msgspec.structs.replace(ending, seen=seen)


def pdus_of(journey: Journey) -> list[SubmitSm]:
    """The submit_sm of a journey, one for each part."""
    pdus = compose(SubmitSm, SENDER, journey.handset, journey.text, registered_delivery=1)
    if journey.reference:
        for pdu in pdus:
            pdu.tlvs = (*pdu.tlvs, (Tag.USER_MESSAGE_REFERENCE, journey.reference.to_bytes(2)))
    return pdus


async def _expect(journey: Journey, world: World, replies: int) -> None:
    """Wait for as many answers, receipts and replies as must come."""
    fate = journey.fate

    def is_there() -> bool:
        sights = _at_application(journey, world.esme)
        return (
            len(sights["answers"]) >= len(fate.answers)
            and len(sights["receipts"]) >= len(fate.receipts)
            and len(sights["replies"]) >= replies
        )

    await world.esme.wait_for(is_there, timeout_s=PATIENCE_S)


async def see(journey: Journey, world: World) -> Seen:
    """Everything that anybody saw of a journey so far."""
    ledger = await world.platform_ledger(f"+{journey.handset}")
    sights = _at_application(journey, world.esme)
    sights["platform"] = [_platform_sight(message, journey.text) for message in ledger["messages"]]
    sights["carrier"] = _at_carrier(journey, world.smsc)
    return sights


def _at_application(journey: Journey, esme: Esme) -> dict[str, list[Sight]]:
    ledger, handset = esme.ledger, journey.handset
    submits = [submit for submit in ledger.submits if submit.pdu.destination_addr == handset]
    ids = {submit.message_id for submit in submits if submit.message_id}
    return {
        "answers": [_answer_sight(submit) for submit in submits if submit.status is not None or submit.lost],
        "receipts": [_receipt_sight(receipt, ids) for receipt in ledger.receipts if _is_of(receipt, handset)],
        "replies": [_reply_sight(text) for text in ledger.texts if text.source.removeprefix("+") == handset],
    }


def _is_of(receipt: Receipt, handset: str) -> bool:
    return receipt.pdu.source_addr == handset


def _answer_sight(submit: Submitted) -> Sight:
    word = submit.lost or status_name(submit.status or 0)
    return Sight(word, f"{word}  id {submit.message_id}" if submit.message_id else word)


def _receipt_sight(receipt: Receipt, ids: set[str]) -> Sight:
    """A receipt counts under its state only when it is sound, and for a message that was sent."""
    faults = list(receipt.faults)
    if receipt.message_id not in ids:
        faults.append("for an unknown id")
    word = ", ".join([receipt.state or "no state", *faults])
    return Sight(word, f"id:{receipt.message_id} stat:{word} err:{receipt.error}")


def _reply_sight(text: Text) -> Sight:
    """The text, and what the TLVs of its deliver_sm say of it."""
    tlvs = dict(text.pdus[0].tlvs)
    session = tlvs.get(TAG_SESSION_ID, b"").decode()
    marks, details = [], []
    if session and Tag.ITS_SESSION_INFO in tlvs:
        marks.append("session")
        details.append(f"session {session}")
    if Tag.USER_MESSAGE_REFERENCE in tlvs:
        marks.append(f"reference {int.from_bytes(tlvs[Tag.USER_MESSAGE_REFERENCE])}")
    if TAG_POSTBACK in tlvs:
        marks.append(f"postback {tlvs[TAG_POSTBACK].decode()}")
    details += marks[1:] if details else marks
    return Sight(f"{text.text} ({', '.join(marks)})", f"“{text.text}” to {text.destination}: {', '.join(details)}")


def _platform_sight(message: dict[str, Any], sent: str) -> Sight:
    """The last state of a message, its history, and whether it is the text that was sent."""
    text = message["message"].get("textMessage", "")
    word = message["status"] if text == sent else f"{message['status']}, another text"
    history = " → ".join(str(entry["what"]) for entry in message["history"])
    return Sight(word, f"“{shortened(text)}”: {history}")


def _at_carrier(journey: Journey, smsc: Smsc) -> list[Sight]:
    sights = []
    for submit in smsc.ledger.to(journey.handset):
        text = joined([submit.pdu])  # type: ignore[list-item]  # read alike: both have the fields of a message
        status = "no answer" if submit.status is None else status_name(submit.status)
        word = status if text == journey.text else f"{status}, another text"
        sights.append(Sight(word, f"“{shortened(text)}”: {word}"))
    return sights


def shortened(text: str, size: int = 32) -> str:
    """The beginning of a text, for a table."""
    return text if len(text) <= size else f"{text[: size - 1]}…"
