"""That a handset can be reached again, from a carrier to the application that it concerns: at once, or not at all.

SMPP has no answer to alert_notification (3.4 section 4.12): nothing is kept and nothing repeated. Knows no interface.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from gatewayd.flow.desk import Desk
from gatewayd.flow.questions import Questions
from gatewayd.message import Availability
from gatewayd.policy.answers import HomeAway, Word
from gatewayd.policy.numbering import handset_of
from gatewayd.runtime.tasks import spawn

UNDER_WAY_MAX: Final = 100


class Alerts:
    """Both sides: heard from links here, and told to binds here. ``tell`` brings one to a bind of an account, if one
    stands in this worker that can take it."""

    def __init__(self, desk: Desk, questions: Questions, tell: Callable[[str, Availability], bool]) -> None:
        self._desk = desk
        self._questions = questions
        self._tell = tell
        self._under_way = 0
        questions.learn("alert_owner", self._owner)
        questions.learn("alert", self._bring)

    def heard(self, link: str, alert: Availability) -> None:
        """A carrier says so. Who floods us with them is heard in part."""
        if self._under_way < UNDER_WAY_MAX:
            self._under_way += 1
            spawn(self._pass_on(link, alert), name=f"an alert of {link}")
        else:
            self._desk.metrics.faults.labels("carrier", "alert_dropped").value += 1

    async def _pass_on(self, link: str, alert: Availability) -> None:
        try:
            args = {"handset": alert.handset, "ton": alert.handset_ton, "npi": alert.handset_npi}
            args |= {"address": alert.address, "to_ton": alert.address_ton, "to_npi": alert.address_npi}
            session = await self._questions.at_home("alert_owner", alert.handset, args, Word)
            number = handset_of(alert.address, alert.address_ton, alert.address_npi)
            account = session.word if session is not None else self._desk.owners.get(number, "")
            told = None
            if account:
                bring = {"account": account, "alert": msgspec.to_builtins(alert)}
                told = await self._questions.anywhere("alert", bring, Word)
        except HomeAway:
            told, account = None, ""
        finally:
            self._under_way -= 1
        if told is None:
            self._desk.metrics.faults.labels("carrier", "alert_untold").value += 1
        self._desk.trail.say(
            "alert", link=link, account=account, handset=alert.handset, fate="told" if told else "untold"
        )

    async def _owner(self, args: Mapping[str, Any]) -> Word | None:
        """Who has an open conversation with the handset under that address."""
        number = handset_of(args["address"], args["to_ton"], args["to_npi"])
        session = self._desk.spool.session(number, handset_of(args["handset"], args["ton"], args["npi"]))
        is_known = session is not None and session.account in self._desk.accounts
        return Word(session.account) if session is not None and is_known else None

    async def _bring(self, args: Mapping[str, Any]) -> Word | None:
        alert = msgspec.convert(args["alert"], Availability)
        return Word("told") if self._tell(args["account"], alert) else None
