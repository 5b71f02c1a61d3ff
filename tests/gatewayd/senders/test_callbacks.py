"""The caller of one account against a real page: what it makes of each answer, and where it does not go."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from gatewayd.config import schema
from gatewayd.message import TAG_CALLBACK, State
from gatewayd.policy.callbacks import ACCEPTED, DELIVERED, Call, Callback, encode
from gatewayd.senders.callbacks import CallbackPoster
from gatewayd.senders.gates import Verdict
from gatewayd.senders.submit_rules import Refusal, check_own_tlvs
from gatewayd.store.records import Delivery, Facts
from protocol.rcs.limits import Limits
from tests.support.products import Application


@dataclasses.dataclass
class Neighbours:
    page: Application
    posters: list[CallbackPoster] = dataclasses.field(default_factory=list)

    async def post(self, call: Call | None, **account: Any) -> Verdict:
        given: dict[str, Any] = {
            "dlr_urls": (self.page.url, f"http://127.0.0.1:{self.page.port}/sms/*"),
            "dlr_allow_private": True,
        }
        self.posters.append(CallbackPoster(schema.Account(**(given | account))))
        delivery = Delivery(
            7, "shop", "receipt", 1, 1, "33600000001", 5, 0, "SHOP", 1.0, 2.0,
            message_id=5, state=State.DELIVRD, sink="callback", facts=Facts(call=call),
        )  # fmt: skip
        (verdict,) = await self.posters[-1].post([delivery])
        return verdict

    def kannel(self, rest: str = "?d=%d") -> Call:
        return Call(Callback("kannel", self.page.url + rest, 31), DELIVERED, "carrier", "c1")

    def jasmin(self, method: Any = "POST", rest: str = "") -> Call:
        return Call(Callback("jasmin", self.page.url + rest, 27, method), ACCEPTED, "carrier", "c1")


@pytest.fixture
async def there() -> AsyncIterator[Neighbours]:
    neighbours = Neighbours(Application())
    await neighbours.page.start()
    yield neighbours
    for poster in neighbours.posters:
        await poster.close()
    await neighbours.page.stop()


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (200, "taken"),
        (202, "taken"),
        (204, "taken"),
        (302, "refused"),
        (404, "refused"),
        (410, "refused"),
        (503, "later"),
    ],
)
async def test_kannel(there: Neighbours, status: int, fate: str) -> None:
    there.page.status = status
    assert await there.post(there.kannel()) == Verdict(fate, str(status))  # type: ignore[arg-type]
    assert there.page.queries == ["/dlr?d=1"]


@pytest.mark.parametrize(
    ("status", "said", "verdict"),
    [
        (200, "ACK/Jasmin", Verdict("taken", "200")),
        (200, " ACK/Jasmin\r\n", Verdict("taken", "200")),
        (200, "ACK/Jasmin debug", Verdict("refused", "not_acknowledged")),
        (200, "", Verdict("refused", "not_acknowledged")),
        (404, "ACK/Jasmin", Verdict("refused", "404")),
        (500, "ACK/Jasmin", Verdict("later", "500")),
    ],
)
async def test_jasmin(there: Neighbours, status: int, said: str, verdict: Verdict) -> None:
    there.page.status, there.page.said = status, said
    assert await there.post(there.jasmin()) == verdict
    assert there.page.calls[0]["method"] == "POST"


async def test_jasmin_by_get_keeps_what_the_address_says(there: Neighbours) -> None:
    there.page.said = "ACK/Jasmin"
    await there.post(there.jasmin("GET", "?b=%41+x&a=1"))
    assert there.page.queries[0].startswith("/dlr?b=%41+x&a=1&id=00000000-0000-4000-8000-000000000005&level=1&")
    await there.post(there.jasmin("GET"))
    assert there.page.queries[1].startswith("/dlr?id=")


async def test_where_it_does_not_go(there: Neighbours) -> None:
    assert await there.post(there.kannel(), dlr_urls=("https://app.example/",)) == Verdict("refused", "not_allowed")
    assert await there.post(there.kannel(), dlr_allow_private=False) == Verdict("later", "private_address")
    climbing = Call(Callback("kannel", f"http://127.0.0.1:{there.page.port}/sms/%%2e%%2e/admin", 1), DELIVERED)
    assert await there.post(climbing) == Verdict("refused", "not_allowed")
    assert await there.post(None) == Verdict("refused", "not_allowed")
    assert there.page.queries == []
    await there.page.leave()
    assert await there.post(there.kannel()) == Verdict("later", "unreachable")


@pytest.mark.parametrize("value", [b"", b"{}", encode(Callback("kannel", "http://elsewhere.example/", 31))])
def test_nobody_hands_in_an_address_that_is_not_listed(value: bytes) -> None:
    """By whatever interface: an application over SMPP can write our TLVs too."""
    account: Any = SimpleNamespace(settings=schema.Account(dlr_urls=("https://app.example/*",)))
    with pytest.raises(Refusal) as caught:
        check_own_tlvs([(TAG_CALLBACK, value)], account, Limits())
    assert caught.value.kind == "callback_not_allowed"
    check_own_tlvs([(TAG_CALLBACK, encode(Callback("kannel", "https://app.example/x", 31)))], account, Limits())
