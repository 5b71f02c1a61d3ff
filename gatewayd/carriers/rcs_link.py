"""A link to an RCS platform, whichever: a fixed pool of senders, one token, and what the webhook brings.

Knows nothing of routes, quotas, stores or accounts, nor how a platform spells anything; it neither pauses nor retries
beyond one refreshed token.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from gatewayd.carriers.backoff import Backoff
from gatewayd.carriers.link import Capability, LinkListener, Report, Result, Revocation
from gatewayd.carriers.rcs_http import Answer, Flight, HttpCaller, NoAnswerError, NotSentError, Streamed
from gatewayd.carriers.rcs_jobs import Check, Job, Notices, Revoke, Send
from gatewayd.carriers.rcs_platforms import credentials_for, pause_after, platform_for, revocation_of
from gatewayd.carriers.rcs_reports import settle_all
from gatewayd.carriers.rcs_token import NoTokenError, TokenKeeper
from gatewayd.carriers.shelf import MediaPendingError
from gatewayd.carriers.templates import is_plain, text_of
from gatewayd.carriers.uploader import Filing, Uploader
from gatewayd.config import schema
from gatewayd.message import Accepted, Channel, Deferred, Message, Outcome, Receipt, Refused, Unknown
from gatewayd.policy.aliases import is_pseudonym
from gatewayd.policy.numbering import handset_of
from gatewayd.policy.user_data import handset_only, may_be_special
from gatewayd.runtime.tasks import spawn
from protocol.rcs import answers, tokens
from protocol.rcs.content import Content, Text
from protocol.rcs.errors import ContentFault, RcsFault
from protocol.rcs.events import Contact, FileEvent
from protocol.rcs.exchange import Request
from protocol.rcs.platform import Outgoing, Platform
from protocol.smpp.errors import SmppFault

logger = logging.getLogger(__name__)

PAUSE_DEFAULT_S = 60.0
RETRY_MIN_S, RETRY_MAX_S = 1.0, 60.0
FULL_RETRY_S = 1.0
MEDIA_RETRY_S = 1.0
USER_REFUSALS_MAX = 3
"""So many users in a row whom the platform calls too busy are not the users' doing: the agent waits."""

QUERIES_PER_SENDER_MAX = 10
"""Questions (revokes, capability checks) may wait in line up to this many times the window."""


