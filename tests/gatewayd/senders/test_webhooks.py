"""One endpoint's poster against a real receiver: what it says of each answer, and where it does not go."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp.abc
import pytest

from gatewayd.config import schema
from gatewayd.message import State
from gatewayd.senders.gates import Verdict
from gatewayd.senders.webhooks import WebhookPoster, pause_of, verdict_of
from gatewayd.store.records import Delivery
from tests.support.receiver import OTHER_SECRET, SECRET, Receiver

EVENT = Delivery(
    7, "shop", "receipt", 1, 1, "33600000001", 5, 0, "SHOP", 1.0, 2.0, message_id=5, state=State.DELIVRD, sink="webhook"
)


@dataclasses.dataclass
class Neighbours:
    receiver: Receiver
    posters: list[WebhookPoster] = dataclasses.field(default_factory=list)

    def poster(self, url: str = "", **keys: Any) -> WebhookPoster:
        secrets = keys.pop("secrets", [SECRET])
        settings = schema.Endpoint(
            url=url or self.receiver.url, secret_file="x", **({"allow_private": True, "timeout_s": 5.0} | keys)
        )
        self.posters.append(WebhookPoster(settings, secrets))
        return self.posters[-1]


@pytest.fixture
async def there() -> AsyncIterator[Neighbours]:
    receiver = Receiver()
    await receiver.start()
    neighbours = Neighbours(receiver)
    yield neighbours
    receiver.release()
    for poster in neighbours.posters:
        await poster.close()
    await receiver.stop()


async def test_what_is_posted_is_signed_and_taken(there: Neighbours) -> None:
    assert await there.poster().post([EVENT]) == [Verdict("taken", "200")]
    (event,) = there.receiver.taken
    assert (event["type"], event["id"], event["data"]["state"]) == ("message.receipt", "evt_7", "DELIVRD")


async def test_each_secret_signs(there: Neighbours) -> None:
    assert (await there.poster(secrets=[OTHER_SECRET, SECRET]).post([EVENT]))[0].fate == "taken"


async def test_one_connection_serves_many(there: Neighbours) -> None:
    poster = there.poster()
    for _ in range(3):
        await poster.post([EVENT])
    connector = poster._client.session.connector
    assert connector is not None
    assert len(connector._conns) == 1


async def test_who_is_gone_silent_or_redirects(there: Neighbours) -> None:
    there.receiver.status, there.receiver.headers = 302, {"Location": "http://127.0.0.1:1/"}
    assert await there.poster().post([EVENT]) == [Verdict("later", "302")]
    there.receiver.hold()
    assert await there.poster(timeout_s=0.05).post([EVENT]) == [Verdict("later", "timeout")]
    await there.receiver.stop()
    assert await there.poster().post([EVENT]) == [Verdict("later", "unreachable")]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_machine_itself_is_no_endpoint_unless_it_is_meant(there: Neighbours, host: str) -> None:
    url = f"http://{host}:{there.receiver.port}/hooks"
    assert await there.poster(url, allow_private=False).post([EVENT]) == [Verdict("later", "private_address")]
    assert there.receiver.tries == []


async def test_a_name_that_changes_its_address_leads_nowhere(there: Neighbours) -> None:
    """What is judged is the address that is connected to, so a name server cannot answer differently in between."""

    class Fickle(aiohttp.abc.AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[Any]:
            return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": family, "proto": 0, "flags": 0}]

        async def close(self) -> None:
            """Nothing is open."""

    poster = there.poster(f"http://public.example:{there.receiver.port}/hooks", allow_private=False)
    connector = poster._client.session.connector
    assert isinstance(connector, aiohttp.TCPConnector)
    connector._resolver = Fickle()
    assert await poster.post([EVENT]) == [Verdict("later", "private_address")]
    assert there.receiver.tries == []


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (200, "taken"), (204, "taken"), (299, "taken"),
        (301, "later"), (500, "later"), (503, "later"), (408, "later"), (409, "later"), (425, "later"), (429, "later"),
        (400, "refused"), (401, "refused"), (404, "refused"), (422, "refused"),
        (410, "gone"),
    ],
)  # fmt: skip
def test_what_a_status_means(status: int, fate: str) -> None:
    assert verdict_of(status, "", 0.0) == Verdict(fate, str(status))  # type: ignore[arg-type]


def test_only_some_statuses_may_ask_for_silence() -> None:
    assert verdict_of(429, "7", 0.0).pause_s == verdict_of(503, "7", 0.0).pause_s == 7.0
    assert verdict_of(500, "7", 0.0).pause_s == 0.0


@pytest.mark.parametrize(
    ("text", "pause_s"),
    [
        ("120", 120.0),
        ("0", 1.0),
        ("Thu, 26 Nov 2026 09:00:10 GMT", 10.0),
        ("Thu, 26 Nov 2026 08:00:00 GMT", 1.0),
        ("", 0.0),
        ("-5", 0.0),
        ("soon", 0.0),
        ("1e9", 0.0),
        ("9" * 400, 0.0),
    ],
)
def test_retry_after(text: str, pause_s: float) -> None:
    assert pause_of(text, 1_795_683_600.0) == pause_s
