"""What every published error means to us: all rows of both platforms' catalogues, as the simulators spell them.

``test_answers`` and ``test_rbm`` try the odd shapes; here nothing that is known may be missing.
"""

from __future__ import annotations

import itertools
from typing import Any, Literal

import msgspec
import pytest

from gatewayd.simulate.rbm_refusals import WORDS, GoogleRefusal
from gatewayd.simulate.rcs_catalogue import CATALOGUE, Refusal
from protocol.rcs import rbm
from protocol.rcs.answers import NotTaken, SendAnswer, Taken, TokenRefused, TryLater, Unclear
from protocol.rcs.content import Text
from protocol.rcs.dialects import named
from protocol.rcs.events import Contact
from protocol.rcs.gsma import platform_of
from protocol.rcs.platform import Outgoing, Platform

Meaning = Literal["token", "refused", "unreachable", "throttled", "later", "unclear"]
DIALECTS = ("standard", "orange", "dotgo", "vi")
OUTGOING = Outgoing("bot", Contact("+33612345678"), Text("hello"), 1, 0.0)
PROMOTION = msgspec.structs.replace(OUTGOING, traffic_type="PROMOTION")


def meaning_of(answer: SendAnswer) -> Meaning:
    match answer:
        case TokenRefused():
            return "token"
        case NotTaken(unreachable=unreachable):
            return "unreachable" if unreachable else "refused"
        case TryLater(throttled=throttled):
            return "throttled" if throttled else "later"
        case Unclear():
            return "unclear"
    raise AssertionError(f"{answer} is no error")


def gsma(dialect: str) -> Platform:
    return platform_of(named(dialect))


# -- GSMA: codes ------------------------------------------------------------------------------------------------------

# First code, last code, what it says of a message that was to be sent.
PUBLISHED: list[tuple[int, int, Meaning]] = [
    (40001, 40005, "token"),  # header or token missing, tampered, expired, malformed
    (40006, 40007, "refused"),  # wrong client, wrong scope: another token would not help
    (41000, 41000, "later"),  # internal error
    (41001, 41001, "unclear"),  # RCS timeout
    (41003, 41003, "throttled"),  # by message rate
    (41004, 41005, "later"),  # busy, unavailable for a while
    (41007, 41007, "refused"),  # expired before it began
    (41200, 41200, "unreachable"),  # no RCS user
    (41210, 41212, "refused"),  # cannot receive texts, files, cards
    (42001, 42001, "refused"),  # the bot is in the wrong state
    (42002, 42005, "refused"),  # message, date, contact missing or bad
    (42007, 42007, "refused"),  # not on the test list
    (42009, 42010, "refused"),  # no content, several
    (42011, 42015, "refused"),  # status, isTyping, trafficType, chip list, empty text
    (42031, 42034, "refused"),  # cards
    (42036, 42039, "refused"),  # orientation, alignment
    (42040, 42041, "refused"),  # width, height
    (42042, 42042, "refused"),  # nothing in the card
    (42043, 42044, "refused"),  # chip list
    (42045, 42047, "refused"),  # suggestions and actions
    (42048, 42049, "refused"),  # too many, postback too long
    (42050, 42050, "refused"),  # displayText, or action
    (42100, 42108, "refused"),  # members of files, places and replies
    (42201, 42205, "refused"),  # lengths
    (42207, 42208, "refused"),  # expiry
    (42514, 42514, "refused"),  # an id twice; we give none
    (42601, 42601, "throttled"),  # too many requests
]
MEANINGS: dict[int, Meaning] = {code: meaning for first, last, meaning in PUBLISHED for code in range(first, last + 1)}
# Of revokes, files, bulk questions, a bot's own assertion, and what is finer than the published list.
BESIDE = {
    *(40008, 41002, 41009, 41010, 41011, 41117, 42035, 42206, 42401, 42402, 42403, 42602),
    *range(42051, 42061),
}


def test_the_simulator_knows_every_published_code_and_no_other_is_overlooked() -> None:
    assert CATALOGUE.keys() == MEANINGS.keys() | BESIDE
    assert not MEANINGS.keys() & BESIDE


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("code", MEANINGS)
def test_a_published_code(code: int, dialect: str) -> None:
    refusal = Refusal(code)
    answer = gsma(dialect).read_send(refusal.http_status, refusal.body(), None, OUTGOING)
    assert meaning_of(answer) == MEANINGS[code]
    if not isinstance(answer, TokenRefused | Taken):
        assert answer.error == str(code)


