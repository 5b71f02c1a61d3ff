"""The control endpoints of the RBM platform: tell it what to do while it runs, and read its ledger.

For people and scripts; knows the platform only through the calls it is given.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec
from aiohttp import web

from gatewayd.simulate.controls import Controls, bad, read, report
from gatewayd.simulate.rbm_behaviour import RbmBehaviour
from gatewayd.simulate.rbm_ledger import RbmLedger
from gatewayd.simulate.rbm_pushes import Signing
from gatewayd.simulate.rbm_tokens import GoogleTokens
from gatewayd.simulate.rcs_disturbance import Wishes

UserEventKind = Literal["IS_TYPING", "SUBSCRIBE", "UNSUBSCRIBE"]
Reportable = Literal["DELIVERED", "READ", "TTL_EXPIRATION_REVOKED", "TTL_EXPIRATION_REVOKE_FAILED"]


class Say(msgspec.Struct, forbid_unknown_fields=True):
    """A user sends a text, taps a reply, sends any members of a UserMessage, or an event. Exactly one of these."""

    phone: str
    agent: str
    text: str = ""
    reply: str = ""
    postback: str = ""
    members: dict[str, object] = {}
    event: UserEventKind | None = None


class SetThrottle(msgspec.Struct, forbid_unknown_fields=True):
    """The next ``count`` messages answer 429, for the agent or for their users."""

    count: int
    retry_after_s: float | None = None
    per_user: bool = False


class SetWebhook(msgspec.Struct, forbid_unknown_fields=True):
    """Where webhooks go from now on, and how they are signed."""

    url: str
    client_token: str | None = None
    signing: Signing | None = None
    validate: bool = False


class SetStatus(msgspec.Struct, forbid_unknown_fields=True):
    """Bring one event of a message about now."""

    msg_id: str
    event: Reportable


class RbmControlled(Protocol):
    """What the endpoints need of the platform."""

    ledger: RbmLedger
    tokens: GoogleTokens

    def revoke_tokens(self) -> None: ...

    def set_behaviour(self, behaviour: RbmBehaviour) -> None: ...

    def set_webhook(self, url: str, client_token: str | None = None, signing: Signing | None = None) -> None: ...

    async def validate_webhook(self) -> str: ...

    def throttle_next(self, count: int, retry_after_s: float | None = None, *, per_user: bool = False) -> None: ...

    def say(self, phone: str, members: dict[str, object], agent: str) -> str: ...

    def send_reply(self, phone: str, text: str, postback: str, agent: str) -> str: ...

    def send_event(self, phone: str, kind: UserEventKind, agent: str) -> str: ...

    def disturb(self, wishes: Wishes) -> None: ...

    def report(self, msg_id: str, kind: str) -> None: ...


class RbmControlDesk:
    """The handlers below ``/control``."""

    def __init__(self, platform: RbmControlled) -> None:
        self._platform = platform

    def add_routes(self, app: web.Application) -> None:
        """Put the endpoints into ``app``."""
        Controls(self._platform, RbmBehaviour, "phone").add_routes(app)
        app.router.add_post("/control/mo", self._say)
        app.router.add_post("/control/throttle", self._throttle)
        app.router.add_post("/control/webhook", self._webhook)
        app.router.add_post("/control/status", self._status)

    async def _say(self, request: web.Request) -> web.StreamResponse:
        said = await read(request, Say)
        if [bool(said.text), bool(said.reply), bool(said.members), bool(said.event)].count(True) != 1:
            raise bad("give a text, a reply, members or an event")
        if said.event:
            told = self._platform.send_event(said.phone, said.event, said.agent)
        elif said.reply:
            told = self._platform.send_reply(said.phone, said.reply, said.postback, said.agent)
        else:
            told = self._platform.say(said.phone, said.members or {"text": said.text}, said.agent)
        return web.json_response({"id": told}, status=202)

    async def _throttle(self, request: web.Request) -> web.StreamResponse:
        told = await read(request, SetThrottle)
        self._platform.throttle_next(told.count, told.retry_after_s, per_user=told.per_user)
        return web.Response(status=204)

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        told = await read(request, SetWebhook)
        self._platform.set_webhook(told.url, told.client_token, told.signing)
        how = await self._platform.validate_webhook() if told.validate else ""
        return web.json_response({"validated": how})

    async def _status(self, request: web.Request) -> web.StreamResponse:
        told = await read(request, SetStatus)
        return report(lambda: self._platform.report(told.msg_id, told.event))
