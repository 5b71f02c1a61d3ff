"""One connection to an MQTT broker, from CONNECT to its end: publishes with QoS 1, subscribes, acknowledges by hand.

The only module that knows aiomqtt, and the paho client under it: aiomqtt connects, reads and writes on the loop, while
what it hides is taken from paho. Those are the reason code in a PUBACK (an ACL's refusal looks like success otherwise),
acknowledging a message later than when it was read, and the end of a connection for those who wait for an answer.
Its socket callbacks are looked after, too: aiomqtt may watch a socket that was closed a moment ago, and may not hear
that one was reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import aiomqtt
import msgspec
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

log = logging.getLogger(__name__)

# What these two have to say of a connection, its broker says better, and once.
_unheard = logging.getLogger(f"{__name__}.library")
_unheard.setLevel(logging.CRITICAL)

CONNECT_TIMEOUT_S: Final = 10.0
PUBLISH_TIMEOUT_S: Final = 30.0
READS_MAX: Final = 1_000
"""Packets that are read in one turn of the loop; a broker has fewer under way, but for QoS 0."""

QOS: Final = 1
FAILED: Final = 0x80
"""Reason codes from here on are refusals (MQTT 5 section 2.4)."""

_UNSUPPORTED_VERSION: Final = 0x84
_VERSIONS: Final = {"5": aiomqtt.ProtocolVersion.V5, "3.1.1": aiomqtt.ProtocolVersion.V311}


class WireFault(Exception):
    """The connection could not be made, or is no more. ``word`` is one of a small set, for counters."""

    def __init__(self, word: str, detail: str = "") -> None:
        super().__init__(detail or word)
        self.word = word


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How to connect. ``session_s`` 0: the broker forgets us at once; else it keeps what comes meanwhile so long."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    username: str
    password: str
    client_id: str
    keepalive_s: int
    window: int
    receive_max: int
    size_max: int
    session_s: int
    will: tuple[str, bytes] | None = None


class Incoming(msgspec.Struct, frozen=True):
    """A message from the broker. ``number`` is for ``Wire.acknowledge``; 0 (QoS 0) needs no acknowledgement.
    ``is_old``: the broker keeps it, and tells it to whoever subscribes; it was not published just now."""

    topic: str
    payload: bytes
    number: int
    response_topic: str
    correlation: bytes
    is_old: bool = False


class Wire:
    """One connection. Made once, opened once, and useless after its end."""

    def __init__(
        self, terms: Terms, version: str, on_message: Callable[[Wire, Incoming], None], on_end: Callable[[], None]
    ) -> None:
        """``version``: "5" or "3.1.1". ``on_end`` is called once, if ``open`` had succeeded."""
        self.is_version_5 = version == "5"
        self.version = version
        self.size_max = 0
        self._on_message = on_message
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._unanswered: dict[int, asyncio.Future[int]] = {}
        self._to_acknowledge: deque[int] = deque()
        self._acknowledged: set[int] = set()
        self._has_ended = False
        self._hint = "it may want another mqtt.tls_certificate" if terms.tls else "it may want mqtt.tls"
        self._client = aiomqtt.Client(
            terms.host,
            terms.port,
            username=terms.username or None,
            password=terms.password or None,
            identifier=terms.client_id,
            protocol=_VERSIONS[version],
            will=aiomqtt.Will(*terms.will, qos=QOS, retain=True) if terms.will else None,
            clean_session=None if self.is_version_5 else terms.session_s == 0,
            clean_start=terms.session_s == 0 if self.is_version_5 else MQTT_CLEAN_START_FIRST_ONLY,
            logger=_unheard,
            timeout=CONNECT_TIMEOUT_S,
            keepalive=terms.keepalive_s,
            max_inflight_messages=terms.window,
            properties=_connect_properties(terms) if self.is_version_5 else None,
            tls_context=terms.tls,
        )
        paho = self._paho = self._client._client  # see the module's head
        paho.manual_ack_set(True)
        self._tell_connected: Callable[..., None] | None = paho.on_connect
        paho.on_connect = self._connected
        self._tell_disconnected: Callable[..., None] | None = paho.on_disconnect
        paho.on_disconnect = self._disconnected
        paho.on_publish = self._published
        paho.on_message = self._received
        self._thread = threading.get_ident()
        self._tell_opened: Callable[..., None] | None = paho.on_socket_open
        self._tell_closed: Callable[..., None] | None = paho.on_socket_close
        paho.on_socket_open = self._socket_opened
        paho.on_socket_close = self._socket_closed
        paho.on_socket_register_write = self._socket_is_full

    @property
    def has_ended(self) -> bool:
        """Whether nothing can go over it any more."""
        return self._has_ended

    @property
    def is_behind(self) -> bool:
        """Whether something that came is not acknowledged yet."""
        return bool(self._to_acknowledge)

    async def open(self) -> None:
        """Connect. Raises WireFault."""
        try:
            await self._client.__aenter__()
        except (aiomqtt.MqttError, ValueError) as error:  # a name that can be nobody's is no OSError
            self._hang_up()
            raise self._fault_of(error) from None
        except BaseException:
            self._hang_up()
            raise
        self._client._disconnected.add_done_callback(self._ended)

    def _fault_of(self, error: Exception) -> WireFault:
        word = _word_of(error)
        if word == "unanswered" and "hung up" in str(error):
            return WireFault(word, f"{error}; {self._hint}")
        return WireFault(word, str(error))

    async def close(self) -> None:
        """Say goodbye, so that no will is published, and hang up."""
        with contextlib.suppress(aiomqtt.MqttError):
            await self._client.__aexit__(None, None, None)
        self._end()

    def drop(self) -> None:
        """Hang up without a word."""
        self._hang_up()
        self._end()

    def publish(
        self, topic: str, payload: bytes, *, is_retained: bool = False, expiry_s: int = 0, correlation: bytes = b""
    ) -> asyncio.Future[int]:
        """Send with QoS 1. The answer is the broker's reason code, or WireFault when there will be none. ``expiry_s``
        and ``correlation`` travel with MQTT 5 alone."""
        answer: asyncio.Future[int] = self._loop.create_future()
        properties = _publish_properties(expiry_s, correlation) if self.is_version_5 else None
        info = self._paho.publish(topic, payload, QOS, is_retained, properties)
        if self._has_ended or info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            _give_up(answer)
        else:
            self._unanswered[info.mid] = answer
        return answer

    async def settled(self, answer: asyncio.Future[int]) -> int:
        """A publish's reason code. Raises WireFault, also when a broker that should answer does not: then it is cut."""
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                return await answer
        except TimeoutError:
            log.warning("= mqtt: the broker leaves a publish unanswered; the connection is cut")
            self.drop()
            raise WireFault("timeout") from None

    async def subscribe(self, topic: str, qos: int = QOS) -> None:
        """Have what is published there. Raises WireFault, also when the broker does not allow it."""
        try:
            codes = await self._client.subscribe(topic, qos=qos)
        except aiomqtt.MqttError as error:
            raise WireFault("disconnected", str(error)) from None
        if any(_number(code) >= FAILED for code in codes):
            raise WireFault("subscription_refused", f"the broker refuses the subscription to {topic}")

    async def unsubscribe(self, topic: str) -> None:
        """Have it no longer. Raises WireFault."""
        try:
            await self._client.unsubscribe(topic)
        except aiomqtt.MqttError as error:
            raise WireFault("disconnected", str(error)) from None

    def acknowledge(self, number: int) -> None:
        """The broker may forget that message. It hears of them in the order in which they came, as MQTT demands
        (MQTT 5 section 4.6): what is acknowledged early waits for those before it."""
        if not number or self._has_ended:
            return
        self._acknowledged.add(number)
        while self._to_acknowledge and self._to_acknowledge[0] in self._acknowledged:
            first = self._to_acknowledge.popleft()
            self._acknowledged.discard(first)
            self._paho.ack(first, QOS)

    # -- its socket: connecting is another thread's work, all else the loop's ------------------------------------------

    def _socket_opened(self, client: Any, userdata: Any, opened: Any) -> None:
        self._loop.call_soon_threadsafe(self._watch_reads, client, opened)

    def _watch_reads(self, client: Any, opened: socket.socket) -> None:
        if opened.fileno() >= 0 and self._tell_opened is not None:
            self._tell_opened(client, None, opened)
            self._loop.call_soon(self._read_all_of, opened)

    def _read_all_of(self, opened: socket.socket) -> None:
        """In place of aiomqtt, which reads a packet and waits for the next event: there is none after a reset, whatever
        lies unread, as uvloop watches no further; the end would be noticed by the keep-alive alone."""
        if opened.fileno() >= 0:
            more = select.poll()
            more.register(opened, select.POLLIN)
            self._loop.add_reader(opened.fileno(), self._read, opened, more)

    def _read(self, opened: socket.socket, more: select.poll) -> None:
        try:
            for _ in range(READS_MAX):
                if self._paho.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS or opened.fileno() < 0:
                    return
                if not (isinstance(opened, ssl.SSLSocket) and opened.pending()) and not more.poll(0):
                    return
        except Exception:
            log.exception("= mqtt: what the broker sends cannot be read; the connection is cut")
            connected, disconnected = self._client._connected, self._client._disconnected
            ending = disconnected if connected.done() else connected
            if not ending.done():
                ending.set_exception(aiomqtt.MqttError("what it sends cannot be read"))

    def _socket_closed(self, client: Any, userdata: Any, closed: Any) -> None:
        if threading.get_ident() == self._thread and self._tell_closed is not None:  # else nobody watches it yet
            self._tell_closed(client, userdata, closed)

    def _socket_is_full(self, client: Any, userdata: Any, full: Any) -> None:
        self._loop.call_soon_threadsafe(self._watch_writes, full)

    def _watch_writes(self, full: socket.socket) -> None:
        """Unless it was closed, or emptied, since."""
        if full.fileno() >= 0 and self._paho.want_write():
            try:
                self._loop.add_writer(full.fileno(), self._paho.loop_write)
            except RuntimeError:  # the broker's end reset it, and uvloop has stopped watching: it will never be heard
                self.drop()

    # -- paho's callbacks: all on the loop ----------------------------------------------------------------------------

    def _connected(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        """What the broker can take: its Receive Maximum bounds what paho has under way (MQTT 5 section 3.2.2.3.3)."""
        self.size_max = getattr(properties, "MaximumPacketSize", 0)
        window = getattr(properties, "ReceiveMaximum", 0)
        if window:
            client._max_inflight_messages = min(window, client.max_inflight_messages)
        assert self._tell_connected is not None
        self._tell_connected(client, userdata, flags, reason, properties)

    def _disconnected(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        """One that ends before its CONNACK would be waited for until the time is over."""
        connected = self._client._connected
        if not connected.done():
            connected.set_exception(aiomqtt.MqttError("the broker hung up before it answered"))
        elif self._tell_disconnected is not None:
            self._tell_disconnected(client, userdata, flags, reason, properties)

    def _published(self, client: Any, userdata: Any, number: int, reason: Any, properties: Any) -> None:
        answer = self._unanswered.pop(number, None)
        if answer is not None and not answer.done():
            answer.set_result(_number(reason))

    def _received(self, client: Any, userdata: Any, message: Any) -> None:
        properties = message.properties
        if message.qos:
            self._to_acknowledge.append(message.mid)
        self._on_message(
            self,
            Incoming(
                message.topic,
                message.payload,
                message.mid if message.qos else 0,
                getattr(properties, "ResponseTopic", ""),
                getattr(properties, "CorrelationData", b""),
                bool(message.retain),
            ),
        )

    def _ended(self, future: asyncio.Future[None]) -> None:
        if not future.cancelled():
            future.exception()  # seen: whoever waits hears of it below
        self._hang_up()
        self._end()

    def _end(self) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        for answer in self._unanswered.values():
            _give_up(answer)
        self._unanswered.clear()
        self._on_end()

    def _hang_up(self) -> None:
        """Close the socket, which aiomqtt leaves open when a connection fails half-way."""
        self._paho._sock_close()


def tls_context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """What to trust (nothing named: the system's authorities) and who we are. Raises OSError."""
    context = ssl.create_default_context(cafile=ca or None)
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


def _give_up(answer: asyncio.Future[int]) -> None:
    if not answer.done():
        answer.set_exception(WireFault("disconnected"))
        answer.exception()  # not everybody waits for an answer


def _connect_properties(terms: Terms) -> Properties:
    properties: Properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = terms.session_s
    properties.ReceiveMaximum = terms.receive_max
    properties.MaximumPacketSize = terms.size_max
    return properties


def _publish_properties(expiry_s: int, correlation: bytes) -> Properties | None:
    if not (expiry_s or correlation):
        return None
    properties: Properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if expiry_s:
        properties.MessageExpiryInterval = expiry_s
    if correlation:
        properties.CorrelationData = correlation
    return properties


def _number(code: Any) -> int:
    """A reason code as a number: MQTT 3.1.1 has plain ones."""
    return int(getattr(code, "value", code))


def _word_of(error: Exception) -> str:
    """Why a connection failed."""
    if isinstance(error, aiomqtt.MqttCodeError) and error.rc is not None:
        return "version_refused" if _number(error.rc) == _UNSUPPORTED_VERSION else "refused"
    if "[SSL" in str(error):  # aiomqtt keeps the words alone
        return "tls"
    return "unanswered" if any(word in str(error) for word in ("timed out", "hung up")) else "unreachable"
