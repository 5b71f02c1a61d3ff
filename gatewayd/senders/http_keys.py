"""Who calls the HTTP API: keys of accounts, what they may do, from where, and how often somebody may be wrong.

Keeps hashes, never keys. An unknown key cannot be guessed (it is 256 bits), so a wrong one costs its sender time and us
next to nothing; who is wrong again and again is not even told so.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from gatewayd.config.api_keys import end_of, hash_key
from gatewayd.config.load import Loaded
from gatewayd.senders.accounts import Account
from gatewayd.senders.failures import Failures
from gatewayd.senders.http_problems import Problem

_SCHEME: Final = "bearer "
_KEY_SIZE_MAX: Final = 200


class Key(NamedTuple):
    """One key. ``ends_at`` is in Unix seconds, 0 for never."""

    account: str
    name: str
    hash: str
    scopes: frozenset[str]
    ends_at: float


class Keyring:
    """All keys of all accounts. ``clock`` tells Unix seconds."""

    def __init__(self, accounts: Mapping[str, Account], clock: Callable[[], float]) -> None:
        self._accounts = accounts
        self._clock = clock
        # By their hashes: nobody can steer the hash of a key unknown to him, so the time of finding it tells nothing.
        self._keys: dict[str, Key] = {}
        self.failures = Failures(clock)

    def learn(self, loaded: Loaded) -> None:
        """These keys are good from now on, and no others."""
        self._keys = {
            hashed: Key(account, name, hashed, frozenset(key.scopes), end_of(key.expires))
            for account, settings in loaded.config.accounts.items()
            for name, hashed in loaded.key_hashes(account).items()
            for key in (settings.api_keys[name],)
        }

    def admit(self, authorization: str, peer: str, scope: str) -> Account:
        """The account that a call is for. Raises Problem."""
        key = self._find(authorization)
        if key is None:
            raise self._failed(peer)
        account = self._accounts.get(key.account)
        if account is None:  # taken out of the configuration this moment
            raise self._failed(peer)
        if not account.admits(peer):
            raise Problem("address-not-allowed")
        if scope not in key.scopes:
            raise Problem("insufficient-scope", f"the key lacks the scope {scope}")
        return account

    def _find(self, authorization: str) -> Key | None:
        if authorization[: len(_SCHEME)].lower() != _SCHEME or len(authorization) > _KEY_SIZE_MAX:
            return None
        hashed = hash_key(authorization[len(_SCHEME) :].strip())
        key = self._keys.get(hashed)
        if key is None or not hmac.compare_digest(key.hash, hashed):
            return None
        return key if key.ends_at == 0 or self._clock() < key.ends_at else None

    def _failed(self, peer: str) -> Problem:
        """One more wrong key from this address."""
        wait_s = self.failures.note(peer)
        if wait_s:
            return Problem("too-many-failures", retry_s=wait_s)
        return Problem("unauthorized", headers={"WWW-Authenticate": 'Bearer realm="gatewayd"'})
