"""The lives of an agent's messages after they were taken: delivered, read, expired, revoked, answered.

Follows each message's rule and tells the agent by webhook. Knows nothing of requests.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable

from gatewayd.simulate.rbm_behaviour import RbmBehaviour, RbmRule
from gatewayd.simulate.rbm_ledger import RbmLedger, RbmRecord, UserRecord
from gatewayd.simulate.rbm_pushes import PushOptions, sign_push, write_push
from gatewayd.simulate.rbm_validation import AgentMessage
from gatewayd.simulate.rcs_members import rfc3339
from gatewayd.simulate.rcs_webhooks import Event, WebhookSender
from gatewayd.simulate.schedule import Schedule

STATUS_OF = {"DELIVERED": "delivered", "READ": "read", "TTL_EXPIRATION_REVOKED": "expired"}
EVENTS_AT_EXPIRY = {
    "revoked": ("TTL_EXPIRATION_REVOKED",),
    "revoke_failed": ("TTL_EXPIRATION_REVOKE_FAILED",),
    "both": ("TTL_EXPIRATION_REVOKED", "TTL_EXPIRATION_REVOKE_FAILED"),
    "neither": (),
}


class RbmLives:
    """Plays what handsets and network do."""

    def __init__(
        self,
        ledger: RbmLedger,
        schedule: Schedule,
        webhooks: WebhookSender,
        wall: Callable[[], float],
    ) -> None:
        self.behaviour = RbmBehaviour()
        self.push = PushOptions()
        self._ledger = ledger
        self._schedule = schedule
        self._webhooks = webhooks
        self._wall = wall
        self._events = 0

    def take(self, msg_id: str, agent: str, message: AgentMessage, rule: RbmRule) -> RbmRecord:
        """A message was accepted: begin its life."""
        record = RbmRecord(msg_id, agent, message, rule, self._wall())
        self._ledger.add_message(record)
        if rule.delivery == "deliver":
            record.pending_events += 1
            self._schedule.after(rule.deliver_after_s, lambda: self._reach(record, "DELIVERED"))
        if message.expires_at:
            self._schedule.after(max(0.0, message.expires_at - self._wall()), lambda: self._expire(record))
        return record

    def report(self, record: RbmRecord, kind: str) -> None:
        """Bring an event about now, whatever the message's rule and history, and tell the agent."""
        self._ledger.note(record, self._wall(), STATUS_OF.get(kind, kind), "")
        who = "phoneNumber" if kind.startswith("TTL_") else "senderPhoneNumber"
        event: dict[str, object] = {
            who: record.phone,
            "agentId": record.agent,
            "eventType": kind,
            "eventId": str(uuid.uuid4()),
            "messageId": record.id,
            "sendTime": rfc3339(self._wall()),
        }
        self._announce(record, kind, event)

    def deliver(self, record: RbmRecord) -> None:
        """The message reached the handset; reading and replying follow by the rule."""
        rule = record.rule
        self.report(record, "DELIVERED")
        if rule.display_after_s is not None:
            record.pending_events += 1
            self._schedule.after(rule.display_after_s, lambda: self._reach(record, "READ"))
        if rule.reply_text or rule.reply_suggestion or rule.opinion:
            self._schedule.after(rule.reply_after_s, lambda: self._reply(record))

    def revoke(self, record: RbmRecord) -> None:
        """The agent took the message back in time; no event tells of it."""
        record.pending_events = 0
        self._ledger.note(record, self._wall(), "revoked")

    def say(self, phone: str, members: dict[str, object], agent: str) -> str:
        """A user sends something: ``members`` join the message. Returns its id."""
        msg_id = secrets.token_hex(12)
        self._ledger.add_user_message(UserRecord(msg_id, phone, next(iter(members), ""), self._wall()))
        data = {
            "senderPhoneNumber": phone,
            "agentId": agent,
            "messageId": msg_id,
            "sendTime": rfc3339(self._wall()),
            **members,
        }
        self._send("message", data, phone, agent, self.behaviour.rule_of(phone), msg_id)
        return msg_id

    def tell(self, phone: str, kind: str, agent: str) -> str:
        """A user types, opts in or opts out; returns the event's id."""
        event_id = str(uuid.uuid4())
        event: dict[str, object] = {
            "senderPhoneNumber": phone,
            "agentId": agent,
            "eventType": kind,
            "eventId": event_id,
            "sendTime": rfc3339(self._wall()),
        }
        self._send(kind, event, phone, agent, self.behaviour.rule_of(phone), "")
        return event_id

    def launch(self, agent: str, state: str) -> None:
        """The agent's launch state changed, which Google tells by an event of its own kind."""
        event: dict[str, object] = {"agentId": agent, "eventType": "AGENT_LAUNCH", "launchState": state}
        self._send("AGENT_LAUNCH", event, "", agent, RbmRule(), "")

    def _reach(self, record: RbmRecord, kind: str) -> None:
        """A planned event is due; a message that was revoked or expired meanwhile stays as it is."""
        record.pending_events = max(0, record.pending_events - 1)
        if record.status in ("revoked", "expired") or (record.is_over and kind != "READ"):
            return
        if kind == "DELIVERED":
            self.deliver(record)
        else:
            self.report(record, kind)

    def _expire(self, record: RbmRecord) -> None:
        if record.is_over:
            return
        for kind in EVENTS_AT_EXPIRY[record.rule.at_expiry]:
            self.report(record, kind)
        if record.rule.at_expiry == "neither":
            self._ledger.note(record, self._wall(), "expired")

    def _reply(self, record: RbmRecord) -> None:
        rule = record.rule
        if rule.reply_text:
            self.say(record.phone, {"text": rule.reply_text}, record.agent)
        if rule.opinion:
            self.tell(record.phone, rule.opinion, record.agent)
        if not rule.reply_suggestion:
            return
        suggestions = record.message.suggestions
        if rule.reply_suggestion > len(suggestions):
            self._ledger.note(record, self._wall(), "no such suggestion", str(rule.reply_suggestion))
            return
        self.say(record.phone, tapped(suggestions[rule.reply_suggestion - 1]), record.agent)

    def _announce(self, record: RbmRecord, kind: str, event: dict[str, object]) -> None:
        """Send an event; with ``webhook_reorder`` hold it back until the next one of the message has left."""
        held, record.held_event = record.held_event, None
        will_follow = record.pending_events or (kind == "DELIVERED" and record.rule.display_after_s is not None)
        if record.rule.webhook_reorder and held is None and will_follow:
            record.held_event = (kind, event)
            return
        self._send(kind, event, record.phone, record.agent, record.rule, record.id)
        if held is not None:
            self._send(held[0], held[1], record.phone, record.agent, record.rule, record.id)

    def _send(self, kind: str, data: dict[str, object], phone: str, agent: str, rule: RbmRule, msg_id: str) -> None:
        if rule.loses(kind):
            self._ledger.count_lost()
            return
        self._events += 1
        body = write_push(data, str(self._events), agent, rfc3339(self._wall()), self.push)
        name = "message" if kind == "message" else "event"
        status = "" if kind == "message" else kind
        event = Event(self._events, name, status, msg_id, phone, agent, body, sign_push(body, self.push))
        for _ in range(1 + rule.webhook_duplicates):
            if rule.webhook_delay_s:
                self._schedule.after(rule.webhook_delay_s, lambda: self._webhooks.post(event))
            else:
                self._webhooks.post(event)


def tapped(suggestion: dict[str, object]) -> dict[str, object]:
    """What a handset sends when a suggestion is tapped."""
    kind, body = next((kind, body) for kind, body in suggestion.items() if isinstance(body, dict))
    answer = {"text": body["text"], "postbackData": body["postbackData"], "type": kind.upper()}
    return {"suggestionResponse": answer}
