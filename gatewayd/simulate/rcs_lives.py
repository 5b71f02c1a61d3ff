"""The lives of messages after they were taken: sent, delivered, read, failed, expired, revoked, answered.

Follows each message's rule and tells the bot by webhook. Knows nothing of requests.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import msgspec

from gatewayd.simulate.rcs_behaviour import Behaviour, Rule
from gatewayd.simulate.rcs_catalogue import words_of
from gatewayd.simulate.rcs_dialects import Shape, write_event
from gatewayd.simulate.rcs_files import StoredFile, described
from gatewayd.simulate.rcs_ledger import InboundRecord, Ledger, MessageRecord
from gatewayd.simulate.rcs_members import rfc3339
from gatewayd.simulate.rcs_validation import Submission
from gatewayd.simulate.rcs_webhooks import Event, WebhookSender
from gatewayd.simulate.schedule import Schedule

NOT_REACHABLE = 41200


class Lives:
    """Plays what handsets and network do.

    ``cancel_word`` is how this platform spells a revoked message's status, ``shape`` how it writes events.
    """

    def __init__(
        self,
        ledger: Ledger,
        schedule: Schedule,
        webhooks: WebhookSender,
        wall: Callable[[], float],
    ) -> None:
        self.behaviour = Behaviour()
        self.cancel_word = "cancelled"
        self.names_events = True
        self.shape: Shape = "gsma"
        self._ledger = ledger
        self._schedule = schedule
        self._webhooks = webhooks
        self._wall = wall
        self._events = 0

    def take(self, bot: str, submission: Submission, rule: Rule) -> MessageRecord:
        """A message was accepted: name it and begin its life."""
        record = MessageRecord(secrets.token_hex(8), bot, submission, rule, self._wall())
        self._ledger.add_message(record)
        if submission.kind == "isTyping":
            return record
        self._plan(record)
        return record

    def report(self, record: MessageRecord, status: str, code: int = 0) -> None:
        """Bring a message into a state now, whatever its rule and its history, and tell the bot."""
        self._ledger.note(record, self._wall(), status, str(code) if code else "")
        word = self.cancel_word if status == "cancelled" else status
        message: dict[str, object] = {"msgId": record.id, "status": word, "timestamp": self._timestamp()}
        if status == "failed" and code == NOT_REACHABLE and record.asked is not None:
            record.asked.reachable = False
        if status == "failed":
            message["reason"] = {"code": code, "text": words_of(code)}
        self._announce(record, message, word)

    def revoke(self, record: MessageRecord) -> None:
        """The network took a message back."""
        record.pending_states = 0
        self.report(record, "cancelled")

    def deliver(self, record: MessageRecord) -> None:
        """The message reached the handset; reading and replying follow by the rule."""
        rule = record.rule
        self.report(record, "delivered")
        if rule.display_after_s is not None:
            record.pending_states += 1
            self._after(rule.display_after_s, record, "displayed")
        if rule.reply_text or rule.reply_suggestion:
            self._schedule.after(rule.reply_after_s, lambda: self._reply(record))

    def say(self, contact: str, members: dict[str, object], event: str = "message", bot: str = "") -> str:
        """A handset sends something to the bot: ``members`` join msgId and timestamp in RCSMessage. Returns the id."""
        inbound = InboundRecord(secrets.token_hex(8), contact, event, self._wall())
        self._ledger.add_inbound(inbound)
        message: dict[str, object] = {"msgId": inbound.id, "timestamp": self._timestamp(), **members}
        self._send(event, message, contact, bot, self.behaviour.rule_of(contact))
        return inbound.id

    def tell_file(self, stored: StoredFile, bot: str) -> None:
        """A file became ready, or did not. Platforms that borrow Google's events have none for that."""
        if self.shape == "pubsub":
            return
        self._events += 1
        body: dict[str, object] = {"file": described(stored)}
        if self.names_events:
            body["event"] = "fileStatus"
        self._webhooks.post(
            Event(self._events, "fileStatus", stored.status, stored.id, "", bot, msgspec.json.encode(body))
        )

    def alias(self, number: str, chat_id: str, bot: str = "") -> None:
        """The platform tells which number an anonymous contact has."""
        body = {"event": "alias", "messageContact": {"userContact": number, "chatId": chat_id}}
        self._events += 1
        self._webhooks.post(Event(self._events, "alias", "", "", number, bot, msgspec.json.encode(body)))

    def _plan(self, record: MessageRecord) -> None:
        rule = record.rule
        if rule.sent_after_s is not None:
            record.pending_states += 1
            self._after(rule.sent_after_s, record, "sent")
        if rule.delivery != "never":
            record.pending_states += 1
            self._after(rule.deliver_after_s, record, "delivered" if rule.delivery == "deliver" else "failed")
        if record.submission.expiry and rule.on_expiry != "ignore":
            left_s = record.submission.expiry - self._wall()
            self._schedule.after(max(0.0, left_s), lambda: self._expire(record))

    def _after(self, delay_s: float, record: MessageRecord, status: str) -> None:
        self._schedule.after(delay_s, lambda: self._reach(record, status))

    def _reach(self, record: MessageRecord, status: str) -> None:
        """A planned state is due; a message that was revoked, expired or overtaken meanwhile stays as it is."""
        record.pending_states = max(0, record.pending_states - 1)
        if record.status in ("cancelled", "failed") or (record.is_over and status != "displayed"):
            return
        if status == "delivered":
            self.deliver(record)
        elif status == "failed":
            self.report(record, status, record.rule.fail_code)
        else:
            self.report(record, status)

    def _expire(self, record: MessageRecord) -> None:
        if record.is_over:
            return
        record.pending_states = 0
        if record.rule.on_expiry == "revoke":
            self.revoke(record)
        else:
            self.report(record, "failed", 41007)

    def _reply(self, record: MessageRecord) -> None:
        rule = record.rule
        if rule.reply_text:
            self.say(record.contact, {"textMessage": rule.reply_text}, bot=record.bot)
        if not rule.reply_suggestion:
            return
        suggestions = record.submission.suggestions
        if rule.reply_suggestion > len(suggestions):
            self._ledger.note(record, self._wall(), "no such suggestion", str(rule.reply_suggestion))
            return
        self.say(record.contact, tapped(suggestions[rule.reply_suggestion - 1]), "response", record.bot)

    def _announce(self, record: MessageRecord, message: dict[str, object], word: str) -> None:
        """Send a status event; with ``webhook_reorder`` hold it back until the next one of the message has left."""
        held, record.held_event = record.held_event, None
        if record.rule.webhook_reorder and held is None and record.pending_states:
            record.held_event = (message, word)
            return
        self._send("messageStatus", message, record.contact, record.bot, record.rule, word)
        if held is not None:
            self._send("messageStatus", held[0], record.contact, record.bot, record.rule, held[1])

    def _send(
        self, name: str, message: dict[str, object], contact: str, bot: str, rule: Rule, status: str = ""
    ) -> None:
        if rule.loses(name, status):
            self._ledger.count_lost()
            return
        body = write_event(self.shape, name, message, contact, bot, named=self.names_events)
        if body is None:
            return
        self._events += 1
        event = Event(self._events, name, status, str(message["msgId"]), contact, bot, body)
        for _ in range(1 + rule.webhook_duplicates):
            if rule.webhook_delay_s:
                self._schedule.after(rule.webhook_delay_s, lambda: self._webhooks.post(event))
            else:
                self._webhooks.post(event)

    def _timestamp(self) -> str:
        return rfc3339(self._wall())


def tapped(suggestion: dict[str, object]) -> dict[str, object]:
    """What a handset sends when a suggestion is tapped: its display text and its postback."""
    kind, body = next((kind, body) for kind, body in suggestion.items() if isinstance(body, dict))
    return {"suggestedResponse": {"response": {kind: {key: body[key] for key in ("displayText", "postback")}}}}