class RcsLink:
    """One agent (bot) at one platform, as the contract in ``link`` asks.

    ``secret`` is the client's, or a service account's key file; ``bot_key`` the bot's own key. ``alias_of`` tells the
    platform's alias behind a pseudonymous handset; ``content_of`` may make more of a message than its words, which go
    as they are where the platform cannot take that. ``files`` are the local ones that it may name, to be uploaded.
    """

    channel = Channel.RCS

    def __init__(
        self,
        name: str,
        settings: schema.Link,
        provider: schema.Provider | None,
        secret: str,
        listener: LinkListener,
        *,
        webhook_token: str = "",
        bot_key: str = "",
        platform: Platform | None = None,
        alias_of: Callable[[str], str] = lambda handset: "",
        content_of: Callable[[Message], Content] = text_of,
        files: Filing | None = None,
        on_fault: Callable[[str], None] = lambda kind: None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self.name = name
        self.bot_id = settings.bot_id
        self.webhook_token = webhook_token
        self.new_user_text = settings.new_user_text
        self.platform = platform or platform_for(settings)
        self._settings = settings
        self._pause_s = provider.pause_s if provider else PAUSE_DEFAULT_S
        self._secret = secret
        self._bot_key = bot_key
        self._alias_of = alias_of
        self._content_of = content_of
        self._on_fault = on_fault
        self._clock = clock
        self._wall = wall
        self._user_refusals = 0
        self._graces: dict[int, tuple[asyncio.TimerHandle, Revocation]] = {}
        rng = rng or random.Random()
        self._failures = Backoff(RETRY_MIN_S, RETRY_MAX_S, rng)
        self._http = HttpCaller(settings.server_root, settings.request_timeout_s)
        self._token = TokenKeeper(self._fetch_token, clock, Backoff(RETRY_MIN_S, RETRY_MAX_S, rng), self._token_changed)
        self._uploader: Uploader | None = None
        if files is not None and self.platform.files is not None:
            self._uploader = Uploader(self.platform.files, settings, files, self.exchange, clock, wall, rng)
        self._notices = Notices(self, listener)
        self._jobs: deque[Job] = deque()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._taken = 0
        self._is_open = self._was_up = self._was_full = False
        self._trouble = ""
        self._drained = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_up(self) -> bool:
        """Whether a token stands."""
        return self._is_open and self._token.is_held

    @property
    def window_used(self) -> int:
        """Messages and questions that wait for their answer."""
        return self._taken

    @property
    def window_up(self) -> int:
        """How many may wait at most."""
        return self._settings.window

    def capacity(self) -> int:
        """Senders that nothing is waiting for; a question takes one as well as a message does."""
        free = max(0, self._settings.window - self._taken) if self.is_up else 0
        if not free:
            self._was_full = True
        return free

    def want(self, waiting: int, keep: int) -> None:
        """Nothing to share: each worker speaks to the platform itself."""

    def cost(self, message: Message) -> int:
        """One: no message is cut here."""
        return 1

    def submit(self, message: Message, segments: Sequence[int] | None = None, expires_at: float = 0.0) -> None:
        """Send it; ``segments`` can only be the one there is."""
        if self.capacity() > 0:
            self._take(Send(message, expires_at, Flight(), self._clock()))
        else:
            error = "window_full" if self.is_up else "link_down"
            self._notices.result(Result(message.id, 0, Deferred(error, FULL_RETRY_S), 0.0))

    def unseen(self, message: Message, error: str) -> Unknown:
        """What became of an attempt whose end nobody saw: under the name that it bears, where we give the names."""
        if not self.platform.repeats_safely:
            return Unknown(error)
        job = Send(message, 0.0, Flight(), self._clock())
        try:
            outgoing, _ = self._request_of(job)
        except MediaPendingError:
            outgoing = self._outgoing(job)
        except (RcsFault, SmppFault):
            return Unknown(error)  # it cannot have been sent at all
        return self._unknown(error, outgoing)

    def acknowledge(self, tokens: Sequence[object], stored: bool) -> None:
        """Let the webhook answer the requests that these reports came with."""
        settle_all(tokens, stored)

    def revoke(self, message_id: int, carrier_id: str) -> None:
        """Ask for it; ends in ``on_revoked``."""
        if self._is_open and self._taken < self._questions_max:
            self._take(Revoke(message_id, carrier_id, Flight()))
        else:
            self._notices.revocation(self._unasked(message_id, carrier_id, self._closed_word))

    def spelt_out(self, receipt: Receipt) -> Receipt:
        """The same: a platform has one spelling."""
        return receipt

    def check_capability(self, handset: str) -> None:
        """Ask for it; ends in ``on_capability``."""
        if self._settings.capability == "assume":
            self._notices.capability(Capability(handset, True, "assumed"))
        elif self._is_open and self._taken < self._questions_max:
            self._take(Check(handset, Flight()))
        else:
            self._notices.capability(Capability(handset, None, self._closed_word))

    async def exchange(self, request: Request, body: Streamed | None = None) -> Answer:
        """A request of another kind under this link's token, see ``rcs_bulk`` and ``uploader``.

        Raises as ``HttpCaller.call`` does.
        """
        return await self._call(request, Flight(), body)

    def on_file(self, event: FileEvent) -> None:
        """The platform told what became of a file."""
        if self._uploader is not None:
            self._uploader.note(event)

    def report(self, reports: Sequence[Report]) -> None:
        """What the webhook server read; told to the listener at the end of the loop turn."""
        self._notices.reports(reports)

    async def start(self) -> None:
        """Open the session, start the senders, and fetch the first token in the background."""
        await self._http.open()
        self._is_open = True
        self._tasks = [spawn(self._serve(), name=f"{self.name} sender {n}") for n in range(self._settings.window)]
        self._tasks.append(spawn(self._token.run(), name=f"{self.name} token"))
        if self._uploader is not None:
            self._tasks.append(spawn(self._uploader.run(), name=f"{self.name} uploader"))

    async def reconnect(self) -> None:
        """Fetch another token; the one that is held serves until then."""
        self._token.renew()

    async def stop(self, drain_s: float) -> None:
        """Take no more, wait for what was taken, give back the rest: Unknown if it left, Deferred if it did not."""
        self._is_open = False
        if self._taken:
            self._drained.clear()
            try:
                async with asyncio.timeout(drain_s):
                    await self._drained.wait()
            except TimeoutError:
                logger.warning("link %s: %d requests unfinished after %.0f s", self.name, self._taken, drain_s)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        while self._jobs:
            self._give_back(self._jobs.popleft(), "stopped")
        for message_id, (timer, _) in list(self._graces.items()):
            timer.cancel()
            self._grace_over(message_id)
        await self._http.close()
        await self._notices.flushed()

    @property
    def _questions_max(self) -> int:
        return self._settings.window * QUERIES_PER_SENDER_MAX

    @property
    def _closed_word(self) -> str:
        return "busy" if self._is_open else "link_down"

    def _take(self, job: Job) -> None:
        self._taken += 1
        self._jobs.append(job)
        while self._idle:
            idle = self._idle.popleft()
            if not idle.done():
                idle.set_result(None)
                break

    async def _serve(self) -> None:
        """One sender: take a job, finish it, and so on until cancelled."""
        while True:
            while not self._jobs:
                idle = asyncio.get_running_loop().create_future()
                self._idle.append(idle)
                await idle
            job = self._jobs.popleft()
            try:
                await self._finish(job)
            except asyncio.CancelledError:
                self._give_back(job, "stopped")
                raise
            except Exception:
                # A bug of ours must neither lose the message nor end the sender.
                logger.exception("link %s: a request failed inside the gateway", self.name)
                self._on_fault("internal")
                self._give_back(job, "internal")

    async def _finish(self, job: Job) -> None:
        match job:
            case Send():
                self._close(job, await self._send(job))
            case Revoke():
                await self._revoke(job)
            case Check():
                await self._check(job)

    def _give_back(self, job: Job, error: str) -> None:
        match job:
            case Send(message, flight=flight):
                self._close(job, self.unseen(message, error) if flight.is_sent else Deferred(error, FULL_RETRY_S))
            case Revoke(message_id, carrier_id, flight):
                self._revoked(job, self._unasked(message_id, carrier_id, error, flight.is_sent))
            case Check():
                self._checked(job, None, error)

    async def _send(self, job: Send) -> Outcome:
        if may_be_special(job.message) and (word := handset_only(job.message)):
            return Refused(word)  # no route should have led it here: it has no SMS link
        try:
            outgoing, request = self._request_of(job)
        except RcsFault as fault:
            return Refused(fault.kind)
        except SmppFault:
            return Refused("text_undecodable")
        except MediaPendingError:
            return Deferred("media_pending", MEDIA_RETRY_S)
        try:
            answer = await self._call(request, job.flight)
        except NoTokenError as error:
            return Deferred(str(error), max(FULL_RETRY_S, self._token.retry_s))
        except NotSentError as error:
            return Deferred(str(error), self._failures.next_s())
        except NoAnswerError as error:
            return self._unknown(str(error), outgoing)
        meaning = self.platform.read_send(answer.status, answer.body, answer.retry_after, outgoing)
        if job.files and type(meaning) is answers.NotTaken and not meaning.unreachable and self._doubts(job):
            return Deferred("media_doubted", MEDIA_RETRY_S)
        return self._outcome_of(meaning, outgoing)

    def _request_of(self, job: Send) -> tuple[Outgoing, Request]:
        outgoing = self._outgoing(job)
        try:
            if self._uploader is not None and type(outgoing.content) is not Text:
                content, job.files = self._uploader.place(outgoing.content)
                outgoing = msgspec.structs.replace(outgoing, content=content)
            return outgoing, self.platform.send(outgoing)
        except ContentFault as fault:
            if is_plain(outgoing.content):
                raise
            self._on_fault(fault.kind.replace("content_", "template_"))
            outgoing = msgspec.structs.replace(outgoing, content=text_of(job.message))
            return outgoing, self.platform.send(outgoing)

    def _doubts(self, job: Send) -> bool:
        """Whether it may have been refused for a file that the platform lost; that is looked after now."""
        return self._uploader is not None and self._uploader.doubt(job.files)

    def _outgoing(self, job: Send) -> Outgoing:
        message = job.message
        content = self._content_of(message)
        handset = handset_of(message.destination, message.destination_ton, message.destination_npi)
        types = self.platform.traffic_types
        return Outgoing(
            bot_id=self.bot_id,
            contact=self._contact(handset),
            content=content,
            message_id=message.id,
            now=self._wall(),
            expires_at=job.expires_at,
            traffic_type=self._settings.traffic_type or types.get(message.traffic_class, types.get("", "")),
        )

    def _contact(self, handset: str) -> Contact:
        if not is_pseudonym(handset):
            return Contact(f"+{handset}")
        alias = self._alias_of(handset)
        if not alias:
            raise RcsFault("unknown_alias")
        return Contact("", alias)

    def _outcome_of(self, answer: answers.SendAnswer, outgoing: Outgoing) -> Outcome:
        match answer:
            case answers.Taken(msg_id=msg_id):
                self._succeeded()
                return Accepted(msg_id, is_plain(outgoing.content))
            case answers.NotTaken(error=error, unreachable=unreachable):
                self._succeeded()
                return Refused(error, unreachable)
            case answers.TryLater(throttled=True):
                return self._throttled(answer)
            case answers.TryLater(error=error, retry_s=retry_s):
                return Deferred(error, self._failures.next_s() if retry_s is None else retry_s)
            case answers.TokenRefused(error=error):
                return Deferred(error, max(FULL_RETRY_S, self._token.retry_s))
            case answers.Unclear(error=error):
                self._on_fault(error)
                return self._unknown(error, outgoing)

    def _succeeded(self) -> None:
        self._failures.reset()
        self._user_refusals = 0

    def _throttled(self, answer: answers.TryLater) -> Deferred:
        retry_s = self._pause_s if answer.retry_s is None else answer.retry_s
        scope = answer.scope
        if scope == "user":
            self._user_refusals += 1
            scope = "user" if self._user_refusals <= USER_REFUSALS_MAX else "agent"
        return Deferred(answer.error, retry_s, pauses=scope != "user", scope=scope)

    def _unknown(self, error: str, outgoing: Outgoing) -> Unknown:
        name = self.platform.name_of(outgoing) if self.platform.repeats_safely else ""
        return Unknown(error, name, is_plain(outgoing.content))

    @staticmethod
    def _unasked(message_id: int, carrier_id: str, error: str, is_sent: bool = False) -> Revocation:
        return Revocation(message_id, carrier_id, None, error, retry_s=None if is_sent else FULL_RETRY_S)

    async def _revoke(self, job: Revoke) -> None:
        try:
            request = self.platform.revoke(self.bot_id, job.carrier_id)
        except RcsFault as fault:
            self._revoked(job, Revocation(job.message_id, job.carrier_id, None, fault.kind))
            return
        answer = await self._ask(request, job.flight)
        self._revoked(job, revocation_of(job, answer, self.platform, self._pause_s, self._failures))

    async def _check(self, job: Check) -> None:
        try:
            request = self.platform.capability(self.bot_id, self._contact(job.handset), time.time_ns())
        except RcsFault as fault:
            self._checked(job, None, fault.kind)
            return
        answer = await self._ask(request, job.flight)
        if isinstance(answer, str):
            self._checked(job, None, answer)
        else:
            meaning = self.platform.read_capability(answer.status, answer.body)
            self._checked(job, meaning.capable, meaning.reason, pause_after(answer, self.platform, self._pause_s))

    async def _ask(self, request: Request, flight: Flight) -> Answer | str:
        """The answer to a question that may safely be asked again, or a word on why there is none."""
        try:
            return await self._call(request, flight)
        except (NoTokenError, NotSentError, NoAnswerError) as error:
            return str(error)

    async def _call(self, request: Request, flight: Flight, body: Streamed | None = None) -> Answer:
        """One exchange under the token; a refused token is replaced once, and the request repeated once."""
        answer = await self._call_once(request, flight, body)
        if answer.status != 401:
            return answer
        # A 401 is a clear no: nothing was taken, so the flight begins anew.
        flight.is_sent = False
        return await self._call_once(request, flight, body)

    async def _call_once(self, request: Request, flight: Flight, body: Streamed | None) -> Answer:
        token = await self._token.get()
        beside = self._token.headers
        if beside:
            request = msgspec.structs.replace(request, headers={**request.headers, **dict(beside)})
        answer = await self._http.call(request, f"Bearer {token}", flight, body)
        if answer.status == 401:
            self._token.refuse(token)
        else:
            self._token.prove()
        return answer

    async def _fetch_token(self) -> tokens.Token:
        try:
            grant = self.platform.grant(credentials_for(self._settings, self._secret, self._bot_key), self._wall())
            token = await self._http.granted(grant)
        except RcsFault as fault:
            self._on_fault(fault.kind)
            if fault.kind != self._trouble:  # the first of a row alike
                self._trouble = fault.kind
                logger.warning("link %s: no token, %s", self.name, fault.kind)
            raise
        self._trouble = ""
        return token

    def _token_changed(self, is_held: bool) -> None:
        if is_held != self._was_up:
            logger.log(
                logging.INFO if is_held else logging.WARNING, "link %s: %s", self.name, "up" if is_held else "down"
            )
        # A token may also have run out unseen: whoever found no capacity meanwhile hears of the new one.
        if is_held and (self._was_full or not self._was_up):
            self._was_full = False
            self._notices.ready()
        self._was_up = is_held

    def _close(self, job: Send, outcome: Outcome) -> None:
        self._notices.result(Result(job.message.id, 0, outcome, self._clock() - job.taken_at))
        self._release()

    def _revoked(self, job: Revoke, revocation: Revocation) -> None:
        """Tell it; a yes only once the platform can no longer deliver all the same, so that the two do not cross."""
        if revocation.revoked and self.platform.revoke_grace_s and self._is_open:
            call_later = asyncio.get_running_loop().call_later
            timer = call_later(self.platform.revoke_grace_s, self._grace_over, job.message_id)
            self._graces[job.message_id] = timer, revocation
        else:
            self._notices.revocation(revocation)
        self._release()

    def _grace_over(self, message_id: int) -> None:
        _, revocation = self._graces.pop(message_id)
        self._notices.revocation(revocation)

    def _checked(self, job: Check, capable: bool | None, reason: str, throttled: Deferred | None = None) -> None:
        self._notices.capability(Capability(job.handset, capable, reason, throttled))
        self._release()

    def _release(self) -> None:
        self._taken -= 1
        if not self._taken:
            self._drained.set()
        if self._was_full and self._is_open:
            self._was_full = False
            self._notices.ready()
