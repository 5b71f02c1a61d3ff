"""Twin of gatewayd.carriers.rcs_link (and of rcs_jobs and rcs_http, which it stands on), over real loopback HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from gatewayd.carriers.link import Capability, Result, Revocation
from gatewayd.carriers.rcs_link import RcsLink
from gatewayd.carriers.templates import text_of
from gatewayd.config import schema
from gatewayd.message import Accepted, Channel, Deferred, Encoding, Message, Outcome, Refused, Unknown
from protocol.rcs.content import Card, Content, RichCard
from tests.gatewayd.carriers.rcs_platform import (
    Listener,
    Platform,
    a_message,
    answer,
    hang_up,
    platform_running,
    taken,
)


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with platform_running() as each:
        yield each


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def faults() -> list[str]:
    return []


def settings_for(root: str, **changes: Any) -> schema.Link:
    known: dict[str, Any] = {
        "kind": "gsma",
        "window": 4,
        "server_root": f"{root}/rcs",
        "bot_id": "bot-1",
        "token_url": f"{root}/oauth2/v1/token",
        "client_id": "client",
    }
    return schema.Link(**{**known, **changes})


@asynccontextmanager
async def linked(
    root: str,
    listener: Listener,
    faults: list[str] | None = None,
    provider: schema.Provider | None = None,
    drain_s: float = 0.0,
    content_of: Callable[[Message], Content] = text_of,
    **changes: Any,
) -> AsyncIterator[RcsLink]:
    on_fault = (faults if faults is not None else []).append
    settings = settings_for(root, **changes)
    link = RcsLink("orange", settings, provider, "secret", listener, on_fault=on_fault, content_of=content_of)
    await link.start()
    try:
        yield link
    finally:
        await link.stop(drain_s)


async def sent(link: RcsLink, listener: Listener, message: Message, expires_at: float = 0.0) -> Outcome:
    await listener.until(lambda: link.is_up)
    before = len(listener.results)
    link.submit(message, expires_at=expires_at)
    await listener.until(lambda: len(listener.results) > before)
    result = listener.results[-1]
    assert (result.message_id, result.segment) == (message.id, 0)
    return result.outcome


async def test_a_message_is_taken_and_named(platform: Platform, listener: Listener) -> None:
    async with linked(platform.root, listener, traffic_type="payment") as link:
        assert link.channel is Channel.RCS
        assert link.cost(a_message()) == 1
        message = a_message(7, "Où ? 😀", Encoding.UCS2)
        assert await sent(link, listener, message, expires_at=1795359600.0) == Accepted("m-1")
    (asked,) = platform.asked
    assert (asked.method, asked.path) == ("POST", "/rcs/bot/v1/bot-1/messages")
    assert asked.headers["Authorization"] == "Bearer t-1"
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.json == {
        "RCSMessage": {"textMessage": "Où ? 😀", "trafficType": "payment", "expiry": "2026-11-22T15:00:00Z"},
        "messageContact": {"userContact": "+33612345678"},
    }
    (token_asked,) = platform.token_asked
    assert token_asked.headers["Authorization"] == "Basic Y2xpZW50OnNlY3JldA=="
    assert token_asked.body == b"grant_type=client_credentials&scope=botmessage"


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (404, None, Refused("http_404", unreachable=True)),
        (400, {"reason": {"code": 42005, "text": "bad contact"}}, Refused("42005")),
        (403, None, Refused("http_403")),
        (302, None, Refused("http_302")),
        (429, None, Deferred("http_429", 61.0, pauses=True)),
        (202, {"RCSMessage": {}}, Unknown("no_msg_id")),
        (202, b"x" * 100_000, Unknown("no_msg_id")),
        (404, b"x" * 100_000, Refused("http_404", unreachable=True)),
        (504, None, Unknown("http_504")),
    ],
)
async def test_each_answer_has_its_outcome(
    platform: Platform, listener: Listener, status: int, body: object, outcome: Outcome
) -> None:
    platform.replies = [answer(status, body, Location=f"{platform.root}/rcs/elsewhere")]
    async with linked(platform.root, listener, provider=schema.Provider(pause_s=61.0)) as link:
        assert await sent(link, listener, a_message()) == outcome
    assert len(platform.asked) == 1, "no redirect is followed and nothing is repeated"


async def test_the_platforms_own_pause_counts(platform: Platform, listener: Listener) -> None:
    platform.replies = [answer(429, None, Retry_After="7"), answer(429)]
    async with linked(platform.root, listener) as link:
        assert await sent(link, listener, a_message()) == Deferred("http_429", 7.0, pauses=True)
        assert await sent(link, listener, a_message()) == Deferred("http_429", 60.0, pauses=True)


async def test_failures_in_a_row_wait_longer(platform: Platform, listener: Listener) -> None:
    platform.replies = [answer(500), answer(502), answer(503), taken(), answer(500)]
    async with linked(platform.root, listener) as link:
        outcomes = [await sent(link, listener, a_message()) for _ in range(5)]
    waits = [outcome.retry_s for outcome in outcomes if isinstance(outcome, Deferred)]
    assert [outcome.error for outcome in outcomes if isinstance(outcome, Deferred)] == [
        "http_500",
        "http_502",
        "http_503",
        "http_500",
    ]
    assert [low <= wait <= 2 * low for low, wait in zip([0.5, 1, 2, 0.5], waits, strict=True)] == [True] * 4
    assert not any(outcome.pauses for outcome in outcomes if isinstance(outcome, Deferred))


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (a_message(text=""), "content_empty"),
        (a_message(text="x" * 3073), "content_too_long"),
        (a_message(encoding=Encoding.BINARY), "binary"),
        (a_message(text="é", encoding=Encoding.ASCII), "text_undecodable"),
    ],
)
async def test_what_rcs_cannot_carry_is_refused_unsent(
    platform: Platform, listener: Listener, message: Message, error: str
) -> None:
    async with linked(platform.root, listener) as link:
        assert await sent(link, listener, message) == Refused(error)
    assert platform.asked == []


async def test_an_answer_that_never_comes_is_unknown(platform: Platform, listener: Listener) -> None:
    platform.replies = [platform.silent]
    async with linked(platform.root, listener, request_timeout_s=0.05) as link:
        assert await sent(link, listener, a_message()) == Unknown("timeout")
    assert len(platform.asked) == 1


async def test_a_connection_lost_after_sending_is_unknown(platform: Platform, listener: Listener) -> None:
    platform.replies = [taken(), hang_up, taken()]
    async with linked(platform.root, listener) as link:
        assert await sent(link, listener, a_message()) == Accepted("m-1")
        # On a connection that was kept alive too: nobody repeats a POST behind our back.
        assert await sent(link, listener, a_message()) == Unknown("reset")
    assert len(platform.asked) == 2


async def test_a_connection_refused_is_deferred(platform: Platform, listener: Listener) -> None:
    with socket.socket() as held:
        # Bound and not listening: every connection is refused.
        held.bind(("127.0.0.1", 0))
        server_root = f"http://127.0.0.1:{held.getsockname()[1]}"
        async with linked(platform.root, listener, server_root=server_root) as link:
            outcome = await sent(link, listener, a_message())
    assert isinstance(outcome, Deferred)
    assert (outcome.error, outcome.pauses) == ("connect_failed", False)


async def test_a_refused_token_is_replaced_and_the_message_repeated_once(
    platform: Platform, listener: Listener
) -> None:
    platform.replies = [answer(401), taken()]
    async with linked(platform.root, listener) as link:
        assert await sent(link, listener, a_message()) == Accepted("m-1")
        assert [asked.headers["Authorization"] for asked in platform.asked] == ["Bearer t-1", "Bearer t-2"]


async def test_a_second_401_defers_the_message_and_takes_the_link_down(platform: Platform, listener: Listener) -> None:
    platform.replies = [answer(401)]
    async with linked(platform.root, listener) as link:
        outcome = await sent(link, listener, a_message())
        assert isinstance(outcome, Deferred)
        assert (outcome.error, outcome.pauses) == ("http_401", False)
        assert not link.is_up
        assert link.capacity() == 0
    assert (len(platform.asked), len(platform.token_asked)) == (2, 2)


async def test_many_refusals_of_one_token_cost_one_fetch(platform: Platform, listener: Listener) -> None:
    platform.replies = [answer(401)] * 4 + [taken()]
    async with linked(platform.root, listener) as link:
        await listener.until(lambda: link.is_up)
        for number in range(4):
            link.submit(a_message(number))
        await listener.until(lambda: len(listener.results) == 4)
    assert {result.outcome for result in listener.results} <= {Accepted("m-1")} | {
        result.outcome for result in listener.results if isinstance(result.outcome, Deferred)
    }
    assert len(platform.token_asked) == 2


async def test_without_a_token_the_link_is_down_until_there_is_one(
    platform: Platform, listener: Listener, faults: list[str]
) -> None:
    platform.tokens = [answer(500), answer(200, {"access_token": "late", "expires_in": 3600})]
    async with linked(platform.root, listener, faults) as link:
        assert link.capacity() == 0
        link.submit(a_message(1))
        assert listener.results == [], "the listener is never called from inside a call of its own"
        await listener.until(lambda: listener.results)
        assert listener.results == [Result(1, 0, Deferred("link_down", 1.0), 0.0)]
        await listener.until(lambda: listener.ready)
        assert link.capacity() == 4
    assert faults == ["token_http_500"]


async def test_the_window_bounds_what_is_out_and_says_when_it_opens(platform: Platform, listener: Listener) -> None:
    platform.replies = [platform.silent]
    async with linked(platform.root, listener, window=2) as link:
        await listener.until(lambda: listener.ready)
        link.submit(a_message(1))
        assert link.capacity() == 1
        link.submit(a_message(2))
        assert link.capacity() == 0
        link.submit(a_message(3))
        await platform.until_asked(2)
        assert [result.message_id for result in listener.results] == [3]
        assert listener.results[0].outcome == Deferred("window_full", 1.0)
        platform.release.set()
        await listener.until(lambda: len(listener.results) == 3)
        assert link.capacity() == 2
        assert listener.ready >= 2
    assert sorted(result.message_id for result in listener.results) == [1, 2, 3]


async def test_more_messages_than_senders_over_time_are_all_told_once(platform: Platform, listener: Listener) -> None:
    async with linked(platform.root, listener) as link:
        await listener.until(lambda: link.is_up)
        waiting = list(range(100))
        while waiting:
            while waiting and link.capacity():
                link.submit(a_message(waiting.pop()))
            await listener.until(link.capacity)
        await listener.until(lambda: len(listener.results) == 100)
    assert sorted(result.message_id for result in listener.results) == list(range(100))


@pytest.mark.parametrize(
    ("status", "body", "revoked", "error"),
    [
        (204, None, True, ""),
        (404, None, False, "http_404"),
        (409, None, False, "http_409"),
        (400, None, None, "http_400"),
    ],
)
async def test_revokes(
    platform: Platform, listener: Listener, status: int, body: object, revoked: bool | None, error: str
) -> None:
    platform.replies = [answer(status, body)]
    async with linked(platform.root, listener) as link:
        link.revoke(9, "m/9")
        assert listener.revocations == []
        await listener.until(lambda: listener.revocations)
    assert listener.revocations == [Revocation(9, "m/9", revoked, error)]
    (asked,) = platform.asked
    assert (asked.method, asked.path) == ("PUT", "/rcs/bot/v1/bot-1/messages/m%2F9/status")
    assert asked.json == {"RCSMessage": {"status": "cancelled"}}


@pytest.mark.parametrize(
    ("status", "headers", "at_least_s", "at_most_s"),
    [(500, {}, 0.5, 1.0), (503, {"Retry_After": "7"}, 7.0, 7.0), (504, {}, 0.5, 1.0)],
)
async def test_a_revoke_that_was_not_looked_at_may_be_asked_for_again(
    platform: Platform,
    listener: Listener,
    status: int,
    headers: dict[str, str],
    at_least_s: float,
    at_most_s: float,
) -> None:
    platform.replies = [answer(status, None, **headers)]
    async with linked(platform.root, listener) as link:
        link.revoke(9, "m-9")
        await listener.until(lambda: listener.revocations)
    (revocation,) = listener.revocations
    assert (revocation.revoked, revocation.error, revocation.throttled) == (None, f"http_{status}", None)
    assert revocation.retry_s is not None
    assert at_least_s <= revocation.retry_s <= at_most_s


@pytest.mark.parametrize(
    ("status", "body", "capable", "reason"),
    [
        (200, {"capabilities": ["chat", "chatBotCommunication"]}, True, "chatbot"),
        (200, {"capabilities": ["chat"]}, False, "no_chatbot"),
        (404, None, False, "http_404"),
        (405, None, None, "http_405"),
    ],
)
async def test_capability_checks(
    platform: Platform, listener: Listener, status: int, body: object, capable: bool | None, reason: str
) -> None:
    platform.replies = [answer(status, body)]
    async with linked(platform.root, listener) as link:
        link.check_capability("33612345678")
        assert listener.capabilities == []
        await listener.until(lambda: listener.capabilities)
    assert listener.capabilities == [Capability("33612345678", capable, reason)]
    assert platform.asked[0].path == "/rcs/bot/v1/bot-1/contactCapabilities?userContact=%2B33612345678"


@pytest.mark.parametrize(("headers", "retry_s"), [({"Retry_After": "7"}, 7.0), ({}, 60.0)])
async def test_a_question_that_is_throttled_asks_for_a_pause(
    platform: Platform, listener: Listener, headers: dict[str, str], retry_s: float
) -> None:
    platform.replies = [answer(429, None, **headers)] * 2
    async with linked(platform.root, listener) as link:
        link.check_capability("33612345678")
        link.revoke(9, "m-9")
        await listener.until(lambda: listener.capabilities and listener.revocations)
    pause = Deferred("http_429", retry_s, pauses=True)
    assert listener.capabilities == [Capability("33612345678", None, "http_429", pause)]
    assert listener.revocations == [Revocation(9, "m-9", None, "http_429", pause, retry_s)]


async def test_a_question_without_an_answer_learns_nothing(platform: Platform, listener: Listener) -> None:
    platform.replies = [hang_up]
    async with linked(platform.root, listener) as link:
        link.check_capability("33612345678")
        link.revoke(9, "m-9")
        await listener.until(lambda: listener.capabilities and listener.revocations)
    assert listener.capabilities == [Capability("33612345678", None, "reset")]
    assert listener.revocations == [Revocation(9, "m-9", None, "reset")]


async def test_an_assumed_capability_is_not_asked_for(platform: Platform, listener: Listener) -> None:
    async with linked(platform.root, listener, capability="assume") as link:
        link.check_capability("33612345678")
        await listener.until(lambda: listener.capabilities)
    assert listener.capabilities == [Capability("33612345678", True, "assumed")]
    assert platform.asked == []


async def test_questions_are_bounded(platform: Platform, listener: Listener) -> None:
    platform.replies = [platform.silent]
    async with linked(platform.root, listener, window=1) as link:
        for number in range(11):
            link.check_capability(str(number))
        link.revoke(9, "m-9")
        await listener.until(lambda: listener.capabilities and listener.revocations)
        assert listener.capabilities == [Capability("10", None, "busy")]
        assert listener.revocations == [Revocation(9, "m-9", None, "busy", retry_s=1.0)]
    assert len(listener.capabilities) == 11


async def test_stop_waits_for_what_is_out(platform: Platform, listener: Listener) -> None:
    platform.replies = [platform.silent]
    async with linked(platform.root, listener) as link:
        await listener.until(lambda: link.is_up)
        link.submit(a_message(1))
        await platform.until_asked(1)
        asyncio.get_running_loop().call_soon(platform.release.set)
        await link.stop(5.0)
        assert [result.outcome for result in listener.results] == [Accepted("m-1")]
        assert not link.is_up


async def test_stop_gives_back_what_is_not_finished(platform: Platform, listener: Listener) -> None:
    platform.replies = [platform.silent]
    async with linked(platform.root, listener, window=2) as link:
        await listener.until(lambda: link.is_up)
        link.check_capability("33612345678")
        link.check_capability("33612345679")
        await platform.until_asked(2)
        link.revoke(9, "m-9")
        await link.stop(0.0)
    assert [each.capable for each in listener.capabilities] == [None, None]
    assert listener.revocations == [Revocation(9, "m-9", None, "stopped", retry_s=1.0)]


async def test_stop_tells_the_sent_from_the_unsent(platform: Platform, listener: Listener) -> None:
    platform.replies = [platform.silent]
    async with linked(platform.root, listener, window=2) as link:
        await listener.until(lambda: link.is_up)
        link.submit(a_message(1))
        await platform.until_asked(1)
        link.submit(a_message(2))
        await link.stop(0.0)
        assert {result.message_id: result.outcome for result in listener.results} == {
            1: Unknown("stopped"),
            2: Deferred("stopped", 1.0),
        }
        link.submit(a_message(3))
        link.revoke(9, "m-9")
        link.check_capability("1")
        await listener.until(lambda: listener.capabilities)
        assert listener.results[-1].outcome == Deferred("link_down", 1.0)
        assert listener.revocations == [Revocation(9, "m-9", None, "link_down", retry_s=1.0)]
        assert listener.capabilities == [Capability("1", None, "link_down")]


async def test_a_link_that_never_started_stops(listener: Listener) -> None:
    link = RcsLink("orange", settings_for("http://127.0.0.1:9"), None, "secret", listener)
    await link.stop(0.0)
    assert not link.is_up


async def test_a_bug_of_ours_loses_neither_the_message_nor_the_sender(
    platform: Platform, listener: Listener, faults: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with linked(platform.root, listener, faults, window=1) as link:
        broken = msgspec.structs.replace(link.platform, send=lambda outgoing: 1 / 0)
        with monkeypatch.context() as patch:
            patch.setattr(link, "platform", broken)
            assert await sent(link, listener, a_message(1)) == Deferred("internal", 1.0)
        assert await sent(link, listener, a_message(2)) == Accepted("m-1")
    assert faults == ["internal"]


async def test_the_secret_and_the_token_are_in_no_log(
    platform: Platform, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    platform.tokens = [answer(500), answer(200, {"access_token": "hush-token", "expires_in": 3600})]
    caplog.set_level("DEBUG")
    async with linked(platform.root, listener) as link:
        await sent(link, listener, a_message())
    said = [record.message for record in caplog.records if record.message.startswith("link orange: ")]
    assert said == ["link orange: no token, token_http_500", "link orange: up"], "a sysadmin is told why"
    assert "secret" not in caplog.text
    assert "hush-token" not in caplog.text
    assert "33612345678" not in caplog.text
    assert "Bonjour" not in caplog.text


def a_card_of(message: Message) -> Content:
    return RichCard(Card("Hello", "x" * message.priority))


async def test_what_is_richer_than_a_text_is_told(platform: Platform, listener: Listener) -> None:
    async with linked(platform.root, listener, content_of=a_card_of) as link:
        assert await sent(link, listener, a_message()) == Accepted("m-1", is_plain=False)
    (asked,) = platform.asked
    assert "richcardMessage" in asked.json["RCSMessage"]


async def test_what_the_platform_cannot_take_goes_as_the_text_it_was(platform: Platform, listener: Listener) -> None:
    faults: list[str] = []
    message = msgspec.structs.replace(a_message(), priority=2001)
    async with linked(platform.root, listener, faults, content_of=a_card_of) as link:
        assert await sent(link, listener, message) == Accepted("m-1")
    (asked,) = platform.asked
    assert "textMessage" in asked.json["RCSMessage"]
    assert faults == ["template_too_long"]


async def test_whether_it_was_rich_is_told_of_what_was_perhaps_taken(platform: Platform, listener: Listener) -> None:
    platform.replies = [answer(504)]
    async with linked(platform.root, listener, content_of=a_card_of) as link:
        assert await sent(link, listener, a_message()) == Unknown("http_504", is_plain=False)
