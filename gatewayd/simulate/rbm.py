"""Google's RBM platform to try the gateway with: strict about what it is sent, and doing what it is told.

It judges the gateway's RBM side, so it shares no code with it: everything here is written from the documentation.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import msgspec

from gatewayd.simulate.rbm_behaviour import RbmBehaviour
from gatewayd.simulate.rbm_control import RbmControlDesk, UserEventKind
from gatewayd.simulate.rbm_files import RbmFileDesk
from gatewayd.simulate.rbm_http import TOKEN_PATH, RbmDoor, Repeat, RevokeSemantics
from gatewayd.simulate.rbm_ledger import RbmLedger
from gatewayd.simulate.rbm_lives import RbmLives
from gatewayd.simulate.rbm_pushes import PushOptions, Signing
from gatewayd.simulate.rbm_reach import ReachDesk
from gatewayd.simulate.rbm_tokens import GoogleTokens, ServiceAccount, new_service_account, read_service_account
from gatewayd.simulate.rbm_validation import MessageChecks, Use
from gatewayd.simulate.rcs_disturbance import Wishes
from gatewayd.simulate.rcs_quota import Quota
from gatewayd.simulate.rcs_webhooks import WebhookPolicy, WebhookSender
from gatewayd.simulate.rule_files import load
from gatewayd.simulate.schedule import Schedule
from gatewayd.simulate.serving import Site, run

VALIDATION_TIMEOUT_S = 10.0
# Google repeats for seven days, at most ten minutes apart.
WEBHOOKS = WebhookPolicy(attempts=1018)


class RbmOptions(msgspec.Struct, frozen=True, kw_only=True):
    """A platform's fixed properties.

    ``agents`` None lets any agent in; ``use`` is what they are registered for. ``token_uri`` is the audience that
    assertions must name ("": wherever the token was asked for, or Google's own). A quota is each agent's own, 0 is
    none; ``quota_names_wait`` adds Retry-After to its 429. Where the documentation contradicts itself or is silent:
    ``revoke_semantics``, ``repeat`` (an id used before is answered as the first time, or 409),
    ``card_suggestions_max``, ``batch_few_refused`` (under 500 numbers are refused), ``push.signed_part``.
    """

    webhook_url: str = ""
    push: PushOptions = PushOptions()
    agents: frozenset[str] | None = None
    use: Use = "multi_use"
    token_uri: str = ""
    token_lifetime_s: float = 3600.0
    quota_per_s: int = 0
    quota_per_minute: int = 0
    quota_names_wait: bool = True
    batches_per_minute: int = 600
    batch_few_refused: bool = False
    revoke_semantics: RevokeSemantics = "404_when_delivered"
    repeat: Repeat = "same"
    card_suggestions_max: int = 4
    webhooks: WebhookPolicy = WEBHOOKS
    records_max: int = 200_000


class RbmPlatform:
    """The whole platform on the running loop. ``clock`` gives monotonic seconds, ``wall`` Unix seconds.

    With a clock of one's own, move it and call ``tick``. ``ledger.wait_for`` waits for what one expects. Between a
    ``stop`` and the next ``start`` nothing is lost: messages live on and webhooks leave after it, as after an outage.
    """

    def __init__(
        self,
        options: RbmOptions | None = None,
        behaviour: RbmBehaviour | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        options = options or RbmOptions()
        self.ledger = RbmLedger(options.records_max)
        self.tokens = GoogleTokens(options.token_lifetime_s)
        self._schedule = Schedule(clock)
        self._webhooks = WebhookSender(options.webhooks, self.ledger, self._schedule, wall)
        self._lives = RbmLives(self.ledger, self._schedule, self._webhooks, wall)
        self._door = RbmDoor(self.tokens, self.ledger, self._lives, self._schedule, wall)
        self.files = RbmFileDesk(self._door.enter, wall)
        self._reach = ReachDesk(self._door.enter, lambda: self._lives.behaviour, clock)
        self._site = Site()
        self._set_up(options)
        self._lives.push = options.push
        self.set_webhook(options.webhook_url)
        self.set_behaviour(behaviour or RbmBehaviour())

    def _set_up(self, options: RbmOptions) -> None:
        door = self._door
        door.agents, door.token_uri = options.agents, options.token_uri
        door.quota_per_s, door.quota_per_minute = options.quota_per_s, options.quota_per_minute
        door.quota_names_wait = options.quota_names_wait
        door.revoke_semantics, door.repeat = options.revoke_semantics, options.repeat
        door.checks = MessageChecks(options.use, self.files.has, options.card_suggestions_max)
        self._reach.few_refused = options.batch_few_refused
        self._reach.quota = Quota(options.batches_per_minute)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen, and return the port; raises ``OSError`` when the address cannot be had."""
        self._door.open()
        app = self._door.application()
        self._reach.add_routes(app)
        self.files.add_routes(app)
        RbmControlDesk(self).add_routes(app)
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

    def new_client(self, token_uri: str) -> bytes:
        """The key file (JSON) of a service account that the platform knows from now on."""
        content = new_service_account(token_uri)
        self.trust(read_service_account(content))
        return content

    def trust(self, account: ServiceAccount) -> None:
        """Know a service account by its key."""
        self.tokens.trust(account)

    def revoke_tokens(self) -> None:
        """Take back every token."""
        self.tokens.revoke_all()

    def set_behaviour(self, behaviour: RbmBehaviour) -> None:
        """Rules for what comes from now on; messages under way keep theirs."""
        self._lives.behaviour = behaviour

    def set_webhook(self, url: str, client_token: str | None = None, signing: Signing | None = None) -> None:
        """Where webhooks go from now on, and how they are signed (None: as before)."""
        self._webhooks.url = url
        push = self._lives.push
        token = push.client_token if client_token is None else client_token
        self._lives.push = msgspec.structs.replace(push, client_token=token, signing=signing or push.signing)

    async def validate_webhook(self) -> str:
        """Ask the webhook to prove itself: returns and records how it gave the secret back.

        ``text`` (as the body), ``header`` or ``json``; "" when it did not.
        """
        secret = secrets.token_urlsafe(16)
        body = {"clientToken": self._lives.push.client_token, "secret": secret}
        how = ""
        timeout = aiohttp.ClientTimeout(total=VALIDATION_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self._webhooks.url, json=body, allow_redirects=False) as response,
            ):
                if response.status == 200:
                    how = _told_how(secret, (await response.read()).strip(), response.headers.get("secret", ""))
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
            how = ""  # no answer is as good as a wrong one; ValueError is how an unusable URL shows itself
        self.ledger.validations.append(how)
        return how

    def throttle_next(self, count: int, retry_after_s: float | None = None, *, per_user: bool = False) -> None:
        """Answer 429 to the next ``count`` messages, as the agent's quota or as their users'."""
        throttle = self._door.throttle
        throttle.left, throttle.retry_after_s, throttle.per_user = count, retry_after_s, per_user

    def say(self, phone: str, members: dict[str, object], agent: str) -> str:
        """A user sends anything: ``members`` join the UserMessage. Returns its id."""
        return self._lives.say(phone, members, agent)

    def send_text(self, phone: str, text: str, agent: str) -> str:
        """A user sends a text; returns its id."""
        return self._lives.say(phone, {"text": text}, agent)

    def send_reply(self, phone: str, text: str, postback: str, agent: str) -> str:
        """A user taps a suggested reply; returns the id of what that sends."""
        answer = {"text": text, "postbackData": postback, "type": "REPLY"}
        return self._lives.say(phone, {"suggestionResponse": answer}, agent)

    def send_location(self, phone: str, latitude: float, longitude: float, agent: str) -> str:
        """A user shares where they are; returns the message's id."""
        return self._lives.say(phone, {"location": {"latitude": latitude, "longitude": longitude}}, agent)

    def send_file(self, phone: str, uri: str, mime_type: str, size: int, name: str, agent: str) -> str:
        """A user sends a file; returns the message's id."""
        payload = {"mimeType": mime_type, "fileSizeBytes": size, "fileUri": uri, "fileName": name}
        return self._lives.say(phone, {"userFile": {"payload": payload}}, agent)

    def send_event(self, phone: str, kind: UserEventKind, agent: str) -> str:
        """A user types, opts in or opts out; returns the event's id."""
        return self._lives.tell(phone, kind, agent)

    def send_launch(self, agent: str, state: str) -> None:
        """Tell that the agent's launch state has changed."""
        self._lives.launch(agent, state)

    def disturb(self, wishes: Wishes) -> None:
        """Lose, repeat, delay or hold back webhooks from now on, whatever the rules say."""
        self._webhooks.disturb(wishes)

    def report(self, msg_id: str, kind: str) -> None:
        """Bring an event about now, whatever the message's rule says; raises ``KeyError`` for an unknown id."""
        self._lives.report(self.ledger.message(msg_id), kind)

    def tick(self) -> None:
        """Do what is due by the clock that was given."""
        self._schedule.tick()


def run_command(
    listen: str,
    webhook: str,
    client_token: str,
    key_file: Path,
    rules: Path | None,
    quota_per_s: int,
) -> None:
    """Run a platform until SIGINT or SIGTERM; exits with status 2 and a sentence when it cannot start.

    A ``key_file`` that is not there is written: the service account's key for the gateway, of mode 0600.
    """

    def make() -> RbmPlatform:
        behaviour = load(rules, RbmBehaviour) if rules is not None else RbmBehaviour()
        push = PushOptions(client_token=client_token)
        return RbmPlatform(RbmOptions(webhook_url=webhook, push=push, quota_per_s=quota_per_s), behaviour)

    run("rbm platform", listen, make, lambda platform, url: _know_client(platform, key_file, url + TOKEN_PATH))


def _know_client(platform: RbmPlatform, key_file: Path, token_uri: str) -> None:
    if key_file.exists():
        platform.trust(read_service_account(key_file.read_bytes()))
        return
    content = platform.new_client(token_uri)
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _told_how(secret: str, body: bytes, header: str) -> str:
    if body == secret.encode():
        return "text"
    if header == secret:
        return "header"
    try:
        decoded = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ""
    return "json" if isinstance(decoded, dict) and decoded.get("secret") == secret else ""
