"""A GSMA MaaP platform to try the gateway with: strict about what it is sent, and doing what it is told.

It judges the gateway's RCS side, so it shares no code with it: everything here is written from the specification.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from gatewayd.simulate.rcs_assertion import ANYONE, public_key_of
from gatewayd.simulate.rcs_behaviour import Behaviour
from gatewayd.simulate.rcs_bulk import BulkDesk
from gatewayd.simulate.rcs_control import ControlDesk
from gatewayd.simulate.rcs_dialects import dialect_of
from gatewayd.simulate.rcs_disturbance import Wishes
from gatewayd.simulate.rcs_files import FileDesk, FileStatus, Shelf
from gatewayd.simulate.rcs_http import FrontDoor
from gatewayd.simulate.rcs_layers import LayerOptions, SecondLayer
from gatewayd.simulate.rcs_ledger import Ledger
from gatewayd.simulate.rcs_lives import Lives
from gatewayd.simulate.rcs_portal import Suspension
from gatewayd.simulate.rcs_quota import Quota
from gatewayd.simulate.rcs_tokens import TokenOffice
from gatewayd.simulate.rcs_validation import TEXT_MAX
from gatewayd.simulate.rcs_webhooks import WebhookPolicy, WebhookSender
from gatewayd.simulate.rule_files import load
from gatewayd.simulate.schedule import Schedule
from gatewayd.simulate.serving import Site, run


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """A platform's fixed properties.

    ``dialect``: standard, orange, dotgo or vi. ``layer`` says how a bot of Orange proves that it is itself.
    ``webhook_authorization`` is the whole value of the header. ``bots`` None lets any bot in. ``root`` stands before
    ``/bot/v1`` in every path ("": the dialect's own). A quota of 0 is none; ``quota_names_wait`` adds Retry-After to
    its 429.
    ``cancel_word`` (cancelled, canceled, revoked), ``names_events`` and ``expires_in_text`` are habits in which
    platforms differ. ``capabilities_per_minute`` bounds questions for a single contact. A platform whose
    ``unreachable_share_max`` is exceeded in the last ``unreachable_sample`` messages takes access away for
    ``suspension_s``. ``bulk_zone`` is where the night of the bulk jobs is; ``bulk_any_hour`` forgets it. An upload is
    ready after ``file_ready_after_s``, unless its type is in ``file_fail_types``.
    """

    dialect: str = "standard"
    layer: LayerOptions = LayerOptions()
    webhook_url: str = ""
    webhook_authorization: str = ""
    client_id: str = "gateway"
    client_secret: str = "secret"
    bots: frozenset[str] | None = None
    root: str = ""
    token_lifetime_s: float = 3600.0
    expires_in_text: bool = False
    quota_per_minute: int = 0
    quota_per_s: int = 0
    quota_names_wait: bool = True
    text_max: int = TEXT_MAX
    cancel_word: str = "cancelled"
    names_events: bool = True
    capabilities_per_minute: int = 0
    unreachable_share_max: float = 0.0
    unreachable_sample: int = 200
    suspension_s: float = 3600.0
    bulk_zone: str = "Europe/Paris"
    bulk_any_hour: bool = False
    bulk_job_s: float = 1.0
    file_ready_after_s: float = 0.0
    file_fail_types: frozenset[str] = frozenset()
    webhooks: WebhookPolicy = WebhookPolicy()
    records_max: int = 200_000


class RcsPlatform:
    """The whole platform on the running loop. ``clock`` gives monotonic seconds, ``wall`` Unix seconds.

    With a clock of one's own, move it and call ``tick``. ``ledger.wait_for`` waits for what one expects. Between a
    ``stop`` and the next ``start`` nothing is lost: messages live on and webhooks leave after it, as after an outage.
    """

    def __init__(
        self,
        options: Options | None = None,
        behaviour: Behaviour | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        options = options or Options()
        self.ledger = Ledger(options.records_max)
        self.dialect = dialect_of(options.dialect)
        self.tokens = TokenOffice(
            options.client_id,
            options.client_secret,
            options.token_lifetime_s,
            basic_only=self.dialect.basic_only,
            per_minute=self.dialect.tokens_per_minute,
        )
        self._schedule = Schedule(clock)
        self._webhooks = WebhookSender(options.webhooks, self.ledger, self._schedule, wall)
        self._lives = Lives(self.ledger, self._schedule, self._webhooks, wall)
        quota = Quota(options.quota_per_minute, options.quota_per_s)
        self._door = FrontDoor(self.tokens, quota, self.ledger, self._lives, self._schedule, wall)
        self._root = (options.root or self.dialect.root).rstrip("/")
        self._site = Site()
        self._lives.shape = self.dialect.shape
        self._door.dialect = self.dialect
        self._door.layer = self._second_layer(options)
        self._door.capability_quota = Quota(options.capabilities_per_minute)
        self._door.suspension = Suspension(
            options.unreachable_share_max, options.unreachable_sample, options.suspension_s
        )
        self.files = Shelf(wall)
        self._files = FileDesk(self.files, self._schedule, wall, self._door.enter, self._lives.tell_file)
        self._files.ready_after_s, self._files.fail_types = options.file_ready_after_s, options.file_fail_types
        self._bulk = BulkDesk(self._schedule, wall, self._door.enter, lambda: self._lives.behaviour)
        self._bulk.zone, self._bulk.any_hour, self._bulk.job_s = (
            options.bulk_zone,
            options.bulk_any_hour,
            options.bulk_job_s,
        )
        self._lives.cancel_word = options.cancel_word
        self._lives.names_events = options.names_events
        self._door.bots = options.bots
        self._door.text_max = options.text_max
        self._door.quota_names_wait = options.quota_names_wait
        self._door.expires_in_text = options.expires_in_text
        self.set_webhook(options.webhook_url, options.webhook_authorization)
        self.set_behaviour(behaviour or Behaviour())

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen, and return the port; raises ``OSError`` when the address cannot be had."""
        self._door.open()
        app = self._door.application(self._root)
        bot_path = self._root + "/bot/v1/{bot}"
        self._files.add_routes(app, bot_path)
        self._bulk.add_routes(app, self._root, bot_path, self.dialect)
        ControlDesk(self).add_routes(app)
        bound = await self._site.open(app, host, port)
        self._webhooks.start()
        self._schedule.resume()
        return bound

    async def stop(self) -> None:
        """Stop listening, and leave waiting requests without answer; what is still to come waits for ``start``."""
        self._door.close()
        self._schedule.pause()
        await self._webhooks.stop()
        await self._site.close()

    def set_behaviour(self, behaviour: Behaviour) -> None:
        """Rules for what comes from now on; messages under way keep theirs."""
        self._lives.behaviour = behaviour

    def set_webhook(self, url: str, authorization: str) -> None:
        """Where webhooks go from now on. ``{bot}`` in the URL stands for the bot."""
        self._webhooks.url = url
        self._webhooks.authorization = authorization

    def throttle_next(self, count: int, retry_after_s: float | None = None) -> None:
        """Answer 429 to the next ``count`` messages."""
        self._door.throttle.left = count
        self._door.throttle.retry_after_s = retry_after_s

    def send_text(self, contact: str, text: str, bot: str = "") -> str:
        """A handset sends a text to the bot; returns its id."""
        return self._lives.say(contact, {"textMessage": text}, bot=bot)

    def send_reply(self, contact: str, display_text: str, postback: str, bot: str = "") -> str:
        """A handset taps a suggested reply; returns the id of what it sends."""
        reply: dict[str, object] = {"displayText": display_text, "postback": {"data": postback}}
        return self._lives.say(contact, {"suggestedResponse": {"response": {"reply": reply}}}, "response", bot)

    def say(self, contact: str, members: dict[str, object], event: str = "message", bot: str = "") -> str:
        """A handset sends anything: ``members`` join msgId and timestamp in RCSMessage. Returns the id."""
        return self._lives.say(contact, members, event, bot)

    def send_location(self, contact: str, latitude: float, longitude: float, label: str = "", bot: str = "") -> str:
        """A handset shares where it is; returns the id of what it sends."""
        place: dict[str, object] = {"pos": f"{latitude} {longitude}"}
        if label:
            place["label"] = label
        return self._lives.say(contact, {"geolocationPushMessage": place}, bot=bot)

    def send_file(self, contact: str, url: str, mime_type: str, size: int, name: str = "", bot: str = "") -> str:
        """A handset sends a file; returns its id."""
        sent: dict[str, object] = {"fileUrl": url, "fileMIMEType": mime_type, "fileSize": size}
        if name:
            sent["fileName"] = name
        return self._lives.say(contact, {"fileMessage": sent}, bot=bot)

    def send_typing(self, contact: str, state: str = "active", bot: str = "") -> str:
        """A handset types, or stops doing so."""
        return self._lives.say(contact, {"isTyping": state}, "isTyping", bot)

    def send_new_user(self, contact: str, bot: str = "") -> str:
        """A person opens the conversation for the first time."""
        reply = {"displayText": "Start", "postback": {"data": "new_bot_user_initiation"}}
        return self._lives.say(contact, {"suggestedResponse": {"response": {"reply": reply}}}, "newUser", bot)

    def send_alias(self, number: str, chat_id: str, bot: str = "") -> None:
        """Tell which number an anonymous contact has."""
        self._lives.alias(number, chat_id, bot)

    def disturb(self, wishes: Wishes) -> None:
        """Lose, repeat, delay or hold back webhooks from now on, whatever the rules say."""
        self._webhooks.disturb(wishes)

    def revoke_tokens(self) -> None:
        """Take back every token of both layers."""
        self.tokens.revoke_all()
        if self._door.layer is not None:
            self._door.layer.revoke_all()

    def report(self, msg_id: str, status: str, code: int = 0) -> None:
        """Bring a message into a state now, whatever its rule says; raises ``KeyError`` for an unknown id."""
        self._lives.report(self.ledger.messages[msg_id], status, code)

    def report_file(self, file_id: str, status: FileStatus) -> None:
        """Bring an uploaded file into a state now; raises ``KeyError`` for an unknown id."""
        self._files.report(self.files.files[file_id], status)

    def tick(self) -> None:
        """Do what is due by the clock that was given."""
        self._schedule.tick()

    def _second_layer(self, options: Options) -> SecondLayer | None:
        if not self.dialect.two_layers:
            return None
        keys = {bot: public_key_of(pem) for bot, pem in options.layer.bot_keys.items()}
        return SecondLayer(options.layer, keys, options.token_lifetime_s)


def run_command(
    listen: str,
    webhook: str,
    webhook_token: str,
    client_id: str,
    client_secret: str,
    rules: Path | None,
    quota_per_minute: int,
    dialect: str = "standard",
    bot_key: Path | None = None,
    bot_exchange: bool = False,
) -> None:
    """Run a platform until SIGINT or SIGTERM; exits with status 2 and a sentence when it cannot start."""

    def make() -> RcsPlatform:
        keys = {ANYONE: bot_key.read_text(encoding="utf-8")} if bot_key is not None else {}
        options = Options(
            dialect=dialect_of(dialect).name,
            layer=LayerOptions(strategy="exchange" if bot_exchange else "header", bot_keys=keys),
            webhook_url=webhook,
            webhook_authorization=webhook_token,
            client_id=client_id,
            client_secret=client_secret,
            quota_per_minute=quota_per_minute,
        )
        return RcsPlatform(options, load(rules, Behaviour) if rules is not None else Behaviour())

    run("rcs platform", listen, make)
