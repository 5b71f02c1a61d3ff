"""Password hashes: made, checked, and bounded when somebody else wrote them."""

from __future__ import annotations

import hashlib
import random

import pytest

from gatewayd.config.passwords import hash_password, is_password_hash, verify_password

STORED = hash_password("s3cret", random.Random(7))


def test_the_right_password_and_no_other() -> None:
    assert verify_password("s3cret", STORED)
    assert not verify_password("S3cret", STORED)
    assert not verify_password("", STORED)


def test_the_form_is_documented() -> None:
    name, n, r, p, salt, key = STORED.split("$")
    assert (name, n, r, p) == ("scrypt", "16384", "8", "1")
    assert "=" not in salt + key
    assert is_password_hash(STORED)


def test_two_hashes_of_one_password_differ() -> None:
    rng = random.Random(1)
    assert hash_password("s3cret", rng) != hash_password("s3cret", rng)


def test_octets_above_ascii_are_compared_too() -> None:
    stored = hash_password("\xe9\udce9", random.Random(7))
    assert verify_password("\xe9\udce9", stored)
    assert not verify_password("\xe9", stored)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "s3cret",
        STORED + "\n",
        STORED.replace("scrypt", "bcrypt"),
        STORED.replace("$16384$", "$16383$"),  # not a power of two
        STORED.replace("$16384$", "$512$"),
        STORED.replace("$16384$", "$262144$"),
        STORED.replace("$16384$8$", "$131072$32$"),  # half a gigabyte
        STORED.replace("$8$1$", "$0$1$"),
        STORED.replace("$8$1$", "$8$0$"),
        STORED.replace("$8$1$", "$8$99$"),
        "scrypt$16384$8$1$c2FsdA$" + "A" * 43,  # a salt of four octets
        "scrypt$16384$8$1$" + "A" * 22 + "$AAAA",  # a key of three
        "scrypt$16384$8$1$A$" + "A" * 43,  # no base64
    ],
)
def test_an_unsound_hash_fits_no_password_and_costs_nothing(stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashlib, "scrypt", None)
    assert not is_password_hash(stored)
    assert not verify_password("s3cret", stored)


def test_the_most_costly_hash_allowed_can_be_checked() -> None:
    stored = "scrypt$131072$4$1$" + "A" * 22 + "$" + "A" * 43
    assert is_password_hash(stored)
    assert not verify_password("s3cret", stored)
