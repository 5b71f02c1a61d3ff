"""Keys let in whom they are for, for as long as they last, and who guesses is counted and bounded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from gatewayd.config import schema
from gatewayd.config.api_keys import hash_key
from gatewayd.senders import failures
from gatewayd.senders.failures import FAILURES_MAX, FAILURES_S
from gatewayd.senders.http_keys import Keyring
from gatewayd.senders.http_problems import Problem

PEER = "192.0.2.7"
ENDS = 1_798_761_600.0  # 2027-01-01


class Ring:
    """A keyring, its accounts and its clock."""

    def __init__(self) -> None:
        self.now = ENDS - 10.0
        self.admitted = True
        account = SimpleNamespace(name="shop", admits=lambda peer: self.admitted)
        self.accounts: dict[str, Any] = {"shop": account}
        self.keys = Keyring(cast(Any, self.accounts), lambda: self.now)
        self.learn(main=schema.ApiKey(hash=hash_key("gwk_main")), old=schema.ApiKey(expires="2026-12-31"))

    def learn(self, **keys: schema.ApiKey) -> None:
        account = schema.Account(api_keys=keys)
        hashes = {name: key.hash or hash_key(f"gwk_{name}") for name, key in keys.items()}
        config = schema.Config(accounts={"shop": account})
        self.keys.learn(cast(Any, SimpleNamespace(config=config, key_hashes=lambda name: hashes)))

    def problem(self, authorization: str, scope: str = "send", peer: str = PEER) -> Problem:
        with pytest.raises(Problem) as caught:
            self.keys.admit(authorization, peer, scope)
        return caught.value


def test_a_key_is_its_accounts() -> None:
    ring = Ring()
    assert ring.keys.admit("Bearer gwk_main", PEER, "send").name == "shop"
    assert ring.keys.admit("bearer  gwk_main ", PEER, "query").name == "shop"
    assert ring.keys.admit("Bearer gwk_old", PEER, "send").name == "shop"


@pytest.mark.parametrize(
    "authorization", ["", "gwk_main", "Basic gwk_main", "Bearer ", "Bearer gwk_mai", "Bearer \ud800"]
)
def test_anything_else_is_none(authorization: str) -> None:
    problem = Ring().problem(authorization)
    assert (problem.kind, problem.headers["WWW-Authenticate"]) == ("unauthorized", 'Bearer realm="gatewayd"')


def test_a_key_ends_and_is_exchanged() -> None:
    ring = Ring()
    ring.now = ENDS
    assert ring.problem("Bearer gwk_old").kind == "unauthorized"
    ring.keys.admit("Bearer gwk_main", PEER, "send")
    ring.learn(new=schema.ApiKey(scopes=("query",)))
    assert ring.problem("Bearer gwk_main").kind == "unauthorized"
    ring.keys.admit("Bearer gwk_new", PEER, "query")
    assert ring.problem("Bearer gwk_new", "send").kind == "insufficient-scope"
    ring.admitted = False
    assert ring.problem("Bearer gwk_new", "query").kind == "address-not-allowed"
    ring.accounts.clear()
    assert ring.problem("Bearer gwk_new", "query").kind == "unauthorized"


def test_who_is_wrong_too_often_is_told_to_wait_and_others_are_not() -> None:
    ring = Ring()
    kinds = [ring.problem("Bearer wrong").kind for _ in range(FAILURES_MAX + 2)]
    assert kinds == ["unauthorized"] * FAILURES_MAX + ["too-many-failures"] * 2
    assert int(ring.problem("Bearer wrong").headers["Retry-After"]) == FAILURES_S
    assert ring.problem("Bearer wrong", peer="192.0.2.8").kind == "unauthorized"
    ring.keys.admit("Bearer gwk_main", PEER, "send")
    ring.now += FAILURES_S
    assert ring.problem("Bearer wrong").kind == "unauthorized"


def test_the_memory_of_strangers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "PEERS_MAX", 10)
    ring = Ring()
    for number in range(50):
        ring.problem("Bearer wrong", peer=f"192.0.2.{number}")
    assert len(ring.keys.failures) == 10
