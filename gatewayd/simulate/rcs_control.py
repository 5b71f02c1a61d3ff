"""The control endpoints: tell a running platform what to do, and read its ledger.

For people and scripts; knows the platform only through the calls it is given.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec
from aiohttp import web

from gatewayd.simulate.controls import Controls, bad, read, report
from gatewayd.simulate.rcs_behaviour import Behaviour
from gatewayd.simulate.rcs_disturbance import Wishes
from gatewayd.simulate.rcs_ledger import Ledger
from gatewayd.simulate.rcs_tokens import TokenOffice

Reportable = Literal["sent", "delivered", "displayed", "failed", "cancelled"]


class Inject(msgspec.Struct, forbid_unknown_fields=True):
    """A handset sends a text, taps the suggestion whose text and postback are given, or sends ``members``.

    ``members`` join RCSMessage as they are, under the name ``event``.
    """

    contact: str
    text: str = ""
    reply: str = ""
    postback: str = ""
    bot: str = ""
    event: str = "message"
    members: dict[str, object] = {}


class SetThrottle(msgspec.Struct, forbid_unknown_fields=True):
    """The next ``count`` messages answer 429."""

    count: int
    retry_after_s: float | None = None


class SetWebhook(msgspec.Struct, forbid_unknown_fields=True):
    """Where webhooks go from now on, and the value of their Authorization header."""

    url: str
    authorization: str = ""


class SetStatus(msgspec.Struct, forbid_unknown_fields=True):
    """Bring one message into a state now."""

    msg_id: str
    status: Reportable
    code: int = 0


class Controlled(Protocol):
    """What the endpoints need of the platform."""

    ledger: Ledger
    tokens: TokenOffice

    def set_behaviour(self, behaviour: Behaviour) -> None: ...

    def set_webhook(self, url: str, authorization: str) -> None: ...

    def throttle_next(self, count: int, retry_after_s: float | None = None) -> None: ...

    def send_text(self, contact: str, text: str, bot: str = "") -> str: ...

    def send_reply(self, contact: str, display_text: str, postback: str, bot: str = "") -> str: ...

    def say(self, contact: str, members: dict[str, object], event: str = "message", bot: str = "") -> str: ...

    def disturb(self, wishes: Wishes) -> None: ...

    def revoke_tokens(self) -> None: ...

    def report(self, msg_id: str, status: str, code: int = 0) -> None: ...


class ControlDesk:
    """The handlers below ``/control``."""

    def __init__(self, platform: Controlled) -> None:
        self._platform = platform

    def add_routes(self, app: web.Application) -> None:
        """Put the endpoints into ``app``."""
        Controls(self._platform, Behaviour, "contact").add_routes(app)
        app.router.add_post("/control/mo", self._inject)
        app.router.add_post("/control/throttle", self._throttle)
        app.router.add_post("/control/webhook", self._webhook)
        app.router.add_post("/control/status", self._status)

    async def _inject(self, request: web.Request) -> web.StreamResponse:
        inject = await read(request, Inject)
        if [bool(inject.text), bool(inject.reply), bool(inject.members)].count(True) != 1:
            raise bad("give a text, a reply or members")
        if inject.members:
            msg_id = self._platform.say(inject.contact, inject.members, inject.event, inject.bot)
        elif inject.reply:
            msg_id = self._platform.send_reply(inject.contact, inject.reply, inject.postback, inject.bot)
        else:
            msg_id = self._platform.send_text(inject.contact, inject.text, inject.bot)
        return web.json_response({"msgId": msg_id}, status=202)

    async def _throttle(self, request: web.Request) -> web.StreamResponse:
        throttle = await read(request, SetThrottle)
        self._platform.throttle_next(throttle.count, throttle.retry_after_s)
        return web.Response(status=204)

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        told = await read(request, SetWebhook)
        self._platform.set_webhook(told.url, told.authorization)
        return web.Response(status=204)

    async def _status(self, request: web.Request) -> web.StreamResponse:
        told = await read(request, SetStatus)
        return report(lambda: self._platform.report(told.msg_id, told.status, told.code))
