"""What history is told besides the records: answers that were no acceptance, what was known, who had to wait and why.

Each is a small entry of the journal that is in no table (store.kinds.NOTE). A message that is taken at once and
receipted needs none. Decides nothing.
"""

from __future__ import annotations

from typing import Final

from gatewayd.carriers.link import Result
from gatewayd.message import Accepted, Deferred, Receipt, Unknown
from gatewayd.store.records import Capability
from gatewayd.store.spool import Spool

LINK: Final = 0
"""What a note is about that concerns all messages of a link."""

WAIT_NOTED_S: Final = 1.0
# Only ways of asking for a turn again: nothing left us, and nobody waited for long.
_SILENT: Final = frozenset({"no_credit", "window_full"})


def of_result(spool: Spool, link: str, result: Result) -> None:
    """How an attempt ended, unless it was accepted: records say that, but not which letters were changed for it."""
    outcome = result.outcome
    if isinstance(outcome, Accepted):
        if outcome.changed:
            spool.note(result.message_id, "transliterated", link=link, letters=outcome.changed)
        return
    if outcome.error in _SILENT:
        return
    facts: dict[str, str | float] = {"link": link, "error": outcome.error}
    if result.segment:
        facts["segment"] = result.segment
    if isinstance(outcome, Deferred):
        facts["retry_s"] = outcome.retry_s
        if outcome.pauses or outcome.scope:
            facts["scope"] = outcome.scope or "link"
    elif isinstance(outcome, Unknown) and outcome.carrier_id:
        facts["carrier_id"] = outcome.carrier_id
    spool.note(result.message_id, type(outcome).__name__.lower(), **facts)


def of_wait(spool: Spool, link: str, wait_s: float) -> None:
    """All messages of a link wait for its limits."""
    if wait_s > WAIT_NOTED_S:
        spool.note(LINK, "wait", link=link, wait_s=round(wait_s, 3))


def of_capability(spool: Spool, link: str, message_id: int, known: Capability | None) -> None:
    """What was known of the handset already when the message's turn came."""
    if known is not None and known.at:
        answer = "yes" if known.capable else "no"
        spool.note(message_id, "capability_known", link=link, answer=answer, reason=known.reason, asked_at=known.at)


def of_words(spool: Spool, link: str, message_id: int, words: str) -> None:
    """What a carrier wrote in words of its own, before it became one of ours."""
    spool.note(message_id, "carrier_words", link=link, words=words)


def of_late_receipt(spool: Spool, link: str, message_id: int, receipt: Receipt) -> None:
    """A carrier said something that changed nothing any more."""
    word = "displayed" if receipt.displayed else "late_receipt"
    spool.note(message_id, word, link=link, state=receipt.state.value, error=receipt.error)