SHAPES: dict[str, Any] = {
    "reason": lambda code: {"reason": {"code": code, "text": "no"}},
    "error": lambda code: {"error": {"code": code, "message": "no", "status": "Bad Request"}},
    "status and error": lambda code: {"status": "failed", "error": {"code": str(code), "message": "no"}},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("code", [code for code, meaning in MEANINGS.items() if meaning != "token"])
def test_a_published_code_in_every_shape_whatever_the_status_of_a_refusal(code: int, shape: str) -> None:
    """No platform documents which HTTP status goes with which code: what the code says holds with a 400, too."""
    answer = gsma("standard").read_send(400, msgspec.json.encode(SHAPES[shape](code)), None, OUTGOING)
    by_status = {41000: "refused"}  # an internal error is known by its status alone
    assert meaning_of(answer) == by_status.get(code, MEANINGS[code])


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("code", "revoked", "again"),
    [
        (41002, False, False),  # delivered already
        (41009, None, False),  # the device cannot
        (41010, False, False),  # delivered although
        (41011, True, False),  # revoked already
        (41117, None, True),  # nobody knows
        (41000, None, True),
        (41001, None, True),
        (41003, None, True),
        (41004, None, True),
        (41005, None, True),
        (42601, None, True),
        (42011, None, False),
    ],
)
def test_a_code_of_a_revoke(code: int, revoked: bool | None, again: bool, dialect: str) -> None:
    refusal = Refusal(code)
    answer = gsma(dialect).read_revoke(refusal.http_status, refusal.body())
    assert (answer.revoked, answer.error, answer.again) == (revoked, str(code), again)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("code", "capable"), [(41200, False), (41000, None), (41001, None), (42005, None)])
def test_a_code_of_a_capability_question(code: int, capable: bool | None, dialect: str) -> None:
    refusal = Refusal(code)
    answer = gsma(dialect).read_capability(refusal.http_status, refusal.body())
    assert (answer.capable, answer.reason) == (capable, str(code))


# -- GSMA: statuses without a code ------------------------------------------------------------------------------------

SHAPED = b'{"error":{"code":%d,"message":"m","status":"Bad Request"}}'
# HTTP status, what it says of a message, whether the contact is capable, whether a revoke is worth another try.
STATUSES: list[tuple[int, Meaning, bool | None, bool]] = [
    (400, "refused", None, False),
    (401, "token", None, True),
    (403, "refused", None, False),
    (404, "unreachable", False, False),
    (405, "refused", None, False),
    (429, "throttled", None, True),
    (500, "later", None, True),
    (502, "later", None, True),
    (503, "later", None, True),
    (504, "unclear", None, True),
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("status", "meaning", "capable", "again"), STATUSES)
def test_a_status_alone(status: int, meaning: Meaning, capable: bool | None, again: bool, dialect: str) -> None:
    platform = gsma(dialect)
    for body in (b"", b"<html>", b"[]", SHAPED % (status,)):
        assert meaning_of(platform.read_send(status, body, None, OUTGOING)) == meaning
        assert platform.read_capability(status, body).capable is capable
        revoke = platform.read_revoke(status, body)
        assert (revoke.revoked, revoke.again) == (False if status == 404 else None, again)


# -- Google -----------------------------------------------------------------------------------------------------------

GOOGLE: list[tuple[int, str, Meaning, bool | None, bool | None]] = [
    (400, "INVALID_ARGUMENT", "refused", None, None),
    (401, "UNAUTHENTICATED", "token", None, None),
    (403, "PERMISSION_DENIED", "refused", None, None),
    (404, "NOT_FOUND", "unreachable", False, False),
    (429, "RESOURCE_EXHAUSTED", "throttled", None, None),
    # To be repeated under the same name: the message may have been taken.
    (500, "INTERNAL", "unclear", None, None),
    (503, "UNAVAILABLE", "unclear", None, None),
    (504, "DEADLINE_EXCEEDED", "unclear", None, None),
]


@pytest.mark.parametrize(("status", "word", "meaning", "capable", "revoked"), GOOGLE)
def test_an_error_of_google(
    status: int, word: str, meaning: Meaning, capable: bool | None, revoked: bool | None
) -> None:
    assert WORDS[status] == word
    body = GoogleRefusal(status, "no").body()
    for raw, outgoing in itertools.product((body, b"", b"<html>"), (OUTGOING, PROMOTION)):
        assert meaning_of(rbm.PLATFORM.read_send(status, raw, None, outgoing)) == meaning
        assert rbm.PLATFORM.read_capability(status, raw).capable is capable
        answer = rbm.PLATFORM.read_revoke(status, raw)
        assert (answer.revoked, answer.again) == (revoked, status in (401, 429) or status >= 500)
    assert rbm.PLATFORM.repeats_safely


def test_the_simulator_of_google_knows_no_other_error() -> None:
    # 409 is not documented: a name that is taken already, which is no error to us.
    assert WORDS.keys() == {status for status, *_ in GOOGLE} | {409}


def test_a_429_of_google_rests_whom_it_is_about() -> None:
    scopes = [rbm.PLATFORM.read_send(429, b"", "5", each) for each in (OUTGOING, PROMOTION)]
    assert scopes == [TryLater("http_429", 5.0, throttled=True, scope=scope) for scope in ("agent", "user")]
